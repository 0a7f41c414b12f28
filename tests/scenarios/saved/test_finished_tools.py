"""Tools that finish beside one that asks run once, over all resumes, crashes and attempts of their node."""

from __future__ import annotations

import asyncio
import operator
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from typing_extensions import Annotated, TypedDict

from streamgraph.func import task
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.graph.message import push_message
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Command, RetryPolicy, Send, interrupt
from support.savers import open_saver
from support.waiting import eventually

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class State(MessagesState, total=False):
    seen: Annotated[List[str], operator.add]


def called(*names: str) -> Dict[str, Any]:
    """Return a state in which a model has called these tools."""
    calls: Any = [{"name": name, "args": {}, "id": f"call {number} {name}"} for number, name in enumerate(names)]
    return {"messages": [AIMessage("", tool_calls=calls)]}


class Tools:
    """Tools of a node, and how often each has run."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.asking = threading.Event()

    def of(self) -> List[Any]:
        ran, asking = self.ran, self.asking

        @tool
        def quick() -> str:
            """Finishes before anybody asks."""
            ran["quick"] += 1
            return "quick"

        @tool
        def late() -> str:
            """Finishes after the question."""
            eventually(asking.is_set)
            ran["late"] += 1
            return "late"

        @tool
        def ask() -> str:
            """Asks twice."""
            asking.set()
            ran["ask"] += 1
            return f"{interrupt('first')} {interrupt('second')}"

        @tool
        def move(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
            """Changes the state, and sends for a node."""
            ran["move"] += 1
            update = {"messages": [ToolMessage("moved", tool_call_id=tool_call_id)], "seen": ["move"]}
            return Command(update=update, goto=[Send("seer", {"seen": ["sent"]}), "seer"])

        @tool
        def push() -> str:
            """Writes to the state while it runs."""
            ran["push"] += 1
            push_message(AIMessage("pushed", id="pushed"))
            return "push"

        return [quick, late, ask, move, push]

    def graph(self, saver: Any, **policies: Any) -> Any:
        builder = StateGraph(State).add_node("tools", ToolNode(self.of()), **policies)
        builder.add_node("seer", lambda state: {"seen": ["seer"]})
        return builder.add_edge(START, "tools").compile(checkpointer=saver)


def answering(graph: Any, given: Any, mode: str, **options: Any) -> List[Any]:
    """Run a graph and answer what it asks, and return all outputs."""

    def run(given: Any) -> Any:
        if mode == "invoke":
            return graph.invoke(given, CONFIG, **options)
        if mode == "stream":
            return list(graph.stream(given, CONFIG, stream_mode="values", **options))[-1]

        async def arun() -> Any:
            if mode == "ainvoke":
                return await graph.ainvoke(given, CONFIG, **options)
            return [chunk async for chunk in graph.astream(given, CONFIG, stream_mode="values", **options)][-1]

        return asyncio.run(arun())

    outputs = [run(given)]
    while graph.get_state(CONFIG).interrupts:
        outputs.append(run(Command(resume=f"<{graph.get_state(CONFIG).interrupts[0].value}>")))
    return outputs


@pytest.mark.parametrize("mode", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_they_run_once_and_answer_in_order(kind: str, durability: str, mode: str, tmp_path: Path) -> None:
    tools = Tools()
    names = ("late", "ask", "quick", "move", "push")
    with open_saver(kind, tmp_path) as saver:
        outputs = answering(tools.graph(saver), called(*names), mode, durability=durability)
        final = tools.graph(saver).get_state(CONFIG).values
    assert len(outputs) == 3
    assert tools.ran == {"late": 1, "ask": 3, "quick": 1, "move": 1, "push": 1}
    contents = ["late", "<first> <second>", "quick", "moved", "push"]
    assert [message.content for message in final["messages"] if isinstance(message, ToolMessage)] == contents
    assert [message.content for message in final["messages"] if message.id == "pushed"] == ["pushed"]
    assert sorted(final["seen"]) == ["move", "seer", "seer"]


def test_an_attempt_after_a_failure_finds_them_as_well() -> None:
    """A tool fails beside one that asks: the node is tried again, and then asks."""
    tools, failed = Tools(), []

    @tool
    def fail() -> str:
        """Fails the first time, after the question."""
        eventually(tools.asking.is_set)
        failed.append(1)
        if len(failed) == 1:
            raise ConnectionError
        return "at last"

    node = ToolNode([*tools.of(), fail], handle_tool_errors=False)
    retry = RetryPolicy(initial_interval=0, max_attempts=2, retry_on=ConnectionError)
    builder = StateGraph(State).add_node("tools", node, retry_policy=retry).add_edge(START, "tools")
    graph = builder.compile(checkpointer=InMemorySaver())
    outputs = answering(graph, called("quick", "ask", "fail"), "invoke")
    assert [message.content for message in outputs[-1]["messages"][1:]] == ["quick", "<first> <second>", "at last"]
    assert tools.ran["quick"] == 1
    assert len(failed) == 2


def test_calls_without_a_usable_id_are_told_apart() -> None:
    """The same id twice, or none: each call has a result of its own."""
    count = Counter()

    @tool
    def echo(text: str) -> str:
        """Returns its argument."""
        count[text] += 1
        return text

    @tool
    def ask(text: str) -> str:
        """Asks."""
        return interrupt(text)

    builder = StateGraph(MessagesState).add_node("tools", ToolNode([echo, ask])).add_edge(START, "tools")
    graph = builder.compile(checkpointer=InMemorySaver())
    calls: Any = [
        {"name": name, "args": {"text": text}, "id": id_}
        for name, text, id_ in (("echo", "a", "x"), ("ask", "b", "x"), ("echo", "c", ""), ("ask", "d", ""))
    ]
    output = graph.invoke({"messages": [AIMessage("", tool_calls=calls)]}, CONFIG)
    assert [question.value for question in output["__interrupt__"]] == ["b", "d"]
    output = graph.invoke(Command(resume={q.id: q.value.upper() for q in output["__interrupt__"]}), CONFIG)
    assert [message.content for message in output["messages"][1:]] == ["a", "B", "c", "D"]
    assert count == {"a": 1, "c": 1}


def test_a_node_may_run_the_same_calls_twice() -> None:
    """Results belong to one run of the tool node: the second one in a node does not get those of the first."""
    tools = Tools()
    node = ToolNode(tools.of())

    def twice(state: Any) -> Any:
        texts = [message.content for _ in range(2) for message in node.invoke(state)["messages"]]
        return {"messages": AIMessage("|".join(texts))}

    builder = StateGraph(State).add_node("twice", twice).add_edge(START, "twice")
    outputs = answering(builder.compile(checkpointer=InMemorySaver()), called("quick", "ask"), "invoke")
    assert outputs[-1]["messages"][-1].content == "quick|<first> <second>|quick|<first> <second>"
    assert tools.ran["quick"] == 2


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
@pytest.mark.parametrize("what", ["graph", "task"])
def test_what_parallel_tools_call_is_told_apart(what: str, mode: str) -> None:
    """Each tool calls a graph or a `@task` that asks: whoever comes first, each gets its own state and answers."""
    turn: List[str] = []
    started = Counter()

    class Inner(TypedDict, total=False):
        name: str
        done: Annotated[List[str], operator.add]

    def once(state: Any) -> Any:
        started[state["name"]] += 1
        return {"done": [f"begun {state['name']}"]}

    def ask(state: Any) -> Any:
        return {"done": [f"{interrupt(state['name'])} for {state['name']}"]}

    inner = StateGraph(Inner).add_node(once).add_node(ask).add_edge(START, "once").add_edge("once", "ask").compile()

    @task
    def begin(name: str) -> str:
        started[name] += 1
        return f"begun {name}"

    @task
    def question(name: str) -> str:
        return f"{interrupt(name)} for {name}"

    @tool
    def visit(name: str) -> str:
        """Comes in the order of the first run, or in the opposite one."""
        eventually(lambda: turn[:1] == [name] or name not in turn)
        try:
            if what == "graph":
                return str(inner.invoke({"name": name})["done"])
            return str([begin(name).result(), question(name).result()])
        finally:
            if name in turn:
                turn.remove(name)

    names = ["ann", "bob", "cyd"]
    calls: Any = [{"name": "visit", "args": {"name": name}, "id": f"id {name}"} for name in names]
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([visit])).add_edge(START, "tools")
    graph = builder.compile(checkpointer=InMemorySaver())

    def run(given: Any) -> Any:
        return graph.invoke(given, CONFIG) if mode == "invoke" else asyncio.run(graph.ainvoke(given, CONFIG))

    turn[:] = names
    output = run({"messages": [AIMessage("", tool_calls=calls)]})
    assert sorted(question.value for question in output["__interrupt__"]) == names
    turn[:] = names[::-1]
    output = run(Command(resume={q.id: f"<{q.value}>" for q in output["__interrupt__"]}))
    wanted = [str([f"begun {name}", f"<{name}> for {name}"]) for name in names]
    assert [message.content for message in output["messages"][1:]] == wanted
    assert started == dict.fromkeys(names, 1)


CRASHING = """
import os, sys
from pathlib import Path
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import interrupt
from langchain_core.messages import AIMessage

folder, durability = Path(sys.argv[1]), sys.argv[2]


@tool
def pay() -> str:
    "Has an effect."
    with open(folder / "paid", "a") as file:
        file.write("paid\\n")
    return "paid"


@tool
def ask() -> str:
    "Asks, when the other one has paid."
    import time
    while not (folder / "paid").exists():
        time.sleep(0.001)
    return interrupt("Go on?")


@tool
def last() -> str:
    "The process dies while it runs, as soon as the result of `pay` is stored."
    import sqlite3, time
    if os.environ.get("SECOND"):
        return "last"
    while True:
        with sqlite3.connect(str(folder / "threads.sqlite")) as file:
            rows = file.execute("select channel from writes").fetchall()
        if ("__return__",) in rows:
            os._exit(3)
        time.sleep(0.001)


builder = StateGraph(MessagesState).add_node("tools", ToolNode([pay, ask, last])).add_edge(START, "tools")
config = {"configurable": {"thread_id": "1"}}
with SqliteSaver.from_conn_string(str(folder / "threads.sqlite")) as saver:
    graph = builder.compile(checkpointer=saver)
    calls = [{"name": name, "args": {}, "id": name} for name in ("pay", "ask", "last")]
    given = None if os.environ.get("SECOND") else {"messages": [AIMessage("", tool_calls=calls)]}
    print(graph.invoke(given, config, durability=durability)["__interrupt__"][0].value)
"""


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["sync", "async"])
def test_they_outlive_the_process(durability: str, tmp_path: Path) -> None:
    """A tool has finished and another one has asked when the process dies in a third one."""
    (tmp_path / "program.py").write_text(CRASHING)
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path), durability]
    first = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert first.returncode == 3, first.stderr
    environment = {**os.environ, "SECOND": "1"}
    second = subprocess.run(command, capture_output=True, text=True, timeout=150, env=environment)
    assert (second.returncode, second.stdout) == (0, "Go on?\n"), second.stderr
    assert (tmp_path / "paid").read_text() == "paid\n"


def test_what_cannot_be_stored_ends_the_run() -> None:
    """A failure of the saver, or a result that it cannot store, is told at once and not at the next resume."""

    class Failing(InMemorySaver):
        def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            if writes and writes[0][0] == "__return__":
                raise OSError("disk full")
            super().put_writes(config, writes, task_id, task_path)

    for mode in ("invoke", "astream"):
        for durability in ("sync", "async", "exit"):
            with pytest.raises(OSError, match="disk full"):
                answering(Tools().graph(Failing()), called("quick", "ask"), mode, durability=durability)


def test_calls_that_do_not_ask_store_nothing_more() -> None:
    class Counting(InMemorySaver):
        stored = 0

        def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            type(self).stored += 1
            super().put_writes(config, writes, task_id, task_path)

    run: Callable[[Any], Any] = lambda names: Tools().graph(Counting()).invoke(called(*names), CONFIG)  # noqa: E731
    run(["quick"])
    one, Counting.stored = Counting.stored, 0
    run(["quick", "quick", "quick"])
    assert Counting.stored == one


def test_a_fork_runs_everything_anew(tmp_path: Path) -> None:
    """What was kept belongs to the checkpoint at which the node was interrupted."""
    tools = Tools()
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        graph = tools.graph(saver)
        graph.invoke(called("quick", "ask"), CONFIG)
        before = graph.get_state(CONFIG).config
        graph.invoke(None, before)
    assert tools.ran["quick"] == 2
