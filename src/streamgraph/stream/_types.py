"""Events of a run in the form of the v3 protocol, and what takes them in: the base class of stream transformers."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Any, Callable, ClassVar, Coroutine, Dict, List, Mapping, Sequence, Set, Tuple, TypeVar

from typing_extensions import Literal, NotRequired, TypedDict

__all__ = ["ProtocolEvent", "StreamTransformer", "transformer_requires_async"]

T = TypeVar("T")

Projection = Dict[str, Any]
"""Names, and what they stand for: a `StreamChannel`, or any other object of the transformer."""

Scope = Tuple[str, ...]
"""A namespace, one entry for each level of nested graphs; `()` is the root."""

_logger = logging.getLogger(__name__)


class _ProtocolEventParams(TypedDict):
    """What an event is about.

    Attributes:
        namespace: The namespace of the graph that it comes from.
        timestamp: The time in milliseconds since the epoch; it may go backwards when the clock is set.
        data: The payload, as in the stream mode of the event's method.
        interrupts: The open questions, on `values` events.
    """

    namespace: List[str]
    timestamp: int
    data: Any
    interrupts: NotRequired[Tuple[object, ...]]


class ProtocolEvent(TypedDict):
    """One unit of a run's stream, in the envelope of the v3 protocol.

    Attributes:
        type: Always `"event"`.
        event_id: An id, if the event has been sent to a client.
        seq: The number of the event in its run, from 1; events are ordered by it.
        method: The stream mode, or the name of a channel.
        params: What the event is about.
    """

    type: Literal["event"]
    event_id: NotRequired[str]
    seq: NotRequired[int]
    method: str
    params: _ProtocolEventParams


class StreamTransformer(ABC):
    """Makes something of its own of the events of a run: a projection.

    A subclass has `init`, which returns its projection, and `process` or `aprocess`, which get every event::

        class Words(StreamTransformer):
            required_stream_modes = ("messages",)

            def init(self):
                self.words = StreamChannel()
                return {"words": self.words}

            def process(self, event):
                if event["method"] == "messages":
                    self.words.push(event["params"]["data"][0].content)
                return True

    Channels in the projection are ended by the mux. A subclass with `_native = True` has the keys of its projection as
    attributes of the run stream.

    Args:
        scope: The namespace whose events it is for.

    Attributes:
        requires_async: True for a transformer that needs an event loop although it overrides no async method, because
            it calls `schedule`.
        supports_sync: True for a transformer that works in sync runs although it overrides async methods.
        required_stream_modes: The stream modes whose events it needs.
        before_builtins: True for a transformer that gets each event before those of this package, for example to
            remove what must not be shown. It must not change namespaces, nor the results of `tasks` events.
    """

    requires_async: ClassVar[bool] = False
    supports_sync: ClassVar[bool] = False
    required_stream_modes: ClassVar[Tuple[str, ...]] = ()
    before_builtins: ClassVar[bool] = False

    def __init__(self, scope: Scope = ()) -> None:
        self.scope = scope

    @abstractmethod
    def init(self) -> Projection:
        """Return the projection: names and what they stand for, most often a `StreamChannel`."""

    def _on_register(self, mux: Any) -> None:  # noqa: B027  (a subclass overrides what it needs)
        """Take note of the mux that the transformer now belongs to."""

    def process(self, event: ProtocolEvent) -> bool:
        """Take in an event of a sync run.

        Args:
            event: The event.

        Returns:
            False to keep the event out of the run's own events; other transformers get it all the same.

        Raises:
            NotImplementedError: A subclass overrides neither this method nor `aprocess`.
        """
        raise NotImplementedError(f"{type(self).__name__} must override process() or aprocess()")

    async def aprocess(self, event: ProtocolEvent) -> bool:
        """Take in an event of an async run; see `process`, which it calls by default.

        The next transformer gets the event when this has returned.
        """
        return self.process(event)

    def finalize(self) -> None:  # noqa: B027
        """End the projection of a sync run that has ended without an error."""

    async def afinalize(self) -> None:
        """End the projection of an async run; by default `finalize`. Scheduled work has ended before."""
        self.finalize()

    def fail(self, err: BaseException) -> None:  # noqa: B027
        """End the projection of a sync run that has failed.

        Args:
            err: The error of the run.
        """

    async def afail(self, err: BaseException) -> None:
        """End the projection of an async run that has failed; by default `fail`. Scheduled work was cancelled."""
        self.fail(err)

    def schedule(self, coro: Coroutine[Any, Any, T], *, on_error: Literal["log", "raise"] = "log") -> asyncio.Task[Any]:
        """Start work beside the run, whose end the run waits for; its failure cancels the work.

        Args:
            coro: The work.
            on_error: `"log"` logs an error of the work; with `"raise"` the run fails with it.

        Returns:
            The asyncio task.

        Raises:
            RuntimeError: No event loop is running.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            coro.close()
            raise RuntimeError(
                f"{type(self).__name__}.schedule() requires a running event loop, which sync runs do not have. "
                "Set requires_async = True on the class: then it is refused before the run starts."
            ) from None
        task: asyncio.Task[Any] = loop.create_task(_logged(coro) if on_error == "log" else coro)
        # Made here, since a subclass need not call `__init__`.
        tasks: Set[object] = vars(self).setdefault("_stream_scheduled_tasks", set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task


async def _logged(coro: Coroutine[Any, Any, object]) -> object:
    try:
        return await coro
    except Exception:
        _logger.exception("Work that a stream transformer has scheduled has failed.")
        return None


def transformer_requires_async(transformer: StreamTransformer) -> bool:
    """Return whether a transformer works in async runs only.

    Args:
        transformer: The transformer.
    """
    if transformer.requires_async or transformer.supports_sync:
        return transformer.requires_async
    kind = type(transformer)
    names = ("aprocess", "afinalize", "afail")
    return any(getattr(kind, name) is not getattr(StreamTransformer, name) for name in names)


def checked_factories(given: object) -> Tuple[Callable[..., Any], ...]:
    """Return what makes transformers for each run and nested graph.

    Args:
        given: Transformer classes, or functions that take a namespace and return a transformer.

    Raises:
        TypeError: One of them is neither.
    """
    if given is not None and (isinstance(given, str) or not isinstance(given, Sequence)):
        raise TypeError(f"transformers= takes a list of transformer classes or functions, got {given!r}.")
    for item in given or ():
        if isinstance(item, StreamTransformer):
            kind = type(item).__name__
            raise TypeError(
                "transformers= takes what makes a transformer for each run and nested graph, got a pre-built instance: "
                f"{item!r}. Give the class, {kind}, or a function, as in lambda scope: {kind}(scope)."
            )
        if not callable(item):
            raise TypeError(f"transformers= takes transformer classes or functions that make one, got {item!r}.")
    return tuple(given or ())


def is_at(event: ProtocolEvent, method: str, scope: Scope) -> bool:
    """Return whether an event has this method and comes from the graph at this namespace."""
    return event["method"] == method and tuple(event["params"]["namespace"]) == scope


Payload = Mapping[str, Any]
"""The data of a `tasks` or `tools` event."""
