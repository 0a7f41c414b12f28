"""Write the parts of a stream to a file, while they are read.

The file has one JSON object in each line. The first says what it is: `{"recording": 1}`. Each part is `{"at": ...,
"part": ...}` with the seconds since the stream was first read, and the part as exact JSON. The last line has the `end`:
that of the run (`"done"`, with its output, or `"failed"`, with its error), or of the reading (`"left"`).
"""

from __future__ import annotations

import asyncio
from os import PathLike
from time import monotonic
from types import TracebackType
from typing import Any, AsyncIterable, AsyncIterator, BinaryIO, Iterable, Iterator, Optional, Type, Union

from streamgraph.serialization import PartEncoder
from streamgraph.testing._collecting import checked_part
from streamgraph.types import StreamPart

__all__ = ["AsyncRecordedStream", "RecordedStream", "arecord", "record"]

FORMAT = 1
"""The number of the file's form, in its first line."""

FilePath = Union[str, "PathLike[str]"]


class _Writer:
    """Writes the lines of one recording; what was written is in the file at once, whatever becomes of the process."""

    def __init__(self, path: FilePath) -> None:
        self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115  (`end` closes it)
        self._encoder = PartEncoder(exact=True)
        self._began = monotonic()
        self._parts = 0
        self._write(b'{"recording": %d}' % FORMAT)

    def part(self, chunk: object) -> StreamPart:
        """Write a part, and return it.

        Raises:
            TypeError: It is not a part of `version="v2"`.
        """
        at = monotonic() - self._began
        part = checked_part(chunk, self._parts)
        self._parts += 1
        self._write(b'{"at":%.6f,"part":%b}' % (at, self._encoder.encode(part)))
        return part

    def end(self, kind: bytes, name: bytes = b"", value: object = None) -> None:
        """Write the end, with the output or the error, and close the file; only the first end counts."""
        if self._file.closed:
            return
        more = b',"%b":%b' % (name, self._encoder.encode(value)) if name else b""
        self._write(b'{"at":%.6f,"end":"%b"%b}' % (monotonic() - self._began, kind, more))
        self._file.close()

    def failed(self, error: BaseException) -> None:
        """Write that the stream has raised an error: its own, or one that says that nobody reads any more."""
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)):
            self.end(b"left")
        else:
            self.end(b"failed", b"error", error)

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")


class _Recorded:
    """What both recorded streams have in common.

    Args:
        stream: The stream.
        path: The file.
    """

    def __init__(self, stream: Any, path: FilePath) -> None:
        self._stream = stream
        self._path = path
        self._writer: Optional[_Writer] = None
        self._over = False

    def __del__(self) -> None:
        if self.__dict__.get("_writer") is not None:
            self._end(b"left")

    @property
    def output(self) -> Any:
        """The final state, as `invoke` would return it; `None` if the stream has none."""
        return getattr(self._stream, "output", None)

    def _opened(self) -> _Writer:
        if self._writer is None:
            self._writer = _Writer(self._path)
        return self._writer

    def _end(self, kind: bytes, name: bytes = b"", value: object = None) -> None:
        self._over = True
        if self._writer is not None:
            self._writer.end(kind, name, value)


class RecordedStream(_Recorded, Iterator[StreamPart]):
    """An iterator of the parts of a stream, which are written to a file; also a context manager."""

    def __iter__(self) -> RecordedStream:
        return self

    def __next__(self) -> StreamPart:
        if self._over:
            raise StopIteration
        writer = self._opened()
        if self._stream is not iter(self._stream):
            self._stream = iter(self._stream)
        try:
            return writer.part(next(self._stream))
        except StopIteration:
            self._end(b"done", b"output", self.output)
            raise
        except BaseException as error:
            self._over = True
            writer.failed(error)
            raise

    def close(self) -> None:
        """End the reading: the stream is closed, and the recording ends here."""
        close = getattr(self._stream, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._end(b"left")

    def __enter__(self) -> RecordedStream:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


class AsyncRecordedStream(_Recorded, AsyncIterator[StreamPart]):
    """An async iterator of the parts of a stream, which are written to a file; also an async context manager."""

    def __aiter__(self) -> AsyncRecordedStream:
        return self

    async def __anext__(self) -> StreamPart:
        if self._over:
            raise StopAsyncIteration
        writer = self._opened()
        if self._stream is not self._stream.__aiter__():
            self._stream = self._stream.__aiter__()
        try:
            return writer.part(await self._stream.__anext__())
        except StopAsyncIteration:
            self._end(b"done", b"output", self.output)
            raise
        except BaseException as error:
            self._over = True
            writer.failed(error)
            raise

    async def aclose(self) -> None:
        """End the reading: the stream is closed, and the recording ends here."""
        close = getattr(self._stream, "aclose", None)
        try:
            if close is not None:
                await close()
        finally:
            self._end(b"left")

    async def __aenter__(self) -> AsyncRecordedStream:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()


def record(stream: Iterable[object], path: FilePath) -> RecordedStream:
    """Write the parts of a stream to a file while they are read, with the time of each.

    ::

        for part in record(graph.stream(given, stream_mode=["messages", "updates"], version="v2"), "run.jsonl"):
            show(part)

    What it returns is read in place of the stream, also by `collect` and `check_stream`. Each part is in the file as
    soon as it was read. What cannot be written, such as a lock in the state, is a placeholder in the file. A file that
    is there already is replaced when the first part is asked for.

    Args:
        stream: The result of `graph.stream(..., version="v2")` or of a handle's `run.stream(..., version="v2")`, or any
            parts of that form.
        path: The file.

    Returns:
        An iterator of the parts, with `output` and `close()`; a context manager. It ends and fails as the stream does.
        It raises a `TypeError` if a chunk is not a part of `version="v2"`, and an `OSError` if the file cannot be
        written.
    """
    return RecordedStream(stream, path)


def arecord(stream: AsyncIterable[object], path: FilePath) -> AsyncRecordedStream:
    """Write the parts of an async stream to a file while they are read; see `record`.

    Args:
        stream: The result of `graph.astream(..., version="v2")` or of a handle's `run.astream(..., version="v2")`, or
            any parts of that form.
        path: The file.
    """
    return AsyncRecordedStream(stream, path)
