"""Streams are generators to whoever asks: Streamlit, marimo and Langfuse take nothing else for a stream."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import inspect
import types
from typing import Any, AsyncIterator, Iterator

import pytest

from streamgraph.config import get_stream_writer
from support.value_graphs import State, graph_of
from support.waiting import run


def node(state: State) -> None:
    """Write two things."""
    get_stream_writer()(1)
    get_stream_writer()(2)


GRAPH = graph_of(work=node)


def stream(driver: str = "stream") -> Any:
    """A stream of two chunks."""
    return getattr(GRAPH, driver)({"value": "?"}, stream_mode="custom")


def numbers() -> Iterator[int]:
    """A generator."""
    yield 1


async def anumbers() -> AsyncIterator[int]:
    """An async generator."""
    yield 1


@pytest.mark.parametrize(("driver", "made"), [("stream", numbers), ("astream", anumbers)])
def test_what_is_asked(driver: str, made: Any) -> None:
    """Everything that `inspect` and `asyncio` know to ask is answered as a generator would."""
    ours, real = stream(driver), made()
    for question in (inspect.isgenerator, inspect.isasyncgen, inspect.isawaitable, asyncio.iscoroutine):
        assert question(ours) == question(real), question
    abstract = (collections.abc.Generator, collections.abc.AsyncGenerator)
    for kind in (types.GeneratorType, types.AsyncGeneratorType, *abstract):
        assert isinstance(ours, kind) == isinstance(real, kind), kind
    real.close() if driver == "stream" else asyncio.run(real.aclose())
    assert type(ours).__name__ in repr(ours)


def test_states() -> None:
    """`inspect` can tell whether it runs."""
    made = stream()
    assert inspect.getgeneratorstate(made) == inspect.GEN_CLOSED  # it has no frame that could be looked at
    next(made)
    if hasattr(types.GeneratorType, "gi_suspended"):
        assert inspect.getgeneratorstate(made) == inspect.GEN_SUSPENDED
    made.close()
    assert inspect.getgeneratorstate(made) == inspect.GEN_CLOSED


def test_send_and_throw() -> None:
    """`send` gives the next chunk; `throw` stops the run, and raises what it is given in any of the usual forms."""
    for thrown in ((ValueError("here"),), (ValueError, "here"), (ValueError, ValueError("here")), (ValueError,)):
        made = stream()
        assert made.send(None) == 1
        with pytest.raises(ValueError, match="here" if len(thrown) > 1 else None):
            made.throw(*thrown)
        assert made.status == "closed"
        assert list(made) == []


def test_asend_and_athrow() -> None:
    """The same on a loop."""

    async def main() -> None:
        made = stream("astream")
        assert await made.asend(None) == 1
        with pytest.raises(ValueError, match="here"):
            await made.athrow(ValueError("here"))
        assert made.status == "closed"

    run(main())


def test_delegation() -> None:
    """A generator can hand its reader over to a stream: what is thrown into it, or closes it, ends the run."""

    def outer() -> Iterator[int]:
        yield from made

    made = stream()
    assert list(outer()) == [1, 2]
    for leave in (lambda reader: reader.close(), lambda reader: reader.throw(KeyError("gone"))):
        made = stream()
        reader = outer()
        next(reader)
        with contextlib.suppress(KeyError):
            leave(reader)
        assert made.status == "closed"


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_as_streamlit_reads_one(driver: str) -> None:
    """`st.write_stream` makes a sync generator of an async one: with `anext`, on a loop of its own that it closes."""

    def synced(made: Any) -> Iterator[int]:
        loop = asyncio.new_event_loop()
        try:
            while True:
                yield loop.run_until_complete(made.__anext__())
        except StopAsyncIteration:
            pass
        finally:
            loop.close()

    made = stream(driver)
    assert list(synced(made) if inspect.isasyncgen(made) else made) == [1, 2]
