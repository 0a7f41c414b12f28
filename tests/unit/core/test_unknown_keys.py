"""Keys that the state does not have, in updates and inputs: an error where the schema is closed, else no silence."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from typing import Any, List

import pytest
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from streamgraph.errors import InvalidUpdateError, UnknownKeyWarning
from streamgraph.graph import START, StateGraph
from streamgraph.managed import RemainingSteps
from streamgraph.types import Command


class Open(TypedDict, total=False):
    """What may have other keys, as every TypedDict."""

    topic: str
    jokes: str
    left: RemainingSteps


class Closed(TypedDict, total=False, closed=True):  # type: ignore[call-arg]
    """One that says that there are no others (PEP 728)."""

    topic: str
    jokes: str


@dataclass
class Data:
    """A dataclass, which has no others."""

    topic: str = ""
    jokes: str = ""


class Strict(BaseModel, extra="forbid"):
    """A model that forbids others."""

    topic: str = ""
    jokes: str = ""


class Lax(BaseModel):
    """A model that leaves others out."""

    topic: str = ""
    jokes: str = ""


CLOSED = [Closed, Data, Strict]


def one(schema: Any, node: Any, **options: Any) -> Any:
    """A graph of one node."""
    return StateGraph(schema, **options).add_node("node", node).add_edge(START, "node").compile()


def returning(update: Any) -> Any:
    """A node that returns this."""
    return lambda state: update


def ran(graph: Any, given: Any, driver: str) -> Any:
    """What a run of the graph gives."""
    return graph.invoke(given) if driver == "invoke" else asyncio.run(graph.ainvoke(given))


DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])


@DRIVERS
@pytest.mark.parametrize("schema", CLOSED)
@pytest.mark.parametrize("wrap", [dict, lambda update: Command(update=update), lambda update: [Command(update=update)]])
def test_update_of_a_closed_state(schema: Any, wrap: Any, driver: str) -> None:
    """The error names the node, the key, and the right one if it is near."""
    graph = one(schema, returning(wrap({"topic": "cats", "joke": "ha"})))
    with pytest.raises(InvalidUpdateError) as raised:
        ran(graph, {"topic": "ice"}, driver)
    assert str(raised.value) == (
        "The update has the key 'joke', which the state does not have, and its schema allows no others "
        "(at node 'node'). Did you mean 'jokes'?"
    )
    assert (raised.value.node, raised.value.name, raised.value.suggestion) == ("node", "joke", "jokes")


def test_pairs_in_a_command() -> None:
    """So it is with an update that is given as pairs."""
    graph = one(Closed, returning(Command(update=[("topic", "cats"), ("zzz", "ha")])))
    with pytest.raises(InvalidUpdateError, match="'zzz'.* Known: 'topic', 'jokes'"):
        graph.invoke({})


@DRIVERS
def test_a_dataclass_says_nothing_of_what_updates_have(driver: str) -> None:
    """A key that is no likely mistake is lost, as in LangGraph: trustcall's nodes return such keys."""
    graph = one(Data, returning({"topic": "cats", "zzz": "ha"}))
    assert ran(graph, {"topic": "ice"}, driver)["topic"] == "cats"
    with pytest.raises(InvalidUpdateError, match="'zzz'.* Known: 'topic', 'jokes'"):
        ran(one(Data, returning({"zzz": "ha"})), {"topic": "ice"}, driver)


@pytest.mark.parametrize("schema", [Closed, Data])
def test_input_of_a_closed_schema(schema: Any) -> None:
    """An input with such a key is refused at the call."""
    ran: List[Any] = []
    graph = one(schema, ran.append)
    for call in (graph.invoke, graph.stream, graph.astream):
        with pytest.raises(InvalidUpdateError, match="The input has the key 'tpoic', .* Did you mean 'topic'"):
            call({"tpoic": "cats"})
    assert ran == []


def test_input_of_a_model_that_forbids() -> None:
    """There pydantic says it."""
    with pytest.raises(ValidationError, match="tpoic"):
        one(Strict, returning({})).invoke({"tpoic": "cats"})


@DRIVERS
@pytest.mark.parametrize("schema", [Open, Lax])
def test_near_ones_are_warned_of(schema: Any, driver: str) -> None:
    """Where others may be meant for somebody else, a key that is much like one that is not there is warned of."""
    graph = one(schema, returning({"topic": "cats", "joke": "ha"}))
    with pytest.warns(UnknownKeyWarning) as warned:
        assert ran(graph, {"topic": "ice"}, driver)["topic"] == "cats"
    assert [str(warning.message) for warning in warned] == [
        "The update of node 'node' has the key 'joke', which the state does not have; it is lost. Did you mean 'jokes'?"
    ]
    with pytest.warns(UnknownKeyWarning, match="The input has the key 'joke', .* Did you mean 'jokes'"):
        ran(one(schema, returning({})), {"topic": "cats", "joke": "ha"}, driver)


@DRIVERS
@pytest.mark.parametrize("schema", [Open, Lax])
def test_what_is_lost_altogether_is_warned_of(schema: Any, driver: str) -> None:
    """So is an update or input of which nothing is left."""
    with pytest.warns(UnknownKeyWarning, match="update of node 'node' has no key of the state, only 'zzz'; it is lost"):
        ran(one(schema, returning({"zzz": 1})), {"topic": "ice"}, driver)
    with pytest.warns(UnknownKeyWarning, match="The input has no key of the state, only 'yy', 'zzz'; it is lost"):
        ran(one(schema, returning({})), {"yy": 1, "zzz": 2}, driver)


@DRIVERS
@pytest.mark.parametrize("schema", [Open, Lax])
def test_others_are_left_out(schema: Any, driver: str) -> None:
    """Nothing is said of keys that are probably meant for others, as when a node passes on what a graph returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ran(one(schema, returning({"topic": "cats", "zzz": 1})), {"topic": "ice", "yy": 2}, driver)
        ran(one(schema, returning({"joke": "one of them", "jokes": "all"})), {"topic": "ice"}, driver)
        ran(one(schema, returning({})), {}, driver)


def test_computed_keys_are_no_mistake() -> None:
    """A node may return its whole state, with what is computed for each step."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert one(Open, lambda state: state).invoke({"topic": "ice"}) == {"topic": "ice"}
        assert one(Open, lambda state: {"left": 3}).invoke({"topic": "ice"}) == {"topic": "ice"}


class Wide(TypedDict, total=False):
    """A state with more keys."""

    topic: str
    joke: str
    more: str


@DRIVERS
@pytest.mark.parametrize("schema", [*CLOSED[:2], Open, Lax])
@pytest.mark.parametrize("outer", [Data, Wide])
def test_graphs_in_graphs(schema: Any, outer: Any, driver: str) -> None:
    """A graph that is a node, or that gets the state of its node, has a state of its own: that is no mistake."""

    @dataclass
    class Narrow:
        topic: str = ""

    def shout(state: Any) -> Any:
        return {"topic": "loud", "jokes": "ha"}

    inner = one(schema, shout)
    outer = Narrow if outer is Data else outer

    def calls(state: Any) -> Any:
        return {"topic": inner.invoke(state)["topic"]}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for node in (inner, inner.with_config(tags=["bound"])):
            assert ran(one(outer, node), {"topic": "ice"}, driver)["topic"] == "loud"
        if outer is Wide:
            assert ran(one(outer, calls), {"topic": "ice", "joke": "?"}, driver)["topic"] == "loud"


def test_as_an_error() -> None:
    """Who wants the warning to be an error can have that."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownKeyWarning)
        with pytest.raises(UnknownKeyWarning):
            one(Open, returning({"joke": "ha"})).invoke({"topic": "ice"})
