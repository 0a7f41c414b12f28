"""Objects are stored under LangGraph's names and read as ours, with LangGraph and without."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import langgraph.types
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from streamgraph._checkpoint import wire
from streamgraph._interrupts import Interrupt
from streamgraph.types import Command, Overwrite, Send

OBJECTS = [
    Send("node", {"key": [1, 2]}),
    Interrupt({"question": 1}, "0" * 32),
    Command(update={"a": 1}, goto=[Send("b", 2), "c"]),
    *([Overwrite([1])] if hasattr(langgraph.types, "Overwrite") else []),
]


def stored(value: object) -> Any:
    """Return what a serializer makes of a value."""
    return JsonPlusSerializer().dumps_typed(wire.to_stored(value))


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_langgraph_reads_its_own_class(value: Any) -> None:
    theirs = JsonPlusSerializer().loads_typed(stored(value))
    assert type(theirs) is getattr(langgraph.types, type(value).__name__)
    assert wire.from_stored(theirs) == value


ASKED = Interrupt("question", "1" * 32, response_schema={"type": "string"})


@pytest.mark.parametrize("value", [*OBJECTS, ASKED, Overwrite([1])], ids=lambda value: type(value).__name__)
def test_what_is_stored_can_be_sent_to_another_process(value: Any) -> None:
    made = pickle.loads(pickle.dumps(wire.to_stored(value)))
    assert type(made) is type(wire.to_stored(value))
    copied, given = (made._asdict(), wire.to_stored(value)._asdict()) if hasattr(made, "_asdict") else (made, value)
    assert repr(copied) == repr(given)


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_without_langgraph_ours_are_read(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "is_installed", lambda: False)
    saver = InMemorySaver()
    reading = wire.readable(saver)
    assert reading is not saver
    assert reading.storage is saver.storage
    found = reading.serde.loads_typed(stored(value))
    assert (type(found), found) == (type(value), value)
    assert reading.serde.loads_typed(JsonPlusSerializer().dumps_typed({"set": {1}, "list": [None, 1.5]})) == {
        "set": {1},
        "list": [None, 1.5],
    }


def test_a_list_of_sends() -> None:
    sends = [Send("a", 1), Send("b", 2)]
    assert wire.from_stored(JsonPlusSerializer().loads_typed(stored(sends))) == sends


def test_other_values_are_left_alone() -> None:
    for value in (None, 1, "text", {"a": 1}, [1], [], object()):
        assert wire.to_stored(value) is value
        assert wire.from_stored(value) is value


WITHOUT_LANGGRAPH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] == "langgraph" and len(parts) > 1 and parts[1] not in ("checkpoint", "store", "cache"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

import operator
from typing import Annotated, TypedDict  # of 3.9 and later
from langgraph.checkpoint.memory import InMemorySaver
from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, Send, interrupt

class State(TypedDict, total=False):
    seen: Annotated[list, operator.add]

def ask(state):
    return {"seen": [interrupt(state["question"])]}

builder = StateGraph(State).add_node("ask", ask).add_node("first", lambda state: {"seen": ["first"]})
builder.add_edge(START, "first")
builder.add_conditional_edges("first", lambda state: [Send("ask", {"question": n}) for n in (1, 2)], ["ask"])
graph = builder.compile(checkpointer=InMemorySaver())
thread = {"configurable": {"thread_id": "1"}}
graph.invoke({"seen": []}, thread)
questions = graph.get_state(thread).interrupts
assert [question.value for question in questions] == [1, 2], questions
answers = {question.id: question.value * 10 for question in questions}
print(graph.invoke(Command(resume=answers), thread))
assert not [name for name in sys.modules if name.startswith(("langgraph.types", "langgraph.graph", "langgraph.pregel"))]
"""


def test_saved_runs_without_langgraph() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_LANGGRAPH], capture_output=True, text=True, timeout=150)
    assert done.stdout == "{'seen': ['first', 10, 20]}\n", done.stderr
