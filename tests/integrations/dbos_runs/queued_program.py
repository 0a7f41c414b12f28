"""The graphs and queues of the tests; `streamgraph worker queued_program.py:runs` is a worker.

The addresses and a folder are in the environment. Nodes note in the folder that they run, and wait for files in it.
"""

from __future__ import annotations

import asyncio
import os
from operator import add
from pathlib import Path
from typing import Any, AsyncIterator, Dict, List

from pydantic import BaseModel
from typing_extensions import Annotated, TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph.types import interrupt
from streamgraph_integrations.dbos_runs import QueuedRuns, RunQueue
from streamgraph_integrations.redis_events import RedisEvents


def folder() -> Path:
    """The folder of the test."""
    return Path(os.environ["TEST_FOLDER"])


class Topic(BaseModel):
    """A class of the user's own."""

    name: str


class State(TypedDict, total=False):
    log: Annotated[List[Any], add]
    topic: Topic


def note(what: str) -> None:
    """Note that something has run, in which process."""
    with open(folder() / "ran", "a", encoding="utf-8") as file:
        file.write(f"{what} {os.getpid()}\n")


def noted() -> List[str]:
    """What has run, in order."""
    path = folder() / "ran"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


async def file_named(name: str) -> None:
    """Wait until there is a file."""
    while not (folder() / name).exists():
        await asyncio.sleep(0.005)


async def first(state: State) -> State:
    note("first")
    get_stream_writer()("first")
    return {"log": ["first"]}


async def second(state: State) -> AsyncIterator[Any]:
    note("second")
    for number in range(10):
        yield f"{number} "
        if number == 5:
            await file_named("go")
    yield {"log": ["second"]}


async def third(state: State) -> State:
    note("third")
    return {"log": [f"third of {state['topic'].name}"] if "topic" in state else ["third"]}


async def counts(state: State) -> AsyncIterator[Any]:
    """Say numbers for a while, a few for each item so far; in the second step, wait for a file."""
    note(f"counts{len(state['log'])}:{state['log'][0]}")
    for number in range(20):
        yield f"{len(state['log'])}.{number} "
        if (len(state["log"]), number) == (2, 10):
            await file_named("count")
        await asyncio.sleep(0.01)
    yield {"log": [len(state["log"])]}


def counting() -> Any:
    """A graph of one node that runs five times."""
    builder = StateGraph(State).add_node("counts", counts).add_edge(START, "counts")
    builder.add_conditional_edges("counts", lambda state: "counts" if len(state["log"]) < 6 else "__end__")
    return builder.compile()


async def waits(state: State) -> State:
    """Note that it is there, and wait for the file that the last item names."""
    name = state["log"][-1]
    note(f"begins:{name}")
    await file_named(name)
    note(f"ends:{name}")
    return {"log": [f"{name} done"]}


def asks(state: State) -> State:
    note("asks")
    return {"log": [interrupt("How?"), interrupt("Why?")]}


def fails(state: State) -> State:
    raise LookupError("There is no ice")


def dies(state: State) -> State:
    note("dies")
    os._exit(1)


def chain(*nodes: Any) -> Any:
    """A graph of nodes, one after the other."""
    builder = StateGraph(State)
    before = START
    for node in nodes:
        builder.add_node(node.__name__, node)
        builder.add_edge(before, node.__name__)
        before = node.__name__
    return builder.compile()


def graphs() -> Dict[str, Any]:
    """All graphs."""
    return {
        "steps": chain(first, second, third),
        "waits": chain(waits),
        "asks": chain(asks),
        "fails": chain(fails),
        "dies": chain(dies),
        "counting": counting(),
    }


def runs() -> QueuedRuns:
    """The runs, as each process of a test makes them."""
    database = os.environ["TEST_DATABASE"]
    return QueuedRuns(
        dict.fromkeys(graphs(), f"{__file__}:graphs"),
        database,
        RedisEvents(os.environ["TEST_REDIS"], prefix=os.environ["TEST_PREFIX"], alive=3.0, reply=2.0, allow=[Topic]),
        checkpointer=database,
        queues=[
            RunQueue("default", poll=0.05),
            RunQueue("single", worker_concurrency=1, concurrency=1, prioritized=True, poll=0.05),
            RunQueue("slowly", rate=(2, 1.0), poll=0.05),
        ],
        allow=[Topic],
        lease=float(os.environ.get("TEST_LEASE", "2")),
    )
