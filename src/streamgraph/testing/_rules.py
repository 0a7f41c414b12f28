"""Checks of a stream's order, and that it shows everything exactly once."""

from __future__ import annotations

from typing import Any, AsyncIterable, Callable, Collection, Iterable, List, Mapping, Optional, Union

from streamgraph.errors import closest
from streamgraph.testing._collecting import Collected, checked_part
from streamgraph.testing._facts import Fact, Rules, StreamRuleError, facts_of, is_question
from streamgraph.testing._message_rules import ErrorRules, MessageRules, ToolRules
from streamgraph.testing._task_rules import TaskRules
from streamgraph.testing._update_rules import UpdateRules
from streamgraph.types import StreamPart

__all__ = ["RULES", "StreamRuleError", "acheck_stream", "check_stream"]

RULES: Mapping[str, str] = {
    "error-last": "Nothing follows an `error` part.",
    "task-start": "A task starts once, before its tokens, custom data, update and result.",
    "task-result": "A task's result comes once, after everything else of the task, and is not missing.",
    "update-before-result": "A task shows its update once, before its result.",
    "update-last": "A node's tokens and custom data come before its update.",
    "nested-inside": "What a nested graph shows comes after the start of the task around it, and before its update.",
    "step-order": "A step is over before the state after it is shown, and before the next step begins.",
    "message-once": "A message is shown once: no whole copy after its chunks, none under a new id, and no history.",
    "message-end": "No chunk follows the end of its message, unless a RemoveMessage has taken the message back.",
    "message-ends": "The last chunk of a message says that it is, unless a RemoveMessage has taken the message back.",
    "message-one-id": "All chunks of one model call have the same id.",
    "tool-order": "A tool call starts before it reports, and ends once.",
}
"""Rules by name. A rule applies if the stream has the modes that it mentions."""

CustomNode = Callable[[Any], Optional[str]]


def check_stream(
    parts: Union[Collected, Iterable[object]],
    *,
    complete: bool = True,
    ignore: Collection[str] = (),
    custom_node: Optional[CustomNode] = None,
) -> Collected:
    """Check a stream against the `RULES`.

    It accepts any stream of `version="v2"`, with any modes, with or without `subgraphs`. More modes allow more checks;
    with `tasks` the position of every part is checked::

        check_stream(graph.stream(given, stream_mode=["messages", "updates", "tasks"], version="v2"))

    A stream in which chunks were dropped (`gap`) is checked for `error-last` only.

    Args:
        parts: The stream, or its parts. A stream that fails is checked up to its failure; then its exception is raised.
        complete: True if the parts are the whole stream. If False, because the consumer has left, missing parts are
            allowed. They are also allowed in streams with an `error` part or an interrupt.
        ignore: The names of rules that are not checked. For example, a node that leaves a model call running after its
            own end breaks `update-last` and `task-result`.
        custom_node: Takes the data of a `custom` part and returns the name of its node, or `None` if unknown. Without
            it, such data may come from any running task.

    Returns:
        The parts, with queries for tests.

    Raises:
        StreamRuleError: A rule is broken.
        TypeError: A chunk is not a part of `version="v2"`.
        ValueError: `ignore` names a rule that does not exist.
    """
    _check_names(ignore)
    if isinstance(parts, Collected):
        _check(parts.parts, complete, ignore, custom_node)
        return parts
    taken: List[StreamPart] = []
    try:
        for part in parts:
            taken.append(checked_part(part, len(taken)))
    except Exception as error:
        # A TypeError may be that of a chunk which is no part.
        _check(taken, complete and not isinstance(error, TypeError), ignore, custom_node, failed=True)
        raise
    _check(taken, complete, ignore, custom_node)
    return Collected(taken, getattr(parts, "output", None))


async def acheck_stream(
    parts: AsyncIterable[object],
    *,
    complete: bool = True,
    ignore: Collection[str] = (),
    custom_node: Optional[CustomNode] = None,
) -> Collected:
    """Check an async stream against the `RULES`, as `check_stream` does.

    Args:
        parts: The stream. If it fails, it is checked up to its failure; then its exception is raised.
        complete: True if the parts are the whole stream.
        ignore: The names of rules that are not checked.
        custom_node: Takes the data of a `custom` part and returns the name of its node, or `None` if unknown.

    Returns:
        The parts, with queries for tests.

    Raises:
        StreamRuleError: A rule is broken.
        TypeError: A chunk is not a part of `version="v2"`.
        ValueError: `ignore` names a rule that does not exist.
    """
    _check_names(ignore)
    taken: List[StreamPart] = []
    try:
        async for part in parts:
            taken.append(checked_part(part, len(taken)))
    except Exception as error:
        # A TypeError may be that of a chunk which is no part.
        _check(taken, complete and not isinstance(error, TypeError), ignore, custom_node, failed=True)
        raise
    _check(taken, complete, ignore, custom_node)
    return Collected(taken, getattr(parts, "output", None))


def _check_names(ignore: Collection[str]) -> None:
    for name in [ignore] if isinstance(ignore, str) else ignore:
        if name not in RULES:
            near = closest(name, RULES)
            hint = f"Did you mean {near!r}?" if near else f"The rules are {', '.join(RULES)}."
            raise ValueError(f"A rule {name!r} was to be ignored, and there is none of that name. {hint}")


def _check(
    parts: List[StreamPart],
    complete: bool,
    ignore: Collection[str],
    custom_node: Optional[CustomNode],
    *,
    failed: bool = False,
) -> None:
    ignored = frozenset([ignore] if isinstance(ignore, str) else ignore)
    facts = facts_of(parts, custom_node, ignored)
    rules: List[Rules] = [ErrorRules()]
    if not any(fact.kind == "gap" for fact in facts):
        rules += [TaskRules(facts), UpdateRules(facts), MessageRules(), ToolRules()]
    for fact in facts:
        for some in rules:
            some.take(fact)
    if not complete:
        return
    for some in rules:
        some.over()
    if not failed and not any(_ends_early(fact) for fact in facts):
        for some in rules:
            some.end()


def _ends_early(fact: Fact) -> bool:
    return fact.kind == "error" or is_question(fact)
