"""Compiled graphs, workflows and graphs of channels have LangGraph's attributes, with LangGraph's values."""

from __future__ import annotations

import importlib
import operator
from typing import Annotated, Any, Dict, List

import pytest
from typing_extensions import TypedDict

from differential.harness import Lib
from differential.programs_pregel import Parts, plus
from differential.surface import MISSING

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
]

SETTINGS = (
    *("stream_mode", "stream_channels", "stream_channels_asis", "stream_channels_list", "input_channels"),
    *("output_channels", "step_timeout", "cache_policy", "store", "cache", "checkpointer", "debug", "name", "config"),
    "context_schema",
)


class State(TypedDict):
    """A reduced key and a plain one."""

    log: Annotated[list, operator.add]
    last: str


class Given(TypedDict):
    """What goes in."""

    last: str


class Found(TypedDict):
    """What comes out."""

    log: list


def compiled(lib: Lib) -> Any:
    """A graph with schemas of its own for input and output."""
    builder = lib.StateGraph(State, input_schema=Given, output_schema=Found)
    builder.add_node("a", lambda state: {"log": ["a"]}).add_node("b", lambda state: {"last": "b"})
    return builder.add_edge(lib.START, "a").add_edge("a", "b").compile()


def rooted(lib: Lib) -> Any:
    """A graph whose state is one value."""
    builder = lib.StateGraph(Annotated[list, operator.add])
    return builder.add_node("a", lambda state: ["a"]).add_edge(lib.START, "a").compile()


def workflow(lib: Lib) -> Any:
    """A workflow."""

    @importlib.import_module(f"{lib.root}.func").entrypoint()
    def shout(text: str) -> str:
        return text.upper()

    return shout


def channels(lib: Lib, outputs: Any = "output") -> Any:
    """A graph of nodes and channels."""
    make = Parts(lib)
    return make.Pregel(
        nodes={"one": make.only("input", plus).write_to("output")},
        channels={"input": make.Last(int), "output": make.Topic(int)},
        input_channels="input",
        output_channels=outputs,
        stream_channels=["output"],
    )


def several(lib: Lib) -> Any:
    """The same with several channels."""
    return channels(lib, ["input", "output"])


GRAPHS = (compiled, rooted, workflow, channels, several)


def pair(make: Any) -> tuple[Any, Any]:
    """The graph of both libraries."""
    return make(Lib("langgraph")), make(Lib("streamgraph"))


@pytest.mark.parametrize("make", GRAPHS)
def test_every_attribute_is_there(make: Any) -> None:
    """What an instance there has, one here has too, but for what the list of the public surface has a reason for."""
    theirs, ours = pair(make)
    listed = {entry.rpartition(".")[2] for entry in MISSING if ":CompiledStateGraph." in entry or ":Pregel." in entry}
    names = {name for name in (*dir(theirs), *vars(theirs)) if not name.startswith("_")}
    assert names - {*dir(ours), *vars(ours)} - listed == set()


@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.parametrize("name", SETTINGS)
def test_settings(make: Any, name: str) -> None:
    """A setting has the same value at first."""
    theirs, ours = pair(make)
    assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("make", GRAPHS)
def test_policies_and_breakpoints(make: Any) -> None:
    """What is empty there is empty here, whatever holds nothing."""
    for graph in pair(make):
        assert [list(getattr(graph, name)) for name in BREAKPOINTS] == [[], [], []]


BREAKPOINTS = ("retry_policy", "interrupt_before_nodes", "interrupt_after_nodes")


@pytest.mark.parametrize("make", GRAPHS)
def test_nodes(make: Any) -> None:
    """The nodes have the same names, order and triggers, and read the same."""
    theirs, ours = pair(make)
    assert _described(ours) == _described(theirs)
    assert {key: list(names) for key, names in ours.trigger_to_nodes.items()} == dict(theirs.trigger_to_nodes)


def _described(graph: Any) -> Dict[str, List[Any]]:
    return {name: [list(node.triggers), node.channels] for name, node in graph.nodes.items()}


@pytest.mark.parametrize("make", (channels, several))
def test_types(make: Any) -> None:
    """The models of input and output of a graph of channels describe the same."""
    theirs, ours = pair(make)
    assert ours.get_input_jsonschema() == theirs.get_input_jsonschema()
    assert ours.get_output_jsonschema() == theirs.get_output_jsonschema()


@pytest.mark.parametrize("make", (compiled, workflow, channels))
@pytest.mark.parametrize("name", ("get_state", "update_state"))
def test_no_checkpointer(make: Any, name: str) -> None:
    """Without a checkpointer the state of a run is asked for in vain, with the same kind of error."""
    for graph in pair(make):
        arguments = ({},) if name == "update_state" else ()
        with pytest.raises(ValueError, match="No checkpointer set"):
            getattr(graph, name)({"configurable": {"thread_id": "1"}}, *arguments)
