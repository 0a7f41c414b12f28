"""Questions to what was collected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from streamgraph import START, MessagesState, StateGraph, get_stream_writer
from streamgraph.testing import Answer, Collected, ScriptedModel, acollect, collect
from streamgraph.types import RetryPolicy

MODES = ["messages", "updates", "values", "custom", "tasks", "debug"]
GIVEN = {"messages": [HumanMessage("?")]}


def graph_of(*script: Any) -> Any:
    """Two nodes, of which the first one is run again if it fails."""
    model = ScriptedModel(script)

    def talk(state: Any) -> Any:
        get_stream_writer()("listen")
        return {"messages": [model.invoke("?")]}

    policy = RetryPolicy(retry_on=ValueError, initial_interval=0.001, jitter=False)
    builder: Any = StateGraph(MessagesState).add_node("talk", talk, retry_policy=policy).add_node("end", lambda _: None)
    return builder.add_edge(START, "talk").add_edge("talk", "end").compile()


def collected(graph: Any, driver: str, modes: Any = MODES) -> Collected:
    if driver == "stream":
        return collect(graph.stream(GIVEN, stream_mode=modes, version="v2"))

    async def main() -> Collected:
        return await acollect(graph.astream(GIVEN, stream_mode=modes, version="v2"))

    return asyncio.run(main())


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_a_run(driver: str) -> None:
    shown = collected(graph_of("one two"), driver)
    assert shown.tokens() == shown.tokens("talk") == ["one", " two"]
    assert shown.tokens("end") == []
    assert list(shown.texts().values()) == ["one two"]
    assert [message.content for message in shown.messages().values()] == ["one two"]
    assert [name for name, _ in shown.updates()] == ["talk", "end"]
    assert shown.updates()[1] == ("end", None)
    assert [len(values["messages"]) for values in shown.values()] == [1, 2]
    assert shown.values()[-1] == shown.output
    assert shown.custom() == shown.of("custom") == shown.by_mode()["custom"] == ["listen"]
    assert shown.of("custom", ns=("other",)) == []
    assert shown.nodes() == ["talk", "end"]
    assert set(shown.modes()) == set(MODES)


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_what_was_taken_back(driver: str) -> None:
    shown = collected(graph_of(Answer(["on"], error=ValueError()), "one two"), driver)
    assert shown.tokens() == ["on", "one", " two"]
    assert list(shown.texts().values()) == ["one two"]


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_failures_are_raised(driver: str) -> None:
    with pytest.raises(KeyError):
        collected(graph_of(KeyError("x")), driver)


def test_other_chunks_are_refused() -> None:
    with pytest.raises(TypeError, match="Chunk 0 of a stream is"):
        collect(graph_of("one").stream(GIVEN))
    with pytest.raises(TypeError, match="Chunk 0 of a stream is"):
        asyncio.run(acollect(graph_of("one").astream(GIVEN)))


def test_parts_by_hand() -> None:
    shown = collect([{"type": "custom", "ns": (), "data": 1}])
    assert (shown.custom(), shown.output) == ([1], None)
