"""What a node on Ray costs: the time from a token to its reader, and how many there can be, against the same node here.

`python tests/bench/ray_nodes.py`; it starts a Ray on this machine. Times are in milliseconds, from the model's call of
its callback to the chunk at the reader; for comparison, those of a plain generator of an async actor, from its `yield`
to who awaits it. The kinds of runs alternate, and the best of several counts.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import quantiles
from typing import Any, AsyncIterator, Dict, List

sys.path.insert(0, str(Path(__file__).parents[1]))

import ray

from streamgraph_integrations.ray_nodes import RayPool, remote
from support import remote_targets as targets

ROUNDS = 5
PACED, UNPACED = 400, 5000


async def latency(graph: Any, rate: int) -> List[float]:
    """Return the median and the 99th percentile of the milliseconds to the reader."""
    took = []
    given = {**targets.GIVEN, "value": [PACED, 1 / rate]}
    async for message, _ in graph.astream(given, stream_mode="messages"):
        if message.content:
            took.append(1000 * (time.time() - float(message.content)))
    cuts = quantiles(took, n=100)
    return [cuts[49], cuts[98]]


class Plain:
    """An actor that streams the time, with nothing but Ray."""

    async def tokens(self, count: int, pause: float) -> AsyncIterator[float]:
        """Yield the time, so many times and seconds apart."""
        for _ in range(count):
            await asyncio.sleep(pause)
            yield time.time()


async def plain_latency(actor: Any, rate: int) -> List[float]:
    """Return the same for plain Ray."""
    took = []
    async for item in actor.tokens.options(num_returns="streaming").remote(PACED, 1 / rate):
        took.append(1000 * (time.time() - await item))
    cuts = quantiles(took, n=100)
    return [cuts[49], cuts[98]]


async def rate(graph: Any) -> float:
    """Return how many tokens per second a reader gets of a model that does not wait."""
    began, seen = time.perf_counter(), 0
    async for _ in graph.astream({**targets.GIVEN, "value": [UNPACED, 0]}, stream_mode="messages"):
        seen += 1
    return seen / (time.perf_counter() - began)


async def many(graph: Any, streams: int, tokens_per_second: int) -> List[float]:
    """Return the median and the 99th percentile of so many streams at once."""
    found = await asyncio.gather(*(latency(graph, tokens_per_second) for _ in range(streams)))
    return [max(one[0] for one in found), max(one[1] for one in found)]


async def measure(graphs: Dict[str, Any], plain: Any) -> None:
    for graph in graphs.values():
        await rate(graph)  # imports, and the start of the actor
    await plain_latency(plain, 500)
    for tokens in (200, 500):
        best = {kind: [9e9, 9e9] for kind in (*graphs, "plain")}
        for _ in range(ROUNDS):
            for kind, graph in graphs.items():
                best[kind] = min(best[kind], await latency(graph, tokens))
            best["plain"] = min(best["plain"], await plain_latency(plain, tokens))
        for kind, (p50, p99) in best.items():
            print(f"{kind:6} {tokens:4} tokens/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
        print(f"       {tokens:4} tokens/s   p50 over a node here {best['Ray'][0] - best['here'][0]:6.2f} ms")
    fastest = dict.fromkeys(graphs, 0.0)
    for _ in range(ROUNDS):
        for kind, graph in graphs.items():
            fastest[kind] = max(fastest[kind], await rate(graph))
    shown = "   ".join(f"{kind} {tokens:8,.0f} tokens/s" for kind, tokens in fastest.items())
    print(f"unpaced   {shown}   ratio {fastest['here'] / fastest['Ray']:.2f}")
    p50, p99 = await many(graphs["Ray"], 50, 20)
    print(f"Ray    50 streams of 20 tokens/s: the slowest has p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def main() -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # the actors import what the node consists of
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    with RayPool(warm_up=[f"{targets.HERE}:tells_the_time"]) as pool:
        nodes = {"here": targets.tells_the_time, "Ray": remote(f"{targets.HERE}:tells_the_time", pool)}
        plain = ray.remote(Plain).options(num_cpus=0).remote()
        asyncio.run(measure({kind: targets.graph_of(node).compile() for kind, node in nodes.items()}, plain))


if __name__ == "__main__":
    main()
