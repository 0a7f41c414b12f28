"""`interrupt()`: a node, tool or branch asks a question and ends the run with it."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union, overload

from pydantic import TypeAdapter, ValidationError
from typing_extensions import Protocol

from streamgraph._control_errors import mark_invalid_resume
from streamgraph._interrupts import Interrupt, ResponseT
from streamgraph.errors import GraphInterrupt

Check = Optional[Callable[[object], object]]
"""Raises an error if an answer does not fit; `None` if every answer does."""

Schema = Union[Dict[str, Any], type, None]

Adapter = Optional[TypeAdapter[object]]


class Asking(Protocol):
    """A task, as far as it can ask questions."""

    def next_answer(self) -> Tuple[Sequence[object], str]:
        """Return the answer to the next question of the attempt, or nothing, and the id of the question."""

    def asks(self, question: Interrupt) -> Interrupt:
        """Note that a question has no answer yet, so that the attempt ends with it whatever the code around it does.

        Args:
            question: The question.

        Returns:
            The question that the code waits with: an earlier one, if it has caught the exception of that.
        """

    def rejects(self, question: Interrupt) -> None:
        """Note that the answer that was given last is none, so that its question is still open.

        Args:
            question: The question.
        """

    def waits(self, question: Interrupt, check: Check) -> Sequence[object]:
        """Return the answer to a question when it is there; nothing if it cannot be waited for here.

        Args:
            question: The question.
            check: Raises an error if an answer does not fit.
        """

    async def awaits(self, question: Interrupt, check: Check) -> Sequence[object]:
        """Return the answer to a question when it is there; nothing if the run ends with its questions."""


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

    In a run with `interrupts="live"` the run goes on meanwhile, and the question is answered with `answer()` of its
    stream: the call blocks its thread until then, and returns the answer. On an event loop it cannot block: there the
    node runs again from its top, or the tool call if it is one of several; `await ainterrupt(...)` goes on where it
    stands.

    Otherwise it works by an exception, which passes through the code around it. Code that catches it may clean up, but
    cannot make the question go away: whatever the node returns or raises afterwards, it has asked, and runs again when
    the answer is there. Until then it asks nothing else.

    Args:
        value: The question: any value that the front end understands.
        response_schema: What the answer has to look like, for the front end: a JSON schema, or a pydantic model, a
            TypedDict or a dataclass, of which one is made.

    Returns:
        The answer; with a class as `response_schema` an object of that class.

    Raises:
        GraphInterrupt: The question is not answered yet.
        ValidationError: The answer does not fit the class given as `response_schema`. The answer is not kept, so the
            question can be answered again; `is_invalid_resume` tells the exception from one of the node's own.
        RuntimeError: The function is called outside of a graph run.
    """
    task, adapter = _asking("interrupt"), _adapter(response_schema)
    answers, id_ = task.next_answer()
    if answers and adapter is None:
        return answers[0]
    question = _question(value, id_, response_schema, adapter)
    answers = answers or task.waits(question, _check(adapter))
    if not answers:
        raise GraphInterrupt((task.asks(question),))
    return _taken(task, question, adapter, answers[0])


@overload
async def ainterrupt(value: object, *, response_schema: Type[ResponseT]) -> ResponseT: ...


@overload
async def ainterrupt(value: object, *, response_schema: Optional[Dict[str, Any]] = None) -> Any: ...


async def ainterrupt(value: object, *, response_schema: Union[Dict[str, Any], type, None] = None) -> Any:
    """Ask whoever runs the graph a question; `interrupt()` for async code.

    In a run with `interrupts="live"` the answer is awaited where the code stands, and nothing of the node runs again:
    `interrupt()`, which cannot be awaited, lets the node run again from its top there. In any other run both do the
    same.

    Args:
        value: See `interrupt`.
        response_schema: See `interrupt`.

    Returns:
        The answer; see `interrupt`.

    Raises:
        GraphInterrupt: The question is not answered yet, and the run ends with it.
        ValidationError: See `interrupt`.
        RuntimeError: The function is called outside of a graph run.
    """
    task, adapter = _asking("ainterrupt"), _adapter(response_schema)
    answers, id_ = task.next_answer()
    if answers and adapter is None:
        return answers[0]
    question = _question(value, id_, response_schema, adapter)
    answers = answers or await task.awaits(question, _check(adapter))
    if not answers:
        raise GraphInterrupt((task.asks(question),))
    return _taken(task, question, adapter, answers[0])


def _asking(name: str) -> Asking:
    task = _running_task[0]() if _running_task else None
    if task is None:
        raise RuntimeError(f"{name}() was called outside of a graph run; call it in a node, branch or tool.")
    return task


def _adapter(schema: Schema) -> Adapter:
    return None if schema is None or isinstance(schema, dict) else TypeAdapter(schema)


def _question(value: object, id_: str, schema: Schema, adapter: Adapter) -> Interrupt:
    shown = schema if adapter is None else adapter.json_schema()
    return Interrupt(value, id_, response_schema=shown)


def _check(adapter: Adapter) -> Check:
    return None if adapter is None else partial(_valid, adapter)


def _valid(adapter: TypeAdapter[object], answer: object) -> object:
    """Return the object that an answer stands for; raise the marked error if it does not fit."""
    try:
        return adapter.validate_python(answer)
    except ValidationError as error:
        mark_invalid_resume(error)
        raise


def _taken(task: Asking, question: Interrupt, adapter: Adapter, answer: object) -> object:
    """Return what a question's answer stands for, or note that it is none."""
    if adapter is None:
        return answer
    try:
        return _valid(adapter, answer)
    except ValidationError:
        task.rejects(question)
        raise
