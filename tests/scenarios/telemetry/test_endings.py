"""How spans and numbers say that something has failed, was tried again, asks a question, or is not wanted any more."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry.trace import StatusCode
from typing_extensions import TypedDict

from scenarios.telemetry.drivers import DRIVERS
from streamgraph.cache.memory import InMemoryCache
from streamgraph.errors import GraphRecursionError
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode, create_react_agent
from streamgraph.testing import ScriptedModel
from streamgraph.types import CachePolicy, Command, RetryPolicy, interrupt
from support.telemetry import Reported
from support.waiting import eventually, run, soon


class State(TypedDict, total=False):
    """A state of one number."""

    n: int


def graph(node: Any, **options: Any) -> Any:
    """A graph of one node."""
    saver = options.pop("checkpointer", None)
    return StateGraph(State).add_node("n", node, **options).add_edge(START, "n").compile(saver, name="g")


class OurError(Exception):
    """An error of the test."""


RETRY = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3, retry_on=OurError)


def events(otel: Reported, name: str) -> List[Any]:
    """The names of the events of a span, with the number of the attempt if they have one."""
    found = []
    for event in otel.span(name).events:
        attempt = (event.attributes or {}).get("streamgraph.attempt")
        found.append(event.name if attempt is None else (event.name, attempt))
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_failure_is_shown_where_it_was_raised_and_named_around_it(driver: str, otel: Reported) -> None:
    """The node has the exception as an event, the run only its type; both have the status of an error."""

    def fails(state: State) -> Any:
        raise OurError("no luck")

    with pytest.raises(OurError):
        DRIVERS[driver](graph(fails), {"n": 0}, None)

    for name in ("node n", "invoke_agent g"):
        span = otel.span(name)
        assert span.status.status_code is StatusCode.ERROR
        assert str(span.status.description).startswith("no luck")
        assert str(otel.about(name)["error.type"]).endswith("test_endings.OurError")
        assert otel.about(name)["streamgraph.status"] == "failed"
    assert events(otel, "node n") == [("exception", 1)]
    assert events(otel, "invoke_agent g") == []
    kind = otel.about("node n")["error.type"]
    for metric in ("streamgraph.node.duration", "gen_ai.invoke_agent.duration"):
        assert otel.total(metric, error__type=kind, streamgraph__status="failed") == 1
    assert otel.total("streamgraph.run.active") == 0


def test_a_failure_outside_of_any_node_is_shown_by_the_run(otel: Reported) -> None:
    """Such as one of the engine."""
    builder = StateGraph(State).add_node("n", lambda state: {"n": 1}).add_edge(START, "n").add_edge("n", "n")
    with pytest.raises(GraphRecursionError):
        builder.compile(name="g").invoke({"n": 0}, {"recursion_limit": 3})

    assert events(otel, "invoke_agent g") == ["exception"]
    assert otel.about("invoke_agent g")["error.type"] == "streamgraph.errors.GraphRecursionError"


def test_a_traceback_is_recorded_once(otel: Reported) -> None:
    """At the innermost span; those around it say what has failed, and why."""
    model = ScriptedModel([OurError("overloaded")])
    inner = graph(lambda state: model.invoke("hi") and {})
    with pytest.raises(OurError):
        StateGraph(State).add_node("outer", inner).add_edge(START, "outer").compile(name="o").invoke({"n": 0})

    traced = []
    for span in otel.spans:
        assert span.status.status_code is StatusCode.ERROR
        traced += [span.name for event in span.events if "exception.stacktrace" in (event.attributes or {})]
    assert traced == ["chat"]
    for name in ("node n", "node outer"):
        (event,) = otel.span(name).events
        assert str((event.attributes or {})["exception.message"]).startswith("overloaded")


@pytest.mark.parametrize("driver", DRIVERS)
def test_attempts_are_events_of_one_span(driver: str, otel: Reported) -> None:
    """The one that succeeds in the end has no failure, and the further attempts are counted."""
    left = [OurError("one"), OurError("two")]

    def unlucky(state: State) -> Any:
        if left:
            raise left.pop()
        return {"n": 1}

    DRIVERS[driver](graph(unlucky, retry_policy=RETRY), {"n": 0}, None)

    retry = "streamgraph.retry"
    assert events(otel, "node n") == [("exception", 1), (retry, 2), ("exception", 2), (retry, 3)]
    assert otel.span("node n").status.status_code is StatusCode.UNSET
    assert otel.total("streamgraph.node.retries", streamgraph__node__name="n") == 2
    assert otel.total("streamgraph.node.duration") == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_question_is_no_failure(driver: str, otel: Reported) -> None:
    """The node and its run are interrupted, and the run that goes on is done."""
    asking = graph(lambda state: {"n": interrupt("how many?")}, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    DRIVERS[driver](asking, {"n": 0}, config)

    for name in ("node n", "invoke_agent g"):
        assert otel.span(name).status.status_code is StatusCode.UNSET
        assert otel.about(name)["streamgraph.status"] == "interrupted"
        assert "error.type" not in otel.about(name)
    (event,) = otel.span("node n").events
    assert event.name == "streamgraph.interrupt"
    assert set(event.attributes or {}) == {"streamgraph.interrupt.id"}  # the question itself is content

    DRIVERS[driver](asking, Command(resume=3), config)
    assert [(span.attributes or {})["streamgraph.status"] for span in otel.spans] == ["interrupted"] * 2 + ["done"] * 2


@pytest.mark.parametrize("way", ["stream", "start", "astart"])
def test_a_question_of_a_run_that_goes_on_is_an_event_and_so_is_its_end(way: str, otel: Reported) -> None:
    """At every level that waits for the answer, and the run is done in the end."""
    inner = graph(lambda state: {"n": interrupt("how many?")})
    outer = StateGraph(State).add_node("outer", inner).add_edge(START, "outer").compile(name="o")

    async def main() -> None:
        handle = await outer.astart({"n": 0}, interrupts="live")
        await soon(lambda: handle.questions)
        handle.answer(handle.questions[0].id, 3)
        assert (await handle.aresult())["n"] == 3

    if way == "stream":
        stream = outer.stream({"n": 0}, interrupts="live")
        for _ in stream:
            for question in stream.questions:
                stream.answer(question.id, 3)
    elif way == "start":
        handle = outer.start({"n": 0}, interrupts="live")
        eventually(lambda: handle.questions)
        handle.answer(handle.questions[0].id, 3)
        assert handle.result()["n"] == 3
    else:
        run(main())

    for name in ("node n", "node outer"):
        assert events(otel, name) == ["streamgraph.interrupt", "streamgraph.answer"]
    assert otel.about("invoke_agent o")["streamgraph.status"] == "done"


def test_a_breakpoint_is_no_failure(otel: Reported) -> None:
    """The run has steps left to do."""
    pausing = graph(lambda state: {"n": 1}, checkpointer=InMemorySaver())
    pausing.invoke({"n": 0}, {"configurable": {"thread_id": "1"}}, interrupt_before=["n"])

    assert otel.about("invoke_agent g")["streamgraph.status"] == "interrupted"
    assert otel.children("invoke_agent g") == []


def test_a_question_in_a_nested_graph_or_tool_is_no_failure(otel: Reported) -> None:
    """At none of the levels that it passes."""

    @tool
    def ask() -> str:
        """Ask."""
        return str(interrupt("really?"))

    call: Any = {"name": "ask", "args": {}, "id": "1"}
    agent = create_react_agent(ScriptedModel([AIMessage("", tool_calls=[call]), "Done."]), [ask], name="helper")
    outer = StateGraph(MessagesState).add_node("inner", agent).add_edge(START, "inner")
    outer.compile(InMemorySaver(), name="outer").invoke({"messages": "hi"}, {"configurable": {"thread_id": "1"}})

    names = ["invoke_agent outer", "node inner", "invoke_agent helper", "node tools", "execute_tool ask"]
    for name in names:
        assert otel.span(name).status.status_code is StatusCode.UNSET, name
        assert otel.about(name).get("streamgraph.status") == "interrupted", name
        assert all(event.name != "exception" for event in otel.span(name).events)


def test_leaving_a_sync_stream_is_no_failure(otel: Reported) -> None:
    """The run is cancelled, and its span has ended when `close` returns."""
    stream = graph(lambda state: {"n": 1}).stream({"n": 0})
    next(stream)
    stream.close()

    assert otel.about("invoke_agent g")["streamgraph.status"] == "cancelled"
    assert otel.span("invoke_agent g").status.status_code is StatusCode.UNSET
    assert otel.total("streamgraph.run.active") == 0


@pytest.mark.parametrize("way", ["aclose", "cancel", "handle"])
def test_cancelled_async_nodes_are_no_failures(way: str, otel: Reported) -> None:
    """Whether the stream is closed, its task is cancelled, or the handle of a started run ends it."""
    begun: List[int] = []

    async def waits(state: State) -> Any:
        begun.append(1)
        await asyncio.sleep(60)

    async def main() -> None:
        waiting = graph(waits)
        if way == "handle":
            handle = await waiting.astart({"n": 0})
            await soon(lambda: begun)
            handle.cancel()
            await handle.ajoin()
            return
        stream = waiting.astream({"n": 0}, stream_mode=["custom"])
        pulling = asyncio.ensure_future(stream.__anext__())
        await soon(lambda: begun)
        if way == "cancel":
            pulling.cancel()
        else:
            await stream.aclose()
        await asyncio.wait([pulling])
        pulling.exception() if not pulling.cancelled() else None

    run(main())
    for name in ("node n", "invoke_agent g"):
        assert otel.about(name)["streamgraph.status"] == "cancelled"
        assert otel.span(name).status.status_code is StatusCode.UNSET
        assert list(otel.span(name).events) == []
    assert otel.total("streamgraph.run.active") == 0


def test_a_dropped_stream_ends_its_spans(otel: Reported) -> None:
    """The collector finds it, and another thread ends it."""
    stream = graph(lambda state: {"n": 1}).stream({"n": 0})
    next(stream)
    del stream

    eventually(lambda: otel.spans and otel.total("streamgraph.run.active") == 0)
    assert otel.about("invoke_agent g")["streamgraph.status"] == "cancelled"


def test_a_tool_that_fails_has_a_failed_span_though_its_agent_goes_on(otel: Reported) -> None:
    """The error is the tool's; the node that has answered for it is fine."""

    @tool
    def broken() -> str:
        """Break."""
        raise OurError("broken")

    call: Any = {"name": "broken", "args": {}, "id": "1"}
    tools = ToolNode([broken], handle_tool_errors=True)
    create_react_agent(ScriptedModel([AIMessage("", tool_calls=[call]), "Sorry."]), tools, name="a").invoke(
        {"messages": "hi"}
    )

    assert otel.span("execute_tool broken").status.status_code is StatusCode.ERROR
    assert otel.span("node tools").status.status_code is StatusCode.UNSET
    assert otel.total("gen_ai.execute_tool.duration", error__type=otel.about("execute_tool broken")["error.type"]) == 1


def test_a_model_that_fails_has_a_failed_span(otel: Reported) -> None:
    """And its duration counts as that of a failed call."""
    model = ScriptedModel([OurError("overloaded")])
    with pytest.raises(OurError):
        graph(lambda state: model.invoke("hi") and {}).invoke({"n": 0})

    assert otel.span("chat").status.status_code is StatusCode.ERROR
    assert otel.total("gen_ai.client.operation.duration", error__type=otel.about("chat")["error.type"]) == 1


def test_a_model_whose_stream_nobody_reads_on_has_not_failed(otel: Reported) -> None:
    """The node has what it wanted."""
    model = ScriptedModel(["one two three"])

    def first_word(state: State) -> Any:
        for _ in model.stream("hi"):
            break
        return {}

    graph(first_word).invoke({"n": 0})

    assert otel.about("chat")["streamgraph.status"] == "cancelled"
    assert otel.span("chat").status.status_code is StatusCode.UNSET


def test_a_tool_that_answers_with_an_error_has_a_failed_span(otel: Reported) -> None:
    """Though langchain-core reports it as an end: the tool has caught its own exception."""

    def refuse() -> str:
        raise ToolException("not today")

    refusing = StructuredTool.from_function(refuse, description="Refuse.", handle_tool_error=True)
    call: Any = {"name": "refuse", "args": {}, "id": "1"}
    agent = create_react_agent(ScriptedModel([AIMessage("", tool_calls=[call]), "Sorry."]), [refusing], name="a")
    agent.invoke({"messages": "hi"})

    assert otel.span("execute_tool refuse").status.status_code is StatusCode.ERROR
    assert otel.about("execute_tool refuse")["error.type"] == "tool_error"
    assert otel.total("gen_ai.execute_tool.duration", error__type="tool_error") == 1


def test_a_tool_called_without_an_id_and_outside_of_an_agent(otel: Reported) -> None:
    """A tool is also a function that a node calls; outside of a run nothing is reported."""

    @tool
    def double(n: int) -> int:
        """Double."""
        return 2 * n

    assert double.invoke({"n": 1}) == 2
    graph(lambda state: {"n": double.invoke({"n": 2})}).invoke({"n": 0})

    assert otel.tree() == {"invoke_agent g": {"node n": {"execute_tool double": {}}}}
    assert "gen_ai.tool.call.id" not in otel.about("execute_tool double")


def test_a_retriever_that_fails_has_a_failed_span(otel: Reported) -> None:
    """Its node as well, since nothing answers for it."""

    class Lost(BaseRetriever):
        def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
            raise OurError("lost")

    with pytest.raises(OurError):
        graph(lambda state: Lost().invoke("cats") and {}).invoke({"n": 0})

    assert otel.span("retrieval Lost").status.status_code is StatusCode.ERROR
    kind = otel.about("retrieval Lost")["error.type"]
    assert otel.total("gen_ai.client.operation.duration", gen_ai__operation__name="retrieval", error__type=kind) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_cached_node_says_so(driver: str, otel: Reported) -> None:
    """Its span is there, and its duration, without what it would have called."""
    called: List[int] = []
    builder = StateGraph(State).add_node("n", lambda state: called.append(1) or {"n": 1}, cache_policy=CachePolicy())
    cached = builder.add_edge(START, "n").compile(cache=InMemoryCache(), name="g")
    for _ in range(2):
        DRIVERS[driver](cached, {"n": 0}, None)

    nodes = [dict(span.attributes or {}) for span in otel.spans if span.name == "node n"]
    assert called == [1]
    assert [node.get("streamgraph.node.cached") for node in nodes] == [None, True]


def test_a_command_to_the_parent_graph_is_no_failure(otel: Reported) -> None:
    """The nested run and its node are done."""
    inner = StateGraph(State).add_node("up", lambda state: Command(graph=Command.PARENT, goto="after", update={"n": 2}))
    outer = StateGraph(State).add_node("inner", inner.add_edge(START, "up").compile(name="inner"))
    outer.add_node("after", lambda state: {}).add_edge(START, "inner")
    assert outer.compile(name="outer").invoke({"n": 0}) == {"n": 2}

    assert {(span.attributes or {})["streamgraph.status"] for span in otel.spans} == {"done"}
    assert otel.children("invoke_agent outer") == ["node inner", "node after"]
