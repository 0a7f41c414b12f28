"""`interrupt()`: a node, tool or branch asks a question and ends the run with it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Type, Union, overload

from pydantic import TypeAdapter

from streamgraph._interrupts import Interrupt, ResponseT, interrupt_id
from streamgraph.errors import GraphInterrupt

_running_task: List[Callable[[], Optional[str]]] = []


def tell_running_task(namespace: Callable[[], Optional[str]]) -> None:
    """Set the function that returns the namespace of the running task, or `None` outside of a run.

    The code that knows tasks is above this module, which users import through `streamgraph.types`.

    Args:
        namespace: The function.
    """
    _running_task[:] = [namespace]


@overload
def interrupt(value: object, *, response_schema: Type[ResponseT]) -> ResponseT: ...


@overload
def interrupt(value: object, *, response_schema: Optional[Dict[str, Any]] = None) -> Any: ...


def interrupt(value: object, *, response_schema: Union[Dict[str, Any], type, None] = None) -> Any:
    """Ask whoever runs the graph a question, and end the run with it.

    The nodes that run beside this one finish, and what they return is kept. `invoke` returns the state so far with the
    question under `__interrupt__`; with `version="v2"` it is in `GraphOutput.interrupts`. The stream shows it in the
    modes `updates` and `values`.

    Runs cannot be saved yet, so a run that has asked cannot be continued: run the graph again, with an input that has
    the answer. `Command(resume=...)` is refused.

    The function works by an exception, which passes through the code around it. Do not catch it: an
    `except Exception` has to raise a `GraphBubbleUp` again.

    Args:
        value: The question: any value that the front end understands.
        response_schema: What the answer has to look like, for the front end: a JSON schema, or a pydantic model, a
            TypedDict or a dataclass, of which one is made.

    Returns:
        Nothing yet: with saved runs, the answer.

    Raises:
        GraphInterrupt: Always, in a run.
        RuntimeError: The function is called outside of a graph run.
    """
    namespace = _running_task[0]() if _running_task else None
    if namespace is None:
        raise RuntimeError("interrupt() was called outside of a graph run; call it in a node, branch or tool.")
    schema = response_schema
    if schema is not None and not isinstance(schema, dict):
        schema = TypeAdapter(schema).json_schema()
    raise GraphInterrupt((Interrupt(value, interrupt_id(namespace), response_schema=schema),))
