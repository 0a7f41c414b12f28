"""The spans of runs: one tree from the caller to what a tool calls, however the run is driven."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from typing_extensions import TypedDict

from scenarios.telemetry.drivers import DRIVERS, STREAMING
from streamgraph.func import entrypoint, task
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph.prebuilt import create_react_agent
from streamgraph.testing import Gate, ScriptedModel
from support.telemetry import Reported
from support.waiting import eventually

USAGE: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


class State(TypedDict, total=False):
    """A state of one number."""

    n: int


def mark(name: str) -> None:
    """What an instrumented library does: a span of its own below the current one."""
    trace.get_tracer("library").start_span(name).end()


@tool
def add(a: int, b: int) -> int:
    """Add."""
    mark("in the tool")
    return a + b


def agent() -> Any:
    """An agent that calls its tool once."""
    call: Any = {"name": "add", "args": {"a": 1, "b": 2}, "id": "call-1"}
    model = ScriptedModel(
        [AIMessage("", tool_calls=[call], usage_metadata=USAGE), AIMessage("It is three.", usage_metadata=USAGE)]
    )
    return create_react_agent(model, [add], name="helper")


AGENT = {
    "node agent": {"chat": {}},
    "node tools": {"execute_tool add": {"in the tool": {}}},
    "node agent#2": {"chat": {}},
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_agent_is_one_tree_below_its_caller(driver: str, otel: Reported) -> None:
    """Run, nodes, models and tools, and what a tool calls; with the attributes of the GenAI conventions."""
    with trace.get_tracer("caller").start_as_current_span("caller") as caller:
        DRIVERS[driver](agent(), {"messages": "hi"}, {"configurable": {"thread_id": "t1"}})
        assert trace.get_current_span() is caller

    assert otel.tree() == {"caller": {"invoke_agent helper": AGENT}}
    run = otel.about("invoke_agent helper")
    assert run["gen_ai.operation.name"] == "invoke_agent"
    assert run["gen_ai.agent.name"] == "helper"
    assert run["gen_ai.conversation.id"] == "t1"
    assert run["streamgraph.status"] == "done"
    assert (run["gen_ai.usage.input_tokens"], run["gen_ai.usage.output_tokens"]) == (6, 8)
    called = otel.about("execute_tool add")
    assert called["gen_ai.operation.name"] == "execute_tool"
    assert called["gen_ai.tool.name"] == "add"
    assert called["gen_ai.tool.call.id"] == "call-1"
    chats = [span for span in otel.spans if span.name == "chat"]
    for chat in chats:
        about = chat.attributes or {}
        assert chat.kind is SpanKind.CLIENT
        assert about["gen_ai.operation.name"] == "chat"
        assert about["gen_ai.provider.name"] == "scriptedmodel"
        assert (about["gen_ai.usage.input_tokens"], about["gen_ai.usage.output_tokens"]) == (3, 4)
        assert ("gen_ai.response.time_to_first_chunk" in about) is (driver in STREAMING)
    nodes = [span.attributes or {} for span in otel.spans if span.name.startswith("node")]
    assert [node["streamgraph.step"] for node in nodes] == [1, 2, 3]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_span_of_a_node_is_current_inside_it(driver: str, asynchronous: bool, otel: Reported) -> None:
    """In threads, on the loop, in the private loop of a sync run, beside another node, and in an asyncio task."""

    def sync(state: State) -> Any:
        mark("within")
        return {}

    async def on_a_loop(state: State) -> Any:
        mark("within")
        await asyncio.create_task(deeper())
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        mark("after")
        return {}

    async def deeper() -> None:
        mark("deeper")

    node = on_a_loop if asynchronous else sync
    builder = StateGraph(State).add_node("a", node).add_node("b", node)  # type: ignore[arg-type]
    builder.add_edge(START, "a").add_edge(START, "b").add_edge("a", END)
    DRIVERS[driver](builder.compile(name="both"), {"n": 0}, None)

    inside: Dict[str, Any] = {"within": {}, "deeper": {}, "after": {}} if asynchronous else {"within": {}}
    assert otel.tree() == {"invoke_agent both": {"node a": inside, "node b": inside}}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_nested_graph_is_below_the_node_that_calls_it(driver: str, otel: Reported) -> None:
    """As a node, and called in a node; the tokens of its models count for the runs around it."""

    def calls(state: MessagesState) -> Any:
        mark("before")
        result = agent().invoke(state)
        mark("after")
        return result

    async def acalls(state: MessagesState) -> Any:
        mark("before")
        result = await agent().ainvoke(state)
        mark("after")
        return result

    builder = StateGraph(MessagesState).add_node("inner", agent())
    builder.add_node("calls", acalls if driver.startswith("a") else calls)
    builder.add_edge(START, "inner").add_edge("inner", "calls")
    DRIVERS[driver](builder.compile(name="outer"), {"messages": "hi"}, None)

    nested = {"invoke_agent helper": AGENT}
    assert otel.tree() == {
        "invoke_agent outer": {"node inner": nested, "node calls": {"before": {}, **nested, "after": {}}}
    }
    assert otel.about("invoke_agent outer")["gen_ai.usage.input_tokens"] == 12
    spans = [span.attributes or {} for span in otel.spans if span.name == "invoke_agent helper"]
    assert str(spans[0]["streamgraph.namespace"]).startswith("inner:")
    assert str(spans[1]["streamgraph.namespace"]).startswith("calls:")
    assert otel.total("streamgraph.run.active") == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_tasks_of_a_workflow_are_below_it(driver: str, otel: Reported) -> None:
    """The function is a node of its run, and each task is below the one that has called it."""

    @task
    def double(n: int) -> int:
        mark("within")
        return 2 * n

    if driver.startswith("a"):

        @entrypoint()
        async def workflow(n: int) -> int:
            return await double(await double(n))  # type: ignore[misc]
    else:

        @entrypoint()
        def workflow(n: int) -> int:
            return double(double(n).result()).result()

    DRIVERS[driver](workflow, 1, None)

    within = {"task double": {"within": {}}, "task double#2": {"within": {}}}
    assert otel.tree() == {"invoke_agent workflow": {"node workflow": within}}


@pytest.mark.parametrize("driver", DRIVERS)
def test_branches_are_in_the_span_of_their_node_or_run(driver: str, otel: Reported) -> None:
    """Those of the start have no node: what they call is right below the run."""

    def choose(state: State) -> str:
        mark("choosing")
        return "a"

    builder = StateGraph(State).add_node("a", lambda state: {})
    builder.add_conditional_edges(START, choose, ["a"])
    builder.add_conditional_edges("a", lambda state: mark("ending") or END, [END])  # type: ignore[func-returns-value]
    DRIVERS[driver](builder.compile(name="choosing"), {"n": 0}, None)

    assert otel.tree() == {"invoke_agent choosing": {"choosing": {}, "node a": {"ending": {}}}}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_tool_calls_side_by_side_are_beside_each_other(driver: str, asynchronous: bool, otel: Reported) -> None:
    """In the threads or asyncio tasks of one node, each with what it calls."""

    @tool
    def one(n: int) -> int:
        """One."""
        mark("in one")
        return n

    @tool
    async def other(n: int) -> int:
        """Other."""
        await asyncio.sleep(0)
        mark("in other")
        return n

    calls: Any = [{"name": name, "args": {"n": 1}, "id": name} for name in ("one", "other", "one")]
    calls = calls if asynchronous else [call for call in calls if call["name"] == "one"]
    model = ScriptedModel([AIMessage("", tool_calls=calls), "Done."])
    agent = create_react_agent(model, [one, other], name="helper", version="v1")
    DRIVERS[driver](agent, {"messages": "hi"}, None)

    expected: Dict[str, Any] = {"execute_tool one": {"in one": {}}, "execute_tool one#2": {"in one": {}}}
    if asynchronous:
        expected["execute_tool other"] = {"in other": {}}
    assert otel.tree()["invoke_agent helper"]["node tools"] == expected


def test_the_name_of_a_run_is_no_name_of_an_agent(otel: Reported) -> None:
    """Users may give each run another one, and numbers by it would be without number."""
    graph = StateGraph(State).add_node("n", lambda state: {}).add_edge(START, "n").compile(name="g")
    graph.invoke({"n": 0}, {"run_name": "for Alice"})

    assert otel.about("invoke_agent g")["streamgraph.run.name"] == "for Alice"
    assert otel.total("gen_ai.invoke_agent.duration", gen_ai__agent__name="g") == 1


@pytest.mark.parametrize("detached", [False, True])
def test_a_run_that_a_node_starts_is_below_the_node(detached: bool, otel: Reported) -> None:
    """Also if it goes on after the node, and after the run."""
    gate = Gate()
    inner = StateGraph(State).add_node("n", lambda state: gate.wait()).add_edge(START, "n")  # type: ignore[arg-type]
    handles: List[Any] = []

    def starts(state: State) -> Any:
        handles.append(inner.compile(name="inner").start({"n": 0}))
        if not detached:
            gate.open_all()
            handles[0].result()
        return {}

    StateGraph(State).add_node("starts", starts).add_edge(START, "starts").compile(name="g").invoke({"n": 0})
    gate.open_all()
    handles[0].result()
    eventually(lambda: len(otel.spans) == 4)
    assert otel.tree() == {"invoke_agent g": {"node starts": {"invoke_agent inner": {"node n": {}}}}}


class Shelf(BaseRetriever):
    """Finds one document."""

    def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
        mark("searching")
        return [Document("cats sleep", id="d1")]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_retriever_has_a_span(driver: str, otel: Reported) -> None:
    """It is an operation of the conventions as well."""

    def look(state: State) -> Any:
        Shelf().invoke("cats")
        mark("after")
        return {}

    DRIVERS[driver](StateGraph(State).add_node("look", look).add_edge(START, "look").compile(name="g"), {"n": 0}, None)

    assert otel.tree() == {"invoke_agent g": {"node look": {"retrieval Shelf": {"searching": {}}, "after": {}}}}
    assert "gen_ai.retrieval.query.text" not in otel.about("retrieval Shelf")


@pytest.mark.parametrize("driver", ["invoke", "stream", "ainvoke", "astream"])
def test_the_span_of_a_model_is_current_while_it_is_called_and_no_longer(driver: str, otel: Reported) -> None:
    """Also where langchain-core reports the end of a call in another context, and for streams that overlap."""

    class Model(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            mark("request")
            return super()._generate(*args, **kwargs)

        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            mark("request")
            return await super()._agenerate(*args, **kwargs)

        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            mark("request")
            yield from super()._stream(*args, **kwargs)

        async def _astream(self, *args: Any, **kwargs: Any) -> Any:
            mark("request")
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk

    model = Model(["one two"], cycle=True)

    def sync(state: State) -> Any:
        model.invoke("hi")
        mark("between")
        for _ in zip(model.stream("hi"), model.stream("hi")):
            pass
        model.batch(["hi", "ho"])
        mark("after")
        return {}

    async def on_a_loop(state: State) -> Any:
        await model.ainvoke("hi")
        mark("between")
        one, other = model.astream("hi"), model.astream("hi")
        async for _ in one:
            async for _ in other:
                pass
        await model.abatch(["hi", "ho"])
        mark("after")
        return {}

    node = on_a_loop if driver.startswith("a") else sync
    graph = StateGraph(State).add_node("n", node).add_edge(START, "n").compile(name="g")  # type: ignore[arg-type]
    DRIVERS[driver](graph, {"n": 0}, None)

    called = [{f"chat#{number}" if number > 1 else "chat": {"request": {}}} for number in range(1, 6)]
    expected = {key: value for each in called for key, value in each.items()}
    assert otel.tree() == {"invoke_agent g": {"node n": {**expected, "between": {}, "after": {}}}}
