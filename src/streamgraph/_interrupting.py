"""`interrupt()`: a node, tool or branch asks a question and ends the run with it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union, overload

from pydantic import TypeAdapter, ValidationError
from typing_extensions import Protocol

from streamgraph._control_errors import mark_invalid_resume
from streamgraph._interrupts import Interrupt, ResponseT
from streamgraph.errors import GraphInterrupt


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

    The function works by an exception, which passes through the code around it. Code that catches it may clean up, but
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
    task = _running_task[0]() if _running_task else None
    if task is None:
        raise RuntimeError("interrupt() was called outside of a graph run; call it in a node, branch or tool.")
    adapter: Optional[TypeAdapter[Any]]
    adapter = None if response_schema is None or isinstance(response_schema, dict) else TypeAdapter(response_schema)
    answers, id_ = task.next_answer()
    if answers and adapter is None:
        return answers[0]
    question = Interrupt(value, id_, response_schema=response_schema if adapter is None else adapter.json_schema())
    if not answers or adapter is None:
        raise GraphInterrupt((task.asks(question),))
    try:
        return adapter.validate_python(answers[0])
    except ValidationError as error:
        task.rejects(question)
        mark_invalid_resume(error)
        raise
