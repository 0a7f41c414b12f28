"""Graphs and workflows that ask at every place where one can ask, and what they come to when each is answered."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Callable, Dict, List, NamedTuple

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from streamgraph.func import entrypoint, task
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import RetryPolicy, Send, ainterrupt, interrupt

GIVEN: Any = {"seen": ["in"]}


class State(TypedDict, total=False):
    seen: Annotated[List[str], operator.add]


class Place(NamedTuple):
    """Something that asks.

    Attributes:
        build: Makes it, given a function that is called at the top of the code that asks, and a saver.
        given: Its input.
        asked: All that it asks, sorted.
        read: Returns what it has come to, from its output.
        wanted: That, if each question is answered with `<question>`.
        tops: How often code that asks begins: as often as something asks, unless it runs again for each question.
    """

    build: Callable[[Callable[[], None], Any], Any]
    given: Any
    asked: List[str]
    read: Callable[[Any], Any]
    wanted: Any
    tops: int


def graph(saver: Any, *nodes: Any, **named: Any) -> Any:
    """A graph whose nodes all run in the first step."""
    builder = StateGraph(State)
    for name, node in {**{node.__name__: node for node in nodes}, **named}.items():
        builder.add_node(name, node).add_edge(START, name)
    return builder.compile(checkpointer=saver)


def asker(top: Callable[[], None], *questions: str) -> Any:
    def ask(state: Any) -> Dict[str, Any]:
        top()
        return {"seen": [interrupt(question) for question in questions]}

    return ask


def awaiting(top: Callable[[], None], *questions: str) -> Any:
    async def ask(state: Any) -> Dict[str, Any]:
        top()
        return {"seen": [await ainterrupt(question) for question in questions]}

    return ask


def plain(top: Callable[[], None], *questions: str) -> Any:
    async def ask(state: Any) -> Dict[str, Any]:
        top()
        await asyncio.sleep(0)
        return {"seen": [interrupt(question) for question in questions]}

    return ask


def nodes(make: Any) -> Any:
    """Two nodes beside each other, of which one asks twice, and one that asks nothing."""

    def build(top: Any, saver: Any) -> Any:
        return graph(saver, a=make(top, "a1", "a2"), b=make(top, "b"), c=lambda state: {"seen": ["c"]})

    return build


def nested(make: Any) -> Any:
    """A graph in a graph in a graph, as nodes."""

    def build(top: Any, saver: Any) -> Any:
        return graph(saver, outer=graph(None, inner=graph(None, a=make(top, "a"), b=make(top, "b"))))

    return build


def called(make: Any) -> Any:
    """A graph that is called in a node."""

    def build(top: Any, saver: Any) -> Any:
        inner = graph(None, a=make(top, "a"))
        return graph(saver, outer=lambda state: {"seen": inner.invoke(GIVEN)["seen"][1:]})

    return build


def acalled(make: Any) -> Any:
    """A graph that is called in an async node."""

    def build(top: Any, saver: Any) -> Any:
        inner = graph(None, a=make(top, "a"))

        async def outer(state: Any) -> Any:
            return {"seen": (await inner.ainvoke(GIVEN))["seen"][1:]}

        return graph(saver, outer)

    return build


def sent(make: Any) -> Any:
    """One node, several times."""

    def build(top: Any, saver: Any) -> Any:
        builder = StateGraph(State)

        def ask(given: Any) -> Any:
            top()
            return {"seen": [interrupt(given)]}

        async def aask(given: Any) -> Any:
            top()
            return {"seen": [await ainterrupt(given)]}

        builder.add_node("ask", ask if make is asker else aask)
        builder.add_conditional_edges(START, lambda state: [Send("ask", name) for name in "abc"], ["ask"])
        return builder.compile(checkpointer=saver)

    return build


def branch(top: Any, saver: Any) -> Any:
    """A branch that asks where to go."""

    def route(state: Any) -> str:
        top()
        return "yes" if interrupt("where?") == "<where?>" else END

    builder = StateGraph(State)
    builder.add_node("first", lambda state: {"seen": ["first"]}).add_node("yes", lambda state: {"seen": ["yes"]})
    builder.add_edge(START, "first").add_conditional_edges("first", route, ["yes", END])
    return builder.compile(checkpointer=saver)


def chain(top: Any, saver: Any) -> Any:
    """A question in the middle of a chain of LangChain's."""

    def ask(state: Any) -> str:
        top()
        return str(interrupt("in a chain"))

    return graph(saver, chain=RunnableLambda(ask) | RunnableLambda(lambda answer: {"seen": [answer]}))


def retried(top: Any, saver: Any) -> Any:
    """A node that fails once after its answer, which it keeps."""
    failures: List[int] = []

    def ask(state: Any) -> Any:
        answer = interrupt("once")
        if not failures:
            failures.append(1)
            raise ConnectionError
        top()
        return {"seen": [answer]}

    builder = StateGraph(State).add_node(ask, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    return builder.add_edge(START, "ask").compile(checkpointer=saver)


def tools(kind: str, names: str) -> Any:
    """Calls of a tool that asks."""

    def build(top: Any, saver: Any) -> Any:
        @tool
        def ask(name: str) -> str:
            """Ask."""
            top()
            return str(interrupt(name))

        @tool("ask")
        async def awaits(name: str) -> str:
            """Ask."""
            top()
            return str(await ainterrupt(name))

        @tool("ask")
        async def asks(name: str) -> str:
            """Ask."""
            top()
            return str(interrupt(name))

        node = ToolNode([{"sync": ask, "awaits": awaits, "plain": asks}[kind]])
        return StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile(checkpointer=saver)

    return build


def calls(names: str) -> Any:
    asked: Any = [{"name": "ask", "args": {"name": name}, "id": f"call {name}"} for name in names]
    return {"messages": [AIMessage("", tool_calls=asked)]}


def graph_in_tool(top: Any, saver: Any) -> Any:
    """A graph in a tool."""
    inner = graph(None, a=asker(top, "deep"))

    @tool
    def ask(name: str) -> str:
        """Ask."""
        return str(inner.invoke(GIVEN)["seen"][1])

    return (
        StateGraph(MessagesState)
        .add_node("tools", ToolNode([ask]))
        .add_edge(START, "tools")
        .compile(checkpointer=saver)
    )


def workflow(top: Any, saver: Any) -> Any:
    """Two tasks side by side that ask, and the workflow itself."""

    @task
    def ask(name: str) -> str:
        top()
        return str(interrupt(name))

    @entrypoint(checkpointer=saver)
    def flow(given: Any) -> List[str]:
        futures = [ask("a"), ask("b")]
        return [*(future.result() for future in futures), interrupt("c")]

    return flow


def aworkflow(make: str) -> Any:
    """The same, async."""

    def build(top: Any, saver: Any) -> Any:
        @task
        async def ask(name: str) -> str:
            top()
            return str(await ainterrupt(name) if make == "awaits" else interrupt(name))

        @entrypoint(checkpointer=saver)
        async def flow(given: Any) -> List[str]:
            answers = await asyncio.gather(ask("a"), ask("b"))
            return [*answers, await ainterrupt("c") if make == "awaits" else interrupt("c")]

        return flow

    return build


def seen(output: Any) -> List[str]:
    return sorted(output["seen"])


def said(output: Any) -> List[str]:
    return [message.content for message in output["messages"][1:]]


_NODES = (GIVEN, ["a1", "a2", "b"], seen, ["<a1>", "<a2>", "<b>", "c", "in"])
_NESTED = (GIVEN, ["a", "b"], lambda output: sorted(output["seen"])[:2], ["<a>", "<b>"])
_CALLED = (GIVEN, ["a"], seen, ["<a>", "in"])
_SENT = (GIVEN, ["a", "b", "c"], seen, ["<a>", "<b>", "<c>", "in"], 3)
_FLOW = (1, ["a", "b", "c"], lambda output: output, ["<a>", "<b>", "<c>"])


def _tools(names: str) -> Any:
    return calls(names), sorted(names), said, [f"<{name}>" for name in names]


SYNC: Dict[str, Place] = {
    "nodes": Place(nodes(asker), *_NODES, 2),
    "nested": Place(nested(asker), *_NESTED, 2),
    "called": Place(called(asker), *_CALLED, 1),
    "sent": Place(sent(asker), *_SENT),
    "branch": Place(branch, GIVEN, ["where?"], seen, ["first", "in", "yes"], 1),
    "chain": Place(chain, GIVEN, ["in a chain"], seen, ["<in a chain>", "in"], 1),
    "retried": Place(retried, GIVEN, ["once"], seen, ["<once>", "in"], 1),
    "tool": Place(tools("sync", "a"), *_tools("a"), 1),
    "tools": Place(tools("sync", "abc"), *_tools("abc"), 3),
    "graph in tool": Place(graph_in_tool, calls("a"), ["deep"], said, ["<deep>"], 1),
    "workflow": Place(workflow, *_FLOW, 2),
}
"""Code that blocks its thread while it waits."""

AWAITING: Dict[str, Place] = {
    "async nodes": Place(nodes(awaiting), *_NODES, 2),
    "async nested": Place(nested(awaiting), *_NESTED, 2),
    "async sent": Place(sent(awaiting), *_SENT),
    "async tool": Place(tools("awaits", "a"), *_tools("a"), 1),
    "async tools": Place(tools("awaits", "abc"), *_tools("abc"), 3),
    "async workflow": Place(aworkflow("awaits"), *_FLOW, 2),
    "async called": Place(acalled(awaiting), *_CALLED, 1),
}
"""Code that awaits the answer; nothing of it runs again."""

PLAIN: Dict[str, Place] = {
    "plain nodes": Place(nodes(plain), *_NODES, 5),
    "plain nested": Place(nested(plain), *_NESTED, 4),
    "plain tool": Place(tools("plain", "a"), *_tools("a"), 2),
    "plain tools": Place(tools("plain", "abc"), *_tools("abc"), 6),
    "plain workflow": Place(aworkflow("plain"), *_FLOW, 4),
}
"""Code on an event loop that asks with `interrupt()`, which runs again for each answer."""

PLACES = {**SYNC, **AWAITING, **PLAIN}
