"""The transformers of this package, with events by hand."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from streamgraph._compat.langchain_core import message_streams
from streamgraph.errors import GraphBubbleUp, GraphDrained, NotSupportedError
from streamgraph.stream import (
    CheckpointsTransformer,
    CustomTransformer,
    DebugTransformer,
    LifecycleTransformer,
    StreamChannel,
    SubgraphTransformer,
    TasksTransformer,
    UpdatesTransformer,
)
from streamgraph.stream._mux import StreamMux
from streamgraph.stream.transformers import MessagesTransformer, ValuesTransformer, _TasksLifecycleBase
from support.protocol_events import ended, event, nested_run, started


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (ValuesTransformer, "values"),
        (CustomTransformer, "custom"),
        (UpdatesTransformer, "updates"),
        (CheckpointsTransformer, "checkpoints"),
        (DebugTransformer, "debug"),
        (TasksTransformer, "tasks"),
    ],
)
@pytest.mark.parametrize("scope", [(), ("a:1",)])
def test_one_mode(kind, mode, scope):
    """The payloads of the mode, from the graph itself and no other."""
    mux = StreamMux(factories=[kind], scope=scope)
    reader = iter(mux.extensions[mode])
    for namespace in ((), ("a:1",), ("a:1", "b:2")):
        mux.push(event(mode, {"at": len(namespace)}, *namespace))
        mux.push(event("other", {}, *namespace))
    mux.close()
    assert list(reader) == [{"at": len(scope)}]
    assert kind.required_stream_modes == (mode,)
    assert mux.native_keys == {mode}


def test_values_keep_the_last_state():
    """The last state, the questions of interrupted nodes, and the error of the run are known."""
    values = ValuesTransformer()
    mux = StreamMux([values])
    mux.push(event("values", {"x": 1}))
    assert (values._latest, values._interrupted, values.error) == ({"x": 1}, False, None)
    mux.push(event("values", {"x": 2}, interrupts=("q",)))
    assert (values._latest, values._interrupted, values._interrupts) == ({"x": 2}, True, ["q"])
    mux.fail(KeyError("run"))
    assert isinstance(values.error, KeyError)


def lifecycle(events, error=None):
    """What the lifecycle channel shows, and the run's events."""
    mux = StreamMux([LifecycleTransformer()])
    reader, log = iter(mux.extensions["lifecycle"]), iter(mux._events)
    for item in events:
        mux.push(item)
    mux.close() if error is None else mux.fail(error)
    shown = []
    try:
        for item in reader:
            shown.append(item)
    except BaseException as raised:
        assert raised is error
    assert [e["params"]["data"] for e in _until_error(log, error) if e["method"] == "lifecycle"] == shown
    return shown


def _until_error(reader, error):
    try:
        yield from reader
    except BaseException as raised:
        assert raised is error


def test_lifecycle():
    """Nested graphs start and end once, at every depth, with the agent's name and the tool call it answers."""
    assert lifecycle(nested_run()) == [
        {
            "event": "started",
            "namespace": ["a:t1"],
            "graph_name": "helper",
            "trigger_call_id": "t1",
            "cause": {"type": "toolCall", "tool_call_id": "call-1"},
        },
        {"event": "started", "namespace": ["a:t1", "deep:t3"], "graph_name": "deep", "trigger_call_id": "t3"},
        {"event": "completed", "namespace": ["a:t1", "deep:t3"]},
        {"event": "completed", "namespace": ["a:t1"]},
        {"event": "started", "namespace": ["b:t2"], "graph_name": "b", "trigger_call_id": "t2"},
        {"event": "failed", "namespace": ["b:t2"], "error": "broken"},
    ]


@pytest.mark.parametrize(
    ("ending", "error", "status"),
    [
        (ended("t1", interrupts=["q"], error="also"), None, "interrupted"),
        (None, None, "completed"),
        (None, KeyError("k"), "failed"),
        (None, GraphDrained("stop"), "drained"),
        (None, GraphBubbleUp("signal"), "interrupted"),
    ],
)
def test_endings(ending, error, status):
    """A nested graph ends with its task or, if that has no result, as the run does."""
    events = [started("t1"), started("t2", "a:t1"), *([] if ending is None else [ending])]
    shown = lifecycle(events, error)
    assert [item["event"] for item in shown] == ["started", status]
    assert shown[1].get("error") == ("'k'" if status == "failed" else None)


def test_a_list_of_calls_and_a_namespace_without_a_task():
    """The first of several calls counts; a namespace without a task id shows no start, since its end is unknown."""
    calls = [{"name": "t"}, {"id": "one"}, {"id": "two"}]
    shown = lifecycle([started("t1", given=calls), started("t2", "a:t1", agent="x"), started("t3", "free")])
    assert shown[0]["cause"] == {"type": "toolCall", "tool_call_id": "one"}
    assert [item["event"] for item in shown] == ["started", "completed"]


def test_base_of_others():
    """A subclass has to say what it follows; it gets the names of agents and the cause."""

    class Agents(_TasksLifecycleBase):
        def init(self):
            self.found = []
            return {"agents": StreamChannel()}

        def _should_track(self, ns):
            return len(ns) == 1

        def _on_started(self, ns, graph_name, trigger_call_id):
            self.found.append((ns, graph_name, trigger_call_id, self._lc_by_ns[ns], self._pending_cause))

        def _on_terminal(self, ns, status, error):
            self.found.append((ns, status, error))

    agents = Agents()
    mux = StreamMux([agents])
    for item in nested_run():
        mux.push(item)
    cause = {"type": "toolCall", "tool_call_id": "call-1"}
    assert agents.found == [
        (("a:t1",), "helper", "t1", "helper", cause),
        (("a:t1",), "completed", None),
        (("b:t2",), "b", "t2", None, None),
        (("b:t2",), "failed", "broken"),
    ]

    class Nothing(_TasksLifecycleBase):
        def init(self):
            return {}

    nothing = Nothing()
    with pytest.raises(NotImplementedError, match="_should_track"):
        nothing.process(started("t", "a:1"))
    with pytest.raises(NotImplementedError, match="_on_started"):
        nothing._on_started((), None, None)
    with pytest.raises(NotImplementedError, match="_on_terminal"):
        nothing._on_terminal((), "completed", None)


def test_subgraphs_need_factories():
    """With transformers that are objects there are none for nested graphs, and so no streams of these."""
    mux = StreamMux([SubgraphTransformer()])
    reader = iter(mux.extensions["subgraphs"])
    for item in nested_run():
        mux.push(item)
    mux.close()
    assert list(reader) == []


needs_streams = pytest.mark.skipif(message_streams() is None, reason="langchain-core has no ChatModelStream")


def test_messages_need_a_new_core(monkeypatch):
    """Without langchain-core's message streams the transformer is refused when it is made."""
    monkeypatch.setattr("streamgraph.stream._messages.message_streams", lambda: None)
    with pytest.raises(NotSupportedError, match="ChatModelStream"):
        MessagesTransformer()


def messages(*items, pump=None, apump=None):
    """What the messages channel shows of payloads."""
    mux = StreamMux([MessagesTransformer()])
    if pump is not None:
        mux.bind_pump(pump)
    if apump is not None:
        mux.bind_apump(apump)
    reader = iter(mux.extensions["messages"])
    for payload in items:
        mux.push(event("messages", (payload, {"langgraph_node": "n", "run_id": "r"})))
    mux.close()
    return list(reader)


@needs_streams
def test_messages():
    """Whole messages become streams that have ended; chunks, tool messages and those of nested graphs are left out."""
    tool = ToolMessage("t", tool_call_id="1")
    (stream,) = messages(AIMessage("hello", id="m"), AIMessageChunk("piece"), tool, "text", pump=lambda: False)
    assert type(stream).__name__ == "ChatModelStream"
    assert stream.node == "n"
    assert str(stream.text) == "hello"
    (stream,) = messages(HumanMessage("asked"))
    assert type(stream).__name__ == "AsyncChatModelStream"


@needs_streams
def test_messages_of_events():
    """A model's events go to one stream from start to finish; those of a tool are left out."""
    start = {"event": "message-start", "role": "ai", "message_id": "m"}
    block = {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}}
    delta = {"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": "hi"}}
    stop = {"event": "content-block-finish", "index": 0, "content": {"type": "text", "text": "hi"}}
    finish = {"event": "message-finish", "reason": "stop"}
    (stream,) = messages(start, block, delta, stop, finish, delta, pump=lambda: False)
    assert str(stream.text) == "hi"
    assert messages({**start, "role": "tool"}, block, delta, finish) == []

    mux = StreamMux([MessagesTransformer()])
    reader = iter(mux.extensions["messages"])
    mux.bind_pump(lambda: False)
    mux.push(event("messages", (start, {"run_id": "r"})))
    open_stream = next(reader)
    mux.fail(KeyError("run"))
    with pytest.raises(KeyError):
        str(open_stream.text)
