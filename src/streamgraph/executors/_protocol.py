"""What an executor offers to nodes whose tasks it runs, and what travels between the two."""

from __future__ import annotations

from typing import AsyncGenerator, Optional, Sequence, Tuple

from typing_extensions import Protocol

Item = Tuple[str, bytes, Optional[str], Optional[str]]
"""What a worker sends while it runs a task, as plain data: its kind, its content as JSON, and for a part of the stream
the node and the state key that it comes from. Tokens have the number of their form in place of the latter."""

PART, FORM, TEXT = "part", "form", "text"
ACTIVITY, CALL, EVENT, END = "activity", "call", "event", "end"
"""The kinds of items: a part of the stream; what tokens have in common, and the text of one of them; a sign of life, a
call of what has stayed with the run, an event for its callback handlers, the end."""


class TaskHandle(Protocol):
    """A task that an executor runs."""

    def batches(self) -> AsyncGenerator[Sequence[Item], None]:
        """Yield what the task sends, in order, in batches of what has come together; the last item is the end.

        It tells the `TaskHost` how many items were read, which stops the task if too many were not.

        Raises:
            WorkerLostError: The worker is gone, and with it the task.
        """

    async def answer(self, number: int, text: bytes) -> None:
        """Bring the answer to a call of the task to its `TaskHost`.

        Args:
            number: The number of the call.
            text: The answer.

        Raises:
            WorkerLostError: The worker is gone.
        """

    async def cancel(self) -> None:
        """Cancel the task, and return when it has ended, or is gone with its worker; more than once has no effect."""


class Executor(Protocol):
    """Runs tasks of nodes in other processes or on other machines, each of them once.

    It never retries a task by itself: a model answers differently each time, so what two attempts stream must not be
    mixed. The retry policy of the node starts a new attempt.
    """

    async def submit(self, request: bytes) -> TaskHandle:
        """Start a task on a worker, where a `TaskHost` runs it.

        Args:
            request: The task, for `TaskHost.run`.

        Raises:
            WorkerLostError: There is no worker that could take it.
        """
