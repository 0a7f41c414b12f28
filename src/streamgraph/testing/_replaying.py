"""Replay a recorded stream to a reader under test, with its timing, faster, or with faults."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Type

from streamgraph.serialization import PartDecoder
from streamgraph.testing._faults import Fault, Timed, with_faults
from streamgraph.testing._recording import FORMAT, FilePath
from streamgraph.types import StreamPart

__all__ = ["AsyncReplay", "RecordingError", "Replay", "areplay", "replay"]


class RecordingError(ValueError):
    """A file is not a recording, or ends in the middle of one."""


@dataclass
class _Tape:
    """What was recorded.

    Attributes:
        parts: The parts.
        output: The output of the run.
        error: What is raised after the last part; `None` if the recording ends like that of a run that is over.
    """

    parts: List[Timed]
    output: Any = None
    error: Optional[BaseException] = None


class _Replay:
    """What both replays have in common.

    Args:
        tape: What was recorded, with the faults.
        speed: How many times as fast; `None` for no waiting.
    """

    def __init__(self, tape: _Tape, speed: Optional[float]) -> None:
        self._parts = iter(tape.parts)
        self._output = tape.output
        self._error = tape.error
        self._speed = speed
        self._began: Optional[float] = None
        self._ended = False

    @property
    def output(self) -> Any:
        """The output of the recorded run, once all of it was read; `None` before, and if it had none."""
        return self._output if self._ended else None

    def _next(self) -> Optional[Timed]:
        """Return the next part, or `None` at the end.

        Raises:
            BaseException: The recorded failure of the run, or that of a cut.
        """
        now = monotonic()
        if self._began is None:
            self._began = now
        timed = next(self._parts, None)
        if timed is None and not self._ended:
            self._ended = True
            if self._error is not None:
                raise self._error
        return timed

    def _seconds(self, timed: Timed) -> float:
        """Return how long to wait for a part. A reader that was slow finds the next ones waiting."""
        assert self._began is not None
        due = timed.late + (timed.at / self._speed if self._speed is not None else 0.0)
        return max(0.0, self._began + due - monotonic())


class Replay(_Replay, Iterator[StreamPart]):
    """An iterator of the parts of a recording; also a context manager. Another thread may close it."""

    def __init__(self, tape: _Tape, speed: Optional[float]) -> None:
        super().__init__(tape, speed)
        self._closed = threading.Event()

    def __iter__(self) -> Replay:
        return self

    def __next__(self) -> StreamPart:
        timed = None if self._closed.is_set() else self._next()
        if timed is None:
            raise StopIteration
        seconds = self._seconds(timed)
        if seconds and self._closed.wait(seconds):
            raise StopIteration
        return timed.part

    def close(self) -> None:
        """End the replay."""
        self._closed.set()

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


class AsyncReplay(_Replay, AsyncIterator[StreamPart]):
    """An async iterator of the parts of a recording; also an async context manager."""

    _closed = False

    def __aiter__(self) -> AsyncReplay:
        return self

    async def __anext__(self) -> StreamPart:
        timed = None if self._closed else self._next()
        if timed is None:
            raise StopAsyncIteration
        await asyncio.sleep(self._seconds(timed))
        return timed.part

    async def aclose(self) -> None:
        """End the replay."""
        self._closed = True

    async def __aenter__(self) -> AsyncReplay:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()


def replay(
    path: FilePath, *, speed: Optional[float] = 1.0, faults: Sequence[Fault] = (), allow: Iterable[type] = ()
) -> Replay:
    """Return the parts that `record` has written to a file, at their times, for the test of a reader.

    ::

        def test_who_reads_twice_what_comes_twice():
            parts = replay("run.jsonl", speed=None, faults=[Duplicate(at=3), Cut(at=-2)])
            with pytest.raises(ConnectionError):
                my_reader(parts)

        check_stream(replay("run.jsonl", speed=None))

    The recorded run itself is not run again. It fails after its last part if the run did, with the same error, or with
    a `RemoteError` if the error's class is not allowed.

    Args:
        path: The file. It is read when this is called.
        speed: How many times as fast as it was recorded; `None` for no waiting.
        faults: `Cut`, `Delay`, `Duplicate` and `Reorder`, each applied to what those before it have made.
        allow: The classes that may be made besides those of LangChain's messages and documents: models, dataclasses and
            exceptions in the parts; see `streamgraph.serialization.loads`.

    Returns:
        An iterator of parts of `version="v2"`, with `output` and `close()`; a context manager. A recording that ends in
        the middle, because its process was killed, ends with a `RecordingError`.

    Raises:
        RecordingError: The file is not a recording.
        ClassNotAllowedError: A part has a value of a class that is not allowed.
        ValueError: There is no part where a fault is to happen, or `speed` is not positive.
        OSError: The file cannot be read.
    """
    return Replay(_loaded(path, speed, faults, allow), speed)


def areplay(
    path: FilePath, *, speed: Optional[float] = 1.0, faults: Sequence[Fault] = (), allow: Iterable[type] = ()
) -> AsyncReplay:
    """Return the parts that `record` or `arecord` has written to a file, as an async iterator; see `replay`."""
    return AsyncReplay(_loaded(path, speed, faults, allow), speed)


def _loaded(path: FilePath, speed: Optional[float], faults: Sequence[Fault], allow: Iterable[type]) -> _Tape:
    if speed is not None and not speed > 0:
        raise ValueError(f"speed is {speed!r}; it is a positive number, or None for no waiting")
    decoder = PartDecoder(allow)
    with open(path, "rb") as file:
        tape = _read(file.read(), f"{path}", decoder)
    tape.parts, cut = with_faults(tape.parts, faults, decoder.decode)
    if cut is not None:
        tape.output, tape.error = None, cut.error
    return tape


def _read(text: bytes, path: str, decoder: PartDecoder) -> _Tape:
    lines = text.split(b"\n")
    torn = lines.pop()  # what follows the last line break: nothing, unless the process was ended while it wrote
    if not lines or _line(lines[0], path, 1).get("recording") != FORMAT:
        raise RecordingError(f"{path} does not begin like a recording of this version, with {{'recording': {FORMAT}}}")
    parts: List[Timed] = []
    for number, line in enumerate(lines[1:], 2):
        known = _line(line, path, number)
        if "end" in known:
            return _ended(parts, known, decoder, path)
        at = known.get("at")
        if "part" not in known or not isinstance(at, (int, float)):
            raise RecordingError(f"Line {number} of {path} is no part of a recording: {line!r:.200}")
        raw = json.dumps(known["part"]).encode()
        parts.append(Timed(at, raw, decoder.decode(raw)))
    where = f"after {len(parts)} parts" + (" in the middle of the next one" if torn else "")
    broken = f"The recording {path} ends {where}: the process that wrote it was ended, or it still writes."
    return _Tape(parts, error=RecordingError(broken))


def _ended(parts: List[Timed], end: Dict[str, Any], decoder: PartDecoder, path: str) -> _Tape:
    decode: Callable[[object], Any] = lambda given: decoder.decode(json.dumps(given))  # noqa: E731
    kind = end["end"]
    if kind == "failed":
        error = decode(end.get("error"))
        if not isinstance(error, BaseException):
            raise RecordingError(f"The end of {path} has no error: {end!r:.200}")
        return _Tape(parts, error=error)
    if kind not in ("done", "left"):
        raise RecordingError(f"{path} ends with {kind!r:.100}, which is no end of a recording")
    return _Tape(parts, output=decode(end.get("output")))


def _line(line: bytes, path: str, number: int) -> Dict[str, Any]:
    try:
        known = json.loads(line)
    except ValueError as error:
        raise RecordingError(f"Line {number} of {path} is no JSON, so it is no recording: {line!r:.100}") from error
    if not isinstance(known, dict):
        raise RecordingError(f"Line {number} of {path} is no line of a recording: {line!r:.100}")
    return known
