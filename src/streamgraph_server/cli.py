"""`streamgraph serve`: graphs behind a web server, from the command line."""

from __future__ import annotations

import gc
import inspect
import socket
from contextlib import suppress
from typing import Any, List, Optional, Tuple

import click
import uvicorn

from streamgraph.errors import GraphError, UnknownOptionError
from streamgraph.named import events_named, load_graphs, load_object, saver_named, store_named
from streamgraph.runs import Dispatcher, SharedEvents
from streamgraph_server._connections import MOST_OF_A_HEAD, LimitedProtocol
from streamgraph_server._guard import is_loopback
from streamgraph_server.app import serve

_UNSENT = 64 * 1024
"""The bytes of an answer that the system keeps before they are on their way."""

_COLLECT_AFTER = (50_000, 20, 100)
"""Thresholds of the garbage collector: what runs keep for their readers is much, and has no cycles."""


def keep_little(listening: socket.socket) -> None:
    """Let the system keep little of what the clients of a socket have not taken yet.

    Otherwise it takes megabytes for each client that is slow, and a run that is to wait for it is far ahead.

    Args:
        listening: The socket that accepts the clients; theirs do as it does.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # of Linux and macOS
    if option is not None and listening.family in (socket.AF_INET, socket.AF_INET6):
        listening.setsockopt(socket.IPPROTO_TCP, option, _UNSENT)


class GraphServer(uvicorn.Server):
    """A server that ends the runs before it waits for the connections that read them, and limits the heads of requests.

    Args:
        config: What uvicorn is told. A protocol that is named in it is used as it is.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        if config.http == "auto":
            config.http = LimitedProtocol
            config.h11_max_incomplete_event_size = config.h11_max_incomplete_event_size or MOST_OF_A_HEAD
        super().__init__(config)

    async def shutdown(self, sockets: Optional[List[socket.socket]] = None) -> None:
        """End the runs, then the server."""
        service = getattr(getattr(self.config.app, "state", None), "service", None)
        if service is not None:
            await service.runs.drain()
        await super().shutdown(sockets)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="PATH_OR_MODULE:NAME")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=2024, show_default=True, type=click.IntRange(0, 65535), help="0 for any free port.")
@click.option("--checkpointer", default="memory", show_default=True, help="memory, sqlite:PATH or postgres://URL.")
@click.option("--store", help="What graphs remember beyond a thread: memory, sqlite:PATH or postgres://URL.")
@click.option("--events", "shared", metavar="URL", help="redis://HOST: several processes with it are one server.")
@click.option("--queue", metavar="PATH_OR_MODULE:NAME", help="QueuedRuns whose workers drive the runs.")
@click.option("--allow-host", "allowed", multiple=True, metavar="NAME", help="A name by which it may be called.")
@click.option("--cors", multiple=True, metavar="ORIGIN", help="An origin whose pages may use it.")
@click.option("--configurable", multiple=True, metavar="KEY", help="A key of configurable that requests may set.")
@click.option("--errors", type=click.Choice(["message", "type"]), default="message", show_default=True)
@click.option(
    "--max-ahead", type=click.IntRange(1), help="Events that a run may be ahead of its slowest client before it waits."
)
@click.option("--drain", default=10.0, show_default=True, help="Seconds that runs get to end at shutdown.")
@click.option("--live/--no-live", default=None, help="Whether the page is at /; by default for this machine only.")
@click.option("--insecure", is_flag=True, help="Listen at an address that others can reach, without a login.")
def serve_command(
    target: str,
    host: str,
    port: int,
    checkpointer: str,
    store: Optional[str],
    shared: Optional[str],
    queue: Optional[str],
    allowed: List[str],
    cors: List[str],
    configurable: List[str],
    errors: str,
    max_ahead: Optional[int],
    drain: float,
    live: Optional[bool],
    insecure: bool,
) -> None:
    """Serve a graph, a dict of graphs, or what a function returns.

    LangGraph's SDKs, and what is built on them, reach it at http://HOST:PORT.
    """
    if not is_loopback(host) and not insecure:
        raise click.UsageError(
            f"{host} can be reached by others, and nobody would have to log in. Serve at 127.0.0.1 behind a proxy, use"
            " serve(..., auth=...) in an application of your own, or give --insecure."
        )
    if shared is not None and queue is not None:
        raise click.UsageError("--queue brings its own events: leave out --events.")
    try:
        graphs = load_graphs(target)
        events = None if shared is None else events_named(shared)
        dispatcher: Optional[Dispatcher] = None
        if queue is not None:
            events, dispatcher = _queue_at(queue)
        app = serve(
            graphs,
            checkpointer=saver_named(checkpointer),
            store=None if store is None else store_named(store),
            allowed_hosts=allowed,
            cors=cors,
            configurable=configurable or None,
            errors="type" if errors == "type" else "message",
            max_ahead=max_ahead,
            drain=drain,
            live=live,
            events=events,
            dispatcher=dispatcher,
        )
    except GraphError as error:
        raise click.ClickException(str(error)) from error
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)
    server = GraphServer(config)
    listening = config.bind_socket()
    keep_little(listening)
    listening.listen(config.backlog)  # so that who reads the address below can connect
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Serving {', '.join(graphs)} at http://{shown}:{port}")
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    with suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended for that reason
        server.run([listening])


def _queue_at(target: str) -> Tuple[SharedEvents, Dispatcher]:
    """Return the events of queued runs, and what queues them.

    Args:
        target: Where they are, or a function that makes them.

    Raises:
        UnknownOptionError: There are none.
    """
    found: Any = load_object(target)
    if inspect.isroutine(found):
        found = found()
    if not (hasattr(found, "events") and hasattr(found, "dispatcher")):
        raise UnknownOptionError(f"{target} is {found!r:.100}, not QueuedRuns")
    return found.events, found.dispatcher()


def main(arguments: List[str]) -> None:
    """Run the command.

    Args:
        arguments: What follows `serve` on the command line.

    Raises:
        SystemExit: It has ended, with this status.
    """
    serve_command.main(arguments, prog_name="streamgraph serve")
