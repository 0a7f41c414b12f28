"""What an executor offers to nodes whose tasks it runs, and what travels between the two."""

from __future__ import annotations

from typing import AsyncGenerator, Optional, Sequence, Tuple

from typing_extensions import Protocol

Item = Tuple[str, bytes, Optional[str], Optional[str]]
"""What a worker sends while it runs a task, as plain data: its kind, its content as JSON, and for a part of the stream
the node and the state key that it comes from."""

PART, ACTIVITY, END = "part", "activity", "end"
"""The kinds of items: a part of the stream, a sign of life, the end."""


class TaskHandle(Protocol):
    """A task that an executor runs."""

    def batches(self) -> AsyncGenerator[Sequence[Item], None]:
        """Yield what the task sends, in order, in batches of what has come together; the last item is the end.

        It does not fetch more than a bounded number of items that nobody has asked for, so that a slow reader stops
        the worker.

        Raises:
            WorkerLostError: The worker is gone, and with it the task.
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
