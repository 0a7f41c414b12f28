"""Chunks of every form are read back as namespace, mode and data."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import ScriptedModel
from streamgraph.types import Gap, Heartbeat, StreamWriter
from streamgraph.watching import Read, reader_of

MODES = ["values", "patches", "updates", "custom", "messages", "objects", "tools", "tasks", "debug", "checkpoints"]


def graph() -> Any:
    model = ScriptedModel(["one two"], cycle=True)

    def say(state: Any, writer: StreamWriter) -> Any:
        writer(("updates", {"a": "custom data that looks like a chunk"}))
        return {"messages": model.invoke(state["messages"])}

    inner = StateGraph(MessagesState).add_node("say", say).add_edge(START, "say").compile()
    return StateGraph(MessagesState).add_node("sub", inner).add_edge(START, "sub").compile()


def shown(read: Read) -> Any:
    """What can be compared between two runs."""
    return tuple(level.split(":")[0] for level in read.ns), read.mode, type(read.data)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("subgraphs", [None, False, True])
@pytest.mark.parametrize("mode", MODES)
def test_streams_of_this_package_know_their_form(mode: str, subgraphs: Any, several: bool) -> None:
    """Version 1, whatever was asked for, is read as what version 2 says; also from a reader of a started run."""
    asked: Any = [mode] if several else mode

    def read(stream: Any) -> Any:
        reads = reader_of(stream)
        return [shown(reads(chunk)) for chunk in stream]

    def as_in_v1(typed: Any) -> Any:
        # Without namespaces, chunks of version 1 do not tell where they come from.
        return typed if subgraphs else [((), kind, data) for _, kind, data in typed]

    made = graph()
    options: Any = {"stream_mode": asked, "subgraphs": subgraphs}
    typed = read(made.stream({"messages": "?"}, version="v2", **options))
    assert read(made.stream({"messages": "?"}, **options)) == as_in_v1(typed)
    run = made.start({"messages": "?"}, record=[mode])
    assert read(run.stream(**options)) == as_in_v1(read(run.stream(version="v2", **options)))


@pytest.mark.parametrize(
    ("chunk", "read"),
    [
        ({"type": "values", "ns": (), "data": {"a": 1}, "interrupts": ("q",)}, Read((), "values", {"a": 1}, ("q",))),
        ({"type": "values", "ns": ["sub:1"], "data": 1}, Read(("sub:1",), "values", 1)),
        (("updates", {"n": 1}), Read((), "updates", {"n": 1})),
        ((("sub:1",), "updates", {"n": 1}), Read(("sub:1",), "updates", {"n": 1})),
        (("values", {"a": 1, "__interrupt__": ["q"]}), Read((), "values", {"a": 1}, ("q",))),
        (((), {"id": "1", "name": "n", "input": 1, "triggers": ()}), None),
        ({"id": "1", "name": "n", "input": 1, "triggers": ()}, "tasks"),
        ({"id": "1", "name": "n", "result": {}, "error": None, "interrupts": []}, "tasks"),
        ({"step": 1, "timestamp": "", "type": "task", "payload": {}}, "debug"),
        ({"config": {}, "metadata": {}, "next": [], "tasks": [], "values": {}}, "checkpoints"),
        ({"event": "tool-started", "tool_call_id": "1"}, "tools"),
        ([{"op": "add", "path": "", "value": 1}], "patches"),
        ((AIMessage("x"), {"langgraph_node": "n"}), "messages"),
        ({"__interrupt__": ("q",)}, "updates"),
        (Heartbeat(1.0), "heartbeat"),
        (("values", Gap(1, {})), "gap"),
        ({"topic": "ice"}, "data"),
        ("anything", "data"),
        (("a", "b"), "data"),
        ([], "data"),
    ],
)
def test_foreign_chunks_are_looked_at(chunk: Any, read: Any) -> None:
    found = reader_of(iter(()))(chunk)
    if isinstance(read, str):
        read = Read(found.ns, read, found.data)
    assert found == (read or Read((), "tasks", chunk[1]))


def test_the_mode_of_foreign_chunks_can_be_said() -> None:
    assert reader_of(iter(()), "updates")({"node": {"a": 1}}) == Read((), "updates", {"node": {"a": 1}})
    assert reader_of(iter(()), "values")((("sub:1",), {"a": 1})) == Read(("sub:1",), "values", {"a": 1})
