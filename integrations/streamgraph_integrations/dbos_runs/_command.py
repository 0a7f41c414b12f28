"""`python -m streamgraph_integrations.dbos_runs`: a worker, from the command line."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import List, Optional

from streamgraph.errors import GraphError, UnknownOptionError
from streamgraph.named import load_object
from streamgraph_integrations.dbos_runs._runs import QueuedRuns
from streamgraph_integrations.dbos_runs._worker import Worker, until_told


def main(arguments: Optional[List[str]] = None) -> None:
    """Run the command.

    Args:
        arguments: What follows its name on the command line; by default those of this process.

    Raises:
        SystemExit: It has ended, with this status.
    """
    parser = argparse.ArgumentParser(
        prog="streamgraph worker", description="Take runs from queues and drive them, until SIGTERM or Ctrl-C."
    )
    parser.add_argument("target", metavar="PATH_OR_MODULE:NAME", help="QueuedRuns, or a function that makes them")
    parser.add_argument("--queue", action="append", default=[], metavar="NAME", help="take only runs of this queue")
    parser.add_argument(
        "--drain", type=float, default=30.0, metavar="SECONDS", help="what runs get to end in; then others take them"
    )
    given = parser.parse_args(arguments)
    try:
        runs = _runs_at(given.target)
        worker = runs.worker(given.queue, drain=given.drain)
        asyncio.run(until_told(worker, lambda begun: _say(begun, runs)))
    except GraphError as error:
        sys.exit(f"streamgraph worker: {error}")


def _runs_at(target: str) -> QueuedRuns:
    found = load_object(target)
    if not isinstance(found, QueuedRuns) and callable(found):
        found = found()
    if not isinstance(found, QueuedRuns):
        raise UnknownOptionError(f"{target} is {found!r:.100}, not QueuedRuns")
    return found


def _say(worker: Worker, runs: QueuedRuns) -> None:
    print(f"Worker {worker.id} runs {', '.join(runs.graphs.names)}", flush=True)
