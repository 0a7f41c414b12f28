"""`interrupt()`: a node, tool or branch asks a question and ends the run with it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union, overload

from pydantic import TypeAdapter
from typing_extensions import Protocol

from streamgraph._interrupts import Interrupt, ResponseT
from streamgraph.errors import GraphInterrupt


class Asking(Protocol):
    """A task, as far as it can ask questions."""

    def next_answer(self) -> Tuple[Sequence[object], str]:
        """Return the answer to the next question of the attempt, or nothing, and the id of the question."""


_running_task: List[Callable[[], Optional[Asking]]] = []


def tell_running_task(running: Callable[[], Optional[Asking]]) -> None:
    """Set the function that returns the running task, or `None` outside of a run.

    The code that knows tasks is above this module, which users import through `streamgraph.types`.

    Args:
        running: The function.
    """
    _running_task[:] = [running]


@overload
def interrupt(value: object, *, response_schema: Type[ResponseT]) -> ResponseT: ...


@overload
def interrupt(value: object, *, response_schema: Optional[Dict[str, Any]] = None) -> Any: ...


def interrupt(value: object, *, response_schema: Union[Dict[str, Any], type, None] = None) -> Any:
    """Ask whoever runs the graph a question, and end the run with it.

    The nodes that run beside this one finish, and what they return is kept. `invoke` returns the state so far with the
    question under `__interrupt__`; with `version="v2"` it is in `GraphOutput.interrupts`. The stream shows it in the
    modes `updates` and `values`.

    A run that is saved is continued with `Command(resume=answer)`, or with `Command(resume={id: answer})` if several
    questions are open. The node then runs again from its top, and the call returns the answer. Without a checkpointer a
    run that has asked cannot be continued: run the graph again, with an input that has the answer.

    The function works by an exception, which passes through the code around it. Do not catch it: an
    `except Exception` has to raise a `GraphBubbleUp` again.

    Args:
        value: The question: any value that the front end understands.
        response_schema: What the answer has to look like, for the front end: a JSON schema, or a pydantic model, a
            TypedDict or a dataclass, of which one is made.

    Returns:
        The answer.

    Raises:
        GraphInterrupt: The question is not answered yet.
        RuntimeError: The function is called outside of a graph run.
    """
    task = _running_task[0]() if _running_task else None
    if task is None:
        raise RuntimeError("interrupt() was called outside of a graph run; call it in a node, branch or tool.")
    answers, question = task.next_answer()
    if answers:
        return answers[0]
    schema = response_schema
    if schema is not None and not isinstance(schema, dict):
        schema = TypeAdapter(schema).json_schema()
    raise GraphInterrupt((Interrupt(value, question, response_schema=schema),))
