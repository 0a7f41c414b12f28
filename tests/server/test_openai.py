"""OpenAI's own client, with graphs as models."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import openai
import pytest
from langchain_core.messages import AIMessageChunk

from server.graphs import TEXT, WORDS, agent, asking, failing, speaking
from server.loopback import Loopback
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Gate, ScriptedModel
from streamgraph_server.messages import Closed, Opened, Retracted, Text
from streamgraph_server.protocols.openai_chat import OneText
from support.waiting import eventually

ASKED: Any = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}]
USAGE: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.fixture
def client(serving: Callable[..., Loopback]) -> Iterator[Any]:
    """A client of a server with some graphs."""
    gate = Gate()
    words = [*WORDS, AIMessageChunk("", usage_metadata=USAGE)]
    graphs = {
        "speaking": speaking(script=[words]),
        "agent": agent(),
        "failing": failing(ValueError("no, with sk-abcdefghijklmnop")),
        "asking": asking(),
        "slow": speaking(gate=gate),
        "parallel": parallel(),
    }
    server = serving(graphs)
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client:
        client.server, client.gate = server, gate  # type: ignore[attr-defined]
        yield client


def parallel() -> Any:
    """Two models that speak side by side."""
    builder = StateGraph(MessagesState)
    for name in ("one", "two"):
        model = ScriptedModel([[f"{name} ", "a ", "b"]], cycle=True)

        async def say(state: Any, model: Any = model) -> Any:
            return {"messages": [await model.ainvoke("?")]}

        builder.add_node(name, say).add_edge(START, name)
    return builder.compile()


def test_a_stream_and_a_whole_answer(client: Any) -> None:
    for model in ("speaking", "agent"):
        expected = TEXT if model == "speaking" else "It is."
        chunks = list(client.chat.completions.create(model=model, messages=ASKED, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert len({(chunk.id, chunk.model) for chunk in chunks}) == 1
        assert not any(chunk.choices[0].delta.tool_calls for chunk in chunks)
        whole = client.chat.completions.create(model=model, messages=ASKED)
        assert (whole.choices[0].message.content, whole.object) == (expected, "chat.completion")


def test_usage_is_the_sum(client: Any) -> None:
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="speaking", messages=ASKED, stream=True, stream_options=options))
    assert (chunks[-1].choices, chunks[-1].usage.prompt_tokens, chunks[-1].usage.total_tokens) == ([], 3, 7)
    assert client.chat.completions.create(model="speaking", messages=ASKED).usage.completion_tokens == 4


def test_parallel_messages_are_not_mixed(client: Any) -> None:
    text = client.chat.completions.create(model="parallel", messages=ASKED).choices[0].message.content
    assert sorted(text.split("\n\n")) == ["one a b", "two a b"]


def test_errors_before_and_in_a_stream(client: Any) -> None:
    with pytest.raises(openai.NotFoundError) as found:
        client.chat.completions.create(model="speeking", messages=ASKED)
    assert found.value.code == "model_not_found" and "Did you mean 'speaking'" in str(found.value)
    with pytest.raises(openai.BadRequestError, match="Message"):
        client.chat.completions.create(model="speaking", messages=[{"content": "x"}])
    text = ""
    with pytest.raises(openai.APIError, match="no, with <secret>"):
        for chunk in client.chat.completions.create(model="failing", messages=ASKED, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text == "well "
    with pytest.raises(openai.InternalServerError, match="no, with"):
        client.chat.completions.create(model="failing", messages=ASKED)
    with pytest.raises(openai.APIError, match="a question"):
        list(client.chat.completions.create(model="asking", messages=ASKED, stream=True))
    with pytest.raises(openai.BadRequestError, match="a question"):  # which clients do not try again
        client.chat.completions.create(model="asking", messages=ASKED)


def test_leaving_cancels(client: Any) -> None:
    stream = client.chat.completions.create(model="slow", messages=ASKED, stream=True)
    client.gate.open(1)
    assert next(iter(stream)).choices[0].delta.role == "assistant"
    stream.close()
    eventually(lambda: client.server.runs.going_on() == [])
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model="slow", messages=ASKED)
    eventually(lambda: client.server.runs.going_on() == [])
    assert client.gate.waiting == 0


def test_graphs_are_models(client: Any) -> None:
    assert [model.id for model in client.models.list()][:2] == ["speaking", "agent"]
    assert client.models.retrieve("agent").id == "agent"


def test_a_message_that_waits_can_be_taken_back() -> None:
    text = OneText()
    events = [
        *(Opened(letter, (), "node") for letter in "abc"),
        Text("b", "wrong"),
        Text("a", "one"),
        Text("c", "three"),
        Retracted("b"),
        Closed("a", (), {}),
        Text("c", "!"),
    ]
    assert [shown.delta for event in events for shown in text.feed(event)] == ["one", "\n\nthree", "!"]
