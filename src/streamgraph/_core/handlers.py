"""Error handlers of a step that had begun before the run was continued: they go on in place of the failed tasks."""

from __future__ import annotations

import ast
import builtins
import re
from typing import Iterable, List, Optional, Tuple

from streamgraph._core.ids import TaskIds
from streamgraph._core.plan import Node
from streamgraph._core.record import Known, KnownTasks
from streamgraph._core.task import Task, handling_task
from streamgraph.errors import StoredError

_REPR = re.compile(r"(\w+)(\(.*\))", re.DOTALL)


def is_handled(node: Node, found: Optional[Known]) -> bool:
    """Return whether the error handler of a node goes on in place of a task that failed before.

    Args:
        node: The node of the task.
        found: What is known of the task.
    """
    return found is not None and found.handled is not None and found.result is None and node.handler is not None


def with_handlers(ids: TaskIds, tasks: Iterable[Task], known: KnownTasks) -> Tuple[List[Task], List[Task]]:
    """Return the tasks of a step that go on, and those that have failed in whose place their handlers do.

    Args:
        ids: The ids of the tasks.
        tasks: The tasks as they are due.
        known: What is known of them and of their handlers.

    Returns:
        The other tasks, with the handlers after them; and the failed ones.
    """
    going: List[Task] = []
    handlers: List[Task] = []
    failed: List[Task] = []
    for task in tasks:
        found = known.get(task.id)
        if found is None or not is_handled(task.node, found):
            going.append(task)
            continue
        failed.append(task)
        id_ = _handler_id(ids, task.step, task.id, task.node)
        handlers.append(handling_task(id_, task, stored_failure(found.error or "")))
    return going + handlers, failed


def found_of(ids: TaskIds, step: int, id_: str, node: Node, known: KnownTasks) -> Optional[Known]:
    """Return what is known of a task that is due, with that of the handler that goes on in its place.

    Args:
        ids: The ids of the tasks of the step.
        step: The step.
        id_: The id of the task.
        node: Its node.
        known: What is known of tasks.
    """
    found = known.get(id_)
    if found is None or not is_handled(node, found):
        return found
    handler = known.get(_handler_id(ids, step, id_, node), Known())
    return Known(handler.result, handler.error or found.error, found.handled, handler.questions)


def stored_failure(text: str) -> Exception:
    """Return the exception that an error handler gets for a failure of which the text is left.

    Args:
        text: The `repr` of the exception. One of Python's own with simple arguments is made again.
    """
    match = _REPR.fullmatch(text)
    kind = getattr(builtins, match.group(1), None) if match is not None else None
    if match is None or not isinstance(kind, type) or not issubclass(kind, Exception):
        return StoredError(text)
    try:
        made: Exception = kind(*_arguments(match.group(2)))
    except (ValueError, SyntaxError, TypeError):
        return StoredError(text)  # its arguments are more than literals
    return made


def _arguments(text: str) -> Tuple[object, ...]:
    arguments = ast.literal_eval(f"({text[1:-1]},)" if text != "()" else text)
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _handler_id(ids: TaskIds, step: int, failed: str, node: Node) -> str:
    assert node.handler is not None
    return ids.handling(step, failed, node.name, node.handler.name)
