"""Failures of what is not a node: reducers, path functions, and the callback handlers of the user's."""

from __future__ import annotations

import logging
from typing import Any, List, Optional

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from typing_extensions import Annotated, TypedDict

from scenarios.ending.failing_runs import DRIVERS, LIVE, outcome
from streamgraph.config import get_stream_writer
from streamgraph.errors import location_of
from streamgraph.graph import END, START, StateGraph
from support.models import TEXT, Model
from support.value_graphs import graph_of, line_of


class MineError(Exception):
    """An exception of the user's."""


class HandlerError(Exception):
    """An exception of a callback handler's."""


def of(mode: str, chunks: List[Any]) -> List[Any]:
    """The payloads of one mode."""
    return [data for name, data in chunks if name == mode]


def place_of(error: Any) -> Any:
    """Where an error says it happened."""
    location = location_of(error)
    assert location is not None
    return location.node, location.step, [level.split(":")[0] for level in location.namespace]


def picky(old: List[str], new: str) -> List[str]:
    """A reducer that refuses one value."""
    if new == "bad":
        raise MineError("no")
    return [*(old or []), new]


class State(TypedDict, total=False):
    """A key with that reducer, and one without."""

    x: Annotated[list, picky]
    y: str


def nested(graph: Any, how: str) -> Any:
    """The graph itself, or a graph in which it runs."""
    if how == "alone":
        return graph

    async def acall(state: State) -> Any:
        await graph.ainvoke(state)

    def call(state: State) -> Any:
        graph.invoke(state)

    builder = StateGraph(State).add_node("outer", {"as node": graph, "awaited": acall, "called": call}[how])
    return builder.add_edge(START, "outer").add_edge("outer", END).compile()


NESTED = ["alone", "as node", "awaited", "called"]
GIVEN = {"x": "in", "y": "?"}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("how", NESTED)
def test_reducer(how: str, driver: str) -> None:
    """A reducer that fails: updates of the step are shown, its values are not; the error is that of its node."""

    def good(state: State) -> Any:
        get_stream_writer()("good")
        return {"x": "good"}

    def bad(state: State) -> Any:
        get_stream_writer()("bad")
        return {"x": "bad"}

    builder = StateGraph(State).add_node("good", good).add_node("bad", bad).add_node("never", lambda state: 1 / 0)
    inner = builder.add_edge(START, "good").add_edge("good", "bad").add_edge("bad", "never").compile()

    for modes in (LIVE, ["values", "updates"]):
        chunks, raised = outcome(nested(inner, how), driver, GIVEN, stream_mode=modes)
        assert type(raised) is MineError
        assert of("custom", chunks) == (["good", "bad"] if modes == LIVE else [])
        if how == "alone":
            assert of("updates", chunks) == [{"good": {"x": "good"}}, {"bad": {"x": "bad"}}]
            assert of("values", chunks) == [{"x": ["in"], "y": "?"}, {"x": ["in", "good"], "y": "?"}]
        assert "In the reducer of key 'x', with what node 'bad' wrote." in raised.__notes__  # type: ignore[union-attr]
        assert place_of(raised) == ("bad", 2, [] if how == "alone" else ["outer"])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("how", ["alone", "as node"])
def test_two_writes(how: str, driver: str) -> None:
    """Two nodes that write one plain key in one step: both updates are shown, no values; the error names both."""
    builder = StateGraph(State)
    for name in ("one", "two"):
        builder.add_node(name, lambda state, name=name: {"y": name}).add_edge(START, name)

    chunks, raised = outcome(nested(builder.compile(), how), driver, GIVEN, stream_mode=LIVE)

    assert "nodes 'one' and 'two' both write it" in str(raised)
    if how == "alone":
        assert sorted(map(str, of("updates", chunks))) == ["{'one': {'y': 'one'}}", "{'two': {'y': 'two'}}"]
        assert of("values", chunks) == [{"x": ["in"], "y": "?"}]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("how", NESTED)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_path_function(asynchronous: bool, how: str, driver: str) -> None:
    """A path function that fails: what it wrote and what its node wrote is shown; the error is that of its node."""

    def path(state: State) -> str:
        get_stream_writer()("path")
        Model().invoke("?")
        raise MineError("no")

    async def apath(state: State) -> str:
        get_stream_writer()("path")
        await Model().ainvoke("?")
        raise MineError("no")

    builder = StateGraph(State).add_node("one", lambda state: {"y": "1"}).add_node("two", lambda state: {"y": "2"})
    builder.add_edge(START, "one").add_edge("one", "two")
    builder.add_conditional_edges("two", apath if asynchronous else path, ["one"])

    for modes in (LIVE, ["values", "updates"]):
        chunks, raised = outcome(nested(builder.compile(), how), driver, GIVEN, stream_mode=modes)
        assert type(raised) is MineError
        assert of("custom", chunks) == (["path"] if modes == LIVE else [])
        if modes == LIVE:
            assert "".join(message.content for message, _ in of("messages", chunks)) == TEXT
        if how == "alone":
            assert of("updates", chunks) == [{"one": {"y": "1"}}, {"two": {"y": "2"}}]
        assert place_of(raised) == ("two", 2, [] if how == "alone" else ["outer"])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("how", ["alone", "as node"])
def test_path_function_of_the_start(how: str, driver: str) -> None:
    """Before the first step there is nothing to show but what the function itself has written."""

    def path(state: State) -> str:
        get_stream_writer()("path")
        raise MineError("no")

    builder = StateGraph(State).add_node("one", lambda state: {"y": "1"}).add_conditional_edges(START, path, ["one"])

    chunks, raised = outcome(nested(builder.compile(), how), driver, GIVEN, stream_mode=["custom", "updates"])

    assert type(raised) is MineError
    assert chunks == [("custom", "path")]
    assert place_of(raised) == ("__start__", 0, [] if how == "alone" else ["outer"])


def handler(event: str, *, asynchronous: bool, raise_error: bool, name: Optional[str] = None) -> Any:
    """A handler that fails at this event, of runs of this name if there is one."""

    def fail(self: Any, *args: Any, **kwargs: Any) -> None:
        if name is None or kwargs.get("name") == name:
            raise HandlerError(event)

    async def afail(self: Any, *args: Any, **kwargs: Any) -> None:
        fail(self, *args, **kwargs)

    base = AsyncCallbackHandler if asynchronous else BaseCallbackHandler
    made = type("Handler", (base,), {event: afail if asynchronous else fail})()
    made.raise_error = raise_error
    return made


EVENTS = [
    "on_chain_start",
    "on_chain_end",
    "on_chain_error",
    "on_chat_model_start",
    "on_llm_new_token",
    "on_llm_end",
]


CASES = [("stream", False), ("astream", False), ("astream", True)]
"""Drivers, and whether handlers and nodes are async: langchain-core keeps errors of async handlers in sync runs."""


@pytest.fixture
def _told(caplog: pytest.LogCaptureFixture) -> None:
    """langchain-core logs whatever fails in a handler."""
    caplog.set_level(logging.CRITICAL, "langchain_core")


def traced(asynchronous: bool) -> Any:
    """A graph with a node that speaks, and one after it that fails."""

    def speak(state: Any) -> Any:
        get_stream_writer()("speak")
        return {"value": Model().invoke("?").content}

    async def aspeak(state: Any) -> Any:
        get_stream_writer()("speak")
        return {"value": (await Model().ainvoke("?")).content}

    def bad(state: Any) -> Any:
        get_stream_writer()("bad")
        raise MineError("no")

    return line_of(speak=graph_of(inner=aspeak if asynchronous else speak), bad=bad)


def known(error: Optional[BaseException]) -> List[type]:
    """The types of an error and of all that it came from."""
    kinds: List[type] = []
    while error is not None:
        kinds.append(type(error))
        error = error.__cause__ or error.__context__
    return kinds


@pytest.mark.usefixtures("_told")
@pytest.mark.parametrize(("driver", "asynchronous"), CASES)
@pytest.mark.parametrize("modes", [LIVE, ["values"]])
@pytest.mark.parametrize("event", EVENTS)
def test_handler_that_insists(event: str, modes: List[str], driver: str, asynchronous: bool) -> None:
    """With `raise_error` the failure of a handler ends the run as any other: in time, and hiding no other failure."""
    config = {"callbacks": [handler(event, asynchronous=asynchronous, raise_error=True)]}

    chunks, raised = outcome(traced(asynchronous), driver, {"value": "?"}, config, stream_mode=modes)

    if event == "on_chain_error":
        assert MineError in known(raised)
    elif event == "on_llm_new_token" and modes != LIVE:
        assert type(raised) is MineError  # there are no tokens
    else:
        assert type(raised) is HandlerError
    if modes == LIVE:
        assert of("custom", chunks)[:1] == ([] if event == "on_chain_start" else ["speak"])


@pytest.mark.usefixtures("_told")
@pytest.mark.parametrize(("driver", "asynchronous"), CASES)
@pytest.mark.parametrize("name", ["LangGraph", "speak", "inner", "bad"])
def test_handler_that_insists_at_one_start(name: str, driver: str, asynchronous: bool) -> None:
    """Where the run that cannot be reported is a node's, the error is located there; all before it is delivered."""
    config = {"callbacks": [handler("on_chain_start", asynchronous=asynchronous, raise_error=True, name=name)]}

    chunks, raised = outcome(traced(asynchronous), driver, {"value": "?"}, config, stream_mode=LIVE)

    assert type(raised) is HandlerError
    if name == "LangGraph":
        assert (chunks, location_of(raised)) == ([], None)
    else:
        spoken = "".join(message.content for message, _ in of("messages", chunks))
        assert spoken == (TEXT if name == "bad" else "")
        where = {"speak": ("speak", 1, []), "inner": ("inner", 1, ["speak"]), "bad": ("bad", 2, [])}
        assert place_of(raised) == where[name]


@pytest.mark.usefixtures("_told")
@pytest.mark.parametrize(("driver", "asynchronous"), [*CASES, ("stream", True)])
def test_handlers_that_do_not(driver: str, asynchronous: bool) -> None:
    """Without `raise_error` handlers that fail, at every event, change nothing in the stream."""
    config = {"callbacks": [handler(event, asynchronous=asynchronous, raise_error=False) for event in EVENTS]}

    graph, modes = traced(asynchronous and driver == "astream"), ["custom", "messages", "updates"]
    chunks, raised = outcome(graph, driver, {"value": "?"}, config, stream_mode=modes)

    assert type(raised) is MineError
    assert of("custom", chunks) == ["speak", "bad"]
    assert "".join(message.content for message, _ in of("messages", chunks)) == TEXT
    assert of("updates", chunks) == [{"speak": {"value": TEXT}}]
    assert place_of(raised) == ("bad", 2, [])


@pytest.mark.usefixtures("_told")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["custom", "values"])
def test_handler_that_fails_beside_others(mode: str, driver: str) -> None:
    """A node whose failure cannot be reported has failed all the same, and the stream ends with it."""
    insists = handler("on_chain_error", asynchronous=False, raise_error=True)

    def bad(state: Any) -> None:
        raise MineError("no")

    graph = graph_of(bad=bad, good=lambda state: None)
    _, raised = outcome(graph, driver, None, {"callbacks": [insists]}, stream_mode=mode)

    assert MineError in known(raised)
