"""The `tools` mode: tool calls that start, end and fail, wherever they are made."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Dict, List, Optional
from uuid import UUID

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, tool

from streamgraph.config import get_stream_writer
from support.leaks import light_collections as light_collections
from support.leaks import no_thread_left as no_thread_left
from support.policies import DRIVERS, FAST, builder_of, collect, graph_with, outcome

TELLS_IDS = int(version("langchain-core").split(".")[0]) >= 1
"""Before 1.0 langchain-core tells nobody which call of a model a tool answers that a node calls by itself."""


@tool
def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@tool
async def adouble(n: int) -> int:
    """Double a number."""
    return 2 * n


@tool
def writing(n: int) -> str:
    """Write something."""
    get_stream_writer()(n)
    return "written"


@tool
def around(n: int) -> int:
    """Call another tool."""
    return double.invoke({"n": n}) + 1


@tool
def failing(n: int) -> int:
    """Fail."""
    raise KeyError(f"not {n}")


hidden = StructuredTool.from_function(lambda n: n, name="nobody_sees", description="Be tagged.", tags=["nostream"])


def calling(
    used: BaseTool, given: Any = None, config: Optional[Dict[str, Any]] = None, asynchronous: bool = False
) -> Any:
    """A node that calls a tool, without a config unless one is given."""
    given = {"n": 3} if given is None else given

    def work(state: Any) -> Dict[str, Any]:
        return {"x": [used.invoke(given, config)]}

    async def awork(state: Any) -> Dict[str, Any]:
        return {"x": [await used.ainvoke(given, config)]}

    return awork if asynchronous else work


def brief(events: List[Any]) -> List[Any]:
    """What events say, without ids."""
    return [
        (event["event"][5:], *[event[key] for key in event if key not in ("event", "tool_call_id")]) for event in events
    ]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("given", ["arguments", "call"])
def test_call(given: str, asynchronous: bool, driver: str) -> None:
    """A direct call starts and ends, under the id of the model's call or of the run."""
    used = adouble if asynchronous else double
    arguments = (
        {"n": 3} if given == "arguments" else {"name": used.name, "args": {"n": 3}, "id": "c1", "type": "tool_call"}
    )
    start, end = collect(graph_with(calling(used, arguments, asynchronous=asynchronous)), driver, stream_mode="tools")

    call_id = start["tool_call_id"]
    assert start == {"event": "tool-started", "tool_call_id": call_id, "tool_name": used.name, "input": {"n": 3}}
    assert set(end) == {"event", "tool_call_id", "output"}
    assert (end["event"], end["tool_call_id"]) == ("tool-finished", call_id)
    if given == "arguments":
        assert end["output"] == 6
        assert str(UUID(call_id)) == call_id
    else:
        assert isinstance(end["output"], ToolMessage)
        assert end["output"].content == "6"
        assert end["output"].tool_call_id == "c1"
        if TELLS_IDS:
            assert call_id == "c1"


@pytest.mark.parametrize("driver", DRIVERS)
def test_nested_calls(driver: str) -> None:
    """A tool that calls another has that one's events between its own, under two ids."""
    events = collect(graph_with(calling(around)), driver, stream_mode="tools")
    assert brief(events) == [
        ("started", "around", {"n": 3}),
        ("started", "double", {"n": 3}),
        ("finished", 6),
        ("finished", 7),
    ]
    ids = [event["tool_call_id"] for event in events]
    assert ids[0] == ids[3] != ids[1] == ids[2]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("caught", [False, True])
def test_error(caught: bool, driver: str) -> None:
    """A tool that fails says so, whether the node goes on or not."""

    def work(state: Any) -> Dict[str, Any]:
        try:
            failing.invoke({"n": 3})
        except KeyError:
            if not caught:
                raise
        return {}

    events, error = outcome(graph_with(work), driver, stream_mode="tools")
    assert brief(events) == [("started", "failing", {"n": 3}), ("error", "'not 3'")]
    assert events[0]["tool_call_id"] == events[1]["tool_call_id"]
    assert type(error) is (type(None) if caught else KeyError)


@pytest.mark.parametrize("driver", DRIVERS)
def test_arguments_that_do_not_fit(driver: str) -> None:
    """A call that the tool refuses has started, and failed."""
    events, error = outcome(graph_with(calling(double, {"n": "many"})), driver, stream_mode="tools")
    assert [event["event"] for event in events] == ["tool-started", "tool-error"]
    assert events[1]["message"] == str(error)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("used", "config"), [(hidden, None), (double, {"tags": ["nostream"]})])
def test_nostream(used: BaseTool, config: Any, driver: str) -> None:
    """A call tagged `nostream` is not shown, be it the tool that has the tag or the call."""
    assert collect(graph_with(calling(used, config=config)), driver, stream_mode="tools") == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("shape", ["v1", "v2"])
@pytest.mark.parametrize("subgraphs", [None, False, True])
def test_nested_graphs(subgraphs: Any, shape: Any, driver: str) -> None:
    """Calls in nested graphs are shown with namespaces, if these are asked for."""
    inner = graph_with(calling(double), name="inner")
    graph = builder_of(inner, name="sub").add_node("own", calling(double, {"n": 1})).add_edge("sub", "own").compile()
    chunks = collect(graph, driver, stream_mode="tools", subgraphs=subgraphs, version=shape)
    if shape == "v2":
        assert all(set(chunk) == {"type", "ns", "data"} and chunk["type"] == "tools" for chunk in chunks)
        chunks = [(chunk["ns"], chunk["data"]) for chunk in chunks]
    elif not subgraphs:
        chunks = [((), chunk) for chunk in chunks]

    depths = [len(ns) for ns, _ in chunks]
    assert depths == ([1, 1, 0, 0] if subgraphs else [0, 0])
    assert all(ns[0].startswith("sub:") for ns, _ in chunks if ns)
    assert brief([event for _, event in chunks])[-2:] == [("started", "double", {"n": 1}), ("finished", 2)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_order(driver: str) -> None:
    """Events come in the order in which they happen, among the writer's data, before the node's update."""
    modes = ["values", "tasks", "tools", "custom", "updates"]
    chunks = collect(graph_with(calling(writing)), driver, stream_mode=modes)
    assert [mode for mode, _ in chunks] == [
        "values",
        "tasks",
        "tools",
        "custom",
        "tools",
        "updates",
        "tasks",
        "values",
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_retry(driver: str) -> None:
    """The calls of each attempt are shown, under ids of their own."""
    calls: List[int] = []

    def work(state: Any) -> Dict[str, Any]:
        calls.append(double.invoke({"n": len(calls)}))
        if len(calls) == 1:
            raise ConnectionError
        return {}

    events = collect(graph_with(work, retry_policy=FAST), driver, stream_mode="tools")
    assert brief(events) == [
        ("started", "double", {"n": 0}),
        ("finished", 0),
        ("started", "double", {"n": 1}),
        ("finished", 2),
    ]
    assert len({event["tool_call_id"] for event in events}) == 2


@pytest.mark.parametrize("driver", DRIVERS)
def test_other_modes(driver: str) -> None:
    """Nothing of it is in any other mode."""
    modes = ["custom", "messages", "updates"]
    assert collect(graph_with(calling(double)), driver, stream_mode=modes) == [("updates", {"work": {"x": [6]}})]


@pytest.mark.parametrize("driver", DRIVERS)
def test_events_are_the_consumers(driver: str) -> None:
    """Changing an event changes nothing of what the tool gets, or of another event."""
    seen: List[Any] = []

    @tool
    def collect_items(items: List[int]) -> List[int]:
        """Return what it got."""
        seen.append(list(items))
        return items

    def work(state: Any) -> Dict[str, Any]:
        return {"x": collect_items.invoke({"items": [1]})}

    graph = graph_with(work)
    for mode, chunk in collect(graph, driver, stream_mode=["tools", "values"]):
        if mode == "tools" and "output" in chunk:
            chunk["output"].append("mine")
        if mode == "values":
            assert chunk in ({"x": ["in"]}, {"x": ["in", 1]})
    assert seen == [[1]]


def test_invoke() -> None:
    """The mode can be asked of `invoke`, too."""
    assert brief(graph_with(calling(double)).invoke({"x": []}, stream_mode="tools")) == [
        ("started", "double", {"n": 3}),
        ("finished", 6),
    ]
