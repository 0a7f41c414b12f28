"""The order of chunks, through the public API: per task, per step, and the same for sync and async."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from typing import Any, Dict, List, Sequence, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.ending.scheduled_graphs import KINDS, MODES, Drawn, Schedule, expected, graph_of, script_of, told
from streamgraph.config import get_stream_writer
from support.models import Model
from support.value_graphs import graph_of as step_of
from support.waiting import PATIENCE, run

Layers = Tuple[Tuple[Drawn, ...], ...]

acts = st.text("ct", max_size=4)
nodes = st.tuples(st.sampled_from(KINDS), acts)
drawn_layers = st.lists(st.lists(nodes, min_size=1, max_size=3), min_size=1, max_size=3)
choices = st.lists(st.integers(0, 2), max_size=40)
modes_of = st.lists(st.sampled_from(MODES), min_size=1, max_size=5, unique=True)
common = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def named(layers: Sequence[Sequence[Tuple[str, str]]]) -> Layers:
    """The nodes with names; those of one step are not in the order of their names."""
    return tuple(
        tuple(Drawn(f"{'bca'[index]}{step}", *node) for index, node in enumerate(layer))
        for step, layer in enumerate(layers)
    )


def played(layers: Layers, script: Sequence[str], modes: Sequence[str], driver: str) -> List[str]:
    """What a run shows in which each act waits until the consumer has seen the one before."""
    turns = Schedule(script, modes)
    graph, shown = graph_of(layers, turns), []

    def take(chunk: Any) -> None:
        text = told(chunk)
        if text:  # a model's last chunk may be empty
            shown.append(text)
            turns.took(text)

    given_ = {"x": ["in"], "z": "?"}
    if driver == "stream":
        for chunk in graph.stream(given_, stream_mode=list(modes)):
            take(chunk)
        return shown

    async def main() -> None:
        async for chunk in graph.astream(given_, stream_mode=list(modes)):
            take(chunk)

    asyncio.run(main())
    return shown


@pytest.mark.parametrize("driver", ["stream", "astream"])
@common
@given(drawn_layers, choices)
def test_all_modes(driver: str, layers: Any, chosen: List[int]) -> None:
    """Per task tokens and custom data, its update, its result; per step all that, then values; then the next starts.

    Sync and async give the very same chunks, for both give those that were foretold.
    """
    named_layers = named(layers)
    script = script_of(named_layers, chosen)
    assert played(named_layers, script, MODES, driver) == expected(named_layers, script, MODES)


@pytest.mark.parametrize("driver", ["stream", "astream"])
@common
@given(drawn_layers, choices, modes_of)
def test_some_modes(driver: str, layers: Any, chosen: List[int], modes: List[str]) -> None:
    """Whatever modes are asked for, the order is that of all modes without the others."""
    named_layers = named(layers)
    script = script_of(named_layers, chosen)
    assert played(named_layers, script, modes, driver) == expected(named_layers, script, modes)


TIMES = 10_000


def told_in_turns(model: Any) -> None:
    """Let a model speak, and write after each of its words."""
    writer = get_stream_writer()
    for index, _ in zip(range(TIMES), model.stream("?")):
        writer(index)


def in_node(model: Any) -> Any:
    """A sync node that does it itself."""

    def node(state: Any) -> None:
        told_in_turns(model)

    return node


def in_async_node(model: Any) -> Any:
    """An async node that does it on the loop."""

    async def node(state: Any) -> None:
        writer, index = get_stream_writer(), 0
        async for _ in model.astream("?"):
            if index < TIMES:
                writer(index)
                index += 1

    return node


def in_thread(model: Any) -> Any:
    """A sync node that has it done in a thread that it starts with its context."""

    def node(state: Any) -> None:
        errors: List[BaseException] = []

        def target() -> None:
            try:
                told_in_turns(model)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=copy_context().run, args=(target,))
        thread.start()
        thread.join(PATIENCE * 6)
        assert not thread.is_alive()
        assert errors == []

    return node


def in_thread_of_async_node(model: Any) -> Any:
    """An async node that does the same."""

    async def node(state: Any) -> None:
        run = copy_context().run
        await asyncio.get_running_loop().run_in_executor(None, run, told_in_turns, model)

    return node


def in_nested_graph(model: Any) -> Any:
    """A graph in a graph in a graph."""
    graph = step_of(inner=in_node(model))

    async def node(state: Any) -> None:
        await step_of(middle=graph).ainvoke(state)

    return node


PLACES = [
    *((place, driver) for place in (in_node, in_async_node, in_thread) for driver in ("stream", "astream")),
    (in_thread_of_async_node, "astream"),
    (in_nested_graph, "stream"),
]


@pytest.mark.parametrize(("place", "driver"), PLACES)
def test_ten_thousand_tokens_and_writer_calls(place: Any, driver: str) -> None:
    """Tokens and writer calls in turns arrive in turns, from wherever in a task they come."""
    graph = step_of(work=place(Model(words=[f"{index} " for index in range(TIMES)], ids=[None] * TIMES)))
    found: List[Any] = []

    def take(chunk: Any) -> None:
        mode, data = chunk
        if mode == "custom":
            found.append(data)
        elif data[0].content:
            found.append(data[0].content)

    async def main() -> None:
        async for chunk in graph.astream({"value": "?"}, stream_mode=["messages", "custom"]):
            take(chunk)

    if driver == "stream":
        for chunk in graph.stream({"value": "?"}, stream_mode=["messages", "custom"]):
            take(chunk)
    else:
        run(main())
    assert len(found) == 2 * TIMES
    assert found[::2] == [f"{index} " for index in range(TIMES)]
    assert found[1::2] == list(range(TIMES))


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_threads_of_one_node(driver: str) -> None:
    """What each of several threads of a node writes arrives in its own order, all before the node's update."""
    count, size = 8, 500

    def node(state: Any) -> Dict[str, Any]:
        writer = get_stream_writer()
        together = threading.Barrier(count)

        def write(name: int) -> None:
            together.wait(PATIENCE)
            for index in range(size):
                writer((name, index))

        threads = [threading.Thread(target=write, args=(name,)) for name in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        return {"value": "done"}

    graph, modes = step_of(work=node), ["custom", "updates"]

    async def main() -> List[Any]:
        return [chunk async for chunk in graph.astream({"value": "?"}, stream_mode=modes)]

    chunks = list(graph.stream({"value": "?"}, stream_mode=modes)) if driver == "stream" else run(main())
    assert chunks.pop() == ("updates", {"work": {"value": "done"}})
    for name in range(count):
        assert [data[1] for _, data in chunks if data[0] == name] == list(range(size))
