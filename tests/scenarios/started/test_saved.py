"""Started runs of graphs with a saver: how they end, and what their results are."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.errors import GraphDrained, RunCancelledError
from streamgraph.graph import START, StateGraph
from streamgraph.runtime import RunControl
from streamgraph.types import Command, interrupt
from support.talking import plain
from support.waiting import PATIENCE


class State(TypedDict, total=False):
    """A state of two keys."""

    asked: str
    done: str


def asking(**options: Any) -> Any:
    """A saved graph that asks, and then ends."""

    def ask(state: State) -> Any:
        get_stream_writer()("before")
        return {"asked": interrupt("which?")}

    builder = StateGraph(State).add_node("ask", ask).add_node("end", lambda state: {"done": state["asked"] + "!"})
    return builder.add_edge(START, "ask").add_edge("ask", "end").compile(checkpointer=InMemorySaver(), **options)


def on(thread: str) -> Dict[str, Any]:
    """The config of a thread."""
    return {"configurable": {"thread_id": thread}}


def sync(graph: Any, given: Any, **options: Any) -> Any:
    """Start in a thread, and wait there."""
    run = graph.start(given, on("t"), **options)
    assert run.join(PATIENCE)
    return run


def asyn(graph: Any, given: Any, **options: Any) -> Any:
    """Start on a loop, and wait there."""

    async def main() -> Any:
        run = await graph.astart(given, on("t"), **options)
        await asyncio.wait_for(run.ajoin(), PATIENCE)
        return run

    return asyncio.run(main())


WAYS = pytest.mark.parametrize("ended", [sync, asyn])


@WAYS
def test_a_question_ends_the_run_as_interrupted(ended: Callable[..., Any]) -> None:
    """Its result is that of `invoke`, its stream that of `stream`; another run answers."""
    graph, other = asking(), asking()
    run = ended(graph, {}, record=["values", "updates", "custom"])
    assert run.status == "interrupted"
    assert plain(run.result()) == plain(other.invoke({}, on("t")))
    shown = [plain(chunk) for chunk in run.stream(["values", "updates", "custom"])]
    assert shown == [
        plain(chunk) for chunk in asking().stream({}, on("t"), stream_mode=["values", "updates", "custom"])
    ]
    answered = ended(graph, Command(resume="this"))
    assert (answered.status, answered.result()) == ("done", {"asked": "this", "done": "this!"})
    assert answered.id != run.id


@WAYS
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_results_have_the_format_of_invoke(ended: Callable[..., Any], version: str) -> None:
    """Also with a question in them."""
    assert plain(ended(asking(), {}, version=version).result()) == plain(asking().invoke({}, on("t"), version=version))


@WAYS
def test_breakpoints(ended: Callable[..., Any]) -> None:
    """A run that stops at one is interrupted; it goes on with `None` for an input."""
    graph = asking(interrupt_before=["end"])
    ended(graph, {})
    stopped = ended(graph, Command(resume="this"))
    assert (stopped.status, plain(stopped.result())) == ("interrupted", plain({"asked": "this"}))
    done = ended(graph, None)
    assert (done.status, done.result()) == ("done", {"asked": "this", "done": "this!"})


@WAYS
def test_drained(ended: Callable[..., Any]) -> None:
    """A run that was asked to drain is interrupted, and its result is the error that says so."""
    control = RunControl()

    def first(state: State) -> Any:
        control.request_drain("the server restarts")
        return {"asked": "-"}

    builder = StateGraph(State).add_node("first", first).add_node("second", lambda state: {"done": "!"})
    graph = builder.add_edge(START, "first").add_edge("first", "second").compile(checkpointer=InMemorySaver())
    run = ended(graph, {}, control=control)
    assert run.status == "interrupted"
    with pytest.raises(GraphDrained):
        run.result()
    assert ended(graph, None).result() == {"asked": "-", "done": "!"}


@WAYS
def test_failed(ended: Callable[..., Any]) -> None:
    """A run that fails raises the node's own error to everybody who asks, as often as they ask."""
    error = ValueError("no")

    def fail(state: State) -> Any:
        get_stream_writer()("before")
        raise error

    graph = StateGraph(State).add_node("fail", fail).add_edge(START, "fail").compile(checkpointer=InMemorySaver())
    run = ended(graph, {})
    assert run.status == "failed"
    depths = set()
    for _ in range(3):
        with pytest.raises(ValueError, match="no") as caught:
            run.result()
        assert caught.value is error
        depths.add(len(caught.traceback))
        reader = run.stream("custom")
        assert next(reader) == "before"
        with pytest.raises(ValueError, match="no"):
            next(reader)
        assert list(reader) == []
    assert len(depths) == 1
    typed = run.stream("custom", version="v2")
    assert [part["type"] for part in (next(typed), next(typed))] == ["custom", "error"]
    with pytest.raises(ValueError, match="no"):
        next(typed)


@WAYS
def test_a_cancelled_run_goes_on_from_its_last_step(ended: Callable[..., Any]) -> None:
    """What was stored before it was cancelled is there for the next run."""
    blocked = [True]

    async def second(state: State) -> Any:
        if blocked:
            await asyncio.Event().wait()
        return {"done": "!"}

    builder = StateGraph(State).add_node("first", lambda state: {"asked": "-"}).add_node("second", second)
    graph = builder.add_edge(START, "first").add_edge("first", "second").compile(checkpointer=InMemorySaver())

    async def main() -> Any:
        run = await graph.astart({}, on("t")) if ended is asyn else graph.start({}, on("t"))
        async for _ in run.astream("updates"):
            run.cancel()
        await run.ajoin()
        return run

    run = asyncio.run(main())
    blocked.clear()
    assert run.status == "cancelled"
    with pytest.raises(RunCancelledError):
        run.result()
    assert run.partial.state == {"asked": "-"}
    assert ended(graph, None).result() == {"asked": "-", "done": "!"}


def test_a_failure_beside_the_storing_is_no_complaint() -> None:
    """A node that fails before the storing beside the run has begun: its error is stored, and the log stays empty."""

    async def fail(state: State) -> Any:
        raise ValueError("no")

    graph = StateGraph(State).add_node("fail", fail).add_edge(START, "fail").compile(checkpointer=InMemorySaver())

    async def main() -> None:
        with pytest.raises(ValueError, match="no"):
            await graph.ainvoke({}, on("t"))

    asyncio.run(main())
    assert graph.get_state(on("t")).tasks[0].error == repr(ValueError("no"))
