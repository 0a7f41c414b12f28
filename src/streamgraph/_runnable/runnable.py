"""Common base of graphs and functional workflows: a Runnable that runs and streams."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, AsyncIterator, Awaitable, Iterator, NoReturn, Optional, Sequence, Union, overload

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.schema import StreamEvent
from typing_extensions import Literal

from streamgraph._runnable.chunks import UpdatesChunk, added_up
from streamgraph._runnable.event_runs import aevents_of, check_options, events_of, open_mux
from streamgraph._runnable.invoke_call import InvokeRunnable
from streamgraph._runnable.start_call import StartRunnable
from streamgraph._runnable.stream_options import ContextT, GivenT, KeyedT, OutputT, StateT
from streamgraph.errors import NotSupportedError
from streamgraph.stream._mux import TransformerFactory
from streamgraph.stream.run_stream import AsyncGraphRunStream, GraphRunStream


class GraphRunnable(
    InvokeRunnable[GivenT, ContextT, StateT, OutputT, KeyedT],
    StartRunnable[GivenT, ContextT, StateT, OutputT, KeyedT],
):
    """A graph or workflow that is ready to run, with all calls that run it."""

    def transform(self, input: Iterator[Any], config: Optional[RunnableConfig] = None, **kwargs: Any) -> Iterator[Any]:
        """Stream as a step of a chain.

        Yields the chunks of `stream` and, unless `stream_mode` is given, an empty last chunk. The chunks add up to the
        final state, which is the input of the next step.
        """
        given = "stream_mode" in kwargs
        options = kwargs if given else {**kwargs, "stream_mode": "updates"}
        stream = self.stream(added_up(list(input)), config, **options)
        with stream:
            if given:
                yield from stream
            else:
                yield from map(UpdatesChunk, stream)
                yield UpdatesChunk(output=stream.output)

    async def atransform(
        self,
        input: AsyncIterator[Any],
        config: Optional[RunnableConfig] = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Stream as a step of a chain, on the event loop; see `transform`."""
        given = "stream_mode" in kwargs
        options = kwargs if given else {**kwargs, "stream_mode": "updates"}
        stream = self.astream(added_up([chunk async for chunk in input]), config, **options)
        async with stream:
            if given:
                async for chunk in stream:
                    yield chunk
            else:
                async for chunk in stream:
                    yield UpdatesChunk(chunk)
                yield UpdatesChunk(output=stream.output)

    @overload
    def stream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v3"],
        transformers: Optional[Sequence[TransformerFactory]] = None,
        **kwargs: Any,
    ) -> GraphRunStream: ...

    @overload
    def stream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        transformers: None = None,
        **kwargs: Any,
    ) -> NoReturn: ...

    def stream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v1", "v2", "v3"] = "v2",
        transformers: Optional[Sequence[TransformerFactory]] = None,
        **kwargs: Any,
    ) -> GraphRunStream:
        """Start a run, and return it with its projections.

        ::

            with graph.stream_events({"topic": "ice"}, version="v3") as run:
                for message in run.messages:
                    print(message.node, *message.text)
                print(run.output)

        `values`, `messages`, `lifecycle` and `subgraphs` are projections, and each transformer has its own; they may be
        read in any order, since each keeps what comes until it is read. Iterating the run gives its events. The run
        goes on by itself and waits when it is 256 parts ahead of who reads. It ends when that one leaves.

        Args:
            input: The input.
            config: The config of the call.
            version: `"v3"`. langchain-core has no sync events of the versions 1 and 2.
            transformers: What makes further transformers, beside those of `compile(transformers=...)`.
            **kwargs: Options of `start`, such as `context`, `interrupt_before` and `control`.

        Raises:
            NotSupportedError: The version is not `"v3"`.
            TypeError: An option is one that the protocol decides, or a transformer is none.
        """
        if version != "v3":
            _check_version(version, transformers)
            raise NotSupportedError(
                "Events of the versions 1 and 2 can only be awaited",
                hint='Use astream_events(), stream(), or version="v3".',
            )
        check_options(kwargs)
        mux = open_mux(self.stream_transformers, transformers, is_async=False)
        run = self.start(input, config, record=mux.modes, on_disconnect="cancel", **kwargs)
        return events_of(run, mux, ends=True)

    @overload
    def astream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v3"],
        transformers: Optional[Sequence[TransformerFactory]] = None,
        **kwargs: Any,
    ) -> Awaitable[AsyncGraphRunStream]: ...

    @overload
    def astream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        transformers: None = None,
        **kwargs: Any,
    ) -> AsyncIterator[StreamEvent]: ...

    def astream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v1", "v2", "v3"] = "v2",
        transformers: Optional[Sequence[TransformerFactory]] = None,
        **kwargs: Any,
    ) -> Union[AsyncIterator[StreamEvent], Awaitable[AsyncGraphRunStream]]:
        """Stream the events of all Runnables in a run, or await a run with its projections.

        Args:
            input: The input.
            config: The config of the call.
            version: The version of the events: `"v1"` or `"v2"`, as langchain-core defines them; with `"v3"` the call
                is awaited, and returns the run: see `stream_events`.
            transformers: What makes further transformers for version 3.
            **kwargs: Filters for events, and further arguments of `astream`; for version 3, options of `start`.

        Raises:
            TypeError: Transformers are given with another version, an option is one that version 3 decides, or a
                transformer is none.
        """
        if version == "v3":
            check_options(kwargs)
            return self._aevents(input, config, transformers, kwargs)
        _check_version(version, transformers)
        return super().astream_events(input, config, version=version, **kwargs)

    async def _aevents(
        self, input: Any, config: Optional[RunnableConfig], transformers: object, options: Any
    ) -> AsyncGraphRunStream:
        mux = open_mux(self.stream_transformers, transformers, is_async=True)
        run = await self.astart(input, config, record=mux.modes, on_disconnect="cancel", **options)
        return aevents_of(run, mux, ends=True)


def _check_version(version: str, transformers: object) -> None:
    """Refuse what only version 3 of events has."""
    if transformers is not None:
        raise TypeError(f"transformers= belongs to events of the version 'v3'; the version is {version!r}.")
