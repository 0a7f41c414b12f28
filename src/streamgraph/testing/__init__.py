"""Test utilities: a scripted model, a gate between its tokens, and checks of streams.

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
from streamgraph.testing._gate import Gate, GateTimeoutError
from streamgraph.testing._model import ScriptedModel, ScriptExhaustedError
from streamgraph.testing._rules import RULES, StreamRuleError, acheck_stream, check_stream

__all__ = [
    "RULES",
    "Answer",
    "Collected",
    "Gate",
    "GateTimeoutError",
    "ScriptExhaustedError",
    "ScriptItem",
    "ScriptedModel",
    "StreamRuleError",
    "Tokens",
    "acheck_stream",
    "acollect",
    "check_stream",
    "collect",
]
