"""What a task's config offers for reading the state and writing to it."""

from __future__ import annotations

import asyncio
import operator
import threading
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from streamgraph import END, START, StateGraph
from streamgraph.config import get_config
from streamgraph.errors import InvalidUpdateError, UnknownOptionError, UnknownRouteError
from streamgraph.func import entrypoint, task
from streamgraph.graph.message import add_messages, push_message
from streamgraph.managed import RemainingSteps
from streamgraph.prebuilt import ToolNode
from streamgraph.types import RetryPolicy, Send
from support.list_graphs import State, both, chat, drivers, line, texts

READ, SEND = "__pregel_read", "__pregel_send"


def read(select: Any, fresh: bool = True, config: Any = None) -> Any:
    return (config or get_config())["configurable"][READ](select, fresh)


def send(*writes: Any, config: Any = None) -> None:
    (config or get_config())["configurable"][SEND](list(writes))


def merged(left: dict, right: dict) -> dict:
    return {**left, **right}


class Files(TypedDict, total=False):
    """Files that are merged, and a list that grows."""

    files: Annotated[dict, merged]
    x: Annotated[list, operator.add]
    p: Any


def test_reading_and_writing():
    """A task reads what was there, with `fresh` also what it has sent; both writes are applied in order."""
    seen = []

    def node(state, config):
        send(("x", ["sent"]), config=config)
        seen.append((read("x", False, config), read("x", True, config), read(["x", "p"], True, config)))
        return {"x": ["returned"]}

    async def anode(state, config):
        await asyncio.sleep(0)
        return node(state, config)

    for action in (node, anode):
        seen.clear()
        graph = line(("a", lambda state: {"x": ["before"]}), ("n", action))
        chunks = both(graph, {"x": ["in"]})
        assert seen == [(["in", "before"], ["in", "before", "sent"], {"x": ["in", "before", "sent"]})] * 2
        assert chunks[-1] == {"n": [{"x": ["sent"]}, {"x": ["returned"]}]}
        assert graph.invoke({"x": []})["x"] == ["before", "sent", "returned"]


def test_what_is_read_is_the_receivers():
    """Changing a value in place changes neither the state nor the next reading."""

    def node(state):
        for fresh in (False, True):
            read("x", fresh).append("changed")
            read(["x"], fresh)["x"].append("changed")
        send(("x", ["sent"]))
        read("x").append("changed")
        assert read("x") == ["in", "sent"]

    assert line(("n", node)).invoke({"x": ["in"]}) == {"x": ["in", "sent"]}


def test_keys_without_a_value():
    """A key without a value is `None` alone, and left out among others; computed keys can be read too."""
    seen = []

    class Counted(TypedDict, total=False):
        left: RemainingSteps
        x: list
        p: Any

    def node(state: Counted):
        seen.append((read("p"), read(["x", "p", "left"], False), read("left")))
        return {"p": 1}

    line(("n", node), schema=Counted).invoke({"x": []}, {"recursion_limit": 7})
    assert seen == [(None, {"x": [], "left": 6}, 6)]


@pytest.mark.parametrize("trace", [True, False])
def test_branches(trace):
    """A branch reads what its node has written; what it sends comes last, and is seen by the next branch."""
    seen = []

    def route(state, config):
        seen.append(read("x", True, config))
        send(("x", [f"route {len(seen)}"]), config=config)
        return END

    def node(state):
        send(("x", ["sent"]))
        return {"x": ["returned"]}

    builder = StateGraph(State).add_node("n", node).add_edge(START, "n")
    for name in ("one", "two"):
        builder.add_conditional_edges("n", RunnableLambda(route, name=name) if trace else _named(route, name))
    (chunk,) = builder.compile().stream({"x": []})
    assert seen == [["sent", "returned"], ["sent", "returned", "route 1"]]
    assert [write["x"][0] for write in chunk["n"]] == ["sent", "returned", "route 1", "route 2"]
    assert builder.compile().invoke({"x": []})["x"][-1] == "route 4"


def _named(function, name):
    def call(state, config):
        return function(state, config)

    call.__name__ = name
    return call


def file_tools():
    """Tools that keep files in the state, as those of deepagents do."""

    @tool
    def write(name: str) -> str:
        """Write a file."""
        send(("files", {name: "text"}))
        return f"wrote {sorted(read('files') or {})}"

    @tool
    async def awrite(name: str, config: RunnableConfig) -> str:
        """Write a file without blocking."""
        send(("files", {name: "text"}), config=config)
        return f"wrote {sorted(read('files', True, config) or {})}"

    return [write, awrite]


class Agent(TypedDict, total=False):
    """Messages and files."""

    messages: Annotated[list, add_messages]
    files: Annotated[dict, merged]


def test_tools():
    """Tools of a `ToolNode` that run at once lose no write, and read what was sent before."""
    many = 20
    calls = [ToolCall(name="write", args={"name": f"f{i}"}, id=str(i), type="tool_call") for i in range(many)]
    calls.append(ToolCall(name="awrite", args={"name": "last"}, id="last", type="tool_call"))
    graph = line(("tools", ToolNode(file_tools())), schema=Agent)
    given = {"messages": [AIMessage("", tool_calls=calls)], "files": {"old": "text"}}
    for result in (graph.invoke(given), asyncio.run(graph.ainvoke(given))):
        assert set(result["files"]) == {"old", "last", *(f"f{i}" for i in range(many))}
        assert all("'old'" in message.content for message in result["messages"][1:])
    sent = Send("tools", [{**calls[0], "type": "tool_call"}])
    builder = StateGraph(Agent).add_node("tools", ToolNode(file_tools()))
    builder.set_conditional_entry_point(lambda state: [sent], ["tools"])
    assert set(builder.compile().invoke({"messages": [], "files": {"old": "text"}})["files"]) == {"old", "f0"}


def test_threads_and_nested_calls():
    """A thread that the node started writes with the config, and a chain in the node with the config it inherits."""

    def node(state, config):
        threads = [threading.Thread(target=send, args=(("x", [i]),), kwargs={"config": config}) for i in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (RunnableLambda(lambda given: given) | RunnableLambda(lambda given: send(("x", ["chain"])))).invoke(0)
        assert read("x")[-1] == "chain"

    assert sorted(line(("n", node)).invoke({"x": []})["x"][:-1]) == list(range(10))


def test_nested_graphs_have_their_own():
    """In a nested graph the state is that graph's."""
    seen = []

    def inner_node(state):
        send(("x", ["inner"]))
        seen.append(read("x"))

    inner = line(("deep", inner_node))

    def node(state):
        send(("x", ["outer"]))
        result = inner.invoke({"x": ["given"]})
        seen.append(read("x"))
        return {"p": result["x"]}

    assert line(("n", node)).invoke({"x": []}) == {"x": ["outer"], "p": ["given", "inner"]}
    assert seen == [["given", "inner"], ["outer"]]


def test_called_tasks_write_for_their_node():
    """A `@task` has no state of its own: it reads and writes that of the node in which it is called."""

    @task
    def work(text):
        send(("x", [text]))
        push_message(AIMessage("pushed", id="p"), state_key=None)
        return read("x")

    def node(state):
        return {"p": work("one").result()}

    assert line(("n", node)).invoke({"x": ["in"]}) == {"x": ["in", "one"], "p": ["in", "one"]}


def test_pushed_messages_of_called_tasks():
    """A message that a `@task` pushes is written by the node that called it."""

    @task
    def work():
        push_message(AIMessage("pushed", id="p"))

    def node(state):
        work().result()

    assert [m.content for m in chat(("n", node)).invoke({"messages": "hi"})["messages"]] == ["hi", "pushed"]


def test_messages_are_shown_once():
    """A message that was sent is shown and stored once, whatever the node returns."""
    message = AIMessage("sent")

    def node(state):
        send(("messages", [message]))
        assert [m.content for m in read("messages")] == ["hi", "sent"]
        return {"messages": [message]}

    for chunks in drivers(chat(("n", node)), {"messages": [HumanMessage("hi")]}, stream_mode="messages").values():
        assert texts(chunks) == ["sent"]
    assert len(chat(("n", node)).invoke({"messages": "hi"})["messages"]) == 2


def test_sends():
    """A `Send` that is written starts a node, as if the node had returned it; it is no update."""

    def node(state):
        send(("__pregel_tasks", Send("w", {"x": ["told"]})), ("x", ["a"]))

    builder = StateGraph(State).add_node("n", node).add_node("w", lambda state: {"x": state["x"]})
    chunks = both(builder.set_entry_point("n").compile(), {"x": []})
    assert chunks == [{"n": {"x": ["a"]}}, {"w": {"x": ["told"]}}]


def test_retries_forget():
    """What a failed attempt has sent is not written."""
    attempts = []

    def node(state):
        attempts.append(read("x"))
        send(("x", [len(attempts)]))
        if len(attempts) == 1:
            raise KeyError("again")

    builder = StateGraph(State).set_entry_point("n")
    builder.add_node("n", node, retry_policy=RetryPolicy(initial_interval=0, retry_on=KeyError))
    assert builder.compile().invoke({"x": []}) == {"x": [2]}
    assert attempts == [[], []]


def test_bad_keys():
    """Unknown keys and nodes are refused where they are named, with the closest right one."""

    def node(state):
        with pytest.raises(InvalidUpdateError, match=r"(?s)'file'.*Did you mean 'files'"):
            send(("x", ["lost"]), ("file", {}))
        with pytest.raises(UnknownOptionError, match=r"(?s)'file'.*Did you mean 'files'"):
            read("file")
        with pytest.raises(UnknownOptionError, match="'y'"):
            read(["x", "y"], False)
        with pytest.raises(UnknownRouteError, match="'m'"):
            send(("__pregel_tasks", Send("m", {})))

    assert line(("n", node), schema=Files).invoke({"x": []}) == {"x": [], "files": {}}


def test_workflows_have_no_keys():
    """A workflow has no state to write to."""

    @entrypoint()
    def flow(given):
        with pytest.raises(InvalidUpdateError, match="__end__"):
            send(("__end__", 1))
        return read("__end__")

    assert flow.invoke(1) is None


def test_too_late():
    """What is sent after the end of the task is lost, and that is said."""
    held: List[Any] = []
    graph = line(("n", lambda state, config: held.append(config)), ("after", lambda state: late()))

    def late():
        with pytest.warns(RuntimeWarning, match="'x' was sent after its task 'n' had ended"):
            send(("x", ["late"]), config=held[0])

    assert graph.invoke({"x": []}) == {"x": []}


def test_nobody_else_sees_the_functions():
    """They are in the config of a task, and neither in metadata nor in the config of an independent run."""
    seen = []

    def node(state, config):
        seen.append(sorted(key for key in config["metadata"] if "pregel" in key))
        assert {READ, SEND} <= set(config["configurable"])

    list(line(("n", node)).stream({"x": []}, {"configurable": {"thread_id": "1"}}, stream_mode="debug"))
    assert seen == [[]]
