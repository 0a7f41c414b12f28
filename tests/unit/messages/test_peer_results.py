"""The messages in what a task of LangGraph gets and returns."""

from __future__ import annotations

import dataclasses
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from streamgraph._messages.peer_results import fields_of, returned_messages
from streamgraph.types import Command

TheirCommand = pytest.importorskip("langgraph.types").Command

ONE, TWO = AIMessage("one"), HumanMessage("two")


@dataclasses.dataclass
class Data:
    """A state."""

    messages: List[Any]
    text: str = ""


class Model(BaseModel):
    """A state."""

    messages: List[Any]
    text: str = ""


@pytest.mark.parametrize(
    "result",
    [
        [ONE, TWO],
        (ONE, TWO),
        {"messages": [ONE, TWO]},
        {"one": ONE, "text": "x", "two": [TWO, "text"]},
        Data([ONE, TWO]),
        Model(messages=[ONE, TWO]),
        Command(update={"messages": [ONE, TWO]}),
        TheirCommand(update={"messages": [ONE, TWO]}),
        [TheirCommand(update={"messages": ONE}), {"messages": [TWO]}],
        [("messages", [ONE]), ("other", TWO)],
        TheirCommand(update=[("messages", [ONE, TWO])]),
    ],
)
def test_returned_messages(result: Any) -> None:
    """All forms of an update are searched."""
    assert list(returned_messages(result)) == [ONE, TWO]


@pytest.mark.parametrize("result", [None, "text", 1, {}, [], [("human", "text")], Command(goto="a"), {"a": {"b": ONE}}])
def test_no_messages(result: Any) -> None:
    """What is no message, or lies deeper, is not shown."""
    assert list(returned_messages(result)) == []


def test_fields() -> None:
    """State objects are read by their fields."""
    assert fields_of(Data([ONE])) == {"messages": [ONE], "text": ""}
    assert fields_of(Model(messages=[])) == {"messages": [], "text": ""}
    assert fields_of({"a": 1}) == {"a": 1}
    assert fields_of(ONE)["content"] == "one"  # type: ignore[index]
