"""Common base of graphs and functional workflows: a Runnable that runs and streams."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, AsyncIterator, Callable, Iterator, Optional, Sequence, Tuple, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.schema import StreamEvent
from typing_extensions import Literal

from streamgraph._runnable.chunks import UpdatesChunk, added_up
from streamgraph._runnable.invoke_call import InvokeRunnable
from streamgraph._runnable.start_call import StartRunnable
from streamgraph._runnable.stream_options import ContextT, GivenT, KeyedT, OutputT, StateT
from streamgraph.errors import NotSupportedError


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

    def stream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v1", "v2", "v3"] = "v2",
        transformers: Optional[Sequence[Callable[[Tuple[str, ...]], Any]]] = None,
        **kwargs: Any,
    ) -> Any:
        """Refuse: langchain-core has no sync events in the versions 1 and 2, and version 3 is not there yet.

        Args:
            input: The input.
            config: The config of the call.
            version: The version of the events.
            transformers: Further transformers for version 3.
            **kwargs: Filters for events, and further arguments of `stream`.

        Raises:
            NotSupportedError: Always.
        """
        _check_version(version, transformers)
        raise NotSupportedError(
            "Events of the versions 1 and 2 can only be awaited", hint="Use astream_events(), or stream()."
        )

    def astream_events(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        version: Literal["v1", "v2", "v3"] = "v2",
        transformers: Optional[Sequence[Callable[[Tuple[str, ...]], Any]]] = None,
        **kwargs: Any,
    ) -> AsyncIterator[StreamEvent]:
        """Stream the events of all Runnables in a run, as langchain-core defines them.

        Args:
            input: The input.
            config: The config of the call.
            version: The version of the events: `"v1"` or `"v2"`.
            transformers: Further transformers for version 3.
            **kwargs: Filters for events, and further arguments of `astream`.

        Raises:
            NotSupportedError: The version is `"v3"`, which is not there yet.
            TypeError: Transformers are given with another version.
        """
        _check_version(version, transformers)
        return super().astream_events(input, config, version=cast('Literal["v1", "v2"]', version), **kwargs)


def _check_version(version: str, transformers: object) -> None:
    """Refuse version 3 of events, and what only that has."""
    if version == "v3":
        raise NotSupportedError(
            "Runs in the v3 protocol of events are not there yet",
            hint='Use stream() or astream() with version="v2", or astream_events(version="v2").',
        )
    if transformers is not None:
        raise TypeError(f"transformers= belongs to events of the version 'v3'; the version is {version!r}.")
