"""A program that starts a run whose node writes numbers: `python writing_program.py URL PREFIX COUNT PAUSE`."""

from __future__ import annotations

import sys
import time

from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph_integrations.redis_events import RedisEvents


class State(TypedDict, total=False):
    n: int


def main(url: str, prefix: str, count: str, pause: str) -> None:
    """Start the run, print its id, and wait for its end."""

    def node(state: State) -> State:
        for number in range(int(count)):
            get_stream_writer()(number)
            time.sleep(float(pause))
        return {"n": int(count)}

    graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
    events = RedisEvents(url, prefix=prefix, alive=20)
    run = graph.start({}, log=events.open(), record="custom")
    print(run.id, flush=True)
    run.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
