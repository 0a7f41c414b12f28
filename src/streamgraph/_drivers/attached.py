"""A run that another process drives, by the log that it shares."""

from __future__ import annotations

from typing import Callable, List

from streamgraph._drivers.questions import answer_live
from streamgraph._drivers.readable_run import ReadableRun
from streamgraph._drivers.recorder import Lag
from streamgraph._protocols import Partial
from streamgraph._signals import Paused
from streamgraph._streams.event_log import SharedLog
from streamgraph._streams.part import Part
from streamgraph.errors import NotSupportedError


class AttachedRun(ReadableRun):
    """A run that another process drives.

    Args:
        log: Its log.
    """

    log: SharedLog

    def __init__(self, log: SharedLog) -> None:
        super().__init__()
        self.log = log
        self.ns = log.facts.ns
        log.on_change(self._changed)
        self._changed()

    def _changed(self) -> None:
        """Take over the end of the run, if it has come, and wake all who wait for something."""
        end = self.log.end
        if end is not None and self.is_over():
            self._error, self.asked = end.error, end.questions
            if self._error is None and self.log.status != "cancelled":
                self._output = end.output
            self._ended.wake()
        self.changed.wake()

    def cancel(self) -> None:
        """Ask the run to end, without waiting."""
        if not self.is_over():
            self.log.signal("cancel")

    def answer(self, id: str, value: object) -> None:  # noqa: A002  (the field's name)
        """Answer an open question, and wait until the process of the run has taken the answer."""
        if self.is_over():
            answer_live(None, id, value)
        self.log.request("answer", id, value)

    async def aanswer(self, id: str, value: object) -> None:  # noqa: A002
        """Answer an open question; see `answer`."""
        if self.is_over():
            answer_live(None, id, value)
        await self.log.arequest("answer", id, value)

    def questions(self) -> List[Paused]:
        """Return the questions that wait for an answer; of a run that goes on, its process is asked."""
        if self.is_over():
            return list(self.asked)
        return list(self.log.request("questions"))  # type: ignore[call-overload, no-any-return]

    def hold(self, limit: int, wants: Callable[[Part], bool]) -> Lag:
        """Refuse: the process that drives the run does not know how far readers elsewhere are.

        Raises:
            NotSupportedError: Always.
        """
        raise NotSupportedError(
            'A reader cannot hold back a run of another process (overflow="block")',
            hint='Use overflow="drop_oldest", "coalesce" or "raise", or leave out max_buffer.',
        )

    def release(self, lag: Lag) -> None:
        """Do nothing: no reader can hold the run back."""

    def joined(self, reader: object) -> None:
        """Do nothing: the process that drives the run does not know who reads it elsewhere."""

    def left(self, reader: object, *, dropped: bool = False) -> None:
        """Do nothing, see `joined`."""

    def check_loop(self) -> None:
        """Do nothing: the event loop of the run, if it has one, is in the other process."""

    def partial_now(self) -> Partial:
        """Return the result so far, which is known at the end only.

        Raises:
            NotSupportedError: The run goes on.
        """
        end = self.log.end
        if end is None:
            raise NotSupportedError(
                "What a run of another process has made so far is not known here before its end",
                hint="Read its stream: accumulate the messages, or take the last part of `values`.",
            )
        return Partial(dict(end.messages), end.state)
