"""What events on Redis cost: the time from a node to a reader in another process, and how many there can be.

    python tests/bench/redis_events.py [--url redis://...] [--cases NAME ...]

Without an address a server of the extra `test` is started. Besides it two processes take part: one drives the runs,
this one reads them. Times are in milliseconds, from the writer's call in the node to the chunk at the reader. All of
them share the machine, so compare figures of one machine only. It needs `/proc`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Callable, Dict, List, Tuple

from typing_extensions import TypedDict

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import redis
from serving_clients import Answers, Client, answers_of
from serving_servers import ServerProcess

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph_integrations.redis_events import RedisEvents
from support.redis_servers import Server

HERE = Path(__file__).parent
PAYLOAD = "x" * 250


class State(TypedDict, total=False):
    n: int


def graph_of(count: int, pause: float) -> Any:
    """A graph whose node writes the time, so many times and seconds apart."""

    async def node(state: State) -> State:
        writer = get_stream_writer()
        due = time.monotonic() + pause * (state.get("n", 0) % 100) / 100  # not all at the same moment
        for _ in range(count):
            due += pause
            if pause:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer({"at": time.time(), "payload": PAYLOAD})
        return {"n": count}

    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile()


async def write(url: str, runs: int, count: int, pause: float) -> None:
    """Be the process that drives runs; print their ids, and how long it took until all was stored."""
    async with RedisEvents(url) as events:
        graph = graph_of(count, pause)
        logs = [await events.aopen() for _ in range(runs)]
        print(*[log.run_id for log in logs], flush=True)
        if pause:
            await asyncio.to_thread(sys.stdin.readline)  # until the readers are there
        used, began = time.process_time(), time.monotonic()
        started = [await graph.astart({"n": number}, log=log, record="custom") for number, log in enumerate(logs)]
        for run in started:
            await run
        made = time.monotonic() - began
        await events.aflush(60)
        print(made, time.monotonic() - began, time.process_time() - used, flush=True)


class Writer:
    """The process that drives runs.

    Args:
        url: The server.
        runs: How many runs.
        count: How many events each has.
        pause: Seconds between two of them.
    """

    def __init__(self, url: str, runs: int, count: int, pause: float) -> None:
        command = (sys.executable, __file__, "--write", url, str(runs), str(count), str(pause))
        self._process: Any = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ids: List[str] = self._process.stdout.readline().split()

    def go(self) -> None:
        """Let it begin."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def times(self) -> Tuple[float, float, float]:
        """Return the seconds until all was made, until all was stored, and of CPU."""
        made, stored, used = (float(word) for word in self._process.stdout.readline().split())
        self._process.wait()
        return made, stored, used


async def read(url: str, writer: Writer, readers: int) -> Tuple[List[float], Dict[str, float]]:
    """Read each run so many times; return all delays, and what this process has used meanwhile."""
    graph, delays = graph_of(0, 0), []

    async def one(run: Any) -> None:
        async for chunk in run.astream("custom"):
            delays.append(time.time() - chunk["at"])

    async with RedisEvents(url, reply=60) as events:
        attaching = asyncio.gather(*[events.alog(run_id) for run_id in writer.ids])
        writer.go()
        runs = [graph.attach(log) for log in await attaching]
        gc.collect()
        before = memory()
        reading = [asyncio.ensure_future(one(run)) for run in runs for _ in range(readers)]
        await asyncio.sleep(1)
        grown = memory() - before
        client: Any = redis.Redis.from_url(url)
        with client:
            connections = client.info("clients")["connected_clients"] - 1
        used, began = time.process_time(), time.monotonic()
        await asyncio.gather(*reading)
        used, seconds = time.process_time() - used, time.monotonic() - began
    return delays, {"connections": connections, "KiB": grown / 1024 / len(reading), "CPU": used, "seconds": seconds}


def cpu_of(url: str) -> float:
    """The seconds of CPU that the server has used so far."""
    client: Any = redis.Redis.from_url(url)
    with client:
        found = client.info("cpu")
    return float(found["used_cpu_user"] + found["used_cpu_sys"])


def memory() -> int:
    """The resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def shown(delays: List[float]) -> str:
    """The median and the 99th percentile of some delays."""
    return f"p50 {1000 * median(delays):.2f} ms, p99 {1000 * quantiles(delays, n=100)[98]:.2f} ms"


def one_run(url: str) -> None:
    """One run with 500 events a second."""
    for _ in range(3):
        delays, _ = asyncio.run(read(url, Writer(url, 1, 1500, 0.002), 1))
        assert len(delays) == 1500
        print(f"one run, 500 events a second: {shown(delays[100:])}")  # the first ones wait for their reader to come


def to_a_browser(url: str) -> None:
    """One run with 500 tokens a second at one server process, read by a client of another one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "shared_server.py"), "PORT", url, f"{folder}/threads"]
        servers = [ServerProcess(name, command, "streamgraph", folder) for name in ("one process", "another")]
        try:
            for server in servers:
                server.wait()
            for runs, tokens, pause in ((1, 1500, 0.002), (1, 1500, 0.002), (100, 100, 0.1)):
                before = [server.cpu() for server in servers]
                answers = asyncio.run(_streamed([server.port for server in servers], runs, tokens, pause))
                used = [(server.cpu() - cpu) / answers.tokens * 1e6 for server, cpu in zip(servers, before)]
                print(
                    f"{runs} runs, {1 / pause:.0f} tokens a second each, to clients of another server process:"
                    f" p50 {answers.delay(0.5):.2f} ms, p99 {answers.delay(0.99):.2f} ms; {used[0]:.0f} µs of CPU a"
                    f" token where it is made, {used[1]:.0f} where it is read{''.join(answers.errors)}"
                )
        finally:
            for server in servers:
                server.stop()


async def _streamed(ports: List[int], runs: int, tokens: int, pause: float) -> Answers:
    """Start runs at one port, and read their tokens at another one."""
    clients, loop = [], asyncio.get_running_loop()
    for number in range(runs):
        thread = _ask(ports[0], "/threads", {})["thread_id"]
        given = {"tokens": tokens, "pause": pause, "phase": number / runs}
        order = {"assistant_id": "agent", "input": given, "stream_mode": ["messages-tuple"]}
        run = _ask(ports[0], f"/threads/{thread}/runs", order)["run_id"]
        path = f"/threads/{thread}/runs/{run}/stream?stream_mode=messages-tuple"
        head = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{ports[1]}\r\nlast-event-id: -1\r\nconnection: close\r\n\r\n"
        _, client = await loop.create_connection(lambda: Client(head.encode()), "127.0.0.1", ports[1])  # noqa: B023
        clients.append(client)
    return await answers_of(clients, [tokens] * runs)


def _ask(port: int, path: str, body: Dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def unpaced(url: str) -> None:
    """One run that never pauses: how fast its events are stored, alone and with a reader."""
    count = 40_000
    for _ in range(3):
        before, writer = cpu_of(url), Writer(url, 1, count, 0)
        made, stored, used = writer.times()
        each = f"{used / count * 1e6:.0f} µs of CPU each and {(cpu_of(url) - before) / count * 1e6:.0f} on Redis"
        rate = f"{count / stored:,.0f} events a second, {each}"
        print(f"unpaced: {rate} (made in {made:.2f} s, stored in {stored:.2f} s)")


def many_runs(url: str) -> None:
    """200 runs at once, each with 10 events a second, each with a reader."""
    before, writer = cpu_of(url), Writer(url, 200, 50, 0.1)
    delays, found = asyncio.run(read(url, writer, 1))
    assert len(delays) == 200 * 50
    _, _, used = writer.times()
    costs = (used, found["CPU"], cpu_of(url) - before)
    there, here, on_redis = (seconds / len(delays) * 1e6 for seconds in costs)
    each = f"{there:.0f} µs of CPU an event where it is made, {here:.0f} where it is read, {on_redis:.0f} on Redis"
    print(f"200 runs, 10 events a second each: {shown(delays)}; {each}")


def many_readers(url: str) -> None:
    """2,000 readers in one process, of 200 runs."""
    writer = Writer(url, 200, 10, 1.0)
    delays, found = asyncio.run(read(url, writer, 10))
    assert len(delays) == 2000 * 10
    writer.times()
    each = f"{found['KiB']:.1f} KiB of memory a reader, {found['CPU'] / len(delays) * 1e6:.0f} µs of CPU a chunk"
    connections = f"{found['connections']:.0f} connections to Redis in all"
    print(f"2,000 readers of 200 runs, 2,000 chunks a second: {shown(delays)}; {connections}, {each}")


def kept(url: str) -> None:
    """The memory of an event."""
    count = 20_000
    writer = Writer(url, 1, count, 0)
    writer.times()
    client: Any = redis.Redis.from_url(url)
    with client:
        (key,) = client.scan_iter(f"*{writer.ids[0]}*:events")
        size = client.memory_usage(key, samples=0)
        ((_, entry),) = client.xrange(key, "1-100", count=1)
        print(f"memory: {size / count:.0f} bytes on Redis for an event of {len(entry[b'e'])} bytes")


CASES: Dict[str, Callable[[str], None]] = {
    "one": one_run,
    "browser": to_a_browser,
    "unpaced": unpaced,
    "runs": many_runs,
    "readers": many_readers,
    "memory": kept,
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server that is there already")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = None if given.url else Server(Path(folder))
        try:
            for case in given.cases:
                CASES[case](given.url or (server.url if server else ""))
        finally:
            if server is not None:
                server.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        asyncio.run(write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
    else:
        main()
