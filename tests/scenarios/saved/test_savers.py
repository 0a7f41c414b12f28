"""Threads in every saver of the family: failed runs go on, conversations remember, states are read and changed."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from typing_extensions import Annotated, TypedDict

from streamgraph.func import entrypoint, task
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.types import Command, Send, interrupt
from support.savers import ASYNC, SYNC, aopen_saver, open_saver

DURABILITIES = ("sync", "async", "exit")


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


class Log(NamedTuple):
    """What the nodes have done, and whether one of them fails."""

    ran: List[str]
    broken: List[bool]


def thread(name: str = "1", **more: Any) -> Dict[str, Any]:
    return {"configurable": {"thread_id": name, **more}, "max_concurrency": 1}


def failing_graph(log: Log) -> StateGraph[State]:
    """A graph in which `late` fails beside finished nodes; `asynchronous` can only be awaited."""

    def note(name: str) -> Any:
        def node(state: Any) -> Any:
            log.ran.append(name)
            if name == "late" and log.broken[0]:
                raise ValueError("late is broken")
            return {"seen": [name]}

        return node

    async def asynchronous(state: State) -> State:
        await asyncio.sleep(0)
        log.ran.append("asynchronous")
        return {"seen": ["asynchronous"]}

    builder = StateGraph(State)
    for name in ("first", "good", "late", "last", "sent"):
        builder.add_node(name, note(name))
    builder.add_node("asynchronous", asynchronous)
    builder.add_edge(START, "first")
    builder.add_conditional_edges(
        "first", lambda state: ["asynchronous", "good", "late"], ["asynchronous", "good", "late"]
    )
    builder.add_edge(["asynchronous", "good", "late"], "last")
    builder.add_conditional_edges("last", lambda state: [Send("sent", {}), Send("sent", {})], ["sent"])
    return builder


WHOLE = ["in", "first", "asynchronous", "good", "late", "last", "sent", "sent"]


@pytest.mark.parametrize("kind", SYNC)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_failed_run_goes_on(kind: str, durability: Any, tmp_path: Path) -> None:
    log = Log([], [True])
    with open_saver(kind, tmp_path) as saver:
        graph = failing_graph(log).compile(checkpointer=saver)
        with pytest.raises(ValueError, match="late is broken"):
            graph.invoke({"seen": ["in"]}, thread(), durability=durability)
        state = graph.get_state(thread())
        assert state.next == ("late",)
        assert state.values == {"seen": WHOLE[:4]}
        assert [task.error for task in state.tasks if task.name == "late"] == ["ValueError('late is broken')"]
        log.broken[0] = False
        log.ran.clear()
        assert graph.invoke(None, thread(), durability=durability) == {"seen": WHOLE}
        assert log.ran == ["late", "last", "sent", "sent"]
        assert graph.get_state(thread()).next == ()
        again = graph.invoke({"seen": ["more"]}, thread(), durability=durability)
        assert again == {"seen": [*WHOLE, "more", *WHOLE[1:]]}


@pytest.mark.parametrize("kind", ASYNC)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_failed_async_run_goes_on(kind: str, durability: Any, tmp_path: Path) -> None:
    log = Log([], [True])

    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = failing_graph(log).compile(checkpointer=saver)
            with pytest.raises(ValueError, match="late is broken"):
                await graph.ainvoke({"seen": ["in"]}, thread(), durability=durability)
            state = await graph.aget_state(thread())
            assert (state.next, state.values) == (("late",), {"seen": WHOLE[:4]})
            log.broken[0] = False
            log.ran.clear()
            chunks = [chunk async for chunk in graph.astream(None, thread(), durability=durability)]
            assert log.ran == ["late", "last", "sent", "sent"]
            assert chunks[:2] == [
                {"asynchronous": {"seen": ["asynchronous"]}, "__metadata__": {"cached": True}},
                {"good": {"seen": ["good"]}, "__metadata__": {"cached": True}},
            ]
            history = [snapshot async for snapshot in graph.aget_state_history(thread())]
            assert history[0].values == {"seen": WHOLE}
            changed = await graph.aupdate_state(thread(), {"seen": ["changed"]}, as_node="last")
            assert (await graph.aget_state(changed)).next == ("sent", "sent")

    asyncio.run(main())


@pytest.mark.parametrize("kind", SYNC)
def test_a_conversation_remembers(kind: str, tmp_path: Path) -> None:
    """Messages keep their ids, and are shown once each."""

    def answer(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"answer {len(state['messages'])}")]}

    with open_saver(kind, tmp_path) as saver:
        graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile(checkpointer=saver)
        shown: List[str] = []
        for turn in range(3):
            stream = graph.stream({"messages": [HumanMessage(f"turn {turn}")]}, thread(), stream_mode="messages")
            shown += [message.text if isinstance(message.text, str) else message.text() for message, _ in stream]
        messages = graph.get_state(thread()).values["messages"]
        assert [type(message) for message in messages] == [HumanMessage, AIMessage] * 3
        assert len({message.id for message in messages}) == 6
        assert [text for text in shown if text] == ["answer 1", "answer 3", "answer 5"]
        assert graph.invoke({"messages": []}, thread("other"))["messages"][0].content == "answer 0"


@pytest.mark.parametrize("kind", SYNC)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_workflow_goes_on(kind: str, durability: Any, tmp_path: Path) -> None:
    ran: List[str] = []

    @task
    def double(number: int) -> int:
        ran.append(f"double {number}")
        return number * 2

    with open_saver(kind, tmp_path) as saver:

        @entrypoint(checkpointer=saver)
        def workflow(number: int, *, previous: Any = None) -> Any:
            doubled = double(number).result()
            more = interrupt(f"add to {doubled}?")
            return entrypoint.final(value=[doubled + more, previous], save=doubled)

        first = workflow.invoke(1, thread(), durability=durability)
        assert [question.value for question in first["__interrupt__"]] == ["add to 2?"]
        assert workflow.invoke(Command(resume=10), thread(), durability=durability) == [12, None]
        assert ran == ["double 1"]
        workflow.invoke(2, thread(), durability=durability)
        assert workflow.invoke(Command(resume=0), thread(), durability=durability) == [4, 2]


@pytest.mark.parametrize("kind", [kind for kind in ASYNC if kind.startswith("async")])
def test_async_savers_in_sync_runs(kind: str, tmp_path: Path) -> None:
    """A sync run in a thread stores in a saver whose loop runs elsewhere."""

    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = failing_graph(Log([], [False])).compile(checkpointer=saver)
            final = await asyncio.to_thread(graph.invoke, {"seen": ["in"]}, thread())
            assert final == {"seen": WHOLE}
            assert (await graph.aget_state(thread())).values == final

    asyncio.run(main())
