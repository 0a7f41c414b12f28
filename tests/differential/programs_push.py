"""Programs about messages that a node hands over before it returns."""

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from differential.differences import OLD
from differential.harness import TOGETHER, Case, Lib, program
from differential.programs_flow import graph
from differential.programs_messages import chat, hello
from differential.programs_nested import line
from differential.programs_policies import of, retry

# `differences.py` gives the metadata of LangGraph before 1.0 what 1.x has in that of returned messages, and not of
# pushed ones.
QUIET = ("values", "updates", "tasks", "debug")
MODES = QUIET if OLD else (*QUIET, "custom", "messages", TOGETHER)
BOTH = (False, True)
VERSIONS = ("v1", "v2")


def pushing(lib: Lib, *pushed: Any, name: str = "p", returned: Any = None, **options: Any) -> Any:
    """A node that pushes these messages, and returns that."""
    push = of(lib, "graph.message.push_message")

    def node(state: Any) -> Any:
        for message in pushed:
            push(message, **options)
        return returned

    return name, node


def keyed(lib: Lib) -> Any:
    """A state with two lists of messages and a plain key."""
    messages = Annotated[list, lib.add_messages]
    return TypedDict("Keyed", {"messages": messages, "ms": messages, "y": int}, total=False)


@program(modes=MODES, versions=VERSIONS)
def push_and_return_nothing(lib: Lib) -> Case:
    return Case(chat(lib, pushing(lib, AIMessage("early", id="m1")), ("after", lambda state: None)), hello(lib))


@program(modes=MODES)
def push_several_kinds(lib: Lib) -> Case:
    kinds = [AIMessage("ai", id="m1"), HumanMessage("human", id="m2"), SystemMessage("system", id="m3")]
    return Case(chat(lib, pushing(lib, *kinds)), hello(lib))


@program(modes=MODES)
def push_a_dict(lib: Lib) -> Case:
    return Case(chat(lib, pushing(lib, {"role": "assistant", "content": "by dict", "id": "m1"})), hello(lib))


@program(modes=MODES)
def push_without_a_key(lib: Lib) -> Case:
    return Case(chat(lib, pushing(lib, AIMessage("aside", id="m1"), state_key=None)), hello(lib))


@program(modes=MODES)
def push_without_a_key_and_return_another(lib: Lib) -> Case:
    returned = {"messages": [AIMessage("real", id="m2")]}
    return Case(chat(lib, pushing(lib, AIMessage("aside", id="m1"), state_key=None, returned=returned)), hello(lib))


@program(modes=MODES)
def push_without_a_key_and_return_it(lib: Lib) -> Case:
    message = AIMessage("shown first", id="m1")
    return Case(chat(lib, pushing(lib, message, state_key=None, returned={"messages": [message]})), hello(lib))


@program(modes=MODES)
def push_to_another_key(lib: Lib) -> Case:
    node = pushing(lib, AIMessage("elsewhere", id="m1"), state_key="ms", returned={"y": 1})
    return Case(line(lib, node, schema=keyed(lib)), hello(lib))


@program(modes=MODES)
def push_to_two_keys(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    def node(state: Any) -> dict:
        push(AIMessage("here", id="m1"))
        push(AIMessage("there", id="m2"), state_key="ms")
        return {"ms": [AIMessage("returned", id="m3")]}

    return Case(line(lib, ("p", node), schema=keyed(lib)), hello(lib))


@program(modes=MODES)
def push_one_id_twice(lib: Lib) -> Case:
    twice = [AIMessage("first", id="m1"), AIMessage("second", id="m1")]
    return Case(chat(lib, pushing(lib, *twice)), hello(lib))


@program(modes=MODES)
def push_one_id_in_two_nodes(lib: Lib) -> Case:
    nodes = [pushing(lib, AIMessage(f"of {name}", id="m1"), name=name) for name in "ab"]
    return Case(chat(lib, *nodes), hello(lib))


@program(modes=MODES)
def push_and_return_it(lib: Lib) -> Case:
    message = AIMessage("both ways", id="m1")
    return Case(chat(lib, pushing(lib, message, returned={"messages": [message]})), hello(lib))


@program(modes=MODES)
def push_and_return_more(lib: Lib) -> Case:
    message = AIMessage("both ways", id="m1")
    returned = {"messages": [message, AIMessage("only returned", id="m2")]}
    return Case(chat(lib, pushing(lib, message, returned=returned)), hello(lib))


@program(modes=MODES)
def push_and_return_in_a_later_node(lib: Lib) -> Case:
    def again(state: Any) -> dict:
        return {"messages": [state["messages"][-1]]}

    return Case(chat(lib, pushing(lib, AIMessage("once", id="m1")), again), hello(lib))


@program(modes=MODES)
def push_and_go(lib: Lib) -> Case:
    returned = lib.Command(update={"messages": [AIMessage("on the way", id="m2")]}, goto="b")
    name, node = pushing(lib, AIMessage("before", id="m1"), returned=returned)
    builder = graph(lib, [(name, node), ("b", lambda state: None)], [(lib.START, name)], lib.MessagesState)
    return Case(builder.compile(), hello(lib))


@program(modes=MODES)
def push_before_a_branch(lib: Lib) -> Case:
    def route(state: Any) -> str:
        return "b" if [message.id for message in state["messages"]] == ["h1", "m1", "m2"] else "c"

    node = pushing(lib, AIMessage("pushed", id="m1"), returned={"messages": [AIMessage("returned", id="m2")]})
    nodes = [node, ("b", lambda state: None), ("c", lambda state: None)]
    builder = graph(lib, nodes, [(lib.START, "p")], lib.MessagesState)
    builder.add_conditional_edges("p", route, ["b", "c"])
    return Case(builder.compile(), hello(lib))


@program(modes=MODES, async_nodes=True)
def push_in_an_async_node(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    async def node(state: Any) -> dict:
        push(AIMessage("pushed", id="m1"))
        return {"messages": [AIMessage("returned", id="m2")]}

    twin = pushing(lib, AIMessage("pushed", id="m1"), returned={"messages": [AIMessage("returned", id="m2")]})
    return Case(chat(lib, ("p", lib.pick(node, twin[1]))), hello(lib))


@program(modes=MODES, ordered=False)
def push_in_parallel_nodes(lib: Lib) -> Case:
    nodes = [pushing(lib, AIMessage(f"of {name}", id=name), name=name) for name in "ba"]
    return Case(graph(lib, nodes, [(lib.START, "a"), (lib.START, "b")], lib.MessagesState).compile(), hello(lib))


@program(modes=MODES, ordered=False)
def push_in_send_tasks(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    def work(state: Any) -> None:
        push(AIMessage(state["topic"], id=state["topic"]))

    builder = graph(lib, [work], [], lib.MessagesState)
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("work", {"topic": t}) for t in "ab"], ["work"])
    return Case(builder.compile(), hello(lib))


@program(modes=MODES, subgraphs=BOTH, versions=VERSIONS)
def push_in_a_nested_graph(lib: Lib) -> Case:
    inner = chat(lib, pushing(lib, AIMessage("inside", id="m1"), name="i"))
    return Case(chat(lib, ("sub", inner), pushing(lib, AIMessage("outside", id="m2"))), hello(lib))


@program(modes=MODES, subgraphs=BOTH)
def push_and_return_in_a_nested_graph(lib: Lib) -> Case:
    message = AIMessage("both ways", id="m1")
    inner = chat(lib, pushing(lib, message, name="i", returned={"messages": [message]}))
    return Case(chat(lib, ("sub", inner)), hello(lib))


@program(modes=MODES, subgraphs=BOTH)
def push_without_a_key_in_a_nested_graph(lib: Lib) -> Case:
    inner = chat(lib, pushing(lib, AIMessage("aside", id="m1"), name="i", state_key=None))
    return Case(chat(lib, ("sub", inner)), hello(lib))


@program(modes=MODES, subgraphs=BOTH)
def push_three_levels_deep(lib: Lib) -> Case:
    deepest = chat(lib, pushing(lib, AIMessage("deep", id="m1"), name="deep"))
    middle = chat(lib, pushing(lib, AIMessage("above", id="m2"), name="above"), ("deepest", deepest))
    return Case(chat(lib, ("middle", middle)), hello(lib))


@program(modes=MODES, subgraphs=BOTH)
def push_in_a_graph_called_in_a_node(lib: Lib) -> Case:
    inner = chat(lib, pushing(lib, AIMessage("inside", id="m1"), name="i"))

    def call(state: Any) -> dict:
        return {"messages": inner.invoke({"messages": [HumanMessage("inner", id="i1")]})["messages"][-1:]}

    return Case(chat(lib, call), hello(lib))


@program(modes=MODES)
def push_in_a_tool(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    @tool
    def look(q: str) -> str:
        """Look."""
        push(AIMessage(f"looking for {q}", id="m1"))
        return f"found {q}"

    def act(state: Any) -> dict:
        return {"messages": [HumanMessage(look.invoke({"q": "ice"}), id="t1")]}

    return Case(chat(lib, act), hello(lib))


@program(modes=MODES)
def push_in_a_chain(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    def first(state: Any) -> str:
        push(AIMessage("first step", id="m1"))
        return "on"

    def second(text: str) -> dict:
        push(AIMessage("second step", id="m2"))
        return {"messages": [AIMessage(text, id="m3")]}

    return Case(chat(lib, ("chain", RunnableLambda(first) | RunnableLambda(second))), hello(lib))


@program(modes=MODES)
def push_without_an_id(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    def node(state: Any) -> dict:
        try:
            push(AIMessage("nameless"))
        except ValueError as error:
            return {"messages": [AIMessage(str(error)[:22], id="m1")]}
        return {}

    return Case(chat(lib, ("p", node)), hello(lib))


@program(modes=("values", "updates", "tasks"))
def push_and_fail_once(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")
    attempts: list[int] = []

    def node(state: Any) -> None:
        attempts.append(1)
        push(AIMessage(f"attempt {len(attempts)}", id=f"m{len(attempts)}"))
        if len(attempts) == 1:
            raise ConnectionError("once")

    builder = lib.StateGraph(lib.MessagesState)
    builder.add_node("p", node, retry_policy=retry(lib))
    builder.add_edge(lib.START, "p")
    return Case(builder.compile(), hello(lib))


@program(modes=MODES)
def push_an_id_of_the_history(lib: Lib) -> Case:
    return Case(chat(lib, pushing(lib, AIMessage("in place of the first", id="h1"))), hello(lib))


@program(modes=("values", "updates") if OLD else ("messages", "custom", ("values", "messages", "custom")))
def push_and_fail(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    def node(state: Any) -> None:
        push(AIMessage("last words", id="m1"))
        raise ValueError("boom")

    return Case(chat(lib, ("p", node)), hello(lib))
