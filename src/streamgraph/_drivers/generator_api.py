"""Streams as generators: what LangGraph's are, and what other software asks for by its type.

Streamlit, marimo and Langfuse ask `inspect.isgenerator` and `inspect.isasyncgen` before they iterate, and those ask
`isinstance`, which takes an object's word for its class. So streams say that they are generators, and can do all that
these can.
"""

from __future__ import annotations

from types import AsyncGeneratorType, CodeType, GeneratorType
from typing import Any, AsyncGenerator, Generator, TypeVar

ChunkT = TypeVar("ChunkT")


def _code() -> None:
    """Stand for the code of a generator, whose flags tell that it is no coroutine."""


class GeneratorStream(Generator[ChunkT, None, None]):
    """The parts of a generator that a stream does not need itself."""

    gi_code: CodeType = _code.__code__
    gi_frame = gi_yieldfrom = None

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return GeneratorType

    def send(self, value: None) -> ChunkT:
        """Return the next chunk, as `next` does: a stream has no use for a value."""
        return next(self)

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> ChunkT:
        """Stop the run and raise an exception."""
        self.close()
        raise _thrown(kind, value, trace)


class AsyncGeneratorStream(AsyncGenerator[ChunkT, None]):
    """The parts of an async generator that a stream does not need itself."""

    ag_code: CodeType = _code.__code__
    ag_frame = ag_await = None

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return AsyncGeneratorType

    async def asend(self, value: None) -> ChunkT:
        """Return the next chunk, as `anext` does: a stream has no use for a value."""
        return await self.__anext__()

    async def athrow(self, kind: Any, value: Any = None, trace: Any = None) -> ChunkT:
        """Stop the run and raise an exception."""
        await self.aclose()
        raise _thrown(kind, value, trace)


def _thrown(kind: Any, value: Any, trace: Any) -> BaseException:
    """Return the exception that `throw` was given, in any of its three forms."""
    error = next((given for given in (kind, value) if isinstance(given, BaseException)), None)
    if error is None:
        error = kind() if value is None else kind(value)
    return error if trace is None else error.with_traceback(trace)
