"""Questions of several tool calls that run side by side: all of them are asked, and each call gets its own answers."""

from __future__ import annotations

from typing import Awaitable, Callable, Iterable, List, TypeVar, Union

from typing_extensions import Protocol

from streamgraph._interrupts import Interrupt
from streamgraph._langchain.asking import asking_call
from streamgraph.errors import GraphInterrupt

CallT = TypeVar("CallT", bound="Requested")
AnswerT = TypeVar("AnswerT")


class Requested(Protocol):
    """A call that a model has requested."""

    @property
    def call_id(self) -> str:
        """The id of the tool call."""


def asked(answer: Callable[[CallT], AnswerT], call: CallT, *, several: bool) -> Union[AnswerT, GraphInterrupt]:
    """Run a tool call, and return its answer or the question that it asks.

    Args:
        answer: Runs the call.
        call: The call.
        several: Other calls run beside it, which may ask as well.
    """
    if not several:
        return answer(call)
    token = asking_call.set(call.call_id)
    try:
        return answer(call)
    except GraphInterrupt as question:
        return question
    finally:
        asking_call.reset(token)


async def aasked(
    answer: Callable[[CallT], Awaitable[AnswerT]], call: CallT, *, several: bool
) -> Union[AnswerT, GraphInterrupt]:
    """Await a tool call; see `asked`."""
    if not several:
        return await answer(call)
    token = asking_call.set(call.call_id)
    try:
        return await answer(call)
    except GraphInterrupt as question:
        return question
    finally:
        asking_call.reset(token)


def raised_together(results: Iterable[Union[AnswerT, GraphInterrupt]]) -> List[AnswerT]:
    """Return the answers of tool calls.

    Raises:
        GraphInterrupt: At least one of them asks; it has the questions of all.
    """
    answers: List[AnswerT] = []
    questions: List[Interrupt] = []
    for result in results:
        if isinstance(result, GraphInterrupt):
            questions += result.interrupts
        else:
            answers.append(result)
    if questions:
        raise GraphInterrupt(tuple(questions))
    return answers
