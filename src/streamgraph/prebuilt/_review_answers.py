"""Read what a person has decided about a tool call, in any of the shapes that front ends send."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional, Sequence, cast

from langchain_core.tools import BaseTool

from streamgraph._closest import closest
from streamgraph.prebuilt.human_in_the_loop import Action, Decision, DecisionType

_INBOX: Dict[object, DecisionType] = {"accept": "approve", "ignore": "reject", "response": "respond"}
"""The names that Agent Inbox has for decisions, as far as they differ."""


class AnswerError(ValueError):
    """An answer is not a decision about the call; the message says why, for the person who gave it."""


def read_answer(answer: object, name: str, allowed: Sequence[DecisionType], tools: Mapping[str, BaseTool]) -> Decision:
    """Return what an answer decides.

    Args:
        answer: A `Decision`, an `HITLResponse` or a list with one, or a `HumanResponse` of Agent Inbox. `True` and
            `False`, and the name of a decision that needs nothing else, will do.
        name: The tool that was called.
        allowed: What may be decided.
        tools: The tools that an edited call may name.

    Raises:
        AnswerError: It is none of these, or does not fit the tool.
    """
    given = _single(answer)
    kind = _kind(given.get("type"), allowed)
    if kind == "approve":
        return {"type": kind}
    if kind == "edit":
        return {"type": kind, "edited_action": _edited(given, name, tools)}
    message = given.get("message", given.get("args"))
    if message is not None and not isinstance(message, str):
        raise AnswerError(f"The `message` of a decision {kind!r} is a text, not {message!r:.100}.")
    if kind == "respond":
        if message is None:
            raise AnswerError("A decision 'respond' has a `message`: the answer for the model.")
        return {"type": kind, "message": message}
    return {"type": kind, "message": message} if message else {"type": kind}


def _single(answer: object) -> Mapping[str, object]:
    """Return the decision in an answer."""
    inner = answer["decisions"] if isinstance(answer, Mapping) and "decisions" in answer else answer
    if isinstance(inner, (list, tuple)):
        if len(inner) != 1:
            raise AnswerError(f"One call is asked about, and the answer has {len(inner)} decisions.")
        inner = inner[0]
    if isinstance(inner, bool):
        inner = "approve" if inner else "reject"
    if isinstance(inner, str):
        return {"type": inner}
    if isinstance(inner, Mapping):
        return inner
    raise AnswerError(f'A decision is a dict such as {{"type": "approve"}}, not {inner!r:.100}.')


def _kind(given: object, allowed: Sequence[DecisionType]) -> DecisionType:
    known = _INBOX.get(given, given) if isinstance(given, str) else None
    if known in allowed:
        return cast("DecisionType", known)
    what = "It has no `type`" if given is None else f"The decision {given!r:.60} is not allowed here"
    raise AnswerError(f"{what}. {_instead(given, allowed)}")


def _edited(given: Mapping[str, object], name: str, tools: Mapping[str, BaseTool]) -> Action:
    """Return the call to run, if its tool accepts it; it comes in langchain's form or that of Agent Inbox."""
    action = given.get("edited_action", given.get("args"))
    args = action.get("args") if isinstance(action, Mapping) else None
    if not isinstance(action, Mapping) or not isinstance(args, Mapping):
        wanted = f'{{"name": "{name}", "args": {{...}}}}'
        raise AnswerError(f"A decision 'edit' has the call to run as `edited_action`: {wanted}, not {action!r:.100}.")
    chosen = action.get("name", action.get("action", name))
    tool = tools.get(chosen) if isinstance(chosen, str) else None
    if tool is None:
        raise AnswerError(f"There is no tool {chosen!r} to run instead of {name!r}. {_instead(chosen, tools)}")
    # Most tools ignore what they do not know, and what a person has decided would be lost.
    for arg in args:
        if arg not in tool.args:
            raise AnswerError(f"{chosen!r} has no argument {arg!r}. {_instead(arg, tool.args)}")
    problem = _problem(tool, args)
    if problem is not None:
        raise AnswerError(f"The arguments do not fit {chosen!r}: {problem}.")
    return {"name": chosen, "args": dict(args)}


def _problem(tool: BaseTool, args: Mapping[str, object]) -> Optional[str]:
    """Return what is wrong with arguments; a tool whose arguments are JSON schema checks them itself."""
    schema: Any = tool.tool_call_schema
    if isinstance(schema, dict):
        return None
    validate = schema.model_validate if hasattr(schema, "model_validate") else schema.parse_obj  # pydantic 2 or 1
    try:
        validate(dict(args))
    except ValueError as error:
        errors = getattr(error, "errors", None)
        if errors is None:
            return str(error)
        return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'the call'}: {item['msg']}" for item in errors())
    return None


def _instead(wrong: object, known: Iterable[str]) -> str:
    near = closest(wrong, known)
    return f"Did you mean {near!r}?" if near is not None else f"There is {', '.join(map(repr, known)) or 'none'}."
