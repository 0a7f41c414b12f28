"""A run that is cancelled while its saver works leaves a consistent thread, which goes on to the undisturbed result."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph

pytestmark = pytest.mark.slow

CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


class Cancelling:
    """A saver that lets a run be cancelled before or after a call with a number that stores something."""

    calls = 0
    at = -1
    after = False
    cancel: Callable[[], Any]

    def _call(self, after: bool) -> None:
        self.calls += not after
        if self.calls == self.at and after == self.after:
            self.cancel()


class AsyncCancelling(Cancelling, AsyncSqliteSaver):
    """One that is awaited."""

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        self._call(after=False)
        await asyncio.sleep(0)
        done = await super().aput(*args, **kwargs)
        self._call(after=True)
        return done

    async def aput_writes(self, *args: Any, **kwargs: Any) -> None:
        self._call(after=False)
        await asyncio.sleep(0)
        await super().aput_writes(*args, **kwargs)
        self._call(after=True)


class SyncCancelling(Cancelling, SqliteSaver):
    """One that is called in a thread."""

    def put(self, *args: Any, **kwargs: Any) -> Any:
        self._call(after=False)
        done = super().put(*args, **kwargs)
        self._call(after=True)
        return done

    def put_writes(self, *args: Any, **kwargs: Any) -> None:
        self._call(after=False)
        super().put_writes(*args, **kwargs)
        self._call(after=True)


NODES = ["a", "b", "c", "x", "joined"]
WHOLE = ["in", "a", "b", "c", "x", "joined"]


def build(saver: Any, ran: List[str]) -> Any:
    """Two nodes side by side, one of them with a nested graph, and a join."""

    def note(name: str) -> Any:
        async def node(state: Any) -> Any:
            await asyncio.sleep(0)
            ran.append(name)
            return {"seen": [name]}

        return node

    inner = StateGraph(State).add_node("x", note("x")).add_edge(START, "x").compile()

    async def nesting(state: State) -> State:
        return {"seen": (await inner.ainvoke({"seen": []}))["seen"]}

    builder = StateGraph(State).add_node("nesting", nesting)
    for name in ("a", "b", "c", "joined"):
        builder.add_node(name, note(name))
    builder.add_edge(START, "a").add_edge("a", "b").add_edge("a", "c").add_edge("a", "nesting")
    return builder.add_edge(["b", "c", "nesting"], "joined").compile(checkpointer=saver)


async def play(saver: Any, durability: Any, at: int, after: bool) -> bool:
    """Cancel a run, let it go on, and return whether there was so much to store."""
    ran: List[str] = []
    graph = build(saver, ran)
    loop = asyncio.get_running_loop()
    run = asyncio.ensure_future(graph.ainvoke({"seen": ["in"]}, CONFIG, durability=durability))
    saver.cancel = lambda: loop.call_soon_threadsafe(run.cancel)
    saver.at, saver.after = at, after
    with suppress(asyncio.CancelledError):
        await run
    reached, saver.at = saver.calls >= at, -1
    stored = await graph.aget_state(CONFIG)
    finished = list(stored.values.get("seen", ()))
    if stored.created_at is None:
        final = await graph.ainvoke({"seen": ["in"]}, CONFIG)
    elif finished != WHOLE:
        final = await graph.ainvoke(None, CONFIG)
    else:
        final = stored.values
    assert final == {"seen": WHOLE}
    # What was in the thread has not run again.
    again = Counter(ran) - Counter(NODES)
    assert not set(again) & set(finished), (at, after, again, finished)
    history = [state async for state in graph.aget_state_history(CONFIG)]
    assert all(state.next or state.values["seen"] == WHOLE for state in history)
    parents = [state.parent_config for state in history]
    assert parents == [*(state.config for state in history[1:]), None]
    return reached


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_at_each_call(kind: str, durability: Any, tmp_path: Path) -> None:
    async def main() -> None:
        at, reached = 0, True
        while reached:
            at += 1
            for after in (False, True):
                path = str(tmp_path / f"{at}{after}.sqlite")
                if kind == "async":
                    async with AsyncCancelling.from_conn_string(path) as saver:
                        reached = await play(saver, durability, at, after)
                else:
                    with SyncCancelling.from_conn_string(path) as saver:
                        reached = await play(saver, durability, at, after)
        assert at > (1 if durability == "exit" else 8)

    asyncio.run(main())
