"""Queues with one reader, which asks for more by itself."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import (
    AsyncIterator,
    Awaitable,
    Callable,
    Deque,
    Generic,
    Iterator,
    List,
    Optional,
    Tuple,
    TypeVar,
)

from typing_extensions import Protocol

__all__ = ["StreamChannel"]

T = TypeVar("T")


class _Numbering(Protocol):
    """Numbers the items of several channels, in the order in which they come."""

    def _next_push_seq(self) -> int: ...


class StreamChannel(Generic[T]):
    """A queue of items that a transformer makes and one consumer reads.

    A read item is gone. In the run of a graph all items are kept until they are read; with a `StreamMux` of one's own
    they are kept from the moment on at which somebody starts to read. Reading an empty channel advances the run that
    feeds it. A channel works when a `StreamMux` has taken it from the projection of a transformer: then with `for` in
    sync runs and `async for` in async ones. The mux also ends it.

    Args:
        name: If given, each item is also an event of the run, with the method `custom:<name>`, or `<name>` from a
            native transformer.
        maxlen: Accepted for LangGraph's sake, where it has no effect either: the reader sets the pace.

    Raises:
        ValueError: `maxlen` is not positive.
    """

    def __init__(self, name: Optional[str] = None, *, maxlen: Optional[int] = None) -> None:
        if maxlen is not None and maxlen <= 0:
            raise ValueError(f"StreamChannel maxlen must be a positive int or None, got {maxlen!r}.")
        self.name = name
        self._maxlen = maxlen
        # Items with the numbers in which order the channels of one mux got theirs.
        self._items: Deque[Tuple[int, T]] = deque()
        self._closed = False
        self._error: Optional[BaseException] = None
        self._is_async: Optional[bool] = None
        self._subscribed = False
        # Items that came before anybody reads, if these are kept.
        self._kept: Optional[Deque[Tuple[int, T]]] = None
        self._request_more: Optional[Callable[[], bool]] = None
        self._arequest_more: Optional[Callable[[], Awaitable[bool]]] = None
        self._wire_fn: Optional[Callable[[T], None]] = None
        self._mux: Optional[_Numbering] = None

    def __repr__(self) -> str:
        state = "failed" if self._error is not None else "closed" if self._closed else "open"
        return f"StreamChannel({self.name!r}, {state}, {len(self._items)} waiting)"

    def _bind(self, *, is_async: bool) -> None:
        """Make the channel readable, in sync or in async code."""
        if self._is_async is not None:
            raise RuntimeError("StreamChannel is already bound: it belongs to the projection of one transformer.")
        self._is_async = is_async

    def _bind_mux(self, mux: _Numbering) -> None:
        self._mux = mux

    def _keep(self) -> None:
        """Keep what comes before anybody reads."""
        self._kept = deque()

    def _wire(self, fn: Callable[[T], None]) -> None:
        """Have `fn` called with every item, whether somebody reads or not."""
        self._wire_fn = fn

    def push(self, item: T) -> None:
        """Add an item for the reader; if nobody reads or will read, it is only forwarded as an event, with a name.

        Args:
            item: The item.

        Raises:
            RuntimeError: The channel has ended, and somebody reads it.
        """
        if self._subscribed or self._kept is not None:
            if self._closed and self._subscribed:
                raise RuntimeError("Cannot push to a closed StreamChannel.")
            items = self._items if self._subscribed or self._kept is None else self._kept
            items.append((0 if self._mux is None else self._mux._next_push_seq(), item))
        if self._wire_fn is not None:
            self._wire_fn(item)

    def close(self) -> None:
        """End the channel: its reader gets what is left."""
        self._closed = True

    def fail(self, err: BaseException) -> None:
        """End the channel with an error, which its reader gets after what is left.

        Args:
            err: The error.
        """
        self._error = err
        self._closed = True

    def _subscribe(self, *, is_async: bool, name: str = "") -> None:
        """Take the one place of a reader."""
        what = f"StreamChannel {name!r}" if name else "StreamChannel"
        if self._is_async is None:
            raise TypeError(
                f"{what} has not been bound yet: it works when its transformer has been registered with a StreamMux."
            )
        if self._is_async is not is_async:
            mode, way = ("async", "'async for'") if self._is_async else ("sync", "'for'")
            raise TypeError(f"{what} is bound to {mode} mode: read it with {way}.")
        if self._subscribed:
            raise RuntimeError(f"{what} already has a subscriber; use .{'atee' if is_async else 'tee'}(n) for several.")
        self._subscribed = True
        if self._kept:
            self._items += self._kept
            self._kept.clear()

    def _ended(self) -> bool:
        """Return whether nothing can come any more; raises the error of a failed channel."""
        if not self._closed:
            return False
        if self._error is not None:
            raise self._error
        return True

    def __iter__(self) -> Iterator[T]:
        """Read the channel in sync code; possible once.

        Raises:
            TypeError: The channel belongs to no sync run.
            RuntimeError: Somebody reads it already.
        """
        self._subscribe(is_async=False)
        return self._read()

    def _read(self) -> Iterator[T]:
        while True:
            while self._items:
                yield self._items.popleft()[1]
            if self._ended() or self._request_more is None:
                return
            if not self._request_more() and not self._items and not self._closed:
                return

    def __aiter__(self) -> AsyncIterator[T]:
        """Read the channel in async code; possible once.

        Raises:
            TypeError: The channel belongs to no async run.
            RuntimeError: Somebody reads it already.
        """
        self._subscribe(is_async=True)
        return self._aread()

    async def _aread(self) -> AsyncIterator[T]:
        while True:
            while self._items:
                yield self._items.popleft()[1]
            if self._ended() or self._arequest_more is None:
                return
            if not await self._arequest_more() and not self._items and not self._closed:
                return

    def tee(self, n: int = 2) -> Tuple[Iterator[T], ...]:
        """Read the channel in sync code with several iterators, each of which gets every item.

        What one of them has not read yet is kept for it.

        Args:
            n: The number of iterators.

        Raises:
            ValueError: There is not at least one.
            TypeError: The channel belongs to no sync run.
            RuntimeError: Somebody reads it already.
        """
        copies: List[Deque[T]] = _copies(n, "tee")
        source = iter(self)
        failures: List[BaseException] = []

        def branch(own: Deque[T]) -> Iterator[T]:
            while True:
                while own:
                    yield own.popleft()
                if failures:
                    raise failures[0]
                try:
                    item = next(source)
                except StopIteration:
                    return
                except Exception as error:
                    failures.append(error)
                    continue
                for copy in copies:
                    copy.append(item)

        return tuple(map(branch, copies))

    def atee(self, n: int = 2) -> Tuple[AsyncIterator[T], ...]:
        """Read the channel in async code with several iterators; see `tee`. They may be read at the same time."""
        copies: List[Deque[T]] = _copies(n, "atee")
        source = self.__aiter__()
        failures: List[BaseException] = []
        locks: List[
            asyncio.Lock
        ] = []  # made on the loop that reads: on Python 3.9 a lock belongs to one from the start

        async def branch(own: Deque[T]) -> AsyncIterator[T]:
            if not locks:
                locks.append(asyncio.Lock())
            while True:
                while own:
                    yield own.popleft()
                async with locks[0]:
                    if own:
                        continue
                    if failures:
                        raise failures[0]
                    try:
                        item = await source.__anext__()
                    except StopAsyncIteration:
                        return
                    except Exception as error:
                        failures.append(error)
                        continue
                    for copy in copies:
                        copy.append(item)

        return tuple(map(branch, copies))


def _copies(n: int, method: str) -> List[Deque[T]]:
    if n < 1:
        raise ValueError(f"{method}() requires n >= 1, got {n!r}.")
    return [deque() for _ in range(n)]
