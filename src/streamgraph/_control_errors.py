"""Control flow that passes through nodes as exceptions: drains, interrupts, commands for the parent graph."""

from __future__ import annotations

import warnings
from typing import Any, Optional, Sequence, Tuple, Type

from typing_extensions import Literal

from streamgraph._errors import GraphError
from streamgraph._interrupts import Interrupt
from streamgraph.warnings import LangGraphDeprecatedSinceV10

_INVALID_RESUME = "_streamgraph_invalid_resume"

_PEER_INVALID_RESUME = "_langgraph_invalid_resume"


class GraphBubbleUp(GraphError):  # noqa: N818  (LangGraph's name)
    """Control-flow exception that passes through nodes; nodes neither retry nor handle it.

    User code that catches all exceptions of a tool or graph should re-raise it.
    """

    __module__ = "streamgraph.errors"

    def __init__(self, what: str = "A graph passes control on to the code around it", *, hint: str = "") -> None:
        super().__init__(what, hint=hint)


class GraphDrained(GraphBubbleUp):
    """The run ended early because of `RunControl.request_drain`, with steps left to do.

    Args:
        reason: The reason given to `request_drain`.
    """

    __module__ = "streamgraph.errors"

    def __init__(self, reason: str = "shutdown") -> None:
        super().__init__(f"Graph drained: {reason}", hint="The steps that were left have not been run.")
        self.reason = reason


class GraphInterrupt(GraphBubbleUp):
    """A node asks a question and waits for the answer; raised by `interrupt()`.

    Nodes, and wrappers of models and tools, let it pass. As in LangGraph `args[0]` are the interrupts.

    Args:
        interrupts: The questions.

    Attributes:
        interrupts: The questions, as a tuple.
    """

    __module__ = "streamgraph.errors"

    def __init__(self, interrupts: Sequence[Interrupt] = ()) -> None:
        asked = ", ".join(f"{interrupt.value!r:.80}" for interrupt in interrupts)
        super().__init__(
            f"A node waits for an answer to {asked}" if asked else "A node waits for an answer",
            hint="Let this exception pass: whoever runs the graph finds the question under `__interrupt__`.",
        )
        self.interrupts: Tuple[Interrupt, ...] = tuple(interrupts)
        self.args = (interrupts,)

    def __reduce__(self) -> Tuple[object, ...]:
        return (_interrupted, (type(self), self.args[0]))


def _interrupted(cls: Type[GraphInterrupt], interrupts: Sequence[Interrupt]) -> GraphInterrupt:
    """Return an unpickled interrupt: a `NodeInterrupt` takes other arguments, and warns."""
    error = cls.__new__(cls)
    GraphInterrupt.__init__(error, interrupts)
    return error


class NodeInterrupt(GraphInterrupt):
    """A node asks a question and waits for the answer; deprecated: call `interrupt()` instead of raising it.

    Args:
        value: The question.
        id: The id of the question; by default a placeholder.
    """

    __module__ = "streamgraph.errors"

    def __init__(self, value: object, id: Optional[str] = None) -> None:  # noqa: A002  (LangGraph's name)
        warnings.warn(
            "NodeInterrupt is deprecated. Please use `streamgraph.types.interrupt` instead: call it in the node.",
            LangGraphDeprecatedSinceV10,
            stacklevel=2,
        )
        super().__init__([Interrupt(value) if id is None else Interrupt(value, id)])


class ParentCommand(GraphBubbleUp):
    """Carries a `Command(graph=Command.PARENT)` from a nested graph to the node that runs it.

    It reaches the user only if the command was returned in a root graph, which has no parent. As in LangGraph `args[0]`
    is the command.

    Args:
        command: The command addressed to the parent.
    """

    __module__ = "streamgraph.errors"

    def __init__(self, command: Any) -> None:
        super().__init__(
            "A Command for the parent graph was returned, but this graph has no parent",
            hint="Return it from a node of a nested graph, or drop graph=Command.PARENT.",
        )
        self.command = command
        self.args = (command,)

    def __reduce__(self) -> Tuple[object, ...]:
        return (type(self), (self.command,))


class UnknownInterruptError(GraphError, RuntimeError):
    """An answer is for none of the questions that a run waits with; nothing was run or saved.

    Args:
        message: What is wrong with the answer.
        reason: The kind of mistake: `"not_pending"`, the named questions are not waiting; `"empty_map"`, it names none;
            `"ambiguous"`, it names none although several are waiting.
        interrupt_ids: The ids that the answer names and that are not waiting.
        pending_ids: The ids of the questions that are waiting.
    """

    __module__ = "streamgraph.errors"

    def __init__(
        self,
        message: str,
        *,
        reason: Literal["not_pending", "empty_map", "ambiguous"],
        interrupt_ids: Sequence[str] = (),
        pending_ids: Sequence[str] = (),
    ) -> None:
        waiting = ", ".join(map(repr, pending_ids))
        super().__init__(
            message.rstrip("."), hint=f"Waiting for an answer: {waiting}." if waiting else "No question is waiting."
        )
        self.reason = reason
        self.interrupt_ids = tuple(interrupt_ids)
        self.pending_ids = tuple(pending_ids)


def mark_invalid_resume(error: BaseException) -> None:
    """Note on an exception that it was raised since an answer does not fit the schema that `interrupt()` asked for."""
    setattr(error, _INVALID_RESUME, True)


def is_invalid_resume(error: BaseException) -> bool:
    """Return whether an exception was raised since an answer does not fit the schema that `interrupt()` asked for.

    Such an error is one of the caller who answers, and none of the tool or node: the question can be answered again.

    Args:
        error: The exception, of this package or of LangGraph.
    """
    return any(getattr(error, mark, False) is True for mark in (_INVALID_RESUME, _PEER_INVALID_RESUME))
