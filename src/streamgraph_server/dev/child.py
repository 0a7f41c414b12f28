"""The process that loads the graphs and serves them until a file changes: the child of `streamgraph dev`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Mapping, Optional, Tuple

import uvicorn
from starlette.applications import Starlette

from streamgraph.errors import UnknownOptionError
from streamgraph.named import load_graphs, saver_named, store_named
from streamgraph.pregel import Pregel
from streamgraph_server.app import serve
from streamgraph_server.cli import GraphServer
from streamgraph_server.dev.broken import broken_app, reason_of

_GRACE = 1
"""Seconds that connections get to end."""


@dataclass(frozen=True)
class Job:
    """What is to be served, and how.

    Attributes:
        target: The path or module and the name of the graphs; `None` for the demo.
        model: The model of the demo, by name; `None` for its script.
        checkpointer: The name of what saves threads.
        store: The name of the store; `None` for none.
        drain: Seconds that runs get to end when the process is stopped.
    """

    target: Optional[str]
    model: Optional[str]
    checkpointer: str
    store: Optional[str]
    drain: float

    @property
    def name(self) -> str:
        """What is served, in a word."""
        return self.target or "the demo"


@dataclass(frozen=True)
class Report:
    """What the process says when it begins to answer.

    Attributes:
        graphs: The names of the graphs; none if they could not be loaded.
        why: Why they could not.
        unknown: Whether what was asked for does not exist, so that no change of a file is to be expected.
    """

    graphs: Tuple[str, ...] = ()
    why: str = ""
    unknown: bool = False


def main(job: Job, listening: socket.socket, parent: Connection) -> None:
    """Serve until the parent says or has ended, whatever becomes of loading the graphs.

    Args:
        job: What to serve.
        listening: The socket on which clients wait.
        parent: Takes a `Report`; its end is the sign to stop.
    """
    # Bytecode knows the time of its source in whole seconds only, and who saves twice within one wants the second.
    sys.dont_write_bytecode = True
    _let_ctrl_c_pass()
    stopping = _Stop(parent)
    _show_log()
    app, report = _load(job)
    server = GraphServer(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE))
    stopping.server = server
    with suppress(OSError):  # the parent has gone meanwhile
        parent.send(report)
    with suppress(KeyboardInterrupt):
        server.run([listening])


def _let_ctrl_c_pass() -> None:
    """Ignore Ctrl-C, which the parent has blocked here; blocked, it would also be so in all that the program starts."""
    if hasattr(signal, "pthread_sigmask"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


class _Stop:
    """Waits for the end of the parent's connection, then ends the server, or the process if it has none yet."""

    def __init__(self, parent: Connection) -> None:
        self.server: Optional[uvicorn.Server] = None
        self._parent = parent
        threading.Thread(target=self._wait, name="dev-parent", daemon=True).start()

    def _wait(self) -> None:
        with suppress(EOFError, OSError):
            self._parent.recv()
        if self.server is None or not self.server.started:
            os._exit(0)  # in the middle of an import, which may take its time; nobody has been answered yet
        self.server.should_exit = True


def _load(job: Job) -> Tuple[Starlette, Report]:
    try:
        graphs = _graphs(job)
        store = None if job.store is None else store_named(job.store)
        # The page also shows what models were asked in runs that others start; it is for this machine only.
        app = serve(graphs, checkpointer=saver_named(job.checkpointer), store=store, drain=job.drain, live=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a program may also call sys.exit, and its author wants to know
        why = reason_of(error)
        return broken_app(job.name, why), Report(why=why, unknown=isinstance(error, UnknownOptionError))
    return app, Report(tuple(graphs))


def _graphs(job: Job) -> Mapping[str, Pregel]:
    if job.target is not None:
        return load_graphs(job.target)
    from streamgraph_integrations.demo import desk_model, research_desk

    return {"research_desk": research_desk(desk_model(job.model))}


def _show_log() -> None:
    """Show in the terminal what clients do not get to see: where a run has failed."""
    log = logging.getLogger("streamgraph_server")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
