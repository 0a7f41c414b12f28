"""A question that one library asks is answered through the other, at every turn of a thread."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from differential.saved.graphs import Library, Nodes, State
from differential.saved.transcripts import OLD

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def _asks(lib: Library, *questions: str) -> Callable[[Any], Any]:
    return lambda state: {"seen": [lib.types.interrupt(question) for question in questions]}


def in_turn(lib: Library) -> Any:
    builder = lib.builder("z").add_node("ask", _asks(lib, "first", "second", "third"))
    return builder.add_edge("__start__", "ask").add_edge("ask", "z").compile


def beside_each_other(lib: Library) -> Any:
    builder = lib.builder("also", "z")
    for name in ("a", "b", "c"):
        builder.add_node(name, _asks(lib, f"{name}?", f"{name}??")).add_edge("__start__", name)
    return builder.add_edge("__start__", "also").add_edge(["a", "b", "c", "also"], "z").compile


def sent(lib: Library) -> Any:
    builder = lib.builder("z").add_node("ask", lambda number: {"seen": [lib.types.interrupt(f"number {number}")]})
    builder.add_conditional_edges("__start__", lambda state: [lib.types.Send("ask", at) for at in range(3)], ["ask"])
    return builder.add_edge("ask", "z").compile


def in_a_branch(lib: Library) -> Any:
    builder = lib.builder("a", "z").add_edge("__start__", "a")

    def where(state: Any) -> str:
        return "z" if lib.types.interrupt("where?") else "__end__"

    return builder.add_conditional_edges("a", where, ["z", "__end__"]).compile


def inside(lib: Library) -> Any:
    inner = lib.builder("first").add_node("ask", _asks(lib, "inner", "and again"))
    inner.add_edge("__start__", "first").add_edge("first", "ask")
    middle = lib.builder("before").add_node("inner", inner.compile())
    middle.add_edge("__start__", "before").add_edge("before", "inner")
    builder = lib.builder("z").add_node("middle", middle.compile()).add_node("beside", _asks(lib, "beside"))
    builder.add_edge("__start__", "middle").add_edge("__start__", "beside")
    return builder.add_edge(["middle", "beside"], "z").compile


def called(lib: Library) -> Any:
    """A graph that is called in a node, twice."""
    inner = lib.builder().add_node("ask", _asks(lib, "inner")).add_edge("__start__", "ask").compile()

    def node(state: Any) -> Any:
        return {"seen": [inner.invoke({"seen": [number]})["seen"] for number in range(2)]}

    return lib.builder().add_node("node", node).add_edge("__start__", "node").compile


def remembered(lib: Library) -> Any:
    """A nested graph with a memory that is run twice."""
    inner = lib.builder("first").add_node("ask", _asks(lib, "inner"))
    inner.add_edge("__start__", "first").add_edge("first", "ask")
    graph = inner.compile(checkpointer=True)
    builder = lib.builder("z").add_node("inner", graph).add_edge("__start__", "inner")

    def again(state: Any) -> str:
        return "inner" if state["seen"].count("first") < 3 else "z"

    return builder.add_conditional_edges("inner", again, ["inner", "z"]).compile


def stopped_inside(lib: Library) -> Any:
    """Breakpoints of graphs in nodes."""
    inner = lib.builder("first", "second").add_edge("__start__", "first").add_edge("first", "second")
    builder = lib.builder("z").add_node("inner", inner.compile(interrupt_before=["second"], interrupt_after=["second"]))
    return builder.add_edge("__start__", "inner").add_edge("inner", "z").compile


def workflow(lib: Library) -> Any:
    func = importlib.import_module(lib.types.__name__.replace(".types", ".func"))

    @func.task
    def double(number: int) -> int:
        return number * 2

    @func.task
    def asks(number: int) -> Any:
        return lib.types.interrupt(f"task {number}")

    def compiled(checkpointer: Any) -> Any:
        @func.entrypoint(checkpointer=checkpointer)
        def flow(given: Any) -> Any:
            first = lib.types.interrupt("first")
            futures = [asks(double(number).result()) for number in range(2)]
            return {"seen": [first, *(future.result() for future in futures), lib.types.interrupt("last")]}

        return flow

    return compiled


def handler(lib: Library) -> Any:
    def fails(state: Any) -> Any:
        raise ValueError("broken")

    def handles(state: Any) -> Any:
        return {"seen": ["handled", lib.types.interrupt("what now?"), lib.types.interrupt("really?")]}

    builder = lib.builder("z").add_node("fails", fails, error_handler=handles).add_node("beside", _asks(lib, "beside"))
    return builder.add_edge("__start__", "fails").add_edge("__start__", "beside").add_edge("beside", "z").compile


def tool(lib: Library) -> Any:
    """A tool that asks, in a `ToolNode` with one call."""
    prebuilt = importlib.import_module(lib.types.__name__.replace(".types", ".prebuilt"))

    def pay(euros: int) -> str:
        """Pay."""
        return f"{lib.types.interrupt('sure?')} {lib.types.interrupt('really?')}"

    call = AIMessage("", tool_calls=[{"name": "pay", "args": {"euros": 1}, "id": "1"}])
    node = prebuilt.ToolNode([pay])

    def tools(state: Any) -> Any:
        return {"seen": [message.content for message in node.invoke({"messages": [call]})["messages"]]}

    return lib.builder("z").add_node("tools", tools).add_edge("__start__", "tools").add_edge("tools", "z").compile


PROGRAMS: List[Any] = [
    *(in_turn, beside_each_other, sent, in_a_branch, inside, called, stopped_inside, workflow, tool, remembered)
]
if "error_handler" in inspect.signature(Nodes().theirs().builder(state=State).add_node).parameters:
    PROGRAMS.append(handler)
SHOWS_ONE = (workflow,)
"""LangGraph shows one of several `@task`s that ask, so that the turns differ; the end does not."""

TURNS = [("theirs", "ours"), ("ours", "theirs"), ("ours", "ours"), ("theirs", "theirs", "ours")]


def _play(program: Any, sides: Tuple[str, ...], *, together: bool, asynchronous: bool) -> Tuple[List[Any], Any]:
    """Answer until nothing is asked any more; return what was asked at each turn, and the end."""
    nodes, saver = Nodes(), InMemorySaver()
    given: Any = {"seen": ["i"]}
    asked: List[Any] = []
    for turn in range(20):
        lib = getattr(nodes, sides[turn % len(sides)])()
        graph = program(lib)(checkpointer=saver)
        if asynchronous and sides[turn % len(sides)] == "ours":
            output = asyncio.run(graph.ainvoke(given, CONFIG, durability="sync"))
        else:
            output = graph.invoke(given, CONFIG, durability="sync")
        questions = sorted(output.pop("__interrupt__", ()), key=lambda question: question.value)
        if not questions and not graph.get_state(CONFIG).next:
            return asked, output
        asked.append([question.value for question in questions])
        answers: Dict[str, str] = {question.id: f"<{question.value}>" for question in questions}
        chosen = answers if together else dict(list(answers.items())[:1])
        given = getattr(nodes, sides[(turn + 1) % len(sides)])().types.Command(resume=chosen) if chosen else None
    raise AssertionError(f"it asks for ever: {asked}")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("sides", TURNS, ids=" ".join)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_taking_turns(program: Any, sides: Tuple[str, ...], together: bool, asynchronous: bool) -> None:
    """The same is asked, and the same comes out, as if LangGraph had done it alone."""
    asked, output = _play(program, sides, together=together, asynchronous=asynchronous)
    wanted, end = _play(program, ("theirs",), together=together, asynchronous=asynchronous)
    assert output == end
    if not OLD and program not in SHOWS_ONE:  # before 1.2 a task has one id for all its questions
        assert asked == wanted
