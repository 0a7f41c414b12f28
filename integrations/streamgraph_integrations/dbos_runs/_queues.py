"""The queues of runs: their names and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class RunQueue:
    """A queue of runs, with limits.

    Runs of one thread go on one at a time, in the order in which they were enqueued; a run without a thread waits for
    none. The runs of one thread belong in one queue.

    Args:
        name: The name of the queue.
        concurrency: The most runs of it that go on at a time, in all workers together; `None` for no limit.
        worker_concurrency: The most runs of it that go on at a time in one worker; `None` for no limit.
        rate: A number of runs, and the seconds within which no more of them may begin; `None` for no limit.
        prioritized: Runs begin by their priority, the lowest number first. They cannot name a thread: each has one of
            its own.
        poll: Seconds between two looks of a worker for new runs.

    Raises:
        ValueError: A limit is not positive, or the name is not usable.
    """

    name: str = "default"
    concurrency: Optional[int] = None
    worker_concurrency: Optional[int] = None
    rate: Optional[Tuple[int, float]] = None
    prioritized: bool = False
    poll: float = 0.2

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith("_dbos_"):
            raise ValueError(f"{self.name!r} is no name for a queue: those that begin with _dbos_ are DBOS's own")
        limits = {
            "concurrency": self.concurrency,
            "worker_concurrency": self.worker_concurrency,
            "rate": None if self.rate is None else min(self.rate),
            "poll": self.poll,
        }
        for limit, value in limits.items():
            if value is not None and not value > 0:
                raise ValueError(f"{limit} of the queue {self.name!r} must be greater than 0, got {value!r}")
        if self.concurrency is not None and (self.worker_concurrency or 0) > self.concurrency:
            raise ValueError(
                f"worker_concurrency of the queue {self.name!r} is {self.worker_concurrency}, which is more than its"
                f" concurrency, {self.concurrency}"
            )
