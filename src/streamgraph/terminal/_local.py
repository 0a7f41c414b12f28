"""A run of a graph in this process."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from langchain_core.runnables import RunnableConfig

from streamgraph.errors import GraphError
from streamgraph.pregel import Pregel
from streamgraph.runs import RunHandle
from streamgraph.terminal._source import Ending
from streamgraph.types import StreamMode
from streamgraph.watching import QuestionView

_BEAT = 0.2
"""Seconds without a part after which the questions of the run are looked at."""

_BUFFER = 10_000
"""How many parts may wait to be shown before the run waits for the terminal."""


class LocalRun:
    """A run of a graph, started in a thread of its own so that Ctrl-C finds this one free; see `Source`.

    Questions are answered where they stand, so that they need no checkpointer.

    Args:
        graph: The graph.
        given: The input; `None` to go on with the thread.
        config: Its config.
        context: Its context.
        modes: The modes to show.
        filters: Options of `start` that leave parts out.
        again: How to go on with the thread later, as a command.
    """

    def __init__(
        self,
        graph: Pregel,
        given: object,
        config: RunnableConfig,
        *,
        context: Optional[Mapping[str, object]] = None,
        modes: Sequence[StreamMode],
        filters: Mapping[str, object],
        again: str = "",
    ) -> None:
        self.name = graph.get_name()
        self.ending: Optional[Ending] = None
        self.error: object = None
        self._graph = graph
        self._config = config
        self._modes = list(modes)
        self._again = again
        self._options: Dict[str, Any] = {**filters, "context": context} if context is not None else {**filters}
        self._run = self._started(given)

    def _started(self, given: object) -> RunHandle[Any]:
        return self._graph.start(
            given, self._config, record=self._modes, subgraphs=True, interrupts="live", **self._options
        )

    def chunks(self) -> Iterator[object]:
        """Yield the parts of the run."""
        run = self._run
        reader = run.stream(
            self._modes, version="v2", subgraphs=True, heartbeat=_BEAT, max_buffer=_BUFFER, overflow="block"
        )
        try:
            yield from reader
        except Exception as error:  # of any node; it is shown
            self.ending, self.error = "failed", error
        else:
            status = run.status
            self.ending = status if status in ("done", "interrupted", "cancelled") else "failed"  # type: ignore[assignment]
        finally:
            reader.close()

    def open_questions(self) -> List[QuestionView]:
        """Return the open questions."""
        return [QuestionView(asked.id, asked.value, asked.response_schema) for asked in self._run.questions]

    def answer(self, answers: Dict[str, object]) -> bool:
        """Answer questions."""
        for id_, value in answers.items():
            self._run.answer(id_, value)
        return False

    def due(self) -> List[str]:
        """Return the nodes before which the run has paused."""
        try:
            return list(self._graph.get_state(self._config).next)
        except GraphError:  # it is not saved, so it cannot go on
            return []

    def go_on(self) -> None:
        """Start the run that goes on."""
        self.ending, self._run = None, self._started(None)

    def cancel(self) -> None:
        """Cancel the run."""
        self._run.cancel()

    def how_to_go_on(self) -> str:
        """Return the command that asks again."""
        return self._again
