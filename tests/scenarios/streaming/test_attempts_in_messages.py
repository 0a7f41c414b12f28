"""What a failed attempt has shown is taken back before the next one shows anything (R40)."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, RemoveMessage
from langchain_core.outputs import ChatGenerationChunk

from streamgraph import START, MessageAccumulator, MessagesState, StateGraph
from streamgraph.func import entrypoint, task
from streamgraph.graph.message import push_message
from streamgraph.types import Command, RetryPolicy

AGAIN = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3)
DRIVERS = ("stream", "astream")


def model(text: str, **fields: Any) -> GenericFakeChatModel:
    """A model that streams one message, word by word."""
    return GenericFakeChatModel(messages=iter([AIMessage(text)]), **fields)


class Breaks(GenericFakeChatModel):
    """A model whose stream breaks off after two tokens."""

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        yield ChatGenerationChunk(message=AIMessageChunk("half an"))
        yield ChatGenerationChunk(message=AIMessageChunk(" answer"))
        raise ConnectionError("gone")


def broken(**fields: Any) -> Breaks:
    """A model that breaks off."""
    return Breaks(messages=iter([]), **fields)


def failing(times: int, work: Callable[[int], Any]) -> Callable[[Any], Any]:
    """A node that does its work and fails after it, so many times."""
    calls: List[int] = []

    def node(state: Any) -> Any:
        calls.append(1)
        done = work(len(calls))
        if len(calls) <= times:
            raise ConnectionError("not yet")
        return done

    return node


def shown(graph: Any, driver: str, **options: Any) -> List[Tuple[Any, Dict[str, Any]]]:
    """What the `messages` mode yields."""
    options = {"stream_mode": "messages", **options}
    if driver == "stream":
        return list(graph.stream({"messages": []}, **options))

    async def collect() -> List[Any]:
        return [item async for item in graph.astream({"messages": []}, **options)]

    return asyncio.run(collect())


def told(items: List[Any]) -> List[str]:
    """Texts, and `-` for what is taken back, without the empty chunks at the ends."""
    texts = ["-" if isinstance(item[0], RemoveMessage) else str(item[0].content) for item in items]
    return [text for text in texts if text.strip()]


def one(node: Any, **options: Any) -> Any:
    """A graph of one node."""
    return StateGraph(MessagesState).add_node("node", node, **options).add_edge(START, "node").compile()


@pytest.mark.parametrize("driver", DRIVERS)
def test_node_that_is_tried_again(driver: str) -> None:
    """A marker with the id of each message of the failed attempt, then the tokens of the next."""
    node = failing(2, lambda number: {"messages": model(f"attempt {number}").invoke("?")})
    items = shown(one(node, retry_policy=AGAIN), driver)
    assert told(items) == ["attempt", "1", "-", "attempt", "2", "-", "attempt", "3"]
    taken_back = [item[0].id for item in items if isinstance(item[0], RemoveMessage)]
    begun = list(dict.fromkeys(item[0].id for item in items if not isinstance(item[0], RemoveMessage)))
    assert taken_back == begun[:2]
    assert list(MessageAccumulator(items).texts().values()) == ["attempt 3"]
    assert all(item[1]["langgraph_node"] == "node" and item[1]["tags"] == [] for item in items)


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_last_attempt_is_not_taken_back(driver: str) -> None:
    """When no attempt follows, what was shown stays."""
    graph = one(failing(9, lambda number: model(f"attempt {number}").invoke("?")), retry_policy=AGAIN)
    items: List[Any] = []

    def collect() -> None:
        for item in graph.stream({"messages": []}, stream_mode="messages"):
            items.append(item)

    async def acollect() -> None:
        async for item in graph.astream({"messages": []}, stream_mode="messages"):
            items.append(item)

    with pytest.raises(ConnectionError):
        collect() if driver == "stream" else asyncio.run(acollect())
    assert list(MessageAccumulator(items).texts().values()) == ["attempt 3"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_fallback(driver: str) -> None:
    """A fallback that takes the place of a model that broke off announces that its tokens are void."""

    def node(state: Any) -> Any:
        return {"messages": broken(tags=["first"]).with_fallbacks([model("whole answer", tags=["second"])]).invoke("?")}

    items = shown(one(node), driver)
    assert told(items) == ["half an", " answer", "-", "whole", "answer"]
    assert [item[1]["tags"] for item in items if isinstance(item[0], RemoveMessage)] == [["first"]]
    assert list(MessageAccumulator(items).texts().values()) == ["whole answer"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_model_with_retry(driver: str) -> None:
    """A Runnable that retries its model does the same."""
    answers = iter([broken(), model("whole answer")])

    def node(state: Any) -> Any:
        return {"messages": next(answers).invoke("?")}

    def retrying(state: Any) -> Any:
        try:
            return node(state)
        except ConnectionError:
            return node(state)

    assert told(shown(one(retrying), driver)) == ["half an", " answer", "-", "whole", "answer"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_hidden_calls(driver: str) -> None:
    """What nobody has seen is not taken back: `nostream`, and what a filter leaves out."""

    def node(state: Any) -> Any:
        return {"messages": broken(tags=["nostream"]).with_fallbacks([model("whole answer")]).invoke("?")}

    assert told(shown(one(node), driver)) == ["whole", "answer"]
    assert shown(one(node), driver, exclude_nodes="node") == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("subgraphs", [None, True, False])
def test_nested_graph(subgraphs: Any, driver: str) -> None:
    """A nested graph that is tried again takes back its own tokens, with their namespace."""
    inner = one(lambda state: {"messages": model("inner words").invoke("?")})
    node = failing(1, lambda number: inner.invoke({"messages": []}))
    items = shown(one(node, retry_policy=AGAIN), driver, subgraphs=subgraphs)
    if subgraphs:
        spaces = [(item[0][0].split(":")[0], len(item[0])) for item in items]
        assert set(spaces) == {("node", 1), ("node", 2)}
        assert [space for space, item in zip(spaces, items) if isinstance(item[1][0], RemoveMessage)] == [("node", 1)]
        items = [item[1] for item in items]
    expected = ["inner words"] if subgraphs is False else ["inner", "words", "-", "inner", "words"]
    assert told(items) == expected
    assert list(MessageAccumulator(items).texts().values()) == ["inner words"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_pushed_messages(driver: str) -> None:
    """Messages that the failed attempt pushed are taken back as well."""

    def work(number: int) -> Any:
        push_message(AIMessage(f"pushed {number}", id=f"p{number}"))

    items = shown(one(failing(1, work), retry_policy=AGAIN), driver)
    assert [(type(item[0]).__name__, item[0].id) for item in items] == [
        ("AIMessage", "p1"),
        ("RemoveMessage", "p1"),
        ("AIMessage", "p2"),
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_tasks(driver: str) -> None:
    """A `@task` that is tried again."""
    work = failing(1, lambda number: model(f"task {number}").invoke("?"))
    again = task(work, name="again", retry_policy=AGAIN)

    @entrypoint()
    def flow(given: Any) -> str:
        return str(again(given).result().content)

    assert told(shown(flow, driver)) == ["task", "1", "-", "task", "2"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_text_of_what_was_taken_back(driver: str) -> None:
    """A node that returns what was taken back after all shows it: the consumer has dropped it."""

    def node(state: Any) -> Any:
        try:
            broken().invoke("?")
        except ConnectionError:
            model("second").invoke("?")
        return {"messages": AIMessage("half an answer")}

    items = shown(one(node), driver)
    assert told(items) == ["half an", " answer", "-", "second", "half an answer"]
    assert sorted(MessageAccumulator(items).texts().values()) == ["half an answer", "second"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_command_for_the_parent(driver: str) -> None:
    """A node that hands over to the graph around has not failed: what it streamed stays, and is shown once."""

    def hand_over(state: Any) -> Any:
        message = model("inner words").invoke("?")
        copy = AIMessage(message.content)
        return Command(graph=Command.PARENT, update={"messages": [copy]}, goto="after")

    graph = (
        StateGraph(MessagesState)
        .add_node("inner", one(hand_over))
        .add_node("after", lambda state: {"messages": model("after").invoke("?")})
        .add_edge(START, "inner")
        .compile()
    )
    assert told(shown(graph, driver)) == ["inner", "words", "after"]
