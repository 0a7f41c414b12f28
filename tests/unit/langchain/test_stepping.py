"""Awaiting in a context of its own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context

import pytest

from streamgraph._langchain.stepping import AwaitedIn
from support.waiting import run

name: ContextVar[str] = ContextVar("name", default="outside")


def test_every_step_is_in_the_context():
    """The coroutine sees the context's values and keeps its own, in the awaiting task."""
    context = copy_context()
    context.run(name.set, "inside")
    seen = []

    async def work():
        seen.append((name.get(), asyncio.current_task()))
        await asyncio.sleep(0)
        name.set("changed")
        await asyncio.sleep(0)
        seen.append((name.get(), asyncio.current_task()))
        return "done"

    async def main():
        assert await AwaitedIn(context, work()) == "done"
        return asyncio.current_task()

    task = run(main())
    assert seen == [("inside", task), ("changed", task)]
    assert (name.get(), context[name]) == ("outside", "changed")


def test_errors_and_cancellations_arrive():
    """What is raised inside comes out, and a cancellation goes in, where it can be answered."""

    async def fails():
        await asyncio.sleep(0)
        raise KeyError("inside")

    async def answers():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return name.get()

    async def main():
        with pytest.raises(KeyError, match="inside"):
            await AwaitedIn(copy_context(), fails())

        context = copy_context()
        context.run(name.set, "inside")

        async def waits():
            return await AwaitedIn(context, answers())

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert run(main()) == "inside"


def test_closing():
    """A coroutine that is closed while it waits closes the one inside, in its context."""
    closed = []

    class Pause:
        def __await__(self):
            yield

    async def waits():
        try:
            await Pause()
        finally:
            closed.append(name.get())

    async def outer():
        context = copy_context()
        context.run(name.set, "inside")
        await AwaitedIn(context, waits())

    coroutine = outer()
    coroutine.send(None)
    coroutine.close()
    assert closed == ["inside"]
