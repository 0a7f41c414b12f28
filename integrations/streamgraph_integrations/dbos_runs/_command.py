"""`python -m streamgraph_integrations.dbos_runs`: a worker, from the command line."""

from __future__ import annotations

import asyncio
import sys
from typing import List, Optional, Sequence

import click

from streamgraph.errors import GraphError, UnknownOptionError
from streamgraph.named import load_object
from streamgraph_integrations.dbos_runs._runs import QueuedRuns
from streamgraph_integrations.dbos_runs._worker import Worker, until_told


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="PATH_OR_MODULE:NAME")
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Take only runs of this queue.")
@click.option(
    "--drain",
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="What runs get to end in; then others take them.",
)
def worker_command(target: str, queues: Sequence[str], drain: float) -> None:
    """Take runs from queues and drive them, until SIGTERM or Ctrl-C.

    The target is QueuedRuns, or a function that makes them.
    """
    try:
        runs = _runs_at(target)
        worker = runs.worker(queues, drain=drain)
        asyncio.run(until_told(worker, lambda begun: _say(begun, runs)))
    except GraphError as error:
        sys.exit(f"streamgraph worker: {error}")


def main(arguments: Optional[List[str]] = None) -> None:
    """Run the command.

    Args:
        arguments: What follows its name on the command line; by default those of this process.

    Raises:
        SystemExit: It has ended, with this status.
    """
    worker_command.main(arguments, prog_name="streamgraph worker")


def _runs_at(target: str) -> QueuedRuns:
    found = load_object(target)
    if not isinstance(found, QueuedRuns) and callable(found):
        found = found()
    if not isinstance(found, QueuedRuns):
        raise UnknownOptionError(f"{target} is {found!r:.100}, not QueuedRuns")
    return found


def _say(worker: Worker, runs: QueuedRuns) -> None:
    print(f"Worker {worker.id} runs {', '.join(runs.graphs.names)}", flush=True)
