"""What runs in place of a node that has failed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from threading import Barrier, Event
from typing import Any, Dict, List, Optional

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from streamgraph.errors import (
    ErrorLocation,
    InvalidUpdateError,
    NodeError,
    NodeNameError,
    UnknownRouteError,
    location_of,
)
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.runtime import Runtime
from streamgraph.types import Command, Send
from support.policies import DRIVERS, FAST, Failing, State, builder_of, collect, graph_with, outcome
from support.waiting import run

BOOM = ConnectionError("boom")


def broken(state: Any) -> Any:
    """A node that fails."""
    raise BOOM


def told(error: Any) -> Dict[str, Any]:
    """The update of most handlers here."""
    return {"x": [f"{error.node}: {error.error}"]}


def annotated(state: Any, error: NodeError) -> Any:
    """As LangGraph wants it."""
    return told(error)


def unannotated(state, error):  # type: ignore[no-untyped-def]
    """By name alone."""
    return told(error)


def otherwise(state: Any, error: Exception) -> Any:
    """With another annotation."""
    return told(error)


def optional(state: Any, error: Optional[NodeError] = None) -> Any:
    """With a default."""
    return told(error)


def keyword(state: Any, *, runtime: Runtime, config: RunnableConfig, error: NodeError, writer: Any) -> Any:
    """Beside everything else that is filled in, in any order."""
    assert config["metadata"]["m"] == "mine"
    assert callable(writer)
    assert runtime.execution_info is not None
    return told(error)


class Handler:
    """An object that can be called."""

    def __call__(self, state: Any, error: NodeError) -> Any:
        """Handle."""
        return told(error)

    def method(self, state: Any, error: NodeError) -> Any:
        """Handle."""
        return told(error)

    async def amethod(self, state: Any, error: NodeError) -> Any:
        """Handle."""
        return told(error)


FORMS = [
    annotated,
    unannotated,
    otherwise,
    optional,
    keyword,
    Handler(),
    Handler().method,
    Handler().amethod,
    lambda state, error: told(error),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("handler", FORMS)
def test_parameters(handler: Any, driver: str) -> None:
    """A handler gets the error by the name `error`, whatever the annotation, sync or async, in any run."""
    graph = graph_with(broken, error_handler=handler)
    chunks = collect(graph, driver, config={"metadata": {"m": "mine"}})
    assert chunks == [{"__error_handler__work": {"x": ["work: boom"]}}]


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_it_gets(driver: str) -> None:
    """It gets the input of the task that failed, the node's name, and the very exception."""
    seen: List[Any] = []

    def handle(state: Any, error: NodeError) -> None:
        seen.append((state, error))

    builder = StateGraph(State).add_node("work", broken, error_handler=handler_of(handle))
    builder.add_conditional_edges(START, lambda state: ["work", Send("work", {"p": "sent"})], ["work"])
    collect(builder.compile(), driver, {"x": ["in"], "p": "state"})

    assert sorted((state["p"] for state, _ in seen)) == ["sent", "state"]
    for _, error in seen:
        assert error == NodeError("work", BOOM)
        assert error.error is BOOM
        assert not isinstance(error, BaseException)
        with pytest.raises(FrozenInstanceError):
            error.node = "other"


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_failure_has_its_own(driver: str) -> None:
    """A node that fails by an edge and by a `Send`, in one step: two handlers, and the run waits for both."""
    both, ended = Barrier(2), Event()

    def handle(state: Any) -> None:
        both.wait(10)
        if state["p"] == "sent":
            ended.wait(0.05)
            ended.set()

    builder = StateGraph(State).add_node("work", broken, error_handler=handler_of(lambda state, error: handle(state)))
    builder.add_conditional_edges(START, lambda state: ["work", Send("work", {"p": "sent"})], ["work"])
    chunks = collect(builder.compile(), driver, {"x": ["in"], "p": "state"}, stream_mode="tasks")

    assert ended.is_set()
    ends = [chunk["id"] for chunk in chunks if "result" in chunk]
    assert len(ends) == len(set(ends)) == 4


def handler_of(function: Any) -> Any:
    """The function without its name, so that it stands for any handler."""
    return lambda state, error: function(state, error)


@pytest.mark.parametrize("driver", DRIVERS)
def test_input_as_it_was(driver: str) -> None:
    """What the failed node did to its input does not reach the handler, nor the state."""

    def spoil(state: Any) -> None:
        state["x"].append("spoiled")
        raise BOOM

    for policies in ({}, {"retry_policy": FAST}):
        graph = graph_with(spoil, error_handler=lambda state: {"p": list(state["x"])}, **policies)
        assert collect(graph, driver, stream_mode="values")[-1] == {"x": ["in"], "p": ["in"]}


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_the_node_has_shown(driver: str) -> None:
    """What the node emitted before it failed stays, and its task has failed before the handler's chunks."""

    def work(state: Any, writer: Any) -> None:
        writer("node")
        raise BOOM

    def handle(state: Any, writer: Any) -> Dict[str, Any]:
        writer("handler")
        return {"x": ["handled"]}

    chunks = collect(graph_with(work, error_handler=handle), driver, stream_mode=["custom", "updates", "tasks"])
    assert [chunk["name"] if mode == "tasks" else chunk for mode, chunk in chunks] == [
        "work",
        "node",
        "work",
        "handler",
        {"__error_handler__work": {"x": ["handled"]}},
        "__error_handler__work",
    ]
    assert chunks[2][1]["error"] is BOOM
    assert location_of(BOOM) is not None


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_not_handled(error: BaseException, driver: str) -> None:
    """An interrupt from the keyboard is nobody's to handle."""
    _, raised = outcome(graph_with(Failing(error).node, error_handler=annotated), driver)
    assert raised is error


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("returned", [3, {"unknown": 1}, "text"])
def test_wrong_result(returned: Any, driver: str) -> None:
    """A handler may return what a node may; other results are errors that name the handler."""
    _, raised = outcome(graph_with(broken, error_handler=lambda state: returned), driver)
    if returned == {"unknown": 1}:
        assert raised is None or "unknown" in str(raised)
    else:
        assert isinstance(raised, InvalidUpdateError)
        assert "__error_handler__work" in str(raised)


@pytest.mark.parametrize("driver", DRIVERS)
def test_wrong_route(driver: str) -> None:
    """A handler that goes to a node that is not there names the closest right name."""
    _, raised = outcome(graph_with(broken, error_handler=lambda state: Command(goto="wrok")), driver)
    assert isinstance(raised, UnknownRouteError)
    assert "Did you mean 'work'" in str(raised)


@pytest.mark.parametrize("driver", DRIVERS)
def test_handler_that_fails(driver: str) -> None:
    """Its error is raised as it is, located in the handler; no other handler is asked."""
    error = KeyError("worse")
    node = Failing(error)
    builder = builder_of(broken, error_handler=node.node).set_node_defaults(error_handler=annotated)
    _, raised = outcome(builder.compile(), driver)
    assert raised is error
    assert location_of(error) == ErrorLocation("__error_handler__work", 1, ())
    assert len(node.calls) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_routes(driver: str) -> None:
    """Only a `Command` leads on: not the edges, branches and joins of the failed node."""
    reached: List[str] = []

    def node(name: str) -> Any:
        return lambda state: reached.append(name)

    def go(state: Any) -> Any:
        return Command(goto=["named", Send("sent", {})]) if state.get("p") else {"x": ["handled"]}

    builder = builder_of(broken, error_handler=go)
    for name in ("beside", "edge", "branch", "joined", "named", "sent"):
        builder.add_node(name, node(name))
    builder.add_edge(START, "beside").add_edge("work", "edge").add_edge(["work", "beside"], "joined")
    builder.add_conditional_edges("work", lambda state: "branch", ["branch"])
    graph = builder.compile()

    collect(graph, driver)
    assert reached == ["beside"]
    reached.clear()
    collect(graph, driver, {"x": [], "p": 1})
    assert sorted(reached) == ["beside", "named", "sent"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_same_step(driver: str) -> None:
    """Handling takes no step of its own."""
    graph = graph_with(broken, error_handler=annotated)
    assert collect(graph, driver, config={"recursion_limit": 1}) == [{"__error_handler__work": {"x": ["work: boom"]}}]


@pytest.mark.parametrize("driver", DRIVERS)
def test_messages(driver: str) -> None:
    """Messages of a handler are shown once, with where they come from."""
    builder = builder_of(broken, schema=MessagesState, error_handler=lambda state: {"messages": AIMessage("sorry")})
    ((message, metadata),) = collect(builder.compile(), driver, {"messages": []}, stream_mode="messages")
    assert message.content == "sorry"
    assert metadata["langgraph_node"] == "__error_handler__work"
    assert metadata["langgraph_step"] == 1
    assert metadata["langgraph_triggers"] == ("__pregel_push",)
    assert metadata["langgraph_path"] == ("__pregel_pull", "work", "node_error_handler", False)
    around, own = metadata["langgraph_checkpoint_ns"].split("|")
    assert around.startswith("work:")
    assert own.startswith("__error_handler__work:")


@pytest.mark.parametrize("driver", DRIVERS)
def test_defaults(driver: str) -> None:
    """A handler for all nodes is one for those that say nothing else, whenever they were added."""
    builder = builder_of(broken, name="before")
    assert builder.set_node_defaults(error_handler=annotated) is builder
    builder.add_node("after", broken).add_edge(START, "after")
    builder.add_node("own", broken, error_handler=lambda state: {"x": ["own"]}).add_edge(START, "own")
    graph = builder.compile()

    chunks = collect(graph, driver)
    assert sorted(chunks, key=repr) == [
        {"__default_error_handler__": {"x": ["after: boom"]}},
        {"__default_error_handler__": {"x": ["before: boom"]}},
        {"__error_handler__own": {"x": ["own"]}},
    ]
    assert collect(graph, driver, stream_mode="values")[-1] == {"x": ["in", "after: boom", "before: boom", "own"]}


@pytest.mark.parametrize("driver", DRIVERS)
def test_defaults_that_fail(driver: str) -> None:
    """The handler for all nodes is none for itself."""
    node = Failing(KeyError("worse"))
    _, raised = outcome(builder_of(broken).set_node_defaults(error_handler=node.node).compile(), driver)
    assert type(raised) is KeyError
    assert len(node.calls) == 1


def test_defaults_compiled_twice() -> None:
    """Compiling changes nothing of the builder: it can be done again, and what was compiled stays as it is."""
    builder = builder_of(broken).set_node_defaults(error_handler=annotated)
    before = list(builder.nodes)
    first, second = builder.compile(), builder.compile()
    assert first.invoke({"x": []}) == second.invoke({"x": []}) == {"x": ["work: boom"]}
    builder.set_node_defaults(error_handler=lambda state: {"x": ["other"]})
    assert first.invoke({"x": []}) == {"x": ["work: boom"]}
    assert builder.compile().invoke({"x": []}) == {"x": ["other"]}
    assert list(builder.nodes) == before == ["work"]


def test_defaults_add_up() -> None:
    """Several calls say several things; each only changes what it says."""
    node = Failing(*[BOOM] * 9)
    builder = builder_of(node.node).set_node_defaults(retry_policy=FAST).set_node_defaults(error_handler=annotated)
    assert builder.compile().invoke({"x": []}) == {"x": ["work: boom"]}
    assert len(node.calls) == 3
    builder.set_node_defaults(retry_policy=FAST._replace(max_attempts=2))
    assert builder.compile().invoke({"x": []}) == {"x": ["work: boom"]}
    assert len(node.calls) == 5


def test_output() -> None:
    """`invoke` and `ainvoke` return the state with what the handler wrote."""
    graph = graph_with(broken, error_handler=annotated)
    assert graph.invoke({"x": []}) == run(graph.ainvoke({"x": []})) == {"x": ["work: boom"]}


@pytest.mark.parametrize("first", [True, False])
def test_name_is_taken(first: bool) -> None:
    """A handler's name is taken, be the node of that name added before or after."""
    builder = StateGraph(State)
    if first:
        builder.add_node("__error_handler__work", annotated)
    else:
        builder.add_node("work", broken, error_handler=annotated)
    with pytest.raises(NodeNameError, match="Node `__error_handler__work` already present"):
        if first:
            builder.add_node("work", broken, error_handler=annotated)
        else:
            builder.add_node("__error_handler__work", lambda state: None)
    assert len(builder.nodes) == 1


def test_name_of_the_default_is_taken() -> None:
    """A node cannot be called like the handler for all nodes, if there is one."""
    builder = builder_of(broken, name="__default_error_handler__")
    with pytest.raises(NodeNameError, match="Node `__default_error_handler__` already present"):
        builder.set_node_defaults(error_handler=annotated).compile()
