"""OpenTelemetry at the server: the caller's trace goes on in the runs, and how many runs and readers there are."""

from __future__ import annotations

from sys import modules
from typing import TYPE_CHECKING, Iterable, List, NamedTuple, Optional
from weakref import WeakSet

from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import Protocol

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Observation


class TraceContext:
    """Makes the trace of a request the current one, as its headers say (`traceparent`), unless there is one already.

    So a run is a part of the trace of whoever has asked for it. An instrumentation around the application that makes
    spans for requests has done the same before.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        given = _context_of(scope) if scope["type"] == "http" and "opentelemetry.trace" in modules else None
        if given is None:
            await self._app(scope, receive, send)
            return
        from opentelemetry.context import attach, detach

        token = attach(given)
        try:
            await self._app(scope, receive, send)
        finally:
            detach(token)


def _context_of(scope: Scope) -> Optional[Context]:
    """Return the context that the headers of a request carry; `None` if the request has a span already."""
    from opentelemetry.propagate import extract
    from opentelemetry.trace import get_current_span

    if get_current_span().get_span_context().is_valid:
        return None
    return extract({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})


class Counts(NamedTuple):
    """How busy a server is.

    Attributes:
        queued: The runs that wait for others of their thread.
        running: The runs that have begun and not ended.
        readers: The clients that read a run.
    """

    queued: int
    running: int
    readers: int


class Counted(Protocol):
    """The runs of a server."""

    def counts(self) -> Counts:
        """Return how busy the server is; from any thread."""


class _Servers:
    """The servers of the process, and the meter provider that counts their runs."""

    def __init__(self) -> None:
        self._known: WeakSet[Counted] = WeakSet()
        self._provider: object = None

    def count(self, runs: Counted) -> None:
        """Count the runs of a server, if the program has set a meter provider by now."""
        if "opentelemetry.metrics" not in modules:
            return
        from opentelemetry.metrics import get_meter_provider

        provider = get_meter_provider()
        if type(provider).__module__.startswith("opentelemetry.metrics"):
            return  # it drops everything
        self._known.add(runs)
        if provider is not self._provider:
            self._provider = provider
            meter = provider.get_meter("streamgraph_server")
            meter.create_observable_up_down_counter(
                "streamgraph.server.runs", [self._runs], "{run}", "Runs of the server that wait or go on."
            )
            meter.create_observable_up_down_counter(
                "streamgraph.server.readers", [self._readers], "{reader}", "Clients that read a run."
            )

    def _counts(self) -> List[Counts]:
        return [runs.counts() for runs in tuple(self._known)]

    def _runs(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        found = self._counts()
        yield Observation(sum(counts.queued for counts in found), {"streamgraph.run.state": "queued"})
        yield Observation(sum(counts.running for counts in found), {"streamgraph.run.state": "running"})

    def _readers(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        yield Observation(sum(counts.readers for counts in self._counts()))


SERVERS = _Servers()
