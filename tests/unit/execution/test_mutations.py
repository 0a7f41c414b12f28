"""The checking mode: who changes the state in place is named, with the place."""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Set, Tuple

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel
from typing_extensions import TypedDict

from streamgraph import START, StateGraph
from streamgraph.errors import StateMutationError, UnknownOptionError, location_of
from streamgraph.graph import MessagesState


class Address(BaseModel):
    """A model inside the state."""

    city: str = "Bonn"
    tags: List[str] = ["old"]


@dataclass
class Person:
    """A dataclass inside the state."""

    name: str = "Ann"
    address: Address = field(default_factory=Address)


@dataclass(frozen=True)
class Frozen:
    """One that holds something that can be changed."""

    items: List[int]


class State(TypedDict, total=False):
    """Anything."""

    profile: Dict[str, Any]
    items: List[Any]
    model: Address
    person: Person
    frozen: Frozen
    members: Set[int]
    several: Tuple[Any, ...]
    n: int


class ModelState(BaseModel):
    """The same as a model."""

    items: List[Any] = []
    profile: Dict[str, Any] = {}
    model: Address = Address()


GIVEN: Dict[str, Any] = {
    "profile": {"address": {"city": "Bonn", "streets": ["a", "b"]}, "seen": {1, 2}, "log": deque([1])},
    "items": [{"id": 1}, {"id": 2, "tags": ["x"]}],
    "model": Address(),
    "person": Person(),
    "frozen": Frozen([1]),
    "members": {1},
    "several": ([1], "text"),
    "n": 0,
}


def run(graph: Any, given: Any, asynchronous: bool) -> Any:
    """Run a graph to its end."""
    return asyncio.run(graph.ainvoke(given)) if asynchronous else graph.invoke(given)


def graph_of(change: Callable[[Any], Any], asynchronous: bool = False, schema: Any = State, **options: Any) -> Any:
    """A graph with one node, in the checking mode."""

    async def achange(state: Any) -> Any:
        return change(state)

    builder = StateGraph(schema).add_node("change", achange if asynchronous else change).add_edge(START, "change")
    return builder.compile(**{"debug": "mutations", **options})


CHANGES: Dict[str, Callable[[Any], Any]] = {
    "state['profile']['address']['city']": lambda state: state["profile"]["address"].update(city="Paris"),
    "state['profile']['address']['new']": lambda state: state["profile"]["address"].setdefault("new", 1),
    "state['profile']['address']['streets'][2]": lambda state: state["profile"]["address"]["streets"].append("c"),
    "state['profile']['address']['streets'][0]": lambda state: state["profile"]["address"]["streets"].reverse(),
    "state['profile']['seen']": lambda state: state["profile"]["seen"].add(3),
    "state['profile']['log'][0]": lambda state: state["profile"]["log"].popleft(),
    "state['items'][1]['tags'][0]": lambda state: state["items"][1]["tags"].clear(),
    "state['items'][0]['id']": lambda state: state["items"][0].pop("id"),
    "state['model'].city": lambda state: setattr(state["model"], "city", "Paris"),
    "state['model'].tags[1]": lambda state: state["model"].tags.append("new"),
    "state['person'].name": lambda state: setattr(state["person"], "name", "Bob"),
    "state['person'].address.city": lambda state: setattr(state["person"].address, "city", "Paris"),
    "state['frozen'].items[1]": lambda state: state["frozen"].items.append(2),
    "state['several'][0][1]": lambda state: state["several"][0].append(2),
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("path", CHANGES)
def test_it_is_found(path: str, asynchronous: bool) -> None:
    """The error names the node and the place; the state that others see has not changed."""
    before = repr(GIVEN)
    with pytest.raises(StateMutationError) as found:
        run(graph_of(lambda state: CHANGES[path](state) and None, asynchronous), GIVEN, asynchronous)
    error = found.value
    assert (error.path, error.node, error.step) == (path, "change", 1)
    key = path.split("'")[1]
    assert error.key == key
    assert f"Return a new value instead: {{{key!r}: ...}}." in str(error)
    assert path in str(error)
    assert repr(GIVEN) == before
    location = location_of(error)
    assert location is not None
    assert location.node == "change"
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, str(again)) == (error.path, str(error))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_is_the_nodes_own_may_be_changed(asynchronous: bool) -> None:
    """The containers of values are the node's: it may add to them, take from them, and return them."""

    def change(state: Any) -> Any:
        state["items"].append({"id": 3})
        state["items"].reverse()
        state["profile"]["more"] = 1
        state["members"].clear()
        state["n"] += 1
        del state["several"]
        return {"items": state["items"], "n": state["n"], "profile": {**state["profile"], "address": {"city": "Paris"}}}

    out = run(graph_of(change, asynchronous), GIVEN, asynchronous)
    assert [item["id"] for item in out["items"]] == [3, 2, 1]
    assert (out["n"], out["profile"]["address"], out["members"]) == (1, {"city": "Paris"}, {1})


def test_it_is_off_by_default() -> None:
    """Without it the change goes through, as it does in LangGraph."""
    given = {"items": [{"id": 1}]}
    graph_of(lambda state: state["items"][0].clear(), debug=False).invoke(given)
    assert given == {"items": [{}]}


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable turns it on for graphs that are compiled then."""
    monkeypatch.setenv("STREAMGRAPH_CHECK_MUTATIONS", "1")
    with pytest.raises(StateMutationError):
        graph_of(lambda state: state["items"][0].clear(), debug=False).invoke({"items": [{"id": 1}]})
    monkeypatch.setenv("STREAMGRAPH_CHECK_MUTATIONS", "0")
    graph_of(lambda state: state["items"][0].clear(), debug=False).invoke({"items": [{"id": 1}]})


def test_states_that_are_objects() -> None:
    """A state object is the node's own, and so are the containers of its fields."""

    def own(state: ModelState) -> Any:
        state.items.append(1)
        state.items = []

    def shared(state: ModelState) -> Any:
        state.profile["deep"]["x"] = 1

    def model(state: ModelState) -> Any:
        state.model.tags.append("new")

    given = {"items": [1], "profile": {"deep": {}}, "model": Address()}
    graph_of(own, schema=ModelState).invoke(given)
    with pytest.raises(StateMutationError, match=r"state\.profile\['deep'\]\['x'\] was changed in place"):
        graph_of(shared, schema=ModelState).invoke(given)
    with pytest.raises(StateMutationError, match=r"state\.model\.tags"):
        graph_of(model, schema=ModelState).invoke(given)


def test_messages() -> None:
    """A message of the history is shared; one may be added to the node's own list."""

    def edit(state: Any) -> Any:
        state["messages"][0].content = "edited"

    def add(state: Any) -> Any:
        state["messages"].append(AIMessage("added"))
        return {"messages": [AIMessage("answer")]}

    given = {"messages": [HumanMessage("hello", id="1")]}
    with pytest.raises(StateMutationError, match=r"state\['messages'\]\[0\]\.content"):
        graph_of(edit, schema=MessagesState).invoke(given)
    out = graph_of(add, schema=MessagesState).invoke(given)
    assert [message.content for message in out["messages"]] == ["hello", "answer"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_nested_graphs(asynchronous: bool) -> None:
    """It is on in nested graphs as well, be they nodes or called, and names the node in there."""

    def vandal(state: Any) -> Any:
        state["items"][0]["id"] = "changed"

    inner = StateGraph(State).add_node("vandal", vandal).add_edge(START, "vandal").compile()

    def calls(state: Any) -> Any:
        return inner.invoke(state)

    for node in (inner, calls):
        graph = StateGraph(State).add_node("outer", node).add_edge(START, "outer").compile(debug="mutations")
        with pytest.raises(StateMutationError) as found:
            run(graph, {"items": [{"id": 1}]}, asynchronous)
        assert found.value.node == "vandal"


def test_branches() -> None:
    """The function of a conditional edge is checked as well, under the name of the node before it."""

    def choose(state: Any) -> str:
        state["items"][0]["id"] = "changed"
        return "__end__"

    builder = StateGraph(State).add_node("quiet", lambda state: None).add_edge(START, "quiet")
    graph = builder.add_conditional_edges("quiet", choose).compile(debug="mutations")
    with pytest.raises(StateMutationError, match=r"\['items'\]\[0\]\['id'\]") as found:
        graph.invoke({"items": [{"id": 1}]})
    assert found.value.node == "quiet"


def test_nodes_beside_each_other() -> None:
    """Of two nodes in one step the one that changes something is named, and the other one does not see it."""
    seen = []

    def vandal(state: Any) -> Any:
        state["items"][0]["id"] = "changed"

    def reader(state: Any) -> Any:
        seen.append(state["items"][0]["id"])

    builder = StateGraph(State).add_node("vandal", vandal).add_node("reader", reader)
    graph = builder.add_edge(START, "vandal").add_edge(START, "reader").compile(debug="mutations")
    with pytest.raises(StateMutationError) as found:
        graph.invoke({"items": [{"id": 1}]})
    assert found.value.node == "vandal"
    assert seen in ([], [1])


def test_the_nodes_own_error_comes_first() -> None:
    """A node that fails fails with its own error."""

    def fails(state: Any) -> Any:
        state["items"][0]["id"] = "changed"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        graph_of(fails).invoke({"items": [{"id": 1}]})


def test_values_that_refer_to_each_other() -> None:
    """One object in two places stays one, and a list that holds itself does no harm."""
    loop: List[Any] = [1]
    loop.append(loop)
    shared = {"id": 1}
    seen: List[Any] = []
    graph_of(lambda state: seen.append(state)).invoke({"items": [shared, shared, loop], "profile": {"same": shared}})
    (state,) = seen
    assert state["items"][0] is state["items"][1] is state["profile"]["same"]
    assert state["items"][0] is not shared
    assert state["items"][2][1] is state["items"][2]


def test_unknown_debug() -> None:
    """Another word is refused, with the right one."""
    wrong: Any = "mutation"
    with pytest.raises(UnknownOptionError, match="Did you mean 'mutations'"):
        graph_of(lambda state: None, debug=wrong)
