"""Programs that read and write the state while a task runs, as the file tools of deepagents do."""

import operator
from typing import Annotated, Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from differential.harness import Case, Lib, program
from differential.programs_flow import graph, put
from differential.programs_nested import line


def read(config: RunnableConfig, keys: Any, fresh: bool) -> Any:
    """What the state holds."""
    return config["configurable"]["__pregel_read"](keys, fresh)


def send(config: RunnableConfig, *writes: Any) -> None:
    """Write to the state."""
    config["configurable"]["__pregel_send"](list(writes))


@program()
def reading_own_writes(lib: Lib) -> Case:
    def node(state: Any, config: RunnableConfig) -> dict:
        send(config, ("x", ["sent"]), ("y", 1))
        old, new = read(config, ["x", "y"], False), read(config, ["x", "y"], True)
        return {"x": [old, new, read(config, "x", True), read(config, "y", False)]}

    return Case(line(lib, ("a", node), put("b")), {"x": ["in"]})


@program()
def sending_alone(lib: Lib) -> Case:
    def node(state: Any, config: RunnableConfig) -> None:
        send(config, ("x", ["one"]))
        send(config, ("x", ["two"]), ("y", 2))

    return Case(line(lib, ("a", node), put("b")), {"x": []})


@program()
def sending_in_parallel(lib: Lib) -> Case:
    def sender(name: str, results: int) -> Any:
        def node(state: Any, config: RunnableConfig) -> dict:
            lib.after(results)
            send(config, ("x", [f"{name} sent"]))
            return {"x": [f"{name} {read(config, 'x', True)}"]}

        return name, node

    edges = [(lib.START, "a"), (lib.START, "b")]
    return Case(graph(lib, [sender("a", 0), sender("b", 1)], edges).compile(), {"x": ["in"]})


@program()
def sending_a_send(lib: Lib) -> Case:
    def node(state: Any, config: RunnableConfig) -> None:
        send(config, ("__pregel_tasks", lib.Send("b", {"x": ["told"]})))

    builder = graph(lib, [("a", node), ("b", lambda state: {"x": state["x"]})], [(lib.START, "a")])
    return Case(builder.compile(), {"x": []})


@program()
def branches_read(lib: Lib) -> Case:
    def node(state: Any, config: RunnableConfig) -> dict:
        send(config, ("x", ["sent"]))
        return {"x": ["returned"]}

    def route(state: Any, config: RunnableConfig) -> str:
        return "b" if read(config, "x", True) == ["in", "sent", "returned"] else "c"

    builder = graph(lib, [("a", node), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", route, ["b", "c"])
    return Case(builder.compile(), {"x": ["in"]})


def merged(left: dict, right: dict) -> dict:
    """The reducer of files: `None` removes one."""
    return {name: text for name, text in {**left, **right}.items() if text is not None}


class Agent(TypedDict, total=False):
    """Files that are merged, and what was seen of them."""

    files: Annotated[dict, merged]
    seen: Annotated[list, operator.add]


@program()
def files(lib: Lib) -> Case:
    def node(state: Any, config: RunnableConfig) -> dict:
        send(config, ("files", {"a": "1", "b": "2"}))
        send(config, ("files", {"b": None, "c": "3"}))
        return {"seen": [read(config, "files", True), read(config, "files", False)]}

    return Case(line(lib, ("n", node), schema=Agent), {"files": {"old": "0"}})


@program(modes=("updates", "values"))
def messages_sent(lib: Lib) -> Case:
    def node(state: Any, config: RunnableConfig) -> None:
        send(config, ("messages", [AIMessage("sent", id="s")]))
        assert read(config, "messages", True)[-1].content == "sent"

    return Case(line(lib, ("n", node), schema=lib.MessagesState), {"messages": [AIMessage("in", id="i")]})
