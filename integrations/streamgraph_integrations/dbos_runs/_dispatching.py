"""Runs of a server in a queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Dict, cast

from langchain_core.runnables import RunnableConfig

from streamgraph.errors import UnknownOptionError
from streamgraph.runs import RunOrder
from streamgraph_integrations.dbos_runs._errors import UnknownQueuedRunError
from streamgraph_integrations.dbos_runs._queues import RunQueue

if TYPE_CHECKING:
    from streamgraph_integrations.dbos_runs._runs import QueuedRuns


class QueueDispatcher:
    """Puts what a server is asked to run into a queue; a `Dispatcher`.

    The server knows the graphs by the names that `QueuedRuns` has for them.

    Args:
        runs: Where the runs go.
        queue: The queue.

    Raises:
        UnknownOptionError: The queue has priorities, so that runs of one thread would not wait for each other.
    """

    def __init__(self, runs: QueuedRuns, queue: RunQueue) -> None:
        if queue.prioritized:
            raise UnknownOptionError(
                f"The queue {queue.name!r} has priorities, and runs of a server name threads",
                hint="Name a queue without: dispatcher(queue).",
            )
        self._runs = runs
        self._queue = queue

    async def dispatch(self, order: RunOrder) -> None:
        """Put a run into the queue, unless it is there.

        Args:
            order: What is to run.

        Raises:
            UnknownOptionError: `QueuedRuns` has no graph of this name.
            UnknownKeywordError: It has an option that a queued run cannot have.
            UnstorableOrderError: Something cannot be sent to another process.
        """
        config: Dict[str, object] = {**order.config, "run_id": order.run_id}
        if order.thread_id is not None:
            configurable = cast("Dict[str, object]", config.get("configurable") or {})
            config["configurable"] = {**configurable, "thread_id": order.thread_id}
        await self._runs.aenqueue(
            order.graph,
            order.given,
            cast("RunnableConfig", config),
            queue=self._queue.name,
            saved=order.thread_id is not None,
            after=[*order.after],
            **order.options,
        )

    async def cancel(self, run_id: str) -> None:
        """Take a run out of the queue, or ask it to end.

        Args:
            run_id: The run.
        """
        try:
            await asyncio.to_thread(self._runs.ending.cancel, run_id)
        except UnknownQueuedRunError:  # it was not dispatched yet, and will not be
            return
