"""What a run in the terminal is read from: a graph in this process, or a server."""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional

from typing_extensions import Literal, Protocol

from streamgraph.watching import QuestionView

Ending = Literal["done", "failed", "interrupted", "cancelled"]


class Source(Protocol):
    """A run that is shown, and answered.

    Attributes:
        ending: How it has ended; `None` while it goes on.
        error: What it has failed with.
        name: The name of the graph.
    """

    ending: Optional[Ending]
    error: object
    name: str

    def chunks(self) -> Iterator[object]:
        """Yield the parts of the run until it ends or pauses, as `version="v2"` gives them, with heartbeats."""

    def open_questions(self) -> List[QuestionView]:
        """Return the questions that the run waits with, where it stands or after its end."""

    def answer(self, answers: Dict[str, object]) -> bool:
        """Answer questions.

        Args:
            answers: The answers by the ids of the questions.

        Returns:
            Whether the run has ended with them, so that `chunks` has to be read again.

        Raises:
            Exception: An answer does not fit; the question stays open.
        """

    def due(self) -> List[str]:
        """Return the nodes before which a run has paused that has ended without a question."""

    def go_on(self) -> None:
        """Let a run go on that has paused before a node, so that `chunks` can be read again."""

    def cancel(self) -> None:
        """Ask the run to end; at once, from a signal handler."""

    def how_to_go_on(self) -> str:
        """Return what a person can do to answer later; empty if nothing is kept."""
