"""Savers that fail in any of their methods, at any call: the error is theirs, and the thread goes on when they work."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Awaitable, Callable, Dict, Iterator, List

import pytest
import trio
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import EventLoopError
from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, Send, interrupt
from support.minimal_savers import MINIMAL

DURABILITIES = ("sync", "async", "exit")
CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}, "max_concurrency": 1}


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


class BrokenSaver(RuntimeError):
    """What the saver raises."""


class FailingSaver(InMemorySaver):
    """A saver that fails once, in the call with a number; its async methods call the others."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1
        self.failed = ""

    def _called(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = name
            raise BrokenSaver(name)

    def get_tuple(self, config: Any) -> Any:
        self._called("get_tuple")
        return super().get_tuple(config)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        self._called("put")
        return super().put(*args, **kwargs)

    def put_writes(self, *args: Any, **kwargs: Any) -> Any:
        self._called("put_writes")
        return super().put_writes(*args, **kwargs)

    def get_next_version(self, current: Any, channel: Any) -> Any:
        self._called("get_next_version")
        return super().get_next_version(current, channel)

    def list(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self._called("list")
        yield from super().list(*args, **kwargs)


def note(name: str) -> Callable[[Any], State]:
    return lambda state: {"seen": [name]}


def build(saver: Any) -> Any:
    """A join behind a nested graph, a question, and tasks that are sent."""
    inner = StateGraph(State).add_node("x", note("x")).add_edge(START, "x")
    graph = StateGraph(State).add_node("a", note("a")).add_node("b", note("b"))
    graph.add_node("inner", lambda state: {"seen": [compiled.invoke({"seen": []})["seen"][-1]]})
    graph.add_node("ask", lambda state: {"seen": [interrupt("?")]})
    graph.add_node("sent", lambda state: {"seen": [state["number"]]})
    graph.add_edge(START, "a").add_edge("a", "b").add_edge("a", "inner").add_edge(["b", "inner"], "ask")
    graph.add_conditional_edges(
        "ask", lambda state: [Send("sent", {"number": 1}), Send("sent", {"number": 2})], ["sent"]
    )
    compiled = inner.compile()
    return graph.compile(checkpointer=saver)


PAUSED = ["in", "a", "b", "x"]
WHOLE = [*PAUSED, "human", "yes", 1, 2]


class Program:
    """What is done to a graph, each act again if it has failed: the same, sync and async.

    Args:
        saver: The saver.
        durability: The durability of its runs.
        asynchronous: The async methods are called.
    """

    def __init__(self, saver: Any, durability: Any, asynchronous: bool) -> None:
        self.saver = saver
        self.graph = build(saver)
        self.durability = durability
        self.asynchronous = asynchronous

    async def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if not self.asynchronous:
            return getattr(self.graph, name)(*args, **kwargs)
        return await getattr(self.graph, f"a{name}")(*args, **kwargs)

    async def run(self, given: Any) -> Any:
        return await self._call("invoke", given, CONFIG, durability=self.durability)

    async def begin(self) -> None:
        """Run to the question."""
        state = self.graph.get_state(CONFIG)
        if state.next != ("ask",) or not state.interrupts:
            assert (await self.run(None if state.created_at else {"seen": ["in"]}))["seen"] == PAUSED

    async def look(self) -> None:
        """Read the state and the history."""
        assert (await self._call("get_state", CONFIG, subgraphs=True)).next == ("ask",)
        if self.asynchronous:
            assert [state async for state in self.graph.aget_state_history(CONFIG)][0].next == ("ask",)
        else:
            assert next(iter(self.graph.get_state_history(CONFIG))).next == ("ask",)

    async def change(self) -> None:
        """Change the state, if that has not been done."""
        if "human" not in self.graph.get_state(CONFIG).values["seen"]:
            await self._call("update_state", CONFIG, {"seen": ["human"]}, as_node="inner")
            await self._call("update_state", CONFIG, None, as_node="__copy__")

    async def answer(self) -> None:
        """Answer the question, or go on if it has been answered."""
        state = self.graph.get_state(CONFIG)
        if not state.interrupts and state.values["seen"] == [*PAUSED, "human"] and state.next == ("ask",):
            await self.run(None)  # ask again: the changed state is another one than that which asked
            state = self.graph.get_state(CONFIG)
        if state.values["seen"] != WHOLE:  # `next` is empty when every task of a step is stored, but the step is not
            await self.run(Command(resume="yes") if state.interrupts else None)
        assert self.graph.get_state(CONFIG).values["seen"] == WHOLE


def records(saver: FailingSaver) -> int:
    return len(list(InMemorySaver.list(saver, {"configurable": {"thread_id": "1"}})))


async def play(durability: Any, asynchronous: bool, calls: int) -> str:
    """Do everything with a saver that fails in one call, and return the name of the method."""
    saver = FailingSaver()
    program = Program(saver, durability, asynchronous)
    acts: List[Callable[[], Awaitable[None]]] = [program.begin, program.look, program.change, program.answer]
    saver.left = calls
    for act in acts:
        before = records(saver)
        try:
            await act()
        except BrokenSaver as error:
            assert str(error) == saver.failed
            assert act != program.look or records(saver) == before
            await act()
    return saver.failed


@pytest.mark.slow
@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_call_fails_once(durability: Any, asynchronous: bool) -> None:
    failed: List[str] = []
    while not failed or failed[-1]:
        failed.append(asyncio.run(play(durability, asynchronous, len(failed) + 1)))
    assert set(failed) == {"get_tuple", "put", "put_writes", "get_next_version", "list", ""}


@pytest.mark.parametrize("kind", [InMemorySaver, *MINIMAL])
def test_no_loop_of_asyncio(kind: Any) -> None:
    """Under trio the async methods say what to do instead, whichever methods the saver has."""
    graph = build(kind())

    async def main() -> None:
        acts: List[Callable[[], Awaitable[Any]]] = [
            lambda: graph.ainvoke({"seen": ["in"]}, CONFIG),
            lambda: graph.aget_state(CONFIG),
            lambda: graph.aupdate_state(CONFIG, {"seen": []}, as_node="a"),
            lambda: graph.aget_state_history(CONFIG).__anext__(),
        ]
        for act in acts:
            with pytest.raises(EventLoopError, match=r"need asyncio's event loop.* trio\.to_thread\.run_sync"):
                await act()
        assert (await trio.to_thread.run_sync(graph.get_state, CONFIG)).created_at is None
        done = await trio.to_thread.run_sync(graph.invoke, {"seen": ["in"]}, CONFIG)
        assert done["seen"] == PAUSED

    trio.run(main)
