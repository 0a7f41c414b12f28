"""Streams may be driven from any task, thread or loop call, without touching the context of whoever drives them."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from typing import Any, Callable, List

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import var_child_runnable_config

from scenarios.ending.context_checks import GRAPH, MODES, color, context, expected, given, line, plain, pull, step
from support.waiting import PATIENCE, run


@pytest.mark.parametrize("modes", MODES)
def test_each_item_in_another_task(modes: Any) -> None:
    """Each item is awaited in another task, which has a context of its own."""

    async def main() -> List[Any]:
        stream, chunks = GRAPH.astream(**given(stream_mode=modes)), []
        while await asyncio.ensure_future(step(stream, chunks)):
            assert color.get() == "none"
        return chunks

    assert plain(run(main())) == expected(modes=modes)


@pytest.mark.parametrize("modes", MODES)
@pytest.mark.parametrize("items", [0, 1, 4])
def test_closed_in_another_task(items: int, modes: Any) -> None:
    """After any number of items, each in a task of its own, yet another task closes the stream."""

    async def main() -> None:
        stream, chunks = GRAPH.astream(**given(stream_mode=modes)), []
        for _ in range(items):
            await asyncio.ensure_future(step(stream, chunks))

        async def close() -> None:
            before = context()
            await stream.aclose()
            assert context() == before

        await asyncio.ensure_future(close())
        assert not await asyncio.ensure_future(step(stream, chunks))
        assert len(chunks) == items

    run(main())


def in_thread(function: Callable[[], Any]) -> Any:
    """Call in a new thread, which has an empty context."""
    results: List[Any] = []

    def target() -> None:
        try:
            results.append((function(), None))
        except BaseException as error:
            results.append((None, error))

    thread = threading.Thread(target=target)
    thread.start()
    thread.join(PATIENCE * 2)
    ((result, error),) = results
    if error is not None:
        raise error
    return result


@pytest.mark.parametrize("modes", MODES)
def test_each_item_in_another_thread(modes: Any) -> None:
    """Each item of a sync stream is pulled in another thread."""
    stream, chunks = GRAPH.stream(**given(stream_mode=modes)), []
    while in_thread(lambda: pull(stream, chunks)):
        assert color.get() == "none"
    assert plain(chunks) == expected(modes=modes)
    assert stream.output["x"][0] == "me"


@pytest.mark.parametrize("modes", MODES)
@pytest.mark.parametrize("items", [0, 1, 4])
def test_closed_in_another_thread(items: int, modes: Any) -> None:
    """After any number of items, each in a thread of its own, yet another thread closes the stream."""
    stream, chunks = GRAPH.stream(**given(stream_mode=modes)), []
    for _ in range(items):
        in_thread(lambda: pull(stream, chunks))
    in_thread(stream.close)
    assert not in_thread(lambda: pull(stream, chunks))
    assert len(chunks) == items


@pytest.mark.parametrize("modes", MODES)
@pytest.mark.parametrize("items", [None, 0, 1, 4])
def test_each_item_in_a_loop_call_of_its_own(items: Any, modes: Any) -> None:
    """Each item is had by `run_until_complete`, and the end, be it early or not, by yet another one."""
    loop = asyncio.new_event_loop()
    complaints: List[Any] = []
    loop.set_exception_handler(lambda loop, context: complaints.append(context))
    try:
        stream, chunks = GRAPH.astream(**given(stream_mode=modes)), []
        while len(chunks) != items and loop.run_until_complete(step(stream, chunks)):
            pass
        loop.run_until_complete(stream.aclose())
        assert asyncio.all_tasks(loop) == set()
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert complaints == []
    assert len(chunks) == items if items is not None else plain(chunks) == expected(modes=modes)


@pytest.mark.parametrize("modes", MODES)
def test_within_a_runnable(modes: Any) -> None:
    """Where the consumer is itself a Runnable, langchain-core's variable is its own between items, and its tags too."""

    def consume(_: Any, config: Any) -> int:
        before = context()
        for _ in GRAPH.stream(**given(stream_mode=modes)):
            assert context() == before
        assert var_child_runnable_config.get()["tags"] == ["mine"]
        return 1

    async def aconsume(_: Any, config: Any) -> int:
        before = context()
        async for _ in GRAPH.astream(**given(stream_mode=modes)):
            assert context() == before
        return 1

    reader = RunnableLambda(consume, afunc=aconsume)
    assert reader.invoke(None, {"tags": ["mine"]}) == 1
    assert run(reader.ainvoke(None, {"tags": ["mine"]})) == 1


def test_consumer_that_sets_variables() -> None:
    """What the consumer sets between two items stays set, and is what the next step's nodes see."""
    seen: List[str] = []
    graph = line(*[lambda state: seen.append(color.get())] * 3)

    def main() -> None:
        for index, _ in enumerate(graph.stream({"x": []})):
            assert color.get() == ("none" if index == 0 else f"after {index - 1}")
            color.set(f"after {index}")

    copy_context().run(main)
    assert seen == ["none", "after 0", "after 1"]


def test_generator_around_a_stream() -> None:
    """A generator that passes chunks on may be begun in one task, read in another and closed in a third."""

    async def main() -> None:
        async def events() -> Any:
            async with GRAPH.astream(**given()) as stream:
                async for chunk in stream:
                    yield chunk

        generator = events()
        chunks: List[Any] = []
        for _ in range(4):
            assert await asyncio.ensure_future(step(generator, chunks))

        async def close() -> None:
            await generator.aclose()

        await asyncio.ensure_future(close())
        assert len(chunks) == 4

    run(main())
