"""Prompts, answers, arguments and results are recorded if the user asks for it, and never otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from scenarios.telemetry.drivers import DRIVERS
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import create_react_agent
from streamgraph.testing import ScriptedModel
from streamgraph.types import interrupt
from support.telemetry import Reported

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRET = "the secret"


class Shelf(BaseRetriever):
    """Finds one document."""

    def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
        return [Document(f"{query}, found", id="d1")]


@tool
def echo(text: str) -> str:
    """Echo."""
    Shelf().invoke(text)
    return f"{text}!"


def run_all(driver: str) -> None:
    """A run with all that could be recorded."""
    call: Any = {"name": "echo", "args": {"text": SECRET}, "id": "call-1"}
    asked = AIMessage(
        [
            {"type": "text", "text": SECRET},
            {"type": "image", "data": SECRET},
            {"type": "reasoning", "reasoning": SECRET},
        ],
        tool_calls=[call],
    )
    model = ScriptedModel([asked, AIMessage(f"{SECRET} is out", response_metadata={"finish_reason": "stop"})])

    def ask(state: Any) -> Any:
        return {"messages": interrupt(SECRET)}

    agent = create_react_agent(model, [echo], name="helper", prompt=SystemMessage(SECRET))
    builder = StateGraph(MessagesState).add_node("helper", agent).add_node("ask", ask)
    builder.add_edge(START, "helper").add_edge("helper", "ask")
    given = {"messages": [HumanMessage(SECRET)]}
    DRIVERS[driver](builder.compile(InMemorySaver(), name="g"), given, {"configurable": {"thread_id": "1"}})


def everything(otel: Reported) -> str:
    """All that was exported of the spans."""
    return "\n".join(span.to_json() for span in otel.spans)


@pytest.mark.parametrize(
    ("driver", "value"),
    [
        *((driver, None) for driver in DRIVERS),
        *(("invoke", value) for value in ("", "false", "NO_CONTENT", "EVENT_ONLY")),
    ],
)
def test_nothing_is_recorded_that_was_not_asked_for(
    driver: str, value: Any, otel: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default there is no content in any span; content in events would be content of logs, which are not made."""
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    run_all(driver)

    assert len(otel.spans) == 11
    assert SECRET not in everything(otel)


@pytest.mark.parametrize("value", ["true", "SPAN_ONLY", "span_and_event"])
def test_messages_and_values_are_recorded_as_the_conventions_say(
    value: str, otel: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON in attributes, with roles and parts; an image is only mentioned."""
    monkeypatch.setenv(VARIABLE, value)
    run_all("invoke")

    first, second = [dict(span.attributes or {}) for span in otel.spans if span.name == "chat"]
    text = {"type": "text", "content": SECRET}
    asked = [{"role": "system", "parts": [text]}, {"role": "user", "parts": [text]}]
    called = {"type": "tool_call", "id": "call-1", "name": "echo", "arguments": {"text": SECRET}}
    answered = [text, {"type": "image"}, {"type": "reasoning", "content": SECRET}, called]
    told = {"type": "tool_call_response", "id": "call-1", "result": f"{SECRET}!"}

    assert json.loads(str(first["gen_ai.input.messages"])) == asked
    assert json.loads(str(first["gen_ai.output.messages"])) == [
        {"role": "assistant", "parts": answered, "finish_reason": ""}
    ]
    assert json.loads(str(second["gen_ai.input.messages"])) == [
        *asked,
        {"role": "assistant", "parts": answered},
        {"role": "tool", "parts": [told]},
    ]
    assert json.loads(str(second["gen_ai.output.messages"])) == [
        {"role": "assistant", "parts": [{"type": "text", "content": f"{SECRET} is out"}], "finish_reason": "stop"}
    ]
    used = otel.about("execute_tool echo")
    assert json.loads(used["gen_ai.tool.call.arguments"]) == {"text": SECRET}
    assert used["gen_ai.tool.call.result"] == f"{SECRET}!"
    found = otel.about("retrieval Shelf")
    assert found["gen_ai.retrieval.query.text"] == SECRET
    assert json.loads(found["gen_ai.retrieval.documents"]) == [{"id": "d1", "content": f"{SECRET}, found"}]
    (event,) = otel.span("node ask").events
    assert (event.attributes or {})["streamgraph.interrupt.value"] == SECRET
