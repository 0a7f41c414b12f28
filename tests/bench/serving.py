"""Serving: our server beside LangGraph's development server, on the same graph, with the same clients, in one run.

    python tests/bench/serving.py --peer PYTHON [--rounds 3] [--clients 200]

`--peer` is the Python of an environment with LangGraph's server, which is not free software and is only compared with:

    python -m venv peer
    peer/bin/pip install langgraph-api langgraph-runtime-inmem "langgraph-cli[inmem]"

Each server is a process; the clients are raw sockets in this one. The servers take turns, and each figure is the best
of its rounds. Server and clients share the cores of the machine, so only the ratios mean something; the time of the CPU
is that of the server's processes. It needs `/proc`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

sys.path.insert(0, str(Path(__file__).parent))

from serving_clients import answers_of, ask, connect
from serving_servers import ServerProcess, development_server, ours, their_engine

Figures = Dict[str, float]
Case = Callable[[ServerProcess, argparse.Namespace], Any]

FIRST_TOKEN, PACED, UNPACED, IDLE = "first token", "paced", "unpaced", "idle"


async def first_token(server: ServerProcess, asked: argparse.Namespace) -> Figures:
    """One client at a time: from its request to its first token."""
    firsts: List[float] = []
    for _ in range(5):
        answers = await ask(server.port, [{"tokens": 3, "pause": 0.0}])
        check(server, answers.errors)
        firsts.append(answers.first(0.0))
    return {"first token, ms": min(firsts)}


async def paced(server: ServerProcess, asked: argparse.Namespace) -> Figures:
    """Many clients, each with 10 tokens a second."""
    count = asked.clients
    before = server.cpu()
    answers = await ask(server.port, [spoken(50, 0.1, number / count) for number in range(count)])
    check(server, answers.errors)
    return {
        "CPU per token, µs": (server.cpu() - before) / answers.tokens * 1e6,
        "delay p50, ms": answers.delay(0.5),
        "delay p99, ms": answers.delay(0.99),
        "first token of all at once, p50, ms": answers.first(0.5),
    }


async def unpaced(server: ServerProcess, asked: argparse.Namespace) -> Figures:
    """Many clients whose models never pause."""
    before = server.cpu()
    answers = await ask(server.port, [spoken(100, 0.0)] * asked.clients)
    check(server, answers.errors)
    cpu = server.cpu() - before
    return {"tokens per second": answers.tokens / answers.seconds, "tokens per CPU second": answers.tokens / cpu}


async def idle(server: ServerProcess, asked: argparse.Namespace) -> Figures:
    """Many clients whose runs wait after a token: the memory of each."""
    before = server.memory()
    given = {**spoken(1, 0.0), "idle": 4.0}
    clients = await connect(server.port, [given] * asked.clients)
    await asyncio.sleep(2.5)
    taken = server.memory() - before
    answers = await answers_of(clients, [1] * asked.clients)
    check(server, answers.errors)
    return {"memory of an idle stream, KiB": taken / asked.clients / 1024}


def spoken(tokens: int, pause: float, phase: float = 0.0) -> Dict[str, Any]:
    """The input of a run."""
    return {"tokens": tokens, "pause": pause, "phase": phase}


def check(server: ServerProcess, errors: List[str]) -> None:
    """Raise if a client has not got everything.

    Raises:
        RuntimeError: One has not.
    """
    if errors:
        raise RuntimeError(f"{server.name}: {len(errors)} clients have not got everything, the first: {errors[0]}")


CASES: Dict[str, Case] = {
    IDLE: idle,
    FIRST_TOKEN: first_token,
    PACED: paced,
    UNPACED: unpaced,
}
ONCE = (IDLE,)
"""Measured in the first round only: later the process has the memory already."""

MORE_IS_BETTER = ("tokens per second", "tokens per CPU second")
TARGETS = {
    "first token, ms": "≤ 0.01",
    "CPU per token, µs": "≤ 0.2",
    "delay p99, ms": "≤ 0.05",
    "tokens per second": "≥ 4",
    "tokens per CPU second": "≥ 4",
    "memory of an idle stream, KiB": "≤ 100 KiB",
}


def better(name: str, values: List[float]) -> float:
    """The best of the values of a figure."""
    return max(values) if name in MORE_IS_BETTER else min(values)


async def measured(servers: List[ServerProcess], asked: argparse.Namespace) -> Dict[str, Dict[str, List[float]]]:
    """Let the servers take turns; return the values of each figure by server."""
    found: Dict[str, Dict[str, List[float]]] = {}
    for server in servers:  # warm it up
        check(server, (await ask(server.port, [spoken(5, 0.0)] * 5)).errors)
    for number in range(asked.rounds):
        for name in asked.cases:
            if number and name in ONCE:
                continue
            for server in servers:
                for figure, value in (await CASES[name](server, asked)).items():
                    found.setdefault(figure, {}).setdefault(server.name, []).append(value)
    return found


def show(found: Dict[str, Dict[str, List[float]]], servers: List[ServerProcess]) -> None:
    """Print the table: the best of each figure, and the ratios of the first server to the others."""
    own, others = servers[0].name, [server.name for server in servers[1:]]
    heads = [own, *(cell for other in others for cell in (other, "ratio")), "target"]
    print("\n| | " + " | ".join(heads) + " |\n|" + "---|" * (len(heads) + 1))
    for figure, values in found.items():
        best = better(figure, values[own])
        cells = [f"{best:,.1f}"]
        for other in others:
            theirs = better(figure, values[other])
            cells += [f"{theirs:,.1f}", f"{best / theirs:.3f}" if theirs > 0 else "–"]
        print(f"| {figure} | " + " | ".join([*cells, TARGETS.get(figure, "")]) + " |")


async def crowd(server: ServerProcess, clients: int) -> str:
    """Many clients of one process, each with one token a second for 5 seconds; say what came."""
    before = server.cpu()
    answers = await ask(server.port, [spoken(5, 1.0, number / clients) for number in range(clients)])
    check(server, answers.errors)
    return (
        f"{clients:,} clients of {server.name}: {answers.tokens:,} tokens, no error, p99 {answers.delay(0.99):.0f} ms,"
        f" {server.cpu() - before:.1f} s of CPU"
    )


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="PYTHON", help="the Python of an environment with LangGraph's server")
    parser.add_argument("--without-peer", action="store_true", help="compare only with LangGraph's engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--crowd", type=int, default=1000, help="clients at once at the end; 0 for none")
    asked = parser.parse_args()
    if not os.path.exists("/proc/self/stat"):
        parser.error("It reads the CPU time of processes from /proc, which this system does not have.")
    if not asked.without_peer:
        if asked.peer is None:
            parser.error("Give --peer PYTHON (--help says how to install it), or --without-peer.")
        check_peer = [asked.peer, "-c", "import langgraph_api, langgraph_runtime_inmem, langgraph_cli"]
        if not os.path.exists(asked.peer) or subprocess.run(check_peer, capture_output=True).returncode:
            parser.error(f"{asked.peer} has no development server of LangGraph; --help says how to install it.")
    return asked


def main() -> None:
    """Print the table."""
    asked = arguments()
    servers: List[ServerProcess] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            servers.append(ours(folder))
            servers.append(their_engine(folder))
            if not asked.without_peer:
                servers.insert(1, development_server(asked.peer, folder, asked.clients + 50))
            for server in servers:
                server.wait()
            print(f"Python {platform.python_version()}, {asked.clients} clients, best of {asked.rounds}")
            show(asyncio.run(measured(servers, asked)), servers)
            if asked.crowd:
                print("\n" + asyncio.run(crowd(servers[0], asked.crowd)))
        finally:
            for server in servers:
                server.stop()


if __name__ == "__main__":
    main()
