"""Questions whether a tool may be called, as front ends ask them: about one call, with yes or no.

A question of `ToolNode(interrupt_on=...)`, of langchain's `HumanInTheLoopMiddleware` or in the shape of Agent Inbox
names the actions that it is about. Each becomes an approval; the answers to all approvals of a question are its answer.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from langchain_core.messages import AIMessage, ToolMessage

from streamgraph.types import StreamPart
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields
from streamgraph_server.messages import Call, Closed, MessageEvent, Result


class Approval(NamedTuple):
    """A person is asked whether a tool may be called.

    Attributes:
        id: What answers it: the id of the question, with a number behind it if the question has several.
        name: The tool.
        args: Its arguments.
        text: What the person has to know.
    """

    id: str
    name: str
    args: object
    text: str


class Verdict(NamedTuple):
    """What a person says about an approval."""

    approved: bool
    reason: str = ""


def approvals_in(question: str, value: object) -> List[Approval]:
    """Return the approvals that a question asks for; none if it is another kind of question.

    Args:
        question: The id of the question.
        value: What it asks.
    """
    found: List[Fields] = []
    if isinstance(value, dict) and isinstance(value.get("action_requests"), list):
        found = [action for action in value["action_requests"] if isinstance(action, dict)]
    elif _is_inbox(value):
        for asked in value:  # type: ignore[attr-defined]
            action = asked["action_request"]
            about = {"name": action.get("action"), "args": action.get("args")}
            found.append({**about, "description": asked.get("description")})
    ids = [question] if len(found) == 1 else [f"{question}:{number}" for number in range(len(found))]
    return [
        Approval(id, str(action.get("name")), action.get("args"), str(action.get("description") or ""))
        for id, action in zip(ids, found)
    ]


def answer_to(question: str, value: object, verdicts: Mapping[str, Verdict]) -> object:
    """Return the answer to a question, in the shape that whoever asks understands.

    Args:
        question: The id of the question.
        value: What it asks.
        verdicts: What was said about its approvals, by their ids.

    Raises:
        HTTPException: One has no verdict.
    """
    asked = approvals_in(question, value)
    missing = [approval.name for approval in asked if approval.id not in verdicts]
    if missing:
        raise refusal(
            422, f"The question asks about {len(asked)} calls; the answer about {missing[0][:80]!r} is missing."
        )
    said = [verdicts[approval.id] for approval in asked]
    if _is_inbox(value):
        return [{"type": "accept" if one.approved else "ignore", "args": one.reason or None} for one in said]
    return {"decisions": [_decision(one) for one in said]}


def _decision(verdict: Verdict) -> Fields:
    if verdict.approved:
        return {"type": "approve"}
    return {"type": "reject", "message": verdict.reason} if verdict.reason else {"type": "reject"}


def _is_inbox(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(asked, dict) and isinstance(asked.get("action_request"), dict) for asked in value)
    )


class OpenCalls:
    """The tool calls that nobody has answered yet: a question names the tool, not the call that it is about.

    A task that makes one call tells which one it asks about. Otherwise it is the next call with the same name and
    arguments. The run may have begun after a call was made, which is in the state then, maybe that of a nested graph.
    """

    def __init__(self) -> None:
        self._calls: Dict[str, Call] = {}
        self._done: Set[str] = set()
        self._tasks: Dict[str, Call] = {}
        self._questions: Dict[str, Call] = {}
        self._messages: Dict[Tuple[str, ...], Sequence[object]] = {}

    def get(self, id: str) -> Optional[Call]:
        """Return a call that was seen, answered or not."""
        if id not in self._calls:
            self._read()
        return self._calls.get(id)

    def event(self, event: MessageEvent) -> None:
        """Note the calls of a message, and what answers them."""
        if isinstance(event, Closed):
            self._calls.update((call.id, call) for call in event.calls)
        elif isinstance(event, Result):
            self._done.add(event.call)

    def part(self, part: StreamPart) -> None:
        """Note what a part of mode `tasks` or `values` says about calls."""
        data: object = part["data"]
        if part["type"] == "values" and isinstance(data, dict):
            found = data.get("messages")
            if isinstance(found, list):
                self._messages[part["ns"]] = found
        elif part["type"] == "tasks" and isinstance(data, dict):
            if "result" not in data:
                call = _call_in(data.get("input"))
                if call is not None:
                    self._tasks[str(data["id"])] = call
            elif data["id"] in self._tasks:
                call = self._tasks.pop(str(data["id"]))
                self._questions.update((str(asked["id"]), call) for asked in data.get("interrupts") or ())

    def asked(self, approval: Approval) -> Optional[Call]:
        """Return the call that a question is about, the next one if there are several of the same."""
        call = self._questions.get(approval.id)
        if call is None:
            self._read()
            same = [
                call
                for id, call in self._calls.items()
                if id not in self._done and call.name == approval.name and call.args == approval.args
            ]
            call = same[0] if same else None
        if call is not None:
            self._done.add(call.id)
        return call

    def _read(self) -> None:
        for message in [message for messages in self._messages.values() for message in messages]:
            if isinstance(message, AIMessage):
                for call in message.tool_calls:
                    self._calls.setdefault(call["id"] or "", Call(call["id"] or "", call["name"], call["args"], ""))
            elif isinstance(message, ToolMessage):
                self._done.add(message.tool_call_id)


def _call_in(given: object) -> Optional[Call]:
    """Return the call that a task of a `ToolNode` makes."""
    call = given.get("tool_call") if isinstance(given, dict) else None
    if not isinstance(call, dict) or not isinstance(call.get("id"), str):
        return None
    args = call.get("args")
    return Call(call["id"], str(call.get("name")), args if isinstance(args, dict) else {}, "")
