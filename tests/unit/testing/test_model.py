"""The scripted model, alone and in graphs."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from streamgraph import START, MessagesState, StateGraph
from streamgraph.prebuilt import create_react_agent
from streamgraph.testing import Answer, ScriptedModel, ScriptExhaustedError, acheck_stream, check_stream

CALL = {"name": "search", "args": {"query": "cats and dogs"}, "id": "call_1", "type": "tool_call"}
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
WITH_CALL = AIMessage("Let me see.", tool_calls=[CALL], usage_metadata=USAGE, response_metadata={"model": "m"})
DRIVERS = ["invoke", "ainvoke", "stream", "astream"]


@tool
def search(query: str) -> str:
    """Search."""
    return f"found {query}"


class Counting(BaseCallbackHandler):
    """Counts the tokens it is told of."""

    def __init__(self) -> None:
        self.tokens: List[str] = []

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.tokens.append(token)


def ask(model: Any, driver: str, given: Any = "?", config: Any = None) -> Any:
    """The whole message, by any of the four ways."""
    if driver == "invoke":
        return model.invoke(given, config)
    if driver == "ainvoke":
        return asyncio.run(model.ainvoke(given, config))
    if driver == "stream":
        first, *rest = model.stream(given, config)
    else:

        async def read() -> Any:
            return [chunk async for chunk in model.astream(given, config)]

        first, *rest = asyncio.run(read())
    for chunk in rest:
        first += chunk
    return first


@pytest.mark.parametrize("driver", DRIVERS)
def test_answers_come_in_turn(driver: str) -> None:
    model = ScriptedModel(["one two", ["th", "ree"], [AIMessageChunk("fo"), "ur"], AIMessage("five 5"), Answer("six")])
    got = [ask(model, driver, str(number)).content for number in range(5)]
    assert got == ["one two", "three", "four", "five 5", "six"]
    assert [[message.content for message in call] for call in model.calls] == [[str(number)] for number in range(5)]
    assert model.remaining == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_script_ends(driver: str) -> None:
    model = ScriptedModel(["one", "two"])
    for _ in range(2):
        ask(model, driver)
    with pytest.raises(
        ScriptExhaustedError, match=r"called 3 times, and its script has 2 answers.*'human: last'.*cycle"
    ):
        ask(model, driver, "last")


def test_a_script_begins_again() -> None:
    model = ScriptedModel(["one", "two"], cycle=True)
    assert [model.invoke("?").content for _ in range(5)] == ["one", "two", "one", "two", "one"]
    assert model.remaining is None


def test_a_script_of_nothing() -> None:
    with pytest.raises(ScriptExhaustedError, match="has 0 answers"):
        ScriptedModel(cycle=True).invoke("?")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_message_with_calls(driver: str) -> None:
    message = ask(ScriptedModel([WITH_CALL]), driver)
    assert message.content == "Let me see."
    assert message.tool_calls == [CALL]
    assert message.usage_metadata == USAGE
    assert message.response_metadata["model"] == "m"


def test_calls_come_in_pieces_and_usage_last() -> None:
    chunks = list(ScriptedModel([WITH_CALL]).stream("?"))
    assert [chunk.content for chunk in chunks[:3]] == ["Let", " me", " see."]
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert (pieces[0]["name"], pieces[0]["id"], pieces[0]["args"]) == ("search", "call_1", "")
    assert len(pieces) > 3
    assert json.loads("".join(piece["args"] for piece in pieces)) == CALL["args"]
    assert [chunk.usage_metadata for chunk in chunks] == [None] * (len(chunks) - 1) + [USAGE]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].id.startswith(("run-", "lc_run-"))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("blocks", [[{"type": "text", "text": "a"}, {"type": "image", "url": "b"}], ["a", "b"]])
def test_content_blocks(driver: str, blocks: Any) -> None:
    message = ask(ScriptedModel([AIMessage(blocks)]), driver)
    assert "".join(map(str, message.content)) == "".join(map(str, blocks))


@pytest.mark.parametrize("driver", DRIVERS)
def test_empty_answers(driver: str) -> None:
    model = ScriptedModel(["", AIMessage(""), [], AIMessageChunk("")])
    assert [ask(model, driver).content for _ in range(4)] == [""] * 4


@pytest.mark.parametrize("driver", DRIVERS)
def test_errors(driver: str) -> None:
    error = ValueError("no")
    model = ScriptedModel([error, "well"])
    with pytest.raises(ValueError) as caught:
        ask(model, driver)
    assert caught.value is error
    assert ask(model, driver).content == "well"


def test_an_error_after_tokens() -> None:
    seen = []
    with pytest.raises(ValueError, match="cut"):
        for chunk in ScriptedModel([Answer(["a", "b"], error=ValueError("cut"))]).stream("?"):
            seen.append(chunk.content)
    assert seen == ["a", "b"]


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_handlers_hear_each_token_once(driver: str) -> None:
    counting = Counting()
    ask(ScriptedModel(["one two three"]), driver, config={"callbacks": [counting]})
    assert [token for token in counting.tokens if token] == ["one", " two", " three"]


def test_what_is_no_answer() -> None:
    with pytest.raises(TypeError, match="Answer 2 of a script is 5"):
        ScriptedModel(["one", 5])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="Give a list of answers"):
        ScriptedModel("one")


def test_the_same_answer_twice_is_two_objects() -> None:
    model = ScriptedModel([WITH_CALL], cycle=True, disable_streaming=True)
    first, second = model.invoke("?"), model.invoke("?")
    assert first is not second
    assert WITH_CALL.id is None
    assert first.id != second.id


def test_tools_are_recorded() -> None:
    model = ScriptedModel(["one", "two"])
    bound = model.bind_tools([search], tool_choice="any")
    assert bound.invoke("?").content == "one"
    assert model.bound_tools == [[search]]
    assert bound.kwargs["tools"][0]["function"]["name"] == "search"  # type: ignore[attr-defined]
    assert model.model_copy(deep=True).invoke("?").content == "two"
    assert len(model.calls) == 2


def test_structured_output() -> None:
    class Joke(BaseModel):
        """A joke."""

        text: str

    call = {"name": "Joke", "args": {"text": "ha"}, "id": "1"}
    assert ScriptedModel([AIMessage("", tool_calls=[call])]).with_structured_output(Joke).invoke("?") == Joke(text="ha")


def test_each_of_many_threads_takes_one_answer() -> None:
    model = ScriptedModel([str(number) for number in range(100)])
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: model.invoke("?").content, range(100)))
    assert sorted(got, key=int) == [str(number) for number in range(100)]
    assert len(model.calls) == 100


def agent() -> Any:
    return create_react_agent(ScriptedModel([WITH_CALL, "Cats sleep."]), [search])


def test_an_agent() -> None:
    given = {"messages": [HumanMessage("?")]}
    modes = ["messages", "updates", "values", "tasks", "tools"]
    shown = check_stream(agent().stream(given, stream_mode=modes, version="v2"))
    ashown = asyncio.run(acheck_stream(agent().astream(given, stream_mode=modes, version="v2")))
    for got in (shown, ashown):
        assert list(got.texts().values()) == ["Let me see.", "found cats and dogs", "Cats sleep."]
        assert [message.content for message in got.output["messages"]] == ["?", *got.texts().values()]
        assert got.nodes() == ["agent", "tools"]


def test_parallel_nodes() -> None:
    model = ScriptedModel(["first answer", "second answer", "third answer"])
    builder = StateGraph(MessagesState)
    for name in "abc":
        builder.add_node(name, lambda state: {"messages": [model.invoke("?")]})
        builder.add_edge(START, name)
    shown = check_stream(
        builder.compile().stream({"messages": []}, stream_mode=["messages", "updates", "tasks"], version="v2")
    )
    assert sorted(shown.texts().values()) == ["first answer", "second answer", "third answer"]


def test_delay() -> None:
    model = ScriptedModel([Answer("one two", delay=0.0), "one"], delay=1e-4)
    assert [ask(model, driver).content for driver in ("stream", "invoke")] == ["one two", "one"]
