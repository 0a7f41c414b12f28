"""The generator interface of streams, for software that checks the type.

Streamlit, marimo and Langfuse call `inspect.isgenerator` and `inspect.isasyncgen` before they iterate. These use
`isinstance`, which respects an object's `__class__`. So streams claim to be generators (as LangGraph's are) and
implement their whole interface.
"""

from __future__ import annotations

from types import AsyncGeneratorType, CodeType, GeneratorType
from typing import Any, AsyncGenerator, Generator, TypeVar

ChunkT = TypeVar("ChunkT", covariant=True)


def _code() -> None:
    """Provide a code object for `gi_code` and `ag_code`, whose flags are not those of a coroutine."""


class GeneratorStream(Generator[ChunkT, None, None]):
    """The attributes and methods of a generator that a stream does not use itself."""

    gi_code: CodeType = _code.__code__
    gi_frame = gi_yieldfrom = None

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return GeneratorType

    def send(self, value: None) -> ChunkT:
        """Return the next chunk, as `next` does; the value is ignored."""
        return next(self)

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> ChunkT:
        """Stop the run and raise an exception."""
        self.close()
        raise _thrown(kind, value, trace)


class AsyncGeneratorStream(AsyncGenerator[ChunkT, None]):
    """The attributes and methods of an async generator that a stream does not use itself."""

    ag_code: CodeType = _code.__code__
    ag_frame = ag_await = None

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return AsyncGeneratorType

    async def asend(self, value: None) -> ChunkT:
        """Return the next chunk, as `anext` does; the value is ignored."""
        return await self.__anext__()

    async def athrow(self, kind: Any, value: Any = None, trace: Any = None) -> ChunkT:
        """Stop the run and raise an exception."""
        await self.aclose()
        raise _thrown(kind, value, trace)


def _thrown(kind: Any, value: Any, trace: Any) -> BaseException:
    """Return the exception passed to `throw` in any of its three forms."""
    error = next((given for given in (kind, value) if isinstance(given, BaseException)), None)
    if error is None:
        error = kind() if value is None else kind(value)
    return error if trace is None else error.with_traceback(trace)
