"""What of LangGraph is looked up, and its absence."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType
from typing import Any

import pytest

from streamgraph._compat import langgraph as compat
from streamgraph._compat.langgraph import StreamAround, is_peer, is_peer_graph, peer_class, task_around, with_peer
from streamgraph.types import Command

pytest.importorskip("langgraph")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langgraph import types
    from langgraph._internal import _constants
    from langgraph._internal._scratchpad import PregelScratchpad
    from langgraph.graph import StateGraph
    from langgraph.runtime import Runtime


def test_keys() -> None:
    """The keys are LangGraph's."""
    assert compat.STREAM == _constants.CONFIG_KEY_STREAM
    assert compat.SCRATCHPAD == _constants.CONFIG_KEY_SCRATCHPAD
    assert compat.CALL == _constants.CONFIG_KEY_CALL


def test_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class is found if it is loaded and LangGraph's own."""
    assert peer_class("langgraph.types", "Command") is types.Command
    assert with_peer(Command, "langgraph.types") == (Command, types.Command)
    assert is_peer(types.Command(), "langgraph.types", "Command")
    assert peer_class("langgraph.types", "Missing") is None
    assert peer_class("langgraph.types", "Any") is None
    monkeypatch.delitem(sys.modules, "langgraph.types")
    assert peer_class("langgraph.types", "Command") is None
    assert with_peer(Command, "langgraph.types") == (Command,)
    assert not is_peer(types.Command(), "langgraph.types", "Command")


def test_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of this package under the name of LangGraph are not LangGraph."""
    module: Any = ModuleType("langgraph.types")
    module.Command = Command
    monkeypatch.setitem(sys.modules, "langgraph.types", module)
    assert peer_class("langgraph.types", "Command") is None


def test_graphs() -> None:
    """Compiled graphs are told apart, and their nodes are found."""
    builder = StateGraph(dict)
    builder.add_node("a", lambda state: state).add_edge("__start__", "a")
    assert is_peer_graph(builder.compile())
    assert not is_peer_graph(builder)
    assert list(compat.peer_nodes(builder.compile())) == ["a"]


def test_stream_around() -> None:
    """LangGraph asks a stream for its modes and calls it with chunks."""
    taken: Any = []
    stream = StreamAround(["updates"], taken.append)
    stream(((), "updates", {}))
    assert stream.modes == {"updates"}
    assert taken == [((), "updates", {})]


def test_runtime() -> None:
    """The runtime is LangGraph's; what its version does not know is not asked for."""
    runtime: Any = compat.peer_runtime({"context": "c", "store": None}, lambda: {"heartbeat": print})
    assert isinstance(runtime, Runtime)
    assert runtime.context == "c"
    assert getattr(runtime, "heartbeat", print) is print


def test_scratchpad() -> None:
    """It counts interrupts and graphs; one that is known keeps its answers."""
    pad: Any = compat.peer_scratchpad(None, next_graph=lambda: 7, step=1, stop=2)
    assert isinstance(pad, PregelScratchpad)
    assert (pad.interrupt_counter(), pad.interrupt_counter(), pad.subgraph_counter()) == (0, 1, 7)
    assert (pad.resume, pad.get_null_resume(True)) == ([], None)
    pad.resume.append("yes")
    assert compat.peer_scratchpad(pad, next_graph=lambda: 8, step=1, stop=2).resume == ["yes"]  # type: ignore[attr-defined]


def test_without_langgraph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made of it if it is not loaded."""
    monkeypatch.setattr(compat, "peer_class", lambda module, name: None)
    assert compat.peer_runtime({}, dict) is None
    assert compat.peer_execution() is None
    assert compat.peer_scratchpad(None, next_graph=int, step=1, stop=2) is None


def test_task_around() -> None:
    """The first config with a task counts."""
    taken: Any = []
    outer = {
        "configurable": {
            _constants.CONFIG_KEY_TASK_ID: "1",
            _constants.CONFIG_KEY_CHECKPOINT_NS: "a:1",
            _constants.CONFIG_KEY_SEND: taken.extend,
        }
    }
    inner = {"configurable": {_constants.CONFIG_KEY_TASK_ID: "2"}}
    around = task_around(None, {}, {"configurable": None}, outer, inner)
    assert around is not None
    assert (around.id, around.ns, around.modes) == ("1", "a:1", frozenset())
    assert (around.stream, around.next_graph()) == (None, None)
    assert around.runtime("context") is None
    sent: Any = []
    around.with_answers(sent.extend)([("__resume__", ["yes"]), ("key", 1)])
    assert (taken, sent) == ([("__resume__", ["yes"])], [("key", 1)])
    assert task_around({"configurable": {}}, None) is None
