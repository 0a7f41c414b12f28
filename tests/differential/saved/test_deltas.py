"""Threads that have writes in place of values are read and continued by both libraries."""

from __future__ import annotations

import operator
from importlib import import_module
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from differential.saved.graphs import GRAPHS, Library, Nodes
from streamgraph._checkpoint import deltas

peer_reads_reducers = hasattr(import_module("langgraph.pregel._checkpoint"), "_delta_channels_to_replay")
"""LangGraph reads keys with a reducer that are not stored from 1.2.16 on."""

peer_has_deltas = hasattr(import_module("langgraph.channels"), "DeltaChannel")

LIBRARIES = [("ours", "ours")]
if peer_reads_reducers:
    LIBRARIES += [("ours", "theirs"), ("theirs", "ours")]


def _config(checkpoint: Any = None) -> Dict[str, Any]:
    return {"configurable": {"thread_id": "1", **({"checkpoint_id": checkpoint} if checkpoint else {})}}


def _compiled(make: Callable[[Library], Any], nodes: Nodes, side: str, saver: Any) -> Any:
    options = {"storage": "delta"} if side == "ours" else {}
    return make(getattr(nodes, side)()).compile(checkpointer=saver, **options)


@pytest.fixture(params=[1, 2, 100])
def frequency(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "_MOST_UPDATES", request.param)


@pytest.mark.usefixtures("frequency")
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("begins", "continues"), LIBRARIES)
def test_from_every_checkpoint(name: str, begins: str, continues: str) -> None:
    nodes, saver = Nodes(), InMemorySaver()
    first = _compiled(GRAPHS[name], nodes, begins, saver)
    second = _compiled(GRAPHS[name], nodes, continues, saver)
    want = first.invoke({"seen": ["i"]}, _config(), durability="sync")
    shown = [(item.values, item.next) for item in first.get_state_history(_config())]
    assert [(item.values, item.next) for item in second.get_state_history(_config())] == shown
    stored = [item for item in saver.list(_config()) if not item.config["configurable"]["checkpoint_ns"]]
    for item in stored:
        assert second.invoke(None, _config(item.checkpoint["id"]), durability="sync") == want, item.metadata
    assert first.invoke({"seen": []}, _config(item.checkpoint["id"]), durability="sync")


@pytest.mark.usefixtures("frequency")
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.skipif(not peer_reads_reducers, reason="this LangGraph cannot read such threads")
def test_turns_in_turn(name: str, durability: str) -> None:
    nodes, finals = Nodes(), []
    for sides in (("theirs", "theirs", "theirs"), ("ours", "theirs", "ours"), ("theirs", "ours", "ours")):
        saver = InMemorySaver()
        for turn, side in enumerate(sides):
            graph = _compiled(GRAPHS[name], nodes, side, saver)
            final = graph.invoke({"seen": [f"turn {turn}"]}, _config(), durability=durability)
        finals.append((final, graph.get_state(_config()).values))
    assert finals[1:] == finals[:1] * 2


def _chat(side: str, annotated: str, frequency: int) -> Any:
    """Return a builder of a graph that appends, edits and removes messages, one in each step."""
    channels, message = import_module(f"{side}.channels"), import_module(f"{side}.graph.message")
    reducer = message._messages_delta_reducer
    marks = {"delta": channels.DeltaChannel(reducer, snapshot_frequency=frequency), "reducer": message.add_messages}

    class State(TypedDict):
        messages: Annotated[list, marks[annotated]]  # type: ignore[type-arg,valid-type]
        done: Annotated[List[str], operator.add]

    State.__annotations__["messages"] = Annotated[list, marks[annotated]]
    State.__annotations__["done"] = Annotated[List[str], operator.add]

    def speak(given: Any) -> Any:
        number, messages = len(given["done"]), given["messages"]
        update: List[Any] = [AIMessage(f"m{number}", id=f"{len(messages)}-{number}")]
        if number % 5 == 3:
            update = [AIMessage("edited", id=messages[0].id)]
        elif number % 5 == 4:
            update = [RemoveMessage(id=messages[-1].id)]
        return {"messages": update, "done": [str(number)]}

    builder = import_module(f"{side}.graph").StateGraph(State).add_node("speak", speak).add_edge("__start__", "speak")
    return builder.add_conditional_edges(
        "speak", lambda s: "__end__" if len(s["done"]) % 7 == 0 else "speak", ["speak", "__end__"]
    )


@pytest.mark.skipif(not peer_has_deltas, reason="this LangGraph has no DeltaChannel")
@pytest.mark.parametrize("frequency", [1, 3, 100])
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize(("writes", "reads"), [("delta", "delta"), ("delta", "reducer"), ("reducer", "delta")])
@pytest.mark.parametrize(("begins", "continues"), [("langgraph", "streamgraph"), ("streamgraph", "langgraph")])
def test_a_delta_channel(begins: str, continues: str, writes: str, reads: str, durability: str, frequency: int) -> None:
    """A thread with a `DeltaChannel` goes on in the other library, also where the key has become a plain one."""
    finals, histories = [], []
    for sides in ((begins, continues, begins), (begins, begins, begins)):
        saver = InMemorySaver()
        for side, annotated in zip(sides, (writes, reads, writes)):
            graph = _chat(side, annotated, frequency).compile(checkpointer=saver)
            given = {"messages": [("user", "hi")]}
            final = graph.invoke(given, _config(), durability=durability)
        finals.append([(type(message), message.content) for message in final["messages"]])
        if durability != "exit":
            read = [
                graph.get_state_history(_config()),
                _chat(continues, reads, 3).compile(saver).get_state_history(_config()),
            ]
            shown = [[(len(item.values["messages"]), item.next) for item in states] for states in read]
            assert shown[0] == shown[1]
            histories.append(shown[0])
    assert finals[0] == finals[1]
    assert len(histories) < 2 or histories[0] == histories[1]


@pytest.mark.skipif(not peer_has_deltas, reason="this LangGraph has no DeltaChannel")
@pytest.mark.parametrize(("begins", "changes"), [("langgraph", "streamgraph"), ("streamgraph", "langgraph")])
@pytest.mark.parametrize("back", [None, 1, 3])
def test_a_change_by_the_other(begins: str, changes: str, back: Any) -> None:
    """`update_state` at the end or at an earlier record leaves all other records as they are."""
    saver = InMemorySaver()
    graphs = {side: _chat(side, "delta", 3).compile(checkpointer=saver) for side in (begins, changes)}
    graphs[begins].invoke({"messages": [("user", "hi")]}, _config(), durability="sync")

    def history(side: str) -> List[Any]:
        return [(item.config, item.values) for item in graphs[side].get_state_history(_config())]

    before = history(begins)
    at = _config() if back is None else before[back][0]
    graphs[changes].update_state(at, {"messages": [AIMessage("changed", id="c")]}, as_node="speak")
    after = history(begins)
    assert after[1:] == before == history(changes)[1:]
    assert after[0][1]["messages"] == [*before[back or 0][1]["messages"], AIMessage("changed", id="c")]
    assert history(changes)[0][1] == after[0][1]
