"""Started runs that are read through the projections which transformers make of their events."""

from __future__ import annotations

from typing import Any, List, Mapping

from streamgraph._compat.langchain_core import message_streams
from streamgraph._drivers.readers import AsyncRunReader, RunReader
from streamgraph._runnable.run_handle import RunHandle
from streamgraph.stream._lifecycle import LifecycleTransformer
from streamgraph.stream._messages import MessagesTransformer
from streamgraph.stream._mux import StreamMux, TransformerFactory
from streamgraph.stream._projections import ValuesTransformer
from streamgraph.stream._subgraphs import SubgraphTransformer
from streamgraph.stream._types import checked_factories
from streamgraph.stream.run_stream import AsyncGraphRunStream, GraphRunStream

OWN = ("stream_mode", "subgraphs", "record", "on_disconnect")
"""The options that the protocol decides."""

_AHEAD = 256
"""How many parts a run makes before it waits for who reads its projections."""

Part = Mapping[str, Any]


def check_options(options: Mapping[str, object]) -> None:
    """Refuse options that the protocol decides.

    Raises:
        TypeError: There are some.
    """
    given = [name for name in OWN if name in options]
    if given:
        raise TypeError(
            f"Events of the version 'v3' do not accept {', '.join(given)}: a run has the stream modes that its "
            "transformers need, of nested graphs as well, and it ends when nobody reads it."
        )


def open_mux(*factories: object, is_async: bool) -> StreamMux:
    """Return the transformers of a run, of which each kind of nested graph will get its own.

    Args:
        *factories: What makes the transformers beside those of every run: several sequences.
        is_async: The run is async.

    Raises:
        TypeError: Something else is among them.
    """
    makers: List[TransformerFactory] = [ValuesTransformer]
    if message_streams() is not None:
        makers.append(MessagesTransformer)
    makers += [LifecycleTransformer, SubgraphTransformer]
    for several in factories:
        makers += checked_factories(several)
    return StreamMux(factories=makers, is_async=is_async, keeps=True)


def _placed(mux: StreamMux, run: RunHandle[Any]) -> StreamMux:
    """Return the transformers for the namespace of the run, which is not known before."""
    ns = run.namespace
    if not ns:
        return mux
    return StreamMux(factories=mux.factories, is_async=mux.is_async, scope=ns, keeps=True)


def events_of(run: RunHandle[Any], mux: StreamMux) -> GraphRunStream:
    """Return a run with its projections; it ends when these are left."""
    mux = _placed(mux, run)
    reader = run.stream(mux.modes, subgraphs=True, version="v2", max_buffer=_AHEAD, overflow="block")
    return GraphRunStream(_Parts(run, reader), mux)


def aevents_of(run: RunHandle[Any], mux: StreamMux) -> AsyncGraphRunStream:
    """Return a run with its projections for async code; it ends when these are left."""
    mux = _placed(mux, run)
    reader = run.astream(mux.modes, subgraphs=True, version="v2", max_buffer=_AHEAD, overflow="block")
    return AsyncGraphRunStream(_AsyncParts(run, reader), mux)


class _Parts:
    """The parts of a run that is cancelled when they are left.

    Args:
        run: The run.
        reader: Its reader.
    """

    def __init__(self, run: RunHandle[Any], reader: RunReader[Part]) -> None:
        self._run = run
        self._reader = reader

    def __iter__(self) -> _Parts:
        return self

    def __next__(self) -> Part:
        return next(self._reader)

    def close(self) -> None:
        """Ask the run to end, and read no more of it."""
        self._run.cancel()
        self._reader.close()


class _AsyncParts:
    """The parts of a run that is cancelled when they are left, in async code; see `_Parts`."""

    closes_while_read = True

    def __init__(self, run: RunHandle[Any], reader: AsyncRunReader[Part]) -> None:
        self._run = run
        self._reader = reader

    def __aiter__(self) -> _AsyncParts:
        return self

    async def __anext__(self) -> Part:
        return await self._reader.__anext__()

    async def aclose(self) -> None:
        """End the run, and wait until its nodes have ended."""
        self._run.cancel()
        await self._reader.aclose()
        await self._run.ajoin()
