"""Programs whose nodes and branches are `RunnableCallable`s, as in `langchain.agents.create_agent`."""

from typing import Any, Literal

from langchain_core.runnables import RunnableConfig, RunnableLambda
from typing_extensions import TypedDict

from differential.harness import SPOKEN, Case, Lib, program
from differential.models import words
from differential.programs_flow import graph, put
from differential.programs_messages import TOLD, chat, hello
from differential.programs_nested import line


def two_sided(lib: Lib, name: str, **options: Any) -> Any:
    """A node with a sync and an async function that do the same."""

    def work(state: Any, config: RunnableConfig) -> dict:
        lib.get_stream_writer()(config["metadata"]["langgraph_node"])
        return {"x": [name]}

    async def awork(state: Any, config: RunnableConfig) -> dict:
        return work(state, config)

    # LangGraph's writer is not found in an async function before Python 3.11, so the twins run the sync one.
    return name, lib.RunnableCallable(work, lib.pick(awork, None), name=name, **options)


@program(modes=SPOKEN, async_nodes=True)
def callable_nodes(lib: Lib) -> Case:
    return Case(line(lib, two_sided(lib, "a"), two_sided(lib, "b", trace=False), put("c")), {"x": []})


@program(modes=TOLD, versions=("v1", "v2"))
def callable_node_with_a_model(lib: Lib) -> Case:
    model = words("tell me now")

    def ask(state: Any) -> dict:
        return {"messages": [model.invoke("question")]}

    return Case(chat(lib, ("ask", lib.RunnableCallable(ask, trace=False)), lambda state: None), hello(lib))


@program(modes=TOLD)
def callable_node_in_a_chain(lib: Lib) -> Case:
    model = words("tell me now")
    ask = lib.RunnableCallable(lambda state: model.invoke("question"), name="ask")
    return Case(chat(lib, ("ask", ask | RunnableLambda(lambda message: {"messages": [message]}))), hello(lib))


@program()
def callable_branches(lib: Lib) -> Case:
    def route(state: Any) -> Literal["b", "c"]:
        return "c" if state["x"] == ["a"] else "b"

    builder = graph(lib, [put("a"), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lib.RunnableCallable(route, trace=False))
    builder.add_conditional_edges("c", lib.RunnableCallable(lambda state: "b", name="back"), {"b": "b"})
    return Case(builder.compile(), {"x": []})


class Part(TypedDict):
    """One key of the state."""

    y: int


@program()
def what_annotated_callables_see(lib: Lib) -> Case:
    """As a node all of the state, as a branch what the annotation names; a chain's first step as well."""

    def look(state: Part) -> dict:
        return {"x": [sorted(state)]}

    seen: list = []

    def route(state: Part) -> str:
        seen.append(sorted(state))
        return "c"

    nodes = [("a", lib.RunnableCallable(look)), ("b", RunnableLambda(look)), ("c", lambda state: {"x": list(seen)})]
    builder = graph(lib, nodes, [(lib.START, "a"), ("a", "b")])
    builder.add_conditional_edges("b", lib.RunnableCallable(route), ["c"])
    return Case(builder.compile(), {"x": [], "y": 1})


@program()
def a_returned_runnable(lib: Lib) -> Case:
    inner = RunnableLambda(lambda state: {"x": [len(state["x"])]})
    return Case(line(lib, ("a", lib.RunnableCallable(lambda state: inner))), {"x": ["in"]})


@program()
def further_arguments(lib: Lib) -> Case:
    def work(state: Any, *, suffix: str) -> dict:
        return {"x": [f"work{suffix}"]}

    return Case(line(lib, ("a", lib.RunnableCallable(work, suffix="!"))), {"x": []})
