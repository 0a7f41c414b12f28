"""Values of an `UntrackedValue` are passed from node to node, and never to the saver."""

from __future__ import annotations

import operator
from typing import Any, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.channels import UntrackedValue
from streamgraph.types import Send, interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Connection:
    """Something that cannot be stored."""

    def __reduce__(self) -> Any:
        raise TypeError("not this")


class State(TypedDict, total=False):
    """A list that every node adds to, and something that lives as long as a run."""

    x: Annotated[List[Any], operator.add]
    connection: Annotated[Connection, UntrackedValue]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_it_is_not_stored(durability: str) -> None:
    """Not in what a task has written, nor in a `Send` that waits, nor in the input."""
    builder = StateGraph(State).add_node("opens", lambda state: {"connection": Connection()})
    builder.add_conditional_edges("opens", lambda state: [Send("uses", {**state, "x": ["sent"]})], ["uses"])
    builder.add_node("uses", lambda state: {"x": [type(state["connection"]).__name__]}).add_edge("uses", "asks")
    graph = builder.add_edge(START, "opens").add_node("asks", lambda state: {"x": [interrupt("sure?")]})
    compiled = graph.compile(checkpointer=InMemorySaver())
    compiled.invoke({"x": [], "connection": Connection()}, CONFIG, durability=durability)
    assert compiled.get_state(CONFIG).values == {"x": ["Connection"]}
    assert compiled.invoke(Command(resume="yes"), CONFIG, durability=durability) == {"x": ["Connection", "yes"]}
