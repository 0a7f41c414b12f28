"""`step_timeout`: a step that takes too long fails the run, with an error that says what was running."""

from __future__ import annotations

import asyncio
import operator
import threading
import time
from typing import Any, List

import pytest
from typing_extensions import Annotated, TypedDict

from scenarios.flow_control.test_run_timeout import Stuck
from streamgraph.channels import LastValue
from streamgraph.errors import GraphError, RunTimeoutError, StepTimeoutError
from streamgraph.func import entrypoint
from streamgraph.graph import START, StateGraph
from streamgraph.pregel import NodeBuilder, Pregel
from streamgraph.runtime import Runtime
from support.clocks import LimitClock
from support.value_graphs import State, graph_of, line_of
from support.waiting import eventually, run, soon

LIMIT = 0.05


def limited(graph: Any, seconds: float = LIMIT) -> Any:
    """The same graph with a time limit for its steps."""
    graph.step_timeout = seconds
    return graph


def quick(state: object) -> None:
    """A node that ends at once."""


def check(error: StepTimeoutError, step: int, *nodes: str) -> None:
    """An error says which step it was, how long it took, and what was running."""
    assert isinstance(error, GraphError)
    assert isinstance(error, TimeoutError)
    assert (error.step, error.timeout) == (step, LIMIT)
    assert error.elapsed >= LIMIT
    assert sorted(task.node for task in error.running) == sorted(nodes)
    assert all(f"node {node!r}" in str(error) for node in nodes)
    assert f"step {step}" in str(error)


@pytest.mark.parametrize("name", ["node", "anode"])
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_stuck_step(name: str, mode: str, clock: LimitClock) -> None:
    """The steps before are shown and what the step has made is delivered; then the error is raised."""
    stuck = Stuck(clock)
    seen: List[Any] = []
    with pytest.raises(StepTimeoutError) as caught:
        seen.extend(limited(line_of(before=quick, stuck=getattr(stuck, name))).stream({}, stream_mode=mode))
    assert seen == (["first"] if mode == "custom" else [{"before": None}])
    check(caught.value, 2, "stuck")
    eventually(stuck.ended.is_set)


@pytest.mark.parametrize("name", ["node", "anode"])
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_stuck_step_async(name: str, mode: str, clock: LimitClock) -> None:
    """The same on an event loop."""
    stuck = Stuck(clock)

    async def main() -> None:
        seen: List[Any] = []
        with pytest.raises(StepTimeoutError) as caught:
            async for chunk in limited(line_of(before=quick, stuck=getattr(stuck, name))).astream({}, stream_mode=mode):
                seen.append(chunk)
        assert seen == (["first"] if mode == "custom" else [{"before": None}])
        check(caught.value, 2, "stuck")
        await soon(stuck.ended.is_set)

    run(main())


def test_invoke(clock: LimitClock) -> None:
    """`invoke` and `ainvoke` fail in the same way; of several nodes only those that still run are named."""
    stuck = Stuck(clock)

    async def node(state: State, runtime: Runtime) -> None:
        await asyncio.sleep(0.2)  # in which the other ends
        await stuck.anode(state, runtime)

    graph = limited(graph_of(quick=quick, stuck=node))
    with pytest.raises(StepTimeoutError) as caught:
        graph.invoke({})
    check(caught.value, 1, "stuck")

    async def main() -> None:
        with pytest.raises(StepTimeoutError):
            await graph.ainvoke({})

    run(main())


class Log(TypedDict):
    """A list of numbers."""

    log: Annotated[List[int], operator.add]


def steps(work: Any) -> Any:
    """A graph of five steps."""
    builder = StateGraph(Log)
    names = [START, *"abcde"]
    for before, name in zip(names, names[1:]):
        builder.add_node(name, lambda state: work() or {"log": [1]})
        builder.add_edge(before, name)
    return builder.compile()


def test_each_step_has_its_own_time(clock: LimitClock) -> None:
    """The time of a step begins with the step: several may take longer than the limit."""

    def work() -> None:
        clock.advance(0.4 * LIMIT)
        time.sleep(0.4 * LIMIT)  # who waits for the limit looks at the clock meanwhile

    graph = limited(steps(work))
    assert graph.invoke({"log": []}) == {"log": [1] * 5}
    assert asyncio.run(graph.ainvoke({"log": []})) == {"log": [1] * 5}


def test_a_reader_that_takes_its_time(clock: LimitClock) -> None:
    """While nothing runs, no step takes long."""
    graph = limited(steps(lambda: None))
    for _ in graph.stream({"log": []}):
        clock.advance(LIMIT)  # the reader is what takes time here


def test_beside_the_timeout_of_a_run(clock: LimitClock) -> None:
    """Of both limits the one that is over first counts."""
    stuck = Stuck(clock)
    with pytest.raises(RunTimeoutError):
        limited(graph_of(stuck=stuck.anode), 5).invoke({}, timeout=LIMIT)
    with pytest.raises(StepTimeoutError):
        limited(graph_of(stuck=stuck.anode)).invoke({}, timeout=5)


def test_nested_graph(clock: LimitClock) -> None:
    """The limit of a nested graph is for its own steps."""
    stuck = Stuck(clock)
    inner = limited(graph_of(stuck=stuck.anode))
    with pytest.raises(StepTimeoutError) as caught:
        line_of(before=quick, inner=inner).invoke({})
    check(caught.value, 1, "stuck")


def test_workflow_and_pregel(clock: LimitClock) -> None:
    """A workflow is one step; a `Pregel` takes the limit as an argument, and counts its steps from 0."""
    go_on = threading.Event()

    def wait(value: object) -> object:
        clock.advance(LIMIT)
        go_on.wait(5)
        return value

    try:
        with pytest.raises(StepTimeoutError):
            limited(entrypoint()(wait)).invoke(1)
        graph = Pregel(
            nodes={"wait": NodeBuilder().subscribe_only("a").do(wait).write_to("b")},
            channels={"a": LastValue(int), "b": LastValue(int)},
            input_channels="a",
            output_channels="b",
            step_timeout=LIMIT,
        )
        with pytest.raises(StepTimeoutError) as caught:
            graph.invoke(1)
        check(caught.value, 0, "wait")
    finally:
        go_on.set()
