"""What events on Redis cost: the time from a node to a reader in another process, and how many there can be.

`python tests/bench/redis_events.py [redis://...]`; without an address a server of the extra `test` is started. Two
processes take part besides the server. Times are in milliseconds, from the writer's call in the node to the chunk at
the reader.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any, List, Tuple

from typing_extensions import TypedDict

sys.path.insert(0, str(Path(__file__).parents[1]))

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph_integrations.redis_events import RedisEvents
from support.redis_servers import Server

EVENTS = 5000
PAYLOAD = "x" * 250


class State(TypedDict, total=False):
    n: int


def graph_of(count: int, pause: float) -> Any:
    """A graph whose node writes the time, so many times and seconds apart."""

    def node(state: State) -> State:
        writer = get_stream_writer()
        due = time.monotonic()
        for _ in range(count):
            due += pause
            if pause:
                time.sleep(max(0.0, due - time.monotonic()))
            writer({"at": time.time(), "payload": PAYLOAD})
        return {"n": count}

    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile()


def write(url: str, count: int, pause: float) -> None:
    """Be the process that drives the run, and say how long it took until all was stored."""
    with RedisEvents(url) as events:
        graph = graph_of(count, pause)
        run = graph.start({}, log=events.open(), record="custom")
        print(run.id, flush=True)
        began = time.monotonic()
        run.result()
        made = time.monotonic() - began
        events.flush(60)
        print(made, time.monotonic() - began, time.process_time(), flush=True)


def read(url: str, count: int, pause: float) -> Tuple[List[float], List[float]]:
    """Be the process that reads; return the delays, and what the writer says."""
    command = (sys.executable, __file__, "--write", url, str(count), str(pause))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer, RedisEvents(url) as events:
        assert writer.stdout is not None
        run = graph_of(0, 0).attach(events.log(writer.stdout.readline().strip()))
        delays = [time.time() - chunk["at"] for chunk in run.stream("custom")]
        assert len(delays) == count
        return delays, [float(word) for word in writer.stdout.readline().split()]


def main(url: str) -> None:
    """Measure."""
    for _ in range(3):
        delays, _ = read(url, 1500, 0.002)
        cuts = quantiles(delays, n=100)
        print(f"500 per second: p50 {1000 * median(delays):.2f} ms, p99 {1000 * cuts[98]:.2f} ms")
    for _ in range(3):
        _, (made, stored, processor) = read(url, EVENTS * 4, 0)
        rate = EVENTS * 4 / stored
        times = f"made in {made:.2f} s, stored in {stored:.2f} s, {processor:.2f} s of CPU"
        print(f"unpaced: {rate:,.0f} per second; {times}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    elif sys.argv[1:]:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder))
            try:
                main(server.url)
            finally:
                server.close()
