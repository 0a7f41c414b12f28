"""Test utilities: a scripted model, a gate between its tokens, checks of streams, and recordings to replay.

A test of a graph that calls a model needs no network and no sleeps::

    def test_agent_streams_its_answer():
        model = ScriptedModel(["Cats sleep all day."])
        graph = make_graph(model)
        shown = collect(graph.stream({"messages": ["?"]}, stream_mode=["messages", "updates"], version="v2"))

        assert list(shown.texts().values()) == ["Cats sleep all day."]
        check_stream(shown.parts)
"""

from __future__ import annotations

from streamgraph.testing._answers import Answer, ScriptItem, Tokens
from streamgraph.testing._collecting import Collected, acollect, collect
from streamgraph.testing._faults import Cut, Delay, Duplicate, Fault, Reorder
from streamgraph.testing._gate import Gate, GateTimeoutError
from streamgraph.testing._model import ScriptedModel, ScriptExhaustedError
from streamgraph.testing._recording import AsyncRecordedStream, RecordedStream, arecord, record
from streamgraph.testing._replaying import AsyncReplay, RecordingError, Replay, areplay, replay
from streamgraph.testing._rules import RULES, StreamRuleError, acheck_stream, check_stream

__all__ = [
    "RULES",
    "Answer",
    "AsyncRecordedStream",
    "AsyncReplay",
    "Collected",
    "Cut",
    "Delay",
    "Duplicate",
    "Fault",
    "Gate",
    "GateTimeoutError",
    "RecordedStream",
    "RecordingError",
    "Reorder",
    "Replay",
    "ScriptExhaustedError",
    "ScriptItem",
    "ScriptedModel",
    "StreamRuleError",
    "Tokens",
    "acheck_stream",
    "acollect",
    "arecord",
    "areplay",
    "check_stream",
    "collect",
    "record",
    "replay",
]
