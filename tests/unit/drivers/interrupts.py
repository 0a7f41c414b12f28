"""Runs graphs and interrupts them at random moments, as Ctrl-C does; then all must work, and no thread be left.

python tests/unit/drivers/interrupts.py --runs 2000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import signal
import threading
import time
from typing import Any

from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph

WIDTH = 12


class State(TypedDict):
    """How many nodes have run."""

    done: Annotated[int, lambda one, other: one + other]


def node(state: State) -> Any:
    """Waits for something now and then."""
    if random.random() < 0.3:
        time.sleep(0.0005)
    return {"done": 1}


def main(runs: int, seed: int) -> None:
    """Print how many of so many runs were interrupted."""
    builder = StateGraph(State)
    for number in range(WIDTH):
        builder.add_node(f"n{number}", node).add_edge(START, f"n{number}")
    graph, chance, armed, interrupted = builder.compile(), random.Random(seed), False, 0

    def interrupt(*args: Any) -> None:
        if armed:
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    for run in range(runs):
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00002, 0.0016))
            for _ in graph.stream({"done": 0}):
                pass
            armed = False
        except KeyboardInterrupt:
            armed = False
            interrupted += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        if run % 10 == 0:
            assert graph.invoke({"done": 0}) == {"done": WIDTH}
    patience = time.monotonic() + 10
    while any(thread.name.startswith("streamgraph") for thread in threading.enumerate()):
        assert time.monotonic() < patience, threading.enumerate()
        time.sleep(0.01)
    print(interrupted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    main(given.runs, given.seed)
