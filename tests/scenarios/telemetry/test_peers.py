"""Graphs of LangGraph and of ours in one program: calls are where they are made."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import StateGraph as TheirGraph
from opentelemetry.trace import StatusCode
from typing_extensions import TypedDict

from scenarios.telemetry.drivers import DRIVERS
from streamgraph.graph import START, StateGraph
from streamgraph.testing import ScriptedModel
from support.telemetry import Reported


class State(TypedDict, total=False):
    """A state of one number."""

    n: int


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_model_in_a_graph_of_langgraph_is_below_our_node(driver: str, otel: Reported) -> None:
    """Its own nodes have no spans, as they are no nodes of ours."""
    model = ScriptedModel(["hi"], cycle=True)

    def say(state: State) -> Any:
        model.invoke("hi")
        return {"n": 1}

    theirs: Any = TheirGraph(State).add_node("say", say).add_edge(START, "say").compile()
    ours = StateGraph(State).add_node("theirs", theirs).add_edge(START, "theirs").compile(name="g")
    DRIVERS[driver](ours, {"n": 0}, None)

    assert otel.tree() == {"invoke_agent g": {"node theirs": {"chat": {}}}}


@pytest.mark.filterwarnings("ignore")
def test_their_signals_are_no_failures(otel: Reported) -> None:
    """Such as a question of their `interrupt`, in a node of ours."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import interrupt

    asks = StateGraph(State).add_node("ask", lambda state: {"n": interrupt("how many?")}).add_edge(START, "ask")
    asks.compile(InMemorySaver(), name="g").invoke({"n": 0}, {"configurable": {"thread_id": "1"}})

    for name in ("node ask", "invoke_agent g"):
        assert otel.span(name).status.status_code is StatusCode.UNSET
        assert otel.about(name)["streamgraph.status"] == "interrupted"
    assert [event.name for event in otel.span("node ask").events] == ["streamgraph.interrupt"]
