"""Takes the events of a run to its transformers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Awaitable, Callable, Dict, Iterable, List, Optional, Sequence, Set, cast

from streamgraph._locations import add_note
from streamgraph._types import StreamMode
from streamgraph.stream._convert import event_of
from streamgraph.stream._types import ProtocolEvent, Scope, StreamTransformer, transformer_requires_async
from streamgraph.stream.stream_channel import StreamChannel

__all__ = ["StreamMux", "TransformerFactory"]

TransformerFactory = Callable[[Scope], StreamTransformer]
"""Makes a transformer for a namespace: a transformer class, or a function that configures one."""


class StreamMux:
    """Takes each event to every transformer in turn, and then to those who read the run's own events.

    Events come from a run stream, or by hand::

        mux = StreamMux([Words()])
        words = iter(mux.extensions["words"])
        mux.push(event)
        mux.close()
        list(words)

    Args:
        transformers: Transformers for this mux alone.
        is_async: True for events that are given to `apush`, and read with `async for`.
        factories: They make the other transformers, and those of nested graphs.
        scope: The namespace of the graph.
        keeps: What nobody reads yet is kept for who comes later.

    Attributes:
        is_async: Whether events are pushed and read in async code.
        scope: The namespace of the graph.
        extensions: The projections of all transformers, by name.
        native_keys: The names of projections that are attributes of the run stream.

    Raises:
        RuntimeError: A transformer works in async runs only, and this is a sync one.
        TypeError: A transformer's projection is no dict.
        ValueError: Two transformers have a projection of the same name.
    """

    def __init__(
        self,
        transformers: Optional[Sequence[StreamTransformer]] = None,
        *,
        is_async: bool = False,
        factories: Optional[Sequence[TransformerFactory]] = None,
        scope: Scope = (),
        keeps: bool = False,
        _assign_seq: bool = True,
    ) -> None:
        self.is_async = is_async
        self._keeps = keeps
        self.scope = scope
        self.extensions: Dict[str, Any] = {}
        self.native_keys: Set[str] = set()
        # A nested graph's events are those of the run, which have their numbers from the root.
        self._assign_seq = _assign_seq
        self._seq = 0
        self._push_seq = 0
        self._events: StreamChannel[ProtocolEvent] = StreamChannel()
        self._events._bind(is_async=is_async)
        self._events._bind_mux(self)
        if keeps:
            self._events._keep()
        self._channels: List[StreamChannel[Any]] = []
        self._transformers: List[StreamTransformer] = []
        self._transformer_by_key: Dict[str, StreamTransformer] = {}
        self._factories = None if factories is None else list(factories)
        self._pump_fn: Optional[Callable[[], bool]] = None
        self._apump_fn: Optional[Callable[[], Awaitable[bool]]] = None
        for group in ([make(scope) for make in factories or ()], transformers or ()):
            for transformer in _in_order(group):
                self._register(transformer)

    @property
    def factories(self) -> Sequence[TransformerFactory]:
        """What makes the transformers of the graph, and of graphs nested in it."""
        return self._factories or ()

    @property
    def modes(self) -> List[StreamMode]:
        """The stream modes that the transformers need; it is checked where they are asked for if they exist."""
        modes = {mode for transformer in self._transformers for mode in transformer.required_stream_modes}
        return cast("List[StreamMode]", sorted(modes))

    def transformer_by_key(self, key: str) -> Optional[StreamTransformer]:
        """Return the transformer whose projection has this name, or `None`."""
        return self._transformer_by_key.get(key)

    def bind_pump(self, fn: Callable[[], bool]) -> None:
        """Have everything that is read from this mux ask for more with `fn`.

        Args:
            fn: Advances the run by one event; returns False at its end.
        """
        self._pump_fn = fn
        for channel in (self._events, *self._channels):
            channel._request_more = fn
        self._tell_pump("_bind_pump", fn)

    def bind_apump(self, fn: Callable[[], Awaitable[bool]]) -> None:
        """Have everything that is read from this mux ask for more with `fn`, in async code; see `bind_pump`."""
        self._apump_fn = fn
        for channel in (self._events, *self._channels):
            channel._arequest_more = fn
        self._tell_pump("_bind_apump", fn)

    def _tell_pump(self, method: str, fn: object) -> None:
        """Tell the transformers that make things with channels of their own."""
        for transformer in self._transformers:
            bind = getattr(transformer, method, None)
            if bind is not None:
                bind(fn)

    def _make_child(self, scope: Scope) -> StreamMux:
        """Return a mux for a nested graph, with transformers of its own, advanced as this one is."""
        if self._factories is None:
            raise RuntimeError(
                "This StreamMux was made without factories, so that it can make no transformers for nested graphs: "
                "give StreamMux(factories=[...]) the classes instead of objects."
            )
        child = StreamMux(
            factories=self._factories, is_async=self.is_async, scope=scope, keeps=self._keeps, _assign_seq=False
        )
        if self._pump_fn is not None:
            child.bind_pump(self._pump_fn)
        if self._apump_fn is not None:
            child.bind_apump(self._apump_fn)
        return child

    def _register(self, transformer: StreamTransformer) -> None:
        kind = type(transformer).__name__
        if not self.is_async and transformer_requires_async(transformer):
            raise RuntimeError(
                f"{kind} requires an async run: it overrides aprocess, afinalize or afail, or sets requires_async. "
                "Use astream_events(), or set supports_sync = True on a class that works in both."
            )
        projection = transformer.init()
        if not isinstance(projection, dict):
            raise TypeError(f"StreamTransformer.init() must return a dict, but {kind}.init() returned {projection!r}.")
        taken = sorted(self.extensions.keys() & projection.keys())
        if taken:
            owners = ", ".join(f"{key!r} (owned by {type(self._transformer_by_key[key]).__name__})" for key in taken)
            raise ValueError(f"{kind} has projections whose names conflict with those of others: {owners}.")
        native = bool(getattr(transformer, "_native", False))
        self._transformers.append(transformer)
        for key, value in projection.items():
            self._transformer_by_key[key] = transformer
            if isinstance(value, StreamChannel):
                self._adopt(value, native=native)
        self.extensions.update(projection)
        if native:
            self.native_keys.update(projection)
        transformer._on_register(self)

    def _adopt(self, channel: StreamChannel[Any], *, native: bool) -> None:
        channel._bind(is_async=self.is_async)
        channel._bind_mux(self)
        if self._keeps:
            channel._keep()
        self._channels.append(channel)
        if channel.name is not None:
            channel._wire(partial(self._forward, channel.name if native else f"custom:{channel.name}"))

    def _forward(self, method: str, item: object) -> None:
        """Add an item of a channel to the run's own events; no transformer gets it, since one has made it."""
        self._log(event_of(method, (), item))

    def _log(self, event: ProtocolEvent) -> None:
        if self._assign_seq:
            self._seq += 1
            event["seq"] = self._seq
        self._events.push(event)

    def _next_push_seq(self) -> int:
        self._push_seq += 1
        return self._push_seq

    def push(self, event: ProtocolEvent) -> None:
        """Take an event to the transformers and, unless one of them holds it back, to the run's own events.

        Args:
            event: The event. It gets its number last: what transformers make of it comes before it.
        """
        kept = [transformer.process(event) for transformer in self._transformers]
        if all(kept):
            self._log(event)

    async def apush(self, event: ProtocolEvent) -> None:
        """Take an event to the transformers in an async run, one after the other; see `push`."""
        kept = [await transformer.aprocess(event) for transformer in self._transformers]
        if all(kept):
            self._log(event)

    def close(self) -> None:
        """End all projections and the run's own events.

        Raises:
            Exception: The first error of a transformer's `finalize`; everything has ended nevertheless.
        """
        errors: List[BaseException] = []
        for transformer in self._transformers:
            try:
                transformer.finalize()
            except BaseException as error:
                errors.append(error)
        self._end_channels(None)
        if errors:
            raise errors[0]

    async def aclose(self) -> None:
        """End an async run: wait for scheduled work, then end everything; see `close`.

        Raises:
            Exception: The first error of scheduled work that was to be raised; nothing has ended then.
        """
        for result in await asyncio.gather(*self._scheduled(), return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        errors: List[BaseException] = []
        for transformer in self._transformers:
            try:
                await transformer.afinalize()
            except BaseException as error:
                errors.append(error)
        self._end_channels(None)
        if errors:
            raise errors[0]

    def fail(self, err: BaseException) -> None:
        """End all projections and the run's own events with an error.

        Args:
            err: The error of the run. Errors of transformers, which it has likely caused, are added to it as notes.
        """
        for transformer in self._transformers:
            try:
                transformer.fail(err)
            except Exception as error:
                _note(err, transformer, error)
        self._end_channels(err)

    async def afail(self, err: BaseException) -> None:
        """End an async run with an error: cancel scheduled work, then end everything; see `fail`."""
        scheduled = self._scheduled()
        for task in scheduled:
            task.cancel()
        await asyncio.gather(*scheduled, return_exceptions=True)
        for transformer in self._transformers:
            try:
                await transformer.afail(err)
            except Exception as error:
                _note(err, transformer, error)
        self._end_channels(err)

    def _scheduled(self) -> List[asyncio.Task[Any]]:
        found = (vars(transformer).get("_stream_scheduled_tasks", ()) for transformer in self._transformers)
        return [task for tasks in found for task in tasks if not task.done()]

    def _end_channels(self, err: Optional[BaseException]) -> None:
        for channel in (*self._channels, self._events):
            if channel._closed:
                continue
            if err is None:
                channel.close()
            else:
                channel.fail(err)


def _in_order(transformers: Iterable[StreamTransformer]) -> List[StreamTransformer]:
    """Return transformers with those first that have to see events before the others do."""
    return sorted(transformers, key=lambda transformer: not getattr(transformer, "before_builtins", False))


def _note(err: BaseException, transformer: StreamTransformer, error: Exception) -> None:
    add_note(err, f"{type(transformer).__name__}.fail() has failed as well: {error!r}")
