"""Tool calls that run side by side: each gets the answers to its own questions, and none that has finished runs again.

The results of calls that finish beside one that asks are kept until all questions are answered. Calls none of which
asks cost nothing.
"""

from __future__ import annotations

from threading import Lock
from typing import Awaitable, Callable, Iterable, List, Optional, Sequence, Tuple, TypeVar, Union, cast

from streamgraph._core.plan import RETURN_KEY
from streamgraph._core.results import Pairs
from streamgraph._execution.saving import Saving
from streamgraph._interrupts import Interrupt
from streamgraph._langchain.asking import aanswered, answered
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.side_calls import SideCall, keys_of
from streamgraph._langchain.state_access import send_writes
from streamgraph.errors import GraphInterrupt
from streamgraph.prebuilt._tool_call import Answer, ToolResult

AnswerT = TypeVar("AnswerT")


class SideBySide:
    """The tool calls of one message, in a task of a graph.

    Args:
        scope: The task.
        ids: The ids of the calls.
    """

    def __init__(self, scope: Scope, ids: Sequence[Optional[str]]) -> None:
        self._scope = scope
        saving = scope.run.saving
        self._kept = saving.finished_calls if isinstance(saving, Saving) else None
        graphs, tasks = scope.task.calls, scope.called
        self._calls = [
            SideCall(scope, key, position, len(ids), graphs=graphs, tasks=tasks)
            for position, key in enumerate(keys_of(ids, scope.batches))
        ]
        scope.batches += 1
        # Where questions wait for answers no call ends with one, and the process may go before the task has ended.
        self._asking = scope.run.live is not None
        self._finished: List[Tuple[SideCall, Answer]] = []
        self._lock = Lock()

    def run(self, position: int, answer: Callable[[], Answer]) -> Union[Answer, GraphInterrupt]:
        """Run a tool call, and return its answer or the question that it asks.

        Args:
            position: The place of the call.
            answer: Runs it.
        """
        call = self._calls[position]
        known = self._known(call)
        if known is not None:
            return known
        call.enter()
        while True:
            try:
                return self._ended(call, answer())
            except GraphInterrupt as question:
                if not answered(self._scope, question, call):
                    return self._ended(call, question)

    async def arun(self, position: int, answer: Callable[[], Awaitable[Answer]]) -> Union[Answer, GraphInterrupt]:
        """Await a tool call; see `run`."""
        call = self._calls[position]
        known = self._known(call)
        if known is not None:
            return known
        call.enter()
        while True:
            try:
                return self._ended(call, await answer())
            except GraphInterrupt as question:
                if not await aanswered(self._scope, question, call):
                    return self._ended(call, question)

    def _known(self, call: SideCall) -> Optional[Answer]:
        writes = None if self._kept is None else self._kept.known(self._scope, call.key)
        if writes is None:
            return None
        send_writes(self._scope, [pair for pair in writes if pair[0] != RETURN_KEY])
        return cast("Answer", [value for key, value in writes if key == RETURN_KEY])

    def _ended(self, call: SideCall, end: Union[Answer, GraphInterrupt]) -> Union[Answer, GraphInterrupt]:
        """Keep what has finished as soon as any of the calls asks."""
        if self._kept is not None:
            with self._lock:
                if isinstance(end, GraphInterrupt):
                    self._asking = True
                else:
                    self._finished.append((call, end))
                ready, self._finished = (self._finished, []) if self._asking else ([], self._finished)
            for finished, answer in ready:
                self._kept.keep(self._scope, finished.key, _writes(finished, answer))
        return end


def _writes(call: SideCall, answer: Answer) -> Pairs:
    items: Sequence[ToolResult] = answer if isinstance(answer, list) else [answer]
    return (*call.sent, *((RETURN_KEY, item) for item in items))


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
