"""Started runs that are read through the projections which transformers make of their events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Collection, List, Mapping, Optional, Type

from streamgraph._compat.langchain_core import message_streams
from streamgraph._drivers.readers import AsyncRunReader, RunReader
from streamgraph.stream._lifecycle import LifecycleTransformer
from streamgraph.stream._messages import MessagesTransformer
from streamgraph.stream._mux import StreamMux
from streamgraph.stream._projections import ValuesTransformer
from streamgraph.stream._subgraphs import SubgraphTransformer
from streamgraph.stream._types import StreamTransformer, checked_factories
from streamgraph.stream.run_stream import AsyncGraphRunStream, GraphRunStream

if TYPE_CHECKING:
    from streamgraph._runnable.run_handle import RunHandle

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


def open_mux(*factories: object, is_async: bool, recorded: Optional[Collection[str]] = None) -> StreamMux:
    """Return the transformers of a run, of which each kind of nested graph will get its own.

    Args:
        *factories: What makes the transformers beside those of every run: several sequences.
        is_async: The run is async.
        recorded: The modes that the run records; transformers of every run that need others are left out.

    Raises:
        TypeError: Something else is among them.
    """
    makers: List[Type[StreamTransformer]] = [ValuesTransformer]
    if message_streams() is not None:
        makers.append(MessagesTransformer)
    makers += [LifecycleTransformer, SubgraphTransformer]
    if recorded is not None:
        makers = [maker for maker in makers if set(maker.required_stream_modes).issubset(recorded)]
    others = [maker for several in factories for maker in checked_factories(several)]
    return StreamMux(factories=[*makers, *others], is_async=is_async, keeps=True)


def _placed(mux: StreamMux, run: RunHandle[Any]) -> StreamMux:
    """Return the transformers for the namespace of the run, which is not known before."""
    ns = run.namespace
    if not ns:
        return mux
    return StreamMux(factories=mux.factories, is_async=mux.is_async, scope=ns, keeps=True)


def events_of(run: RunHandle[Any], mux: StreamMux, *, ends: bool) -> GraphRunStream:
    """Return a run with its projections.

    Args:
        run: The run.
        mux: The transformers.
        ends: The run waits for who reads the projections, and ends when these are left.
    """
    mux = _placed(mux, run)
    reader = run.stream(mux.modes, subgraphs=True, version="v2", max_buffer=_AHEAD if ends else None, overflow="block")
    return GraphRunStream(_Parts(run, reader, ends), mux)


def aevents_of(run: RunHandle[Any], mux: StreamMux, *, ends: bool) -> AsyncGraphRunStream:
    """Return a run with its projections for async code; see `events_of`."""
    mux = _placed(mux, run)
    reader = run.astream(mux.modes, subgraphs=True, version="v2", max_buffer=_AHEAD if ends else None, overflow="block")
    return AsyncGraphRunStream(_AsyncParts(run, reader, ends), mux)


class _Parts:
    """The parts of a run.

    Args:
        run: The run.
        reader: Its reader.
        ends: The run is cancelled when they are left.
    """

    def __init__(self, run: RunHandle[Any], reader: RunReader[Part], ends: bool) -> None:
        self._run = run
        self._reader = reader
        self._ends = ends

    def __iter__(self) -> _Parts:
        return self

    def __next__(self) -> Part:
        return next(self._reader)

    def close(self) -> None:
        """Read no more of the run, and ask it to end if it is to."""
        if self._ends:
            self._run.cancel()
        self._reader.close()


class _AsyncParts:
    """The parts of a run, in async code; see `_Parts`."""

    closes_while_read = True

    def __init__(self, run: RunHandle[Any], reader: AsyncRunReader[Part], ends: bool) -> None:
        self._run = run
        self._reader = reader
        self._ends = ends

    def __aiter__(self) -> _AsyncParts:
        return self

    async def __anext__(self) -> Part:
        return await self._reader.__anext__()

    async def aclose(self) -> None:
        """Read no more of the run; if it is to end, end it, and wait until its nodes have ended."""
        if self._ends:
            self._run.cancel()
        await self._reader.aclose()
        if self._ends:
            await self._run.ajoin()
