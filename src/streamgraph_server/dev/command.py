"""The command `streamgraph dev`: what it is told, what it says, and the browser that it opens."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from contextlib import ExitStack, suppress
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

import click

from streamgraph.errors import GraphError
from streamgraph.named import saver_named, split_target, store_named
from streamgraph_server.dev.addresses import lines_of
from streamgraph_server.dev.child import Job, Report
from streamgraph_server.dev.supervisor import Supervisor, Watched
from streamgraph_server.protocols import PROTOCOLS

_HOST = "127.0.0.1"
_PORT = 2024

_NEXT_PORTS = 20
"""How many ports after the usual one are tried."""

_SHOWN = 3
"""How many of the files that have changed are named."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="[PATH_OR_MODULE:NAME]", required=False)
@click.option("--port", default=_PORT, show_default=True, type=click.IntRange(0, 65535), help="0 for any free port.")
@click.option("--open/--no-open", "opens", default=True, help="Open the page in the browser.")
@click.option(
    "--checkpointer",
    metavar="NAME",
    help="Where threads are kept: memory, sqlite:PATH or postgres://URL. By default a file that is gone at the end.",
)
@click.option("--store", metavar="NAME", help="What graphs remember beyond a thread; named like --checkpointer.")
@click.option(
    "--watch",
    "also",
    multiple=True,
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="A further file or folder whose changes count, also of files that are not Python.",
)
@click.option("--model", metavar="NAME", help='The model of the demo: "local", or the name of one of OpenAI\'s.')
@click.option("--drain", default=1.0, show_default=True, help="Seconds that runs get to end before a new start.")
@click.pass_context
def dev_command(
    context: click.Context,
    target: Optional[str],
    port: int,
    opens: bool,
    checkpointer: Optional[str],
    store: Optional[str],
    also: Tuple[Path, ...],
    model: Optional[str],
    drain: float,
) -> None:
    """Watch a graph in the browser while you write it.

    It serves a graph, a dict of graphs, or what a function returns, on this machine only, opens the page that shows it,
    and starts anew when a Python file of the program changes. Without an argument it serves a demo.
    """
    if target is not None and model is not None:
        raise click.UsageError('--model is for the demo. In a program of yours it is chat_model("local").')
    with ExitStack() as open_now:
        name, kept = _saver(checkpointer, open_now)
        if store is not None:
            _check_named(store_named, store)
        if target is None:
            _check_demo(model)
        watched = Watched(None if target is None else _folder_of(target), also)
        given = context.get_parameter_source("port") is not click.core.ParameterSource.DEFAULT
        listening = open_now.enter_context(_listen(port, given))
        teller = _Terminal(f"http://{_HOST}:{listening.getsockname()[1]}", target, kept, watched, opens)
        for number in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, number):
                signal.signal(getattr(signal, number), _interrupt)
        with suppress(KeyboardInterrupt):
            job = Job(target, model, name, store, drain)
            click.echo(f"Starting {job.name} …")
            Supervisor(job, listening, teller).run(watched)
        click.echo("\nEnded.")


def main(arguments: List[str]) -> None:
    """Run the command.

    Args:
        arguments: What follows `dev` on the command line.

    Raises:
        SystemExit: It has ended, with this status.
    """
    dev_command.main(arguments, prog_name="streamgraph dev")


class _Terminal:
    """Says in the terminal what happens, and opens the page once."""

    def __init__(self, url: str, target: Optional[str], kept: str, watched: Watched, opens: bool) -> None:
        self._url = url
        self._target = target
        self._kept = kept
        self._watched = watched
        self._opens = opens
        self._greeted = False

    def serving(self, report: Report) -> None:
        if report.unknown and not self._greeted:
            raise click.ClickException(report.why)
        if not report.graphs:
            click.secho(f"{self._target or 'The demo'} does not load:\n", fg="red", bold=True)
            click.echo(f"{report.why}\n\nMend it and save it; {self._url} waits.\n")
        elif self._greeted:
            click.echo(f"Serving {', '.join(report.graphs)} again.")
        else:
            self._greet(report.graphs)
        if self._opens:
            self._opens = False
            _open_browser(f"{self._url}/")

    def changed(self, paths: Sequence[str]) -> None:
        shown = ", ".join(_short(path) for path in paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")
        click.secho(f"{shown} changed.", dim=True)

    def died(self, status: Optional[int]) -> None:
        click.secho(f"The program has ended with status {status}. Save a file of it to start it again.", fg="red")

    def _greet(self, graphs: Sequence[str]) -> None:
        self._greeted = True
        click.secho(f"streamgraph dev: {', '.join(graphs)}\n", bold=True)
        click.echo("\n".join(lines_of(self._url, graphs, tuple(PROTOCOLS), page=True)))
        if self._target is None:
            click.echo("\nThis is the demo. A graph of yours: streamgraph dev PATH_OR_MODULE:NAME")
        click.echo(f"\n{self._kept}")
        if self._watched.folder is not None:
            click.echo(f"It starts anew when a Python file in {self._watched.folder} changes.")
        click.echo("Ctrl-C ends it.\n")


def _short(path: str) -> str:
    """Return a path from here, if it lies below."""
    with suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _saver(given: Optional[str], open_now: ExitStack) -> Tuple[str, str]:
    """Return the name of what saves threads, and how long they are kept."""
    if given is not None:
        _check_named(saver_named, given)
        lost = "until a file changes: memory is lost with each new start." if given == "memory" else f"in {given}."
        return given, f"Threads are kept {lost}"
    if _is_there("langgraph.checkpoint.sqlite.aio"):
        folder = open_now.enter_context(tempfile.TemporaryDirectory(prefix="streamgraph-"))
        return f"sqlite:{Path(folder) / 'threads.db'}", "Threads are kept until it ends; longer with --checkpointer."
    return "memory", (
        "Threads are kept until a file changes; longer after pip install langgraph-checkpoint-sqlite aiosqlite."
    )


def _check_named(named: Callable[[str], object], given: str) -> None:
    try:
        named(given)
    except GraphError as error:
        raise click.UsageError(str(error)) from error


def _check_demo(model: Optional[str]) -> None:
    """Refuse what the demo cannot do.

    Raises:
        ClickException: It needs a package, or a key.
    """
    try:
        from streamgraph_integrations.openai import is_live
    except ImportError as error:
        raise click.ClickException(f"The demo needs a further package. {error}") from error
    if model is None:
        return
    from streamgraph_integrations.local import check_installed, is_local

    if is_local(model):
        try:
            check_installed(model)
        except GraphError as error:
            raise click.ClickException(str(error)) from error
    elif not is_live():
        raise click.ClickException(f"{model} needs a key: set OPENAI_API_KEY. Or use --model local.")


def _is_there(module: str) -> bool:
    with suppress(ImportError, ValueError):
        return find_spec(module) is not None
    return False


def _folder_of(target: str) -> Path:
    """Return the folder of a program: that of its file, or the one that its top package lies in."""
    place, _ = split_target(target)
    if Path(place).suffix == ".py" or Path(place).is_file():
        return Path(place).resolve().parent
    top = place.partition(".")[0]
    with suppress(ImportError, ValueError):
        found = PathFinder.find_spec(top, [str(Path.cwd()), *sys.path])
        if found is not None and found.submodule_search_locations:
            return Path(next(iter(found.submodule_search_locations))).resolve()
        if found is not None and found.origin is not None and Path(found.origin).is_file():
            return Path(found.origin).resolve().parent
    return Path.cwd()


def _listen(port: int, given: bool) -> socket.socket:
    """Return a socket that listens at a port of this machine, or at one after it unless it was asked for.

    Raises:
        ClickException: No port is free, or this one is not.
    """
    ports = [port] if given else [*range(port, port + _NEXT_PORTS), 0]
    for candidate in ports:
        listening = socket.socket()
        try:
            if os.name == "posix":  # elsewhere it would take the port from who has it
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((_HOST, candidate))
            listening.listen(128)
        except OSError as error:
            listening.close()
            if given or error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise click.ClickException(_no_port(candidate, error)) from error
            continue
        if candidate != port:
            click.echo(f"Port {port} is in use, so this is {listening.getsockname()[1]}.")
        return listening
    raise AssertionError("any free port is among them")


def _no_port(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. End what listens there, or give another one; --port 0 takes any that is free."
    return f"Port {port} cannot be used: {error.strerror}. --port 0 takes any that is free."


def _open_browser(url: str) -> None:
    """Open a page, without waiting for it, where a person can see it."""
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in displays):
        return  # a browser in the terminal would take the terminal
    threading.Thread(target=webbrowser.open, args=(url,), name="dev-browser", daemon=True).start()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
