"""Common base of graphs and functional workflows: a Runnable that runs and streams."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, AsyncIterator, Iterator, Optional

from langchain_core.runnables import RunnableConfig

from streamgraph._runnable.chunks import UpdatesChunk, added_up
from streamgraph._runnable.invoke_call import InvokeRunnable
from streamgraph._runnable.stream_options import ContextT, GivenT, KeyedT, OutputT, StateT


class GraphRunnable(InvokeRunnable[GivenT, ContextT, StateT, OutputT, KeyedT]):
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
