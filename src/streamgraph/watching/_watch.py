"""`watch(stream)`: the chunks of a stream, which are shown to a person on their way to the program."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import (
    IO,
    Any,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generic,
    Iterable,
    Iterator,
    Optional,
    Set,
    Type,
    TypeVar,
    Union,
    cast,
    overload,
)

from streamgraph._drivers.readers import AsyncRunReader, RunReader
from streamgraph.errors import StreamClosed
from streamgraph.types import StreamMode
from streamgraph.watching._chunks import reader_of
from streamgraph.watching._display import Watcher, terminal_display
from streamgraph.watching._model import RunView, RunViewStatus
from streamgraph.watching._notebook import in_notebook, notebook_display

T = TypeVar("T")

_reading: Set[asyncio.Task[None]] = set()
"""Strong references to the tasks that show streams in notebooks: an event loop holds only weak ones."""

_LEAVING = (GeneratorExit, KeyboardInterrupt, asyncio.CancelledError, StreamClosed)


class _Watching(Generic[T]):
    """What both have in common.

    Args:
        stream: The stream.
        watcher: Shows its chunks.
    """

    # Class attributes, for `__del__` after an interrupted `__init__`, and for `__getattr__`.
    _stream: object = None
    _watcher: Optional[Watcher] = None

    def __init__(self, stream: object, watcher: Watcher) -> None:
        self._stream = stream
        self._watcher = watcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._stream!r}>"

    def __del__(self) -> None:
        self._leave()

    @property
    def view(self) -> RunView:
        """What is shown: nodes, texts, questions and the state, as data."""
        assert self._watcher is not None
        return self._watcher.view

    def _begin(self) -> None:
        if self._watcher is not None:
            self._watcher.start()

    def _show(self, chunk: T) -> T:
        watcher = self._watcher
        if watcher is not None:
            events = watcher.take(chunk)
            if any(event.kind == "question" for event in events):
                watcher.pause()  # the program is about to ask somebody, maybe in this terminal
        return chunk

    def _end(self, status: RunViewStatus, error: Optional[BaseException] = None) -> None:
        if self._watcher is not None:
            self._watcher.end(status, error)

    def _end_well(self) -> None:
        ended = str(getattr(self._stream, "run_status", getattr(self._stream, "status", "")))
        status = {"paused": "interrupted", "interrupted": "interrupted", "cancelled": "cancelled"}.get(ended, "done")
        self._end(cast("RunViewStatus", status))

    def _end_with(self, error: BaseException) -> None:
        if isinstance(error, _LEAVING):
            self._leave()
        else:
            self._end("failed", error)

    def _leave(self) -> None:
        # A run that stands by itself goes on without its readers.
        self._end("left" if isinstance(self._stream, (RunReader, AsyncRunReader)) else "cancelled")


class Watched(_Watching[T], Iterator[T]):
    """The chunks of a stream, each of which is shown when it is taken.

    An iterator and a context manager. What the stream itself has, such as `output`, `answer` or `close`, is there as
    well. As the last line of a notebook cell it reads itself to the end.
    """

    def __iter__(self) -> Watched[T]:
        return self

    def __next__(self) -> T:
        self._begin()
        try:
            chunk: T = next(self._iterator())
        except StopIteration:
            self._end_well()
            raise
        except BaseException as error:
            self._end_with(error)
            raise
        return self._show(chunk)

    def run(self) -> Any:
        """Show the stream to its end.

        Returns:
            Its output, the final state, if the stream has one.
        """
        for _ in self:
            pass
        return getattr(self._stream, "output", None)

    def __enter__(self) -> Watched[T]:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the stream, which stops its run, and show that it has ended."""
        close: Optional[Callable[[], None]] = getattr(self._stream, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._leave()

    def _iterator(self) -> Iterator[Any]:
        found = self.__dict__.get("_source")
        if found is None:
            found = self._source = iter(self._stream)  # type: ignore[call-overload]
        return found  # type: ignore[no-any-return]

    def _ipython_display_(self) -> None:
        with suppress(Exception):  # which is shown
            self.run()


class AsyncWatched(_Watching[T], AsyncIterator[T]):
    """The chunks of an async stream, each of which is shown when it is taken; see `Watched`."""

    def __aiter__(self) -> AsyncWatched[T]:
        return self

    async def __anext__(self) -> T:
        self._begin()
        try:
            chunk: T = await self._iterator().__anext__()
        except StopAsyncIteration:
            self._end_well()
            raise
        except BaseException as error:
            self._end_with(error)
            raise
        return self._show(chunk)

    async def run(self) -> Any:
        """Show the stream to its end.

        Returns:
            Its output, the final state, if the stream has one.
        """
        async for _ in self:
            pass
        return getattr(self._stream, "output", None)

    async def __aenter__(self) -> AsyncWatched[T]:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the stream, which stops its run, and show that it has ended."""
        close = getattr(self._stream, "aclose", None)
        try:
            if close is not None:
                await close()
        finally:
            self._leave()

    def _ipython_display_(self) -> None:
        # The event loop of the notebook runs this cell, so it cannot wait here: the output goes on after the cell.
        self._begin()
        task = asyncio.get_running_loop().create_task(self._read())
        _reading.add(task)
        task.add_done_callback(_reading.discard)

    async def _read(self) -> None:
        with suppress(Exception):  # which is shown
            await self.run()

    def _iterator(self) -> AsyncIterator[Any]:
        found = self.__dict__.get("_source")
        if found is None:
            found = self._source = self._stream.__aiter__()  # type: ignore[attr-defined]
        return found  # type: ignore[no-any-return]


@overload
def watch(
    stream: AsyncIterable[T],
    *,
    stream_mode: Optional[StreamMode] = None,
    file: Optional[IO[str]] = None,
    show_state: bool = True,
    name: str = "",
) -> AsyncWatched[T]: ...
@overload
def watch(
    stream: Iterable[T],
    *,
    stream_mode: Optional[StreamMode] = None,
    file: Optional[IO[str]] = None,
    show_state: bool = True,
    name: str = "",
) -> Watched[T]: ...
def watch(
    stream: Union[Iterable[Any], AsyncIterable[Any]],
    *,
    stream_mode: Optional[StreamMode] = None,
    file: Optional[IO[str]] = None,
    show_state: bool = True,
    name: str = "",
) -> Union[Watched[Any], AsyncWatched[Any]]:
    """Show a stream to a person while a program reads it.

    ::

        for chunk in watch(graph.stream({"topic": "ice"}, stream_mode=["tasks", "messages", "values"])):
            ...
        watch(graph.stream({"topic": "ice"}, stream_mode="messages")).run()  # only to look at it

    It shows what the stream has, and changes nothing of it: every chunk is passed on as it is. `tasks`, `messages` and
    `values` together show most. In a terminal with Rich (the extra `terminal`) it is a picture that changes, with the
    nodes as a tree and the texts below it; elsewhere lines; in a notebook the output of the cell. Control characters
    of models, which could move the cursor of a terminal, are shown as signs.

    Args:
        stream: A stream of a graph or of a started run, or any (async) iterable of chunks of either version, such as a
            generator that passes them on.
        stream_mode: The mode of the chunks of a foreign iterable that do not carry it; streams of this package know.
        file: Where it is shown; the standard output by default.
        show_state: Show the last state at the end, if the stream has one.
        name: The name of the graph, for the picture.

    Returns:
        An iterator of the chunks, or an async iterator if the stream is one. Nothing is read before it is.

    Raises:
        TypeError: It is no iterable.
    """
    is_async = hasattr(type(stream), "__aiter__")
    if not is_async and not hasattr(type(stream), "__iter__"):
        raise TypeError(f"watch() takes a stream, an iterable or an async iterable, and {stream!r:.100} is none.")
    if file is None and in_notebook():
        make = notebook_display(graph=name, with_state=show_state)
    else:
        form = getattr(stream, "form", None)
        alone = getattr(form, "shown", None) == {"messages"} or stream_mode == "messages"
        make = terminal_display(file, graph=name, texts_only=alone, with_state=show_state)
    watcher = Watcher(reader_of(stream, stream_mode), make)
    return AsyncWatched(stream, watcher) if is_async else Watched(stream, watcher)
