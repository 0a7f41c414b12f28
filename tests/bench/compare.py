"""How fast: streamgraph beside the installed langgraph, and beside what langchain-core alone costs.

    python tests/bench/compare.py

First the engine alone, on states of one number, then work as applications have it (`real_work.py`). Every figure is the
best of several interleaved repetitions (A B A B) in one process, in µs per unit. Only the ratios mean something: they
hold when the machine is slow or busy, the times do not.
"""

from __future__ import annotations

import asyncio
import gc
import operator
import os
import platform
import time
from importlib.metadata import version
from typing import Any, Callable, Dict, List, Optional, Tuple, TypedDict

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from real_work import REAL_WORK, Library, RealWork
from typing_extensions import Annotated

ROUNDS, REPEATS, SHORT = 8, 3, 30


class Count(TypedDict):
    """A state of one number."""

    n: int


class Total(TypedDict):
    """A state that counts what comes together; a list that grows would be copied for each node, by its reducer."""

    total: Annotated[int, operator.add]


class Model(BaseChatModel):
    """Makes tokens as fast as langchain-core can take them."""

    tokens: int

    @property
    def _llm_type(self) -> str:
        return "bench"

    def _chunk(self) -> ChatGenerationChunk:
        return ChatGenerationChunk(message=AIMessageChunk(content="x"))

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("x" * self.tokens))])

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        for _ in range(self.tokens):
            yield self._chunk()

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        for _ in range(self.tokens):
            yield self._chunk()


class Listener(BaseCallbackHandler):
    """The least that makes a model stream."""

    run_inline = True

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        pass


def chain(lib: Any, nodes: int, asynchronous: bool = False) -> Any:
    def step(state: Count) -> Any:
        return {"n": state["n"] + 1}

    async def astep(state: Count) -> Any:
        return {"n": state["n"] + 1}

    builder, before = lib.StateGraph(Count), lib.START
    for index in range(nodes):
        builder.add_node(f"n{index}", astep if asynchronous else step)
        builder.add_edge(before, f"n{index}")
        before = f"n{index}"
    return builder.compile()


def fan(lib: Any, nodes: int, asynchronous: bool = False) -> Any:
    def work(state: Total) -> Any:
        return {"total": 1}

    async def awork(state: Total) -> Any:
        return {"total": 1}

    builder = lib.StateGraph(Total).add_node("join", lambda state: None)
    for index in range(nodes):
        builder.add_node(f"n{index}", awork if asynchronous else work)
        builder.add_edge(lib.START, f"n{index}")
    return builder.add_edge([f"n{index}" for index in range(nodes)], "join").compile()


def speaking(lib: Any, tokens: int, depth: int = 0, asynchronous: bool = False) -> Any:
    model = Model(tokens=tokens)

    def node(state: Count) -> None:
        model.invoke("x")

    async def anode(state: Count) -> None:
        await model.ainvoke("x")

    graph: Any = anode if asynchronous else node
    for _ in range(depth + 1):
        graph = lib.StateGraph(Count).add_node("node", graph).add_edge(lib.START, "node").compile()
    return graph


def writing(lib: Any, items: int) -> Any:
    def node(state: Count) -> None:
        write = lib.get_stream_writer()
        for item in range(items):
            write(item)

    return lib.StateGraph(Count).add_node("node", node).add_edge(lib.START, "node").compile()


def reading(graph: Any, start: Any, **options: Any) -> Callable[[], int]:
    def read() -> int:
        chunks = 0
        for _ in graph.stream(start, {"recursion_limit": 10_000}, **options):
            chunks += 1
        return chunks

    return read


def areading(graph: Any, start: Any, **options: Any) -> Callable[[], int]:
    async def read() -> int:
        chunks = 0
        async for _ in graph.astream(start, {"recursion_limit": 10_000}, **options):
            chunks += 1
        return chunks

    return lambda: LOOP.run_until_complete(read())


def calling(graph: Any, start: Any) -> Callable[[], None]:
    return lambda: graph.invoke(start, {"recursion_limit": 10_000})


def at_once(graph: Any, streams: int) -> Callable[[], int]:
    async def read() -> int:
        chunks = 0
        async for _ in graph.astream({"n": 0}, stream_mode="messages"):
            chunks += 1
        return chunks

    async def all_of_them() -> int:
        return sum(await asyncio.gather(*(read() for _ in range(streams))))

    return lambda: LOOP.run_until_complete(all_of_them())


def first(graph: Any) -> Callable[[], float]:
    def read() -> float:
        start = time.perf_counter()
        chunks = iter(graph.stream({"n": 0}, stream_mode="messages"))
        next(chunks)
        took = time.perf_counter() - start
        for _ in chunks:
            pass
        return took

    return read


def alone(tokens: int, asynchronous: bool = False) -> Callable[[], Any]:
    """langchain-core without a graph: the floor."""
    model, config = Model(tokens=tokens), {"callbacks": [Listener()]}
    if asynchronous:
        return lambda: LOOP.run_until_complete(model.ainvoke("x", config))  # type: ignore[arg-type]
    return lambda: model.invoke("x", config)  # type: ignore[arg-type]


def alone_at_once(calls: int, tokens: int) -> Callable[[], Any]:
    """The same for many calls at once."""
    model, config = Model(tokens=tokens), {"callbacks": [Listener()]}

    async def all_of_them() -> None:
        await asyncio.gather(*(model.ainvoke("x", config) for _ in range(calls)))  # type: ignore[arg-type]

    return lambda: LOOP.run_until_complete(all_of_them())


LOOP = asyncio.new_event_loop()
"""Made once: what a loop costs is not what is measured."""
N, X, TOKENS = {"n": 0}, {"total": 0}, {"stream_mode": "messages"}
Workload = Tuple[str, str, int, Callable[[Any], Callable[[], Any]], Optional[Callable[[], Any]]]
WORKLOADS: List[Workload] = [
    ("chain of 100 nodes, updates, sync", "step", 100, lambda lib: reading(chain(lib, 100), N), None),
    ("chain of 100 nodes, updates, async", "step", 100, lambda lib: areading(chain(lib, 100, True), N), None),
    ("chain of 100 nodes, invoke", "step", 100, lambda lib: calling(chain(lib, 100), N), None),
    ("chain of 100 nodes, values", "step", 100, lambda lib: reading(chain(lib, 100), N, stream_mode="values"), None),
    ("chain of 100 nodes, debug", "step", 100, lambda lib: reading(chain(lib, 100), N, stream_mode="debug"), None),
    ("fan-out to 100 nodes and join, sync", "node", 100, lambda lib: reading(fan(lib, 100), X), None),
    ("fan-out to 100 nodes and join, async", "node", 100, lambda lib: areading(fan(lib, 100, True), X), None),
    ("a run of one node, sync", "run", 1, lambda lib: reading(chain(lib, 1), N), None),
    ("a run of one node, async", "run", 1, lambda lib: areading(chain(lib, 1, True), N), None),
    ("compile 200 nodes", "node", 200, lambda lib: lambda: chain(lib, 200), None),
    ("stream() to the first token", "run", 1, lambda lib: first(speaking(lib, 1)), alone(1)),
    ("2,000 tokens, sync", "token", 2000, lambda lib: reading(speaking(lib, 2000), N, **TOKENS), alone(2000)),
    (
        "2,000 tokens, async",
        "token",
        2000,
        lambda lib: areading(speaking(lib, 2000, asynchronous=True), N, **TOKENS),
        alone(2000, True),
    ),
    (
        "2,000 tokens, two graphs deep",
        "token",
        2000,
        lambda lib: reading(speaking(lib, 2000, 2), N, subgraphs=True, **TOKENS),
        alone(2000),
    ),
    (
        "200 async streams of 50 tokens at once",
        "token",
        10_000,
        lambda lib: at_once(speaking(lib, 50, asynchronous=True), 200),
        alone_at_once(200, 50),
    ),
    ("5,000 writer calls", "item", 5000, lambda lib: reading(writing(lib, 5000), N, stream_mode="custom"), None),
]


def best(contestants: Dict[str, Callable[[], Any]], loops: int = 1) -> Dict[str, float]:
    """Return the shortest time of each, in seconds.

    Args:
        contestants: What is to be timed, by name; what returns a time of its own is taken at its word.
        loops: How often it is run for one time: what takes microseconds is timed many times over.
    """
    times = dict.fromkeys(contestants, float("inf"))
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            gc.collect()
            gc.disable()
            for _ in range(REPEATS):
                start = time.perf_counter()
                told = [run() for _ in range(loops)]
                took = sum(told) if isinstance(told[0], float) else time.perf_counter() - start
                times[name] = min(times[name], took / loops)
            gc.enable()
    return times


QUICK = ("a run of one node, sync", "a run of one node, async", "stream() to the first token")
"""What takes microseconds, and is timed many times over."""


def real(work: RealWork) -> Workload:
    """A workload of an application as one of the table."""
    return work.name, "run", 1, work.make, None


def main() -> None:
    """Print the table."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("streamgraph", "langgraph", "langchain-core"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"Python {platform.python_version()}, {packages}; µs, best of {ROUNDS} × {REPEATS}\n")
    print("| workload | unit | streamgraph | langgraph | ratio | langchain-core alone | ratio |")
    print("|---|---|---|---|---|---|---|")
    ours, theirs = Library("streamgraph"), Library("langgraph")
    for name, unit, units, make, floor in (*WORKLOADS, *map(real, REAL_WORK)):
        runs = {"ours": make(ours), "theirs": make(theirs), **({"floor": floor} if floor else {})}
        ours_shown, theirs_shown = runs["ours"](), runs["theirs"]()
        times = {key: value / units * 1e6 for key, value in best(runs, SHORT if name in QUICK else 1).items()}
        row = f"{times['ours']:.1f} | {times['theirs']:.1f} | {times['ours'] / times['theirs']:.2f}"
        if isinstance(ours_shown, int) and ours_shown != theirs_shown:
            row = f"{times['ours']:.1f} | {theirs_shown} of {ours_shown} chunks | "
        base = f"{times['floor']:.1f} | {times['ours'] / times['floor']:.2f}" if floor else "|"
        print(f"| {name} | {unit} | {row} | {base} |", flush=True)


if __name__ == "__main__":
    main()
