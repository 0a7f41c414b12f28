"""What a person may answer to a question, and what a line that was typed means; no I/O."""

from __future__ import annotations

import json
from typing import Dict, Generator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from pydantic import TypeAdapter

from streamgraph.terminal._inputs import json_or_text
from streamgraph.watching import QuestionView


class WrongAnswer(Exception):  # noqa: N818  (it is asked again)
    """A line that is no answer to a question; its text says why."""


class Choice(NamedTuple):
    """One of the answers to choose from.

    Attributes:
        label: What is shown.
        value: The answer.
    """

    label: str
    value: object


class Form(NamedTuple):
    """How one thing is asked.

    Attributes:
        title: What is asked.
        choices: The answers to choose from.
        closed: There is no other answer than these.
        is_text: The answer is a text, whatever it looks like.
        hint: What the answer looks like, if there is nothing to choose.
    """

    title: object
    choices: Sequence[Choice] = ()
    closed: bool = False
    is_text: bool = False
    hint: str = ""

    def read(self, line: str) -> object:
        """Return the answer that a line stands for.

        Args:
            line: What was typed: the number or the label of a choice, JSON, or text.

        Raises:
            WrongAnswer: It stands for none.
        """
        said = line.strip()
        if self.choices:
            if said.isascii() and said.isdigit() and 1 <= int(said) <= len(self.choices):
                return self.choices[int(said) - 1].value
            for choice in self.choices:
                if said and choice.label.lower() in (said.lower(), _WORDS.get(said.lower())):
                    return choice.value
            if self.closed:
                raise WrongAnswer(f"Choose one of {', '.join(choice.label for choice in self.choices)}.")
        if not said:
            raise WrongAnswer("Say something, or press Ctrl-D to leave it open.")
        return said if self.is_text else json_or_text(said)


OFFERS = ("options", "choices", "answers")
"""Under which keys a question lists answers that it offers."""

Asking = Generator[Form, object, object]
"""A generator of forms, which is sent the answer to each of them."""


def forms_of(question: QuestionView) -> Asking:
    """Return the generator that asks a question: it yields forms, is sent their answers, and returns the answer.

    Args:
        question: The question. Reviews of tool calls, in the shapes of `HITLRequest` and Agent Inbox, are asked call by
            call. Otherwise its schema, or a list in it under one of `OFFERS`, says what there is to choose.
    """
    value = question.value
    reviews = _reviews(value)
    if reviews:
        return _hitl(reviews)
    inbox = _inbox(value)
    if inbox:
        return _agent_inbox(inbox)
    return _plain(question)


def _plain(question: QuestionView) -> Asking:
    schema = schema_of(question.response_schema)
    choices = _choices(schema)
    closed, is_text, hint = bool(choices), schema.get("type") == "string", ""
    if not choices and isinstance(question.value, Mapping):
        offered = next((question.value[key] for key in OFFERS if key in question.value), None)
        if isinstance(offered, list):
            choices = [Choice(str(one), one) for one in offered if isinstance(one, (str, int, float, bool))]
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        hint = "JSON with " + ", ".join(map(str, properties))
    elif schema.get("type") in ("integer", "number", "array"):
        hint = str(schema["type"])
    return (yield Form(question.value, choices, closed, is_text, hint))


def schema_of(given: object) -> Mapping[str, object]:
    """Return the JSON schema of an answer, which may be given as a type; an empty one if there is none."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return given
    try:
        made: Mapping[str, object] = TypeAdapter(given).json_schema()
    except Exception:  # pydantic has no schema for it: then the answer is checked where it arrives
        return {}
    return made


def _choices(schema: Mapping[str, object]) -> List[Choice]:
    listed = schema.get("enum")
    if isinstance(listed, list):
        return [Choice(one if isinstance(one, str) else json.dumps(one), one) for one in listed]
    if schema.get("type") == "boolean":
        return [Choice("yes", True), Choice("no", False)]
    several = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(several, list) and several and all(isinstance(one, Mapping) and "const" in one for one in several):
        return [Choice(str(one.get("title") or one["const"]), one["const"]) for one in several]
    return []


# Reviews of tool calls


def _reviews(value: object) -> List[Tuple[Mapping[str, object], Sequence[str]]]:
    """Return the calls of an `HITLRequest` with what may be decided about each; none if it is no such request."""
    if not isinstance(value, Mapping):
        return []
    calls, configs = value.get("action_requests"), value.get("review_configs")
    if not isinstance(calls, list) or not isinstance(configs, list):
        return []
    allowed = {one.get("action_name"): one.get("allowed_decisions") for one in configs if isinstance(one, Mapping)}
    found: List[Tuple[Mapping[str, object], Sequence[str]]] = []
    for call in calls:
        decisions = allowed.get(call.get("name")) if isinstance(call, Mapping) else None
        if not isinstance(decisions, list):
            return []
        found.append((call, list(map(str, decisions))))
    return found


def _hitl(reviews: Sequence[Tuple[Mapping[str, object], Sequence[str]]]) -> Asking:
    decisions: List[Dict[str, object]] = []
    for call, allowed in reviews:
        title = call.get("description") or f"{call.get('name')}({_arguments(call.get('args'))})"
        kind = yield Form(title, [Choice(one, one) for one in allowed], closed=True)
        decision: Dict[str, object] = {"type": kind}
        if kind == "edit":
            args = yield Form("The arguments to call it with:", hint=f"JSON, now {json.dumps(call.get('args'))}")
            decision["edited_action"] = {"name": call.get("name"), "args": args}
        elif kind in ("reject", "respond"):
            what = "Why not?" if kind == "reject" else "The answer for the model:"
            decision["message"] = yield Form(what, is_text=True)
        decisions.append(decision)
    return {"decisions": decisions}


def _inbox(value: object) -> Optional[Tuple[Mapping[str, object], Mapping[str, object]]]:
    """Return the action of a question for Agent Inbox, and what may be done; `None` if it is no such question."""
    first = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(first, Mapping):
        return None
    action, config = first.get("action_request"), first.get("config")
    if not isinstance(action, Mapping) or not isinstance(config, Mapping):
        return None
    return {**action, "description": first.get("description")}, config


def _agent_inbox(asked: Tuple[Mapping[str, object], Mapping[str, object]]) -> Asking:
    action, config = asked
    kinds = [name for name in ("accept", "ignore", "response", "edit") if config.get(_ALLOWS[name])]
    title = action.get("description") or f"{action.get('action')}({_arguments(action.get('args'))})"
    kind = yield Form(title, [Choice(one, one) for one in kinds], closed=True)
    args: object = None
    if kind == "response":
        args = yield Form("The response:", is_text=True)
    elif kind == "edit":
        changed = yield Form("The arguments to use:", hint=f"JSON, now {json.dumps(action.get('args'))}")
        args = {"action": action.get("action"), "args": changed}
    return [{"type": kind, "args": args}]


def _arguments(args: object) -> str:
    if not isinstance(args, Mapping):
        return ""
    return ", ".join(f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in args.items())


_ALLOWS = {"accept": "allow_accept", "ignore": "allow_ignore", "response": "allow_respond", "edit": "allow_edit"}
_WORDS = {"y": "yes", "true": "yes", "n": "no", "false": "no", "a": "approve", "r": "reject"}
