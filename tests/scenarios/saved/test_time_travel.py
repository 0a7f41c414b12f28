"""Going back to earlier states: only what is due there runs, inside as well, and questions are answered there."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, Send, StateGraph
from streamgraph.func import entrypoint, task
from streamgraph.types import interrupt
from support.savers import ASYNC, aopen_saver

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


class Noting:
    """Makes nodes that note that they run, and graphs of them."""

    def __init__(self) -> None:
        self.ran: List[str] = []

    def node(self, name: str, *, asks: bool = False) -> Any:
        def run(state: Any) -> Any:
            self.ran.append(name)
            return {"x": [f"{name}:{interrupt(name)}" if asks else name]}

        return run

    def chain(self, *names: str, **options: Any) -> Any:
        """A graph of nodes one after the other; those with a question mark ask."""
        builder, before = StateGraph(State), START
        for name in names:
            builder.add_node(name.rstrip("?"), self.node(name.rstrip("?"), asks=name.endswith("?")))
            builder.add_edge(before, name.rstrip("?"))
            before = name.rstrip("?")
        return builder.compile(**options)

    def nested(self, saver: Any, *, remembers: bool = False, levels: int = 1) -> Any:
        """The node `a`, graphs in graphs of which the innermost is `b`, `ask`, `c`, and `z`."""
        graph = self.chain("b", "ask?", "c", checkpointer=remembers or None)
        for level in range(levels - 1):
            builder = StateGraph(State).add_node(f"level{level}", graph).add_edge(START, f"level{level}")
            graph = builder.compile(checkpointer=remembers or None)
        builder = StateGraph(State).add_node("a", self.node("a")).add_node("inner", graph)
        builder.add_node("z", self.node("z")).add_edge(START, "a").add_edge("a", "inner").add_edge("inner", "z")
        return builder.compile(checkpointer=saver)

    async def run(self, graph: Any, given: Any, config: Any, asynchronous: bool) -> Dict[str, Any]:
        self.ran.clear()
        result = await graph.ainvoke(given, config) if asynchronous else graph.invoke(given, config)
        return dict(result)


async def innermost(graph: Any, config: Any, asynchronous: bool) -> Any:
    """The state of the innermost graph whose task is not finished."""
    options: Any = {"subgraphs": True}
    state = await graph.aget_state(config, **options) if asynchronous else graph.get_state(config, **options)
    while state.tasks and hasattr(state.tasks[0].state, "tasks"):
        state = state.tasks[0].state
    return state


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ASYNC)
def test_back_inside(kind: str, asynchronous: bool, tmp_path: Path) -> None:
    """From a state inside runs what is due there, and no node before it (LangGraph #8458 runs the whole graph)."""

    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            noting = Noting()
            graph = noting.nested(saver)
            with_async = asynchronous or kind.startswith("async")
            await noting.run(graph, {"x": []}, CONFIG, with_async)
            asked = (await innermost(graph, CONFIG, with_async)).config
            await noting.run(graph, Command(resume="yes"), CONFIG, with_async)
            assert noting.ran == ["ask", "c", "z"]

            again = await noting.run(graph, None, asked, with_async)
            assert noting.ran == ["ask"]
            assert [question.value for question in again["__interrupt__"]] == ["ask"]
            done = await noting.run(graph, Command(resume="no"), CONFIG, with_async)
            assert noting.ran == ["ask", "c", "z"]
            assert done["x"][-3:] == ["ask:no", "c", "z"]

    asyncio.run(main())


@pytest.mark.parametrize("remembers", [False, True])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_every_state_inside(levels: int, remembers: bool) -> None:
    """From each state of the innermost graph runs what followed it, and the end is that of the first run."""
    noting = Noting()
    graph = noting.nested(InMemorySaver(), remembers=remembers, levels=levels)
    graph.invoke({"x": []}, CONFIG)
    config = asyncio.run(innermost(graph, CONFIG, False)).config
    inside = {"configurable": {key: config["configurable"][key] for key in ("thread_id", "checkpoint_ns")}}
    first = graph.invoke(Command(resume="yes"), CONFIG)
    states = list(graph.get_state_history(inside))
    assert [state.next for state in states] == [(), ("c",), ("ask",), ("b",), (START,)]
    ran = [["z"], ["c", "z"], ["ask", "c", "z"], ["b", "ask", "c", "z"], ["b", "ask", "c", "z"]]
    for state, expected in zip(states, ran):
        noting.ran.clear()
        result = graph.invoke(None, state.config)
        if "__interrupt__" in result:
            noting.ran.remove("ask")  # it runs again with the answer
            result = graph.invoke(Command(resume="yes"), CONFIG)
        assert noting.ran == expected
        assert result == first


def test_back_inside_one_of_several() -> None:
    """Of several graphs in the tasks of one step, the one whose state is named goes back; the others begin anew."""
    noting = Noting()
    inner = noting.chain("b", "ask?", "c")
    builder = StateGraph(State).add_node("inner", inner)
    builder.add_conditional_edges(START, lambda state: [Send("inner", {"x": [at]}) for at in range(3)], ["inner"])
    graph = builder.compile(checkpointer=InMemorySaver())
    questions = graph.invoke({"x": []}, CONFIG)["__interrupt__"]
    second = graph.get_state(CONFIG, subgraphs=True).tasks[1].state
    assert second.values == {"x": [1, "b"]}
    graph.invoke(Command(resume={question.id: "yes" for question in questions}), CONFIG)
    noting.ran.clear()
    again = graph.invoke(None, second.config)["__interrupt__"]
    assert sorted(noting.ran) == ["ask", "ask", "ask", "b", "b"]
    done = graph.invoke(Command(resume={question.id: "no" for question in again}), CONFIG)
    assert done["x"] == [at for task in ([0], [1], [2]) for at in (*task, "b", "ask:no", "c")]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize("remembers", [False, True])
def test_answer_an_old_question(levels: int, remembers: bool, asynchronous: bool) -> None:
    """An answer at an earlier state counts there (LangGraph #6663 takes the old one), and nothing before it runs."""

    async def main() -> None:
        noting = Noting()
        saver = InMemorySaver()
        graph = (
            noting.nested(saver, remembers=remembers, levels=levels)
            if levels
            else noting.chain("a", "b", "ask?", "c", "z", checkpointer=saver)
        )
        await noting.run(graph, {"x": []}, CONFIG, asynchronous)
        asked = graph.get_state(CONFIG).config
        first = await noting.run(graph, Command(resume="R1"), CONFIG, asynchronous)
        await noting.run(graph, {"x": ["more"]}, CONFIG, asynchronous)
        second = await noting.run(graph, Command(resume="R3"), asked, asynchronous)
        assert noting.ran == ["ask", "c", "z"]
        assert second["x"] == [item.replace("R1", "R3") for item in first["x"]]
        assert graph.get_state(CONFIG).values == second

    asyncio.run(main())


def test_answer_an_old_question_of_a_workflow() -> None:
    """The `@task`s of a workflow run again, as what they have returned came of the other answer."""
    ran: List[str] = []

    @task
    def work(text: str) -> str:
        ran.append(text)
        return text.upper()

    @entrypoint(checkpointer=InMemorySaver())
    def workflow(given: str) -> List[str]:
        first = work(given).result()
        answer = interrupt("?")
        return [first, work(answer).result()]

    workflow.invoke("a", CONFIG)
    asked = workflow.get_state(CONFIG).config
    assert workflow.invoke(Command(resume="b"), CONFIG) == ["A", "B"]
    assert workflow.invoke(Command(resume="c"), asked) == ["A", "C"]
    assert ran == ["a", "b", "a", "c"]


def test_a_loop_after_going_back() -> None:
    """A graph that keeps its state goes back once, and goes on from its own results in the next rounds."""
    seen: List[List[Any]] = []

    def inside(state: State) -> Any:
        seen.append(list(state["x"]))
        return {"x": ["in"]}

    inner = StateGraph(State).add_node("in", inside).add_edge(START, "in").compile(checkpointer=True)
    builder = StateGraph(State).add_node("count", lambda state: {"x": ["."]}).add_node("inner", lambda state: run())
    builder.add_edge(START, "count").add_edge("count", "inner")
    builder.add_conditional_edges(
        "inner", lambda state: "count" if state["x"].count(".") % 2 else "__end__", ["count", "__end__"]
    )

    def run() -> Any:
        inner.invoke({"x": []})
        return {}

    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke({"x": []}, CONFIG)
    graph.invoke({"x": []}, CONFIG)
    assert [len(values) for values in seen] == [0, 1, 2, 3]
    start = next(state for state in graph.get_state_history(CONFIG) if state.next == ("count",) and len(seen) == 4)
    for state in graph.get_state_history(CONFIG):
        if state.next == ("count",) and state.values["x"].count(".") == 2:
            start = state
            break
    seen.clear()
    graph.invoke(None, start.config)
    assert [len(values) for values in seen] == [2, 3]


def test_a_thread_of_its_own() -> None:
    """A graph that a node calls with another thread is saved there, as a root graph, and remembers."""
    saver = InMemorySaver()
    child = Noting().chain("n", checkpointer=saver)
    other: Any = {"configurable": {"thread_id": "other"}}
    builder = StateGraph(State).add_node("call", lambda state: child.invoke({"x": []}, other) and {})
    graph = builder.add_edge(START, "call").compile(checkpointer=saver)
    for times in (1, 2):
        graph.invoke({"x": []}, CONFIG)
        state = child.get_state(other)
        assert state.values == {"x": ["n"] * times}
        assert state.config["configurable"]["checkpoint_ns"] == ""


def test_an_undeclared_graph_is_read_with_the_root() -> None:
    """Code of a node may run graphs that no node names; their states can be read as far as keys agree, not changed."""
    graphs = {"inner": Noting().chain("b", "c")}
    builder = StateGraph(State).add_node("call", lambda state: {"x": [len(graphs["inner"].invoke({"x": []})["x"])]})
    graph = builder.add_edge(START, "call").compile(checkpointer=InMemorySaver())
    ns = [ns for ns, _ in graph.stream({"x": []}, CONFIG, subgraphs=True) if ns][0]
    inside: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": ns[0]}}
    assert graph.get_state(inside).values == {"x": ["b", "c"]}
    assert [state.values.get("x") for state in graph.get_state_history(inside)] == [["b", "c"], ["b"], [], []]
    with pytest.raises(ValueError, match="Subgraph call not found"):
        graph.update_state(inside, {"x": ["edit"]})
