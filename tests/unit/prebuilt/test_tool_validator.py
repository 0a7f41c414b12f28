"""The deprecated node that checks arguments of tool calls."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel, field_validator

from streamgraph import START, StateGraph
from streamgraph.errors import GraphBuildError, UnknownOptionError
from streamgraph.graph import MessagesState
from streamgraph.prebuilt import ValidationNode
from streamgraph.warnings import LangGraphDeprecatedSinceV10


class Number(BaseModel):
    """A number that is right."""

    a: int

    @field_validator("a")
    def right(cls, value):  # noqa: N805
        """Only one is."""
        if value != 37:
            raise ValueError("Only 37 is allowed")
        return value


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def halve(a: float) -> float:
    """Halve."""
    return a / 2


def node(*schemas, **options):
    """A node, with its warning."""
    with pytest.warns(LangGraphDeprecatedSinceV10, match="handle_tool_errors"):
        return ValidationNode(schemas, **options)


def calls(*named):
    """An AI message with tool calls."""
    return AIMessage("", tool_calls=[{"name": n, "args": args, "id": str(i)} for i, (n, args) in enumerate(named)])


def test_answers():
    """Right arguments come back as JSON, wrong ones with what is wrong, in the order of the calls."""
    check = node(Number, add, halve)
    assert set(check.schemas_by_name) == {"Number", "add", "halve"}
    asked = calls(("Number", {"a": 37}), ("Number", {"a": 1}), ("add", {"a": 1, "b": "2"}), ("halve", {"a": 3}))
    answers = check.invoke([HumanMessage("hi"), asked])
    assert [answer.tool_call_id for answer in answers] == ["0", "1", "2", "3"]
    assert [answer.content for answer in answers if answer.name != "Number"] == ['{"a":1,"b":2}', '{"a":3.0}']
    assert answers[0].content == '{"a":37}'
    assert "Only 37 is allowed" in answers[1].content
    assert answers[1].content.endswith("Respond after fixing all validation errors.")
    assert [answer.additional_kwargs.get("is_error", False) for answer in answers] == [False, True, False, False]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_in_a_graph(asynchronous):
    """For a state it returns an update."""
    builder = StateGraph(MessagesState).add_node("check", node(Number, format_error=lambda *given: f"{len(given)}"))
    graph = builder.add_edge(START, "check").compile()
    given = {"messages": [calls(("Number", {"a": 1}))]}
    output = asyncio.run(graph.ainvoke(given)) if asynchronous else graph.invoke(given)
    assert output["messages"][-1].content == "3"


def test_mistakes():
    """Inputs without tool calls, and tools that cannot be checked."""
    check = node(Number, tags=["t"])
    with pytest.raises(ValueError, match="No message found"):
        check.invoke({"messages": []})
    with pytest.raises(ValueError, match="not an AIMessage, but has the type 'human'"):
        check.invoke([HumanMessage("hi")])
    with pytest.raises(UnknownOptionError, match="Did you mean 'Number'"):
        check.invoke([calls(("Numbr", {}))])
    for wrong in ("Number", int):
        with pytest.raises(GraphBuildError, match="Unsupported input to ValidationNode"):
            node(wrong)
