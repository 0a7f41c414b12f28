"""Programs with graphs, commands and tools of both libraries."""

from __future__ import annotations

import operator
from typing import Annotated, Any, List

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import add_messages as their_add_messages
from typing_extensions import TypedDict

from differential.mixing import OURS, Call, MixedLib, agent, calls, mixed, model
from streamgraph.graph import add_messages as our_add_messages


class OurState(TypedDict, total=False):
    messages: Annotated[List[Any], our_add_messages]
    log: Annotated[List[str], operator.add]


class TheirState(TypedDict, total=False):
    messages: Annotated[List[Any], their_add_messages]
    log: Annotated[List[str], operator.add]


def builder(lib: MixedLib, **options: Any) -> Any:
    return lib.StateGraph(OurState if lib is OURS else TheirState, **options)


def given() -> Any:
    return {"messages": [HumanMessage("hi", id="h1")], "log": []}


def around(lib: MixedLib, node: Any, *more: Any, **options: Any) -> Call:
    """A graph with this node, called `sub`, and after it these functions."""
    graph, before = builder(lib).add_node("sub", node).add_edge(lib.START, "sub"), "sub"
    for function in more:
        graph.add_node(function).add_edge(before, function.__name__)
        before = function.__name__
    return Call(graph.compile(**options), given())


def speaking(lib: MixedLib, name: str, asynchronous: bool) -> Any:
    """A graph that writes, streams tokens, and returns messages with ids and without."""
    llm = model("one two")

    def ask(state: Any) -> Any:
        lib.get_stream_writer()({"asking": name})
        return {"messages": [llm.invoke(state["messages"])], "log": [name]}

    async def aask(state: Any) -> Any:
        lib.get_stream_writer()({"asking": name})
        return {"messages": [await llm.ainvoke(state["messages"])], "log": [name]}

    def tell(state: Any) -> Any:
        return {"messages": [AIMessage("told", id=f"told-{name}"), AIMessage("more", id=f"more-{name}")]}

    graph = builder(lib).add_node("ask", aask if asynchronous else ask).add_node(tell)
    return graph.add_edge(lib.START, "ask").add_edge("ask", "tell").compile(name=name)


@mixed()
def graph_as_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def after(state: Any) -> Any:
        return {"messages": [AIMessage("after", id="after")]}

    return around(outer, speaking(inner, "inner", asynchronous), after)


@mixed()
def graphs_called_in_a_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """The second call has a namespace of its own."""
    one, two = (speaking(inner, name, asynchronous) for name in ("one", "two"))

    def node(state: Any) -> Any:
        messages = two.invoke({"messages": one.invoke(state)["messages"]})["messages"]
        return {"messages": messages, "log": ["called"]}

    async def anode(state: Any) -> Any:
        messages = (await two.ainvoke({"messages": (await one.ainvoke(state))["messages"]}))["messages"]
        return {"messages": messages, "log": ["called"]}

    return around(outer, anode if asynchronous else node)


@mixed()
def both_called_in_a_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """Graphs of both libraries are counted together."""
    one, two = speaking(inner, "one", False), speaking(outer, "two", False)

    def node(state: Any) -> Any:
        messages = two.invoke({"messages": one.invoke(state)["messages"]})["messages"]
        return {"messages": messages, "log": ["called"]}

    return around(outer, node)


@mixed()
def three_levels(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """A graph of the one in one of the other in one of the one."""

    def mine(state: Any) -> Any:
        inner.get_stream_writer()("mine")
        return {"log": ["mine"]}

    low = speaking(outer, "low", asynchronous)
    middle = builder(inner).add_node("low", low).add_node(mine).add_edge(inner.START, "low").add_edge("low", "mine")
    return around(outer, middle.compile())


@mixed()
def four_levels(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    low = speaking(inner, "low", asynchronous)
    third = builder(outer).add_node("low", low).add_edge(outer.START, "low").compile()
    second = builder(inner).add_node("third", third).add_edge(inner.START, "third").compile()
    return around(outer, second)


def _is_command_message(chunk: Any) -> bool:
    """A message in a command for the parent is shown when it enters the parent's state."""
    return "messages" in chunk and getattr(chunk[-1][0], "id", None) == "going"


@mixed(dropped=_is_command_message)
def command_for_the_parent(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def go(state: Any) -> Any:
        update = {"log": ["go"], "messages": [AIMessage("going", id="going")]}
        return inner.Command(graph=inner.Command.PARENT, goto="other", update=update)

    def other(state: Any) -> Any:
        return {"log": ["other"]}

    sub = builder(inner).add_node(go).add_edge(inner.START, "go").compile()
    graph = builder(outer).add_node("sub", sub).add_node(other).add_edge(outer.START, "sub")
    return Call(graph.compile(), given())


@mixed(ordered=False)
def commands_through_two_levels(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def go(state: Any) -> Any:
        return inner.Command(graph=inner.Command.PARENT, goto="middle", update={"log": ["go"]})

    def middle(state: Any) -> Any:
        goto = [inner.Send("other", {"log": ["sent"]}), "other"]
        return inner.Command(graph=inner.Command.PARENT, goto=goto, update={"log": ["middle"]})

    def other(state: Any) -> Any:
        return {"log": ["other", *state["log"]]}

    low = builder(inner).add_node(go).add_edge(inner.START, "go").compile()
    sub = builder(inner).add_node("low", low).add_node(middle).add_edge(inner.START, "low").compile()
    graph = builder(outer).add_node("sub", sub).add_node(other).add_edge(outer.START, "sub")
    return Call(graph.compile(), given())


@mixed()
def command_from_a_called_graph(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """A graph that is called in a node sends its command to the graph of that node."""

    def go(state: Any) -> Any:
        return inner.Command(graph=inner.Command.PARENT, goto="other", update=[("log", ["go"])])

    def other(state: Any) -> Any:
        return {"log": ["other"]}

    low = builder(inner).add_node(go).add_edge(inner.START, "go").compile()

    def sub(state: Any) -> Any:
        return low.invoke(state)

    async def asub(state: Any) -> Any:
        return await low.ainvoke(state)

    graph = builder(outer).add_node("sub", asub if asynchronous else sub).add_node(other).add_edge(outer.START, "sub")
    return Call(graph.compile(), given())


@mixed()
def messages_in_commands(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """A nested node returns messages in commands, alone and in a list."""

    def one(state: Any) -> Any:
        return inner.Command(goto="two", update={"messages": [AIMessage("one", id="one")]})

    def two(state: Any) -> Any:
        return [inner.Command(update={"messages": AIMessage("two", id="two")}), {"log": ["two"]}]

    sub = builder(inner).add_node(one).add_node(two).add_edge(inner.START, "one").compile()
    return around(outer, sub)


@mixed()
def failing_graph(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def boom(state: Any) -> Any:
        inner.get_stream_writer()("soon")
        raise ValueError("boom")

    return around(outer, builder(inner).add_node(boom).add_edge(inner.START, "boom").compile())


@mixed()
def endless_graph(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def again(state: Any) -> Any:
        return {"log": ["again"]}

    sub = builder(inner).add_node(again).add_edge(inner.START, "again").add_edge("again", "again").compile()
    call = around(outer, sub)
    call.config = {"recursion_limit": 3}
    return call


@mixed()
def retried_graph(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """A graph that fails once, in a node with the other library's policy where that is ours."""
    failures = [ValueError("once")]

    def shaky(state: Any) -> Any:
        inner.get_stream_writer()("trying")
        if failures:
            raise failures.pop()
        return {"log": ["done"]}

    sub = builder(inner).add_node(shaky).add_edge(inner.START, "shaky").compile()
    policy = (inner if outer is OURS else outer).RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError)
    graph = builder(outer).add_node("sub", sub, retry_policy=policy).add_edge(outer.START, "sub")
    return Call(graph.compile(), given())


class Context(TypedDict):
    user: str


@mixed()
def context_store_and_config(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def low(state: Any, config: Any, runtime: Any, store: Any = None) -> Any:
        return {"log": [f"{runtime.context['user']} {runtime.store} {config['configurable']['tenant']}"]}

    # LangGraph finds the parameter by its annotation.
    low.__annotations__["runtime"] = inner.Runtime
    low.__annotations__["config"] = "RunnableConfig"
    sub = builder(inner, context_schema=Context).add_node(low).add_edge(inner.START, "low").compile()
    graph = builder(outer, context_schema=Context).add_node("sub", sub).add_edge(outer.START, "sub")
    config = {"configurable": {"tenant": "T"}}
    return Call(graph.compile(store="the store"), given(), config, {"context": {"user": "me"}})


@mixed(inside=False)
def functions_of_the_other_library(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """LangGraph's functions work in our nodes."""

    def node(state: Any) -> Any:
        inner.get_stream_writer()("written")
        runtime = inner.get_runtime()
        runtime.stream_writer("written, too")
        tenant = inner.get_config()["configurable"]["tenant"]
        return {"log": [f"{runtime.context['user']} {runtime.store} {inner.get_store()} {tenant}"]}

    graph = builder(outer, context_schema=Context).add_node(node).add_edge(outer.START, "node")
    config = {"configurable": {"tenant": "T"}}
    return Call(graph.compile(store="the store"), given(), config, {"context": {"user": "me"}})


@mixed(inside=False, ordered=False)
def returned_commands(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """Commands and sends of LangGraph from nodes and branches: alone, in lists, nested."""

    def a(state: Any) -> Any:
        return inner.Command(goto="b", update={"log": ["a"]})

    def b(state: Any) -> Any:
        return [inner.Command(goto=[inner.Send("c", {"log": ["sent"]}), "d"]), {"log": ["b"]}]

    def c(state: Any) -> Any:
        return {"log": ["c", *state["log"]]}

    def d(state: Any) -> Any:
        return {"log": ["d"]}

    def route(state: Any) -> Any:
        return [inner.Send("e", {"log": ["routed"]}), "f"]

    def e(state: Any) -> Any:
        return {"log": ["e", *state["log"]]}

    def f(state: Any) -> Any:
        return outer.Command(goto=inner.Send("g", {"log": ["by f"]}))

    def g(state: Any) -> Any:
        return {"log": ["g", *state["log"]]}

    graph = builder(outer).add_edge(outer.START, "a").add_conditional_edges("d", route, ["e", "f"])
    for node in (a, b, c, d, e, f, g):
        graph.add_node(node)
    return Call(graph.compile(), given())


@mixed(inside=False)
def entrypoint_as_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    @inner.task
    def look(text: str) -> str:
        return f"found {text}"

    @inner.entrypoint()
    def work(state: Any) -> Any:
        inner.get_stream_writer()("looking")
        return {"log": [look("this").result(), look("that").result()]}

    return around(outer, work)


@mixed()
def graph_in_an_entrypoint(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    sub = speaking(inner, "inner", False)

    @outer.entrypoint()
    def work(value: Any) -> Any:
        outer.get_stream_writer()("working")
        return sub.invoke(value)["log"]

    return Call(work, given())


@mixed()
def graph_in_a_task(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    sub = speaking(inner, "inner", False)

    @outer.task
    def step(value: Any) -> Any:
        return sub.invoke(value)["log"]

    @outer.entrypoint()
    def work(value: Any) -> Any:
        return step(value).result()

    return Call(work, given())


@tool
def look(q: str) -> str:
    """Look it up."""
    from langgraph.config import get_stream_writer

    get_stream_writer()({"looking": q})
    return f"found {q}"


def helper() -> Any:
    return agent([look], calls("look", q="x"), "all done")


@mixed(inside=False)
def agent_as_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    def after(state: Any) -> Any:
        return {"messages": [AIMessage("after", id="after")]}

    return around(outer, helper(), after)


@mixed(inside=False)
def agent_called_in_a_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    assistant = helper()

    def node(state: Any) -> Any:
        return {"messages": [assistant.invoke(state)["messages"][-1]]}

    async def anode(state: Any) -> Any:
        return {"messages": [(await assistant.ainvoke(state))["messages"][-1]]}

    return around(outer, anode if asynchronous else node)


@mixed(inside=False)
def agent_in_a_tool_of_an_agent(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    assistant = helper()

    @tool
    def ask(q: str) -> str:
        """Ask the other one."""
        return str(assistant.invoke({"messages": [HumanMessage(q, id="q")]})["messages"][-1].content)

    return around(outer, agent([ask], calls("ask", q="y"), "the end"))


@mixed(inside=False)
def agent_in_a_tool_of_a_tool_node(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    assistant = helper()

    @tool
    def ask(q: str) -> str:
        """Ask the other one."""
        return str(assistant.invoke({"messages": [HumanMessage(q, id="q")]})["messages"][-1].content)

    call = around(outer, outer.ToolNode([ask]))
    asked = AIMessage("", id="a1", tool_calls=calls("ask", q="y").tool_calls)
    call.input = {"messages": [HumanMessage("hi", id="h1"), asked]}
    return call


@mixed(inside=False)
def handing_over(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    """An agent whose tool hands over to another agent of the graph."""
    from langgraph.types import Command

    @tool
    def to_other(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Hand over."""
        return Command(graph=Command.PARENT, goto="other", update={"log": [f"over by {tool_call_id}"]})

    graph = builder(outer).add_node("one", agent([to_other], calls("to_other"), "unreached"))
    graph.add_node("other", agent([], "here I am")).add_edge(outer.START, "one")
    return Call(graph.compile(), given())


@mixed(inside=False)
def tool_node_of_the_other_library(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    @tool
    def jump(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Jump."""
        answer = ToolMessage("jumped", tool_call_id=tool_call_id, id="jumped")
        return inner.Command(goto="other", update={"messages": [answer], "log": ["jump"]})

    def other(state: Any) -> Any:
        return {"log": ["other"]}

    graph = builder(outer).add_node("sub", inner.ToolNode([jump])).add_node(other).add_edge(outer.START, "sub")
    asked = AIMessage("", id="a1", tool_calls=calls("jump").tool_calls)
    return Call(graph.compile(), {"messages": [asked], "log": []})


@mixed(ordered=False)
def parallel_graphs(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    graph = builder(outer)
    for name in ("one", "two", "three"):
        graph.add_node(name, speaking(inner, name, asynchronous)).add_edge(outer.START, name)
    return Call(graph.compile(), {"messages": [HumanMessage("hi", id="h1")], "log": []})


@mixed(inside=False, ordered=False)
def parallel_agents(outer: MixedLib, inner: MixedLib, asynchronous: bool) -> Call:
    graph = builder(outer)
    for name in ("one", "two"):
        graph.add_node(name, helper()).add_edge(outer.START, name)
    return Call(graph.compile(), {"messages": [HumanMessage("hi", id="h1")], "log": []})
