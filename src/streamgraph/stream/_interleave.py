"""Read several projections of a sync run at once."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Sequence, Tuple

from streamgraph.stream._mux import StreamMux
from streamgraph.stream.stream_channel import StreamChannel


def interleaved(mux: StreamMux, names: Sequence[str]) -> Iterator[Tuple[str, Any]]:
    """Yield pairs of a projection's name and an item, in the order in which the items came.

    The projections can be read by others again when the iterator has ended or is closed.

    Args:
        mux: The mux of the projections.
        names: The names of the projections.
    """
    channels: Dict[str, StreamChannel[Any]] = {}
    try:
        for name in names:
            channel = mux.extensions[name]
            if not isinstance(channel, StreamChannel):
                raise TypeError(
                    f"interleave() reads StreamChannels, and the projection {name!r} is a {type(channel).__name__}."
                )
            channel._subscribe(is_async=False, name=name)
            channels[name] = channel
        yield from _in_order(mux, dict(channels))
    finally:
        for channel in channels.values():
            channel._subscribed = False


def _in_order(mux: StreamMux, channels: Dict[str, StreamChannel[Any]]) -> Iterator[Tuple[str, Any]]:
    while True:
        waiting = [(channel._items[0][0], name) for name, channel in channels.items() if channel._items]
        if waiting:
            _, name = min(waiting)
            yield name, channels[name]._items.popleft()[1]
            continue
        channels = {name: channel for name, channel in channels.items() if not channel._ended()}
        if not channels:
            return
        advanced = mux._pump_fn is not None and mux._pump_fn()
        if not advanced and not any(channel._items or channel._closed for channel in channels.values()):
            return
