"""Traces: what callback handlers see of a run."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from unittest import mock

import pytest
from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackHandler, CallbackManager
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import BaseTracer

from streamgraph import START, Command, StateGraph
from streamgraph.errors import GraphDrained, ParentCommand
from streamgraph.runtime import RunControl
from streamgraph.types import TracePolicy, omit_payload
from support.list_graphs import State, chat, collected, line
from support.models import TEXT, scripted


class Recorder(BaseCallbackHandler):
    """Writes down every run: its name, that of its parent, its tags, and how it ended."""

    def __init__(self):
        self.names, self.parents, self.tags, self.ends, self.inputs, self.order = {}, {}, {}, {}, {}, []

    def _start(self, run_id, parent_run_id, name, tags, given):
        self.names[run_id], self.parents[run_id], self.tags[run_id] = name, parent_run_id, tags
        self.inputs[name] = given
        self.order.append(name)

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, tags=None, metadata=None, **kwargs):
        self._start(run_id, parent_run_id, kwargs.get("name"), tags, inputs)

    def on_chat_model_start(self, serialized, messages, *, run_id, parent_run_id=None, tags=None, **kwargs):
        self._start(run_id, parent_run_id, "model", tags, messages)

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.ends[self.names[run_id]] = outputs

    def on_llm_end(self, response, *, run_id, **kwargs):
        self.ends["model"] = response.generations[0][0].text

    def on_chain_error(self, error, *, run_id, **kwargs):
        self.ends[self.names[run_id]] = error

    def tree(self):
        """Name -> name of the parent."""
        return {name: self.names.get(self.parents[run_id]) for run_id, name in self.names.items()}


def run(graph, given, config, asynchronous, **options):
    """Run a graph to its end."""
    if asynchronous:
        return collected(graph, given, config, **options)
    return list(graph.stream(given, config, **options))


both_drivers = pytest.mark.parametrize("asynchronous", [False, True])


@both_drivers
@pytest.mark.parametrize("modes", ["updates", "messages"])
def test_tree(asynchronous, modes):
    """The graph's run is the root, nodes are under it, models under their node, nested graphs likewise."""
    inner = (
        StateGraph(State).add_node("ask", lambda state: {"p": scripted().invoke("q").content}).add_edge(START, "ask")
    )
    outer = StateGraph(State).add_node("sub", inner.compile(name="inner")).add_node("last", lambda state: {"x": [1]})
    graph = outer.add_edge(START, "sub").add_edge("sub", "last").compile()
    handler = Recorder()
    run(graph, {"x": [0]}, {"callbacks": [handler]}, asynchronous, stream_mode=modes)
    assert handler.tree() == {
        "LangGraph": None,
        "sub": "LangGraph",
        "inner": "sub",
        "ask": "inner",
        "model": "ask",
        "last": "LangGraph",
    }
    assert handler.order == ["LangGraph", "sub", "inner", "ask", "model", "last"]
    assert handler.ends == {
        "LangGraph": {"x": [0, 0, 1], "p": TEXT},
        "sub": {"x": [0], "p": TEXT},
        "inner": {"x": [0], "p": TEXT},
        "ask": {"p": TEXT},
        "model": TEXT,
        "last": {"x": [1]},
    }
    assert handler.inputs["LangGraph"] == {"x": [0]}


@both_drivers
def test_names_and_ids(asynchronous):
    """A run has the name it was compiled with or that of the config, and the id of the config; tags are passed on."""
    from uuid import uuid4

    graph = StateGraph(State).add_node("n", lambda state: None).add_edge(START, "n").compile(name="compiled")
    for given, name in (({}, "compiled"), ({"run_name": "called"}, "called")):
        handler, run_id = Recorder(), uuid4()
        run(graph, {}, {"callbacks": [handler], "run_id": run_id, "tags": ["t"], **given}, asynchronous)
        assert handler.names[run_id] == name
        tags = {handler.names[key]: sorted(tags) for key, tags in handler.tags.items()}
        assert tags == {name: ["t"], "n": ["graph:step:1", "t"]}


@both_drivers
def test_errors(asynchronous):
    """An error ends the runs it goes through, and no other."""
    error = KeyError("mine")

    def fail(state):
        raise error

    graph = line(("good", lambda state: None), ("bad", fail))
    handler = Recorder()
    with pytest.raises(KeyError):
        run(graph, {}, {"callbacks": [handler]}, asynchronous)
    assert handler.ends["bad"] is handler.ends["LangGraph"] is error
    assert handler.ends["good"] is None


@both_drivers
def test_errors_of_the_graph(asynchronous):
    """What the graph itself refuses is reported, too: a wrong return value, a wrong route, the recursion limit."""
    for node in (lambda state: 5, lambda state: Command(goto="nowhere"), lambda state: Command(goto="n")):
        handler = Recorder()
        with pytest.raises(Exception) as raised:
            run(line(("n", node)), {}, {"callbacks": [handler], "recursion_limit": 3}, asynchronous)
        assert handler.ends["LangGraph"] is raised.value


def test_early_end():
    """A run that is left early ends as well."""
    handler = Recorder()
    stream = line(lambda state: None, lambda state: None).stream({}, {"callbacks": [handler]})
    next(stream)
    stream.close()
    assert isinstance(handler.ends["LangGraph"], GeneratorExit)
    assert handler.order == ["LangGraph", "n0"]

    async def leave():
        async with line(lambda state: None, lambda state: None).astream({}, {"callbacks": [again]}) as astream:
            await astream.__anext__()

    again = Recorder()
    asyncio.run(leave())
    assert isinstance(again.ends["LangGraph"], GeneratorExit)


@both_drivers
def test_chain_around(asynchronous):
    """A graph in a chain is a run under that of the chain."""
    handler = Recorder()
    chain = RunnableLambda(lambda given: given) | line(lambda state: {"p": 1})
    config = {"callbacks": [handler], "run_name": "chain"}
    if asynchronous:
        asyncio.run(chain.ainvoke({}, config))
    else:
        chain.invoke({}, config)
    assert handler.tree()["LangGraph"] == "chain"
    assert handler.ends["chain"] == handler.ends["LangGraph"] == {"x": [], "p": 1}


@both_drivers
def test_every_way_to_listen(asynchronous):
    """A handler may come with the call, with `with_config`, in a list or in a manager; each sees the run once."""
    kind = AsyncCallbackManager if asynchronous else CallbackManager
    graph = line(lambda state: None)
    for make in (lambda handler: [handler], lambda handler: kind([handler], inheritable_handlers=[handler])):
        called, bound = Recorder(), Recorder()
        run(graph.with_config(callbacks=make(bound)), {}, {"callbacks": make(called)}, asynchronous)
        assert called.order == bound.order == ["LangGraph", "n0"]


class Counted:
    """Counts how many callback managers are configured and copied."""

    def __init__(self, monkeypatch):
        self.count = 0
        for kind in (CallbackManager, AsyncCallbackManager):
            for name in ("configure", "copy", "on_chain_start"):
                self._watch(monkeypatch, kind, name)

    def _watch(self, monkeypatch, kind, name):
        original = getattr(kind, name)

        def watched(*args, **kwargs):
            self.count += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(kind, name, watched)


@both_drivers
def test_nothing_is_opened_for_nobody(asynchronous, monkeypatch):
    """When nobody listens, the number of callback managers does not grow with the number of tasks."""
    counted = Counted(monkeypatch)
    counts = []
    for length in (1, 8):
        counted.count = 0
        run(line(*[lambda state: {"x": [1]}] * length), {}, None, asynchronous)
        counts.append(counted.count)
    assert counts[0] == counts[1] <= 1


def test_no_trace_calls_for_nobody():
    """Nor is any handler method called."""
    with mock.patch("streamgraph._execution.session.Trace") as trace:
        line(lambda state: {"x": [1]}).invoke({})
    assert not trace.called


def test_streamed_model_sees_one_run():
    """In `messages` mode a model's run has its tokens and its end for the user's handler, as without it."""

    class Tokens(Recorder):
        def __init__(self):
            super().__init__()
            self.tokens = []

        def on_llm_new_token(self, token, **kwargs):
            self.tokens.append(token)

    handler = Tokens()
    graph = chat(lambda state: {"messages": [scripted().invoke("q")]})
    list(graph.stream({"messages": "hi"}, {"callbacks": [handler]}, stream_mode="messages"))
    assert "".join(handler.tokens) == TEXT
    assert handler.order.count("model") == 1


@both_drivers
def test_control_signals_are_no_errors(asynchronous):
    """A graph that ends with a command for the one around, or that is drained, has not failed in traces."""
    command = Command(graph=Command.PARENT, goto="after", update={"x": ["up"]})
    jumps = line(("inner", lambda state: command))
    outer = StateGraph(State).add_node("jumps", jumps).add_node("after", lambda state: {"x": ["after"]})
    recorder = Recorder()
    run(outer.add_edge(START, "jumps").compile(), {"x": []}, {"callbacks": [recorder]}, asynchronous)
    assert recorder.ends["inner"] is command
    assert not [end for end in recorder.ends.values() if isinstance(end, BaseException)]

    def asks(state, runtime):
        runtime.control.request_drain()
        return {"x": ["asked"]}

    drained, recorder = line(("sub", line(("asks", asks), ("never", lambda state: None)))), Recorder()
    with pytest.raises(GraphDrained):
        run(drained, {"x": []}, {"callbacks": [recorder]}, asynchronous, control=RunControl())
    assert "never" not in recorder.ends
    assert set(recorder.ends) == {"asks", "sub", "LangGraph"}
    assert not [end for end in recorder.ends.values() if isinstance(end, BaseException)]


@both_drivers
def test_a_command_for_a_parent_that_is_not_there_is_an_error(asynchronous):
    """In a root graph it is a mistake."""
    recorder = Recorder()
    graph = line(("inner", lambda state: Command(graph=Command.PARENT, goto="after")))
    with pytest.raises(ParentCommand):
        run(graph, {"x": []}, {"callbacks": [recorder]}, asynchronous)
    assert [type(end) for end in recorder.ends.values()] == [ParentCommand, ParentCommand]


class Recording(BaseTracer):
    """A tracer that keeps each run when it ends."""

    run_inline = True

    def __init__(self):
        super().__init__()
        self.runs = {}

    def _persist_run(self, run):
        """Keep nothing more."""

    def _end_trace(self, run):
        self.runs[run.name] = (run.inputs, run.outputs, run.error)
        super()._end_trace(run)


def policed(policy, action, **options):
    """A graph whose node `n` has a trace policy."""
    builder = StateGraph(State).add_node("n", action, trace_policy=policy, **options).add_edge(START, "n")
    return builder.compile()


def short(value):
    """What is recorded of an input."""
    return {"keys": sorted(value)}


@both_drivers
def test_trace_policies(asynchronous):
    """Tracers record what the policy says of the node's own run; other handlers, the run and its parts see it all."""
    inner = RunnableLambda(lambda state: {"x": ["inner"]}, name="inner")
    graph = policed(TracePolicy(process_inputs=short, process_outputs=omit_payload), lambda state: inner.invoke(state))
    tracer, recorder = Recording(), Recorder()
    chunks = run(
        graph, {"x": ["in"]}, {"callbacks": [tracer, recorder]}, asynchronous, stream_mode=["updates", "tasks"]
    )
    assert tracer.runs["n"] == ({"keys": ["x"]}, {}, None)
    assert tracer.runs["inner"][:2] == ({"x": ["in"]}, {"x": ["inner"]})
    assert tracer.runs["LangGraph"][:2] == ({"x": ["in"]}, {"x": ["in", "inner"]})
    assert (recorder.inputs["n"], recorder.ends["n"]) == ({"x": ["in"]}, {"x": ["inner"]})
    assert recorder.tree() == {"LangGraph": None, "n": "LangGraph", "inner": "n"}
    assert ("updates", {"n": {"x": ["inner"]}}) in chunks
    assert chunks[0][1]["input"] == {"x": ["in"]}


@both_drivers
def test_a_failed_node_with_a_trace_policy(asynchronous):
    """An error is recorded as it is, for all handlers once."""

    def fails(state):
        raise KeyError("no")

    tracer, recorder = Recording(), Recorder()
    with pytest.raises(KeyError):
        run(
            policed(TracePolicy(process_inputs=omit_payload), fails),
            {},
            {"callbacks": [tracer, recorder]},
            asynchronous,
        )
    given, _, error = tracer.runs["n"]
    assert given == {}
    assert "no" in error
    assert isinstance(recorder.ends["n"], KeyError)


@both_drivers
def test_events_are_not_recorded(asynchronous):
    """Who follows the run's events gets the payloads, whatever tracers record."""
    graph = policed(TracePolicy(omit_payload, omit_payload), lambda state: {"x": ["n"]})

    async def events():
        return [event async for event in graph.astream_events({"x": ["in"]}, version="v2")]

    found = {event["event"]: event["data"] for event in asyncio.run(events()) if event["name"] == "n"}
    assert found["on_chain_start"] == {"input": {"x": ["in"]}}
    assert found["on_chain_end"]["output"] == {"x": ["n"]}


def test_a_policy_that_fails(caplog):
    """A trace must not end a run that works: the error is logged and the payload recorded."""

    def breaks(value):
        raise ValueError("policy")

    tracer = Recording()
    graph = policed(TracePolicy(breaks, breaks), lambda state: {"x": ["n"]})
    assert graph.invoke({"x": []}, {"callbacks": [tracer]}) == {"x": ["n"]}
    assert tracer.runs["n"][:2] == ({"x": []}, {"x": ["n"]})
    assert caplog.text.count("A function of a trace_policy has failed") == 2
    graph.invoke({"x": []})
    assert caplog.text.count("A function of a trace_policy has failed") == 2  # nobody listens, nothing is made


@pytest.mark.parametrize("policy", [omit_payload, TracePolicy(process_outputs=3), "omit"])
def test_bad_policies(policy):
    """What is no policy is refused when the node is added."""
    with pytest.raises(TypeError, match="trace_policy is|of trace_policy is"):
        policed(policy, lambda state: {})


def test_policies_of_langgraph():
    """LangGraph's own policy, or one that has its two attributes, is a policy here."""
    tracer, theirs = Recording(), SimpleNamespace(process_inputs=omit_payload, process_outputs=None)
    policed(theirs, lambda state: {"x": ["n"]}).invoke({"x": []}, {"callbacks": [tracer]})
    assert tracer.runs["n"][:2] == ({}, {"x": ["n"]})
