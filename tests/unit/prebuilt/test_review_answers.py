"""Answers to questions about tool calls, in the shapes that front ends send."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from langchain_core.tools import BaseTool, StructuredTool, tool
from pydantic.v1 import BaseModel as OldModel

from streamgraph.prebuilt._review import DECISIONS
from streamgraph.prebuilt._review_answers import AnswerError, read_answer


@tool
def send(to: str, copies: int = 1) -> str:
    """Send something."""
    return f"{to} {copies}"


@tool
def keep(to: str) -> str:
    """Keep something."""
    return to


by_schema: BaseTool = StructuredTool(
    name="by_schema",
    description="Has a JSON schema.",
    args_schema={"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
    func=lambda **args: str(args),
)


class OldArguments(OldModel):
    """Arguments in the interface of pydantic 1."""

    to: str


old: BaseTool = StructuredTool(name="old", description="Is old.", args_schema=OldArguments, func=lambda to: str(to))
TOOLS = {item.name: item for item in (send, keep, by_schema, old)}


def read(answer: object, **changes: Any) -> Any:
    return read_answer(answer, **{"name": "send", "allowed": DECISIONS, "tools": TOOLS, **changes})


def _edit(name: str, args: Dict[str, Any]) -> Dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": name, "args": args}}


EDIT = {"type": "edit", "edited_action": {"name": "send", "args": {"to": "bob"}}}


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"type": "approve"}, {"type": "approve"}),
        ({"decisions": [{"type": "approve"}]}, {"type": "approve"}),
        ([{"type": "approve"}], {"type": "approve"}),
        ({"type": "accept", "args": None}, {"type": "approve"}),
        ("approve", {"type": "approve"}),
        ("accept", {"type": "approve"}),
        (True, {"type": "approve"}),
        (False, {"type": "reject"}),
        ({"type": "reject"}, {"type": "reject"}),
        ({"type": "reject", "message": "no"}, {"type": "reject", "message": "no"}),
        ([{"type": "ignore", "args": None}], {"type": "reject"}),
        ({"type": "respond", "message": "yes"}, {"type": "respond", "message": "yes"}),
        ({"type": "respond", "message": ""}, {"type": "respond", "message": ""}),
        ([{"type": "response", "args": "yes"}], {"type": "respond", "message": "yes"}),
        (EDIT, _edit("send", {"to": "bob"})),
        ({"type": "edit", "edited_action": {"args": {"to": "bob"}}}, _edit("send", {"to": "bob"})),
        ([{"type": "edit", "args": {"action": "send", "args": {"to": "b"}}}], _edit("send", {"to": "b"})),
        (
            {"type": "edit", "edited_action": {"name": "keep", "args": {"to": "bob"}}},
            _edit("keep", {"to": "bob"}),
        ),
    ],
    ids=repr,
)
def test_what_is_understood(answer: object, decision: Dict[str, Any]) -> None:
    assert read(answer) == decision


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (None, 'A decision is a dict such as {"type": "approve"}, not None.'),
        (7, "not 7."),
        ({}, "It has no `type`. There is 'approve', 'edit', 'reject', 'respond'."),
        ("aprove", "The decision 'aprove' is not allowed here. Did you mean 'approve'?"),
        ({"type": ["approve"]}, "is not allowed here"),
        ({"decisions": []}, "One call is asked about, and the answer has 0 decisions."),
        ({"decisions": [True, True]}, "the answer has 2 decisions."),
        ({"decisions": 7}, "not 7."),
        ({"type": "respond"}, "A decision 'respond' has a `message`"),
        ({"type": "reject", "message": 7}, "The `message` of a decision 'reject' is a text, not 7."),
        ({"type": "edit"}, 'has the call to run as `edited_action`: {"name": "send", "args": {...}}, not None.'),
        ({"type": "edit", "edited_action": {"name": "send"}}, "not {'name': 'send'}."),
        (_edit("sent", {}), "There is no tool 'sent' to run instead of 'send'. Did you mean 'send'?"),
        (_edit("zzz", {}), "There is 'send', 'keep', 'by_schema', 'old'."),
        ({"type": "edit", "edited_action": {"name": ["send"], "args": {}}}, "There is no tool ['send']"),
        ({"type": "edit", "edited_action": {"args": {}}}, "The arguments do not fit 'send': to: Field required."),
        (_edit("send", {"to": "b", "copies": "x"}), "copies: Input should be"),
        (_edit("send", {"to": "b", "copie": 2}), "'send' has no argument 'copie'. Did you mean 'copies'?"),
        (_edit("send", {"zzz": 2}), "no argument 'zzz'. There is 'to', 'copies'."),
        (_edit("by_schema", {"x": 1}), "no argument 'x'. There is 'to'."),
        (_edit("old", {"to": []}), "The arguments do not fit 'old': to: str type expected."),
    ],
    ids=repr,
)
def test_what_is_not_says_why(answer: object, wrong: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read(answer)
    assert wrong in str(caught.value)


def test_a_decision_that_is_not_allowed() -> None:
    with pytest.raises(AnswerError, match="'edit' is not allowed here. There is 'approve', 'reject'."):
        read(EDIT, allowed=("approve", "reject"))
