"""What a line means as the answer to a question."""

from __future__ import annotations

import io
from typing import Any, List, Literal

import pytest
from pydantic import BaseModel

from streamgraph.terminal._prompt import NoAnswer, Prompt
from streamgraph.watching import QuestionView


class Plan(BaseModel):
    title: str
    days: int


def asked(value: Any, schema: Any, lines: str, *given: str) -> Any:
    """The answer, and what was written while it was asked for."""
    out = io.StringIO()
    prompt = Prompt(list(given), lambda: io.StringIO(lines), out)
    return prompt.ask(QuestionView("id", value, schema)), out.getvalue()


@pytest.mark.parametrize(
    ("schema", "lines", "answer"),
    [
        (None, "yes\n", "yes"),
        (None, "5\n", 5),
        (None, '{"a": [1]}\n', {"a": [1]}),
        (None, "\n\n x \n", "x"),
        ({"type": "string"}, "5\n", "5"),
        (str, "5\n", "5"),
        (bool, "y\n", True),
        ({"type": "boolean"}, "2\n", False),
        ({"type": "boolean"}, "maybe\nFALSE\n", False),
        ({"enum": ["red", "blue", 3]}, "3\n", 3),
        ({"enum": ["red", "blue"]}, "Blue\n", "blue"),
        (Literal["red", "blue"], "green\n1\n", "red"),
        ({"oneOf": [{"const": "a", "title": "First"}, {"const": "b"}]}, "first\n", "a"),
        (Plan, '{"title": "x", "days": 2}\n', {"title": "x", "days": 2}),
        (object(), "anything\n", "anything"),
    ],
)
def test_answers(schema: Any, lines: str, answer: Any) -> None:
    found, _ = asked("Well?", schema, lines)
    assert (found, type(found)) == (answer, type(answer))


def test_what_is_shown() -> None:
    _, shown = asked("Which\x1b[2J one?\nThink.", {"enum": ["red", "blue"]}, "no\n1\n")
    assert shown == ("\n? Which␛[2J one?\n  Think.\n  1. red\n  2. blue\nanswer> Choose one of red, blue.\nanswer> ")
    _, shown = asked({"ok": [1]}, Plan, "1\n")
    assert '? {\n    "ok": [\n' in shown
    assert "answer (JSON with title, days)> " in shown
    _, shown = asked({"question": "Publish?", "answers": ["yes", "or what to change"]}, None, "1\n")
    assert shown == "\n? Publish?\n  1. yes\n  2. or what to change\nanswer> "
    _, shown = asked({"question": "Publish?", "draft": "x"}, None, "yes\n")
    assert shown.startswith('\n? Publish?\n  {\n    "draft": "x"\n  }\n')


def test_options_in_the_question_may_be_left() -> None:
    question = {"question": "Which?", "options": ["red", "blue"]}
    assert asked(question, None, "2\n")[0] == "blue"
    assert asked(question, None, "green\n")[0] == "green"


def test_answers_that_were_given_beforehand_come_first() -> None:
    prompt = Prompt(["no"], lambda: io.StringIO("yes\n"), io.StringIO())
    question = QuestionView("id", "Well?", bool)
    assert prompt.ask(question) is False
    assert prompt.ask(question) is True
    with pytest.raises(NoAnswer):
        prompt.ask(question)
    with pytest.raises(NoAnswer):
        Prompt([], None, io.StringIO()).ask(question)
    assert Prompt([], lambda: io.StringIO("\n"), io.StringIO()).confirm("Go on?")
    assert not Prompt([], lambda: io.StringIO("n\n"), io.StringIO()).confirm("Go on?")


HITL = {
    "action_requests": [{"name": "pay", "args": {"euros": 5}}, {"name": "mail", "args": {}, "description": "Send it?"}],
    "review_configs": [
        {"action_name": "pay", "allowed_decisions": ["approve", "edit", "reject"]},
        {"action_name": "mail", "allowed_decisions": ["approve", "reject", "respond"]},
    ],
}


@pytest.mark.parametrize(
    ("lines", "decisions"),
    [
        ("1\na\n", [{"type": "approve"}, {"type": "approve"}]),
        (
            'edit\n{"euros": 4}\nreject\ntoo late\n',
            [
                {"type": "edit", "edited_action": {"name": "pay", "args": {"euros": 4}}},
                {"type": "reject", "message": "too late"},
            ],
        ),
        ("2\n{}\n3\n5\n", [
            {"type": "edit", "edited_action": {"name": "pay", "args": {}}}, {"type": "respond", "message": "5"},
        ]),
    ],
)  # fmt: skip
def test_reviews_of_tool_calls(lines: str, decisions: List[Any]) -> None:
    answer, shown = asked(HITL, None, lines)
    assert answer == {"decisions": decisions}
    assert "? pay(euros=5)\n" in shown
    assert "? Send it?\n" in shown


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ("accept\n", {"type": "accept", "args": None}),
        ("2\nlater\n", {"type": "response", "args": "later"}),
        ('edit\n{"euros": 1}\n', {"type": "edit", "args": {"action": "pay", "args": {"euros": 1}}}),
    ],
)
def test_questions_for_agent_inbox(lines: str, answer: Any) -> None:
    config = {"allow_accept": True, "allow_ignore": False, "allow_respond": True, "allow_edit": True}
    question = [{"action_request": {"action": "pay", "args": {"euros": 5}}, "config": config, "description": None}]
    assert asked(question, None, lines)[0] == [answer]
