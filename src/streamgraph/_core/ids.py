"""Task ids: the same run, namespace, step and task give the same id."""

from __future__ import annotations

from hashlib import blake2b
from typing import Sequence

from typing_extensions import Protocol


class TaskIds(Protocol):
    """Gives the tasks of a run their ids; the same step of the same run gives the same ids."""

    def by_edge(self, step: int, node: str, triggers: Sequence[str]) -> str:
        """Return the id of a task that edges, branches or joins have started.

        Args:
            step: The superstep.
            node: The name of its node.
            triggers: All triggers that can start the node, sorted.
        """

    def by_send(self, step: int, node: str, index: int) -> str:
        """Return the id of a task that a `Send` has started.

        Args:
            step: The superstep.
            node: The name of its node.
            index: The position among the `Send`s of the step.
        """

    def handling(self, step: int, failed: str, node: str, name: str) -> str:
        """Return the id of the error handler of a failed task.

        Args:
            step: The superstep.
            failed: The id of the failed task.
            node: The name of its node.
            name: The name of the handler's node.
        """


class SeededIds:
    """The ids of the tasks of a run that is not saved.

    Args:
        seed: Identifies the run and its namespace, 16 bytes.
    """

    __slots__ = ("_seed",)

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def by_edge(self, step: int, node: str, triggers: Sequence[str]) -> str:
        """Return the id of a task that edges, branches or joins have started."""
        digest = blake2b(b"%b%d:-1:%b" % (self._seed, step, node.encode()), digest_size=16).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

    def by_send(self, step: int, node: str, index: int) -> str:
        """Return the id of a task that a `Send` has started."""
        return task_id(self._seed, step, node, index)

    def handling(self, step: int, failed: str, node: str, name: str) -> str:
        """Return the id of the error handler of a failed task."""
        return task_id(self._seed, step, f"handles {failed}", -1)


def task_id(seed: bytes, step: int, name: str, index: int) -> str:
    """Return the id of a task, in the shape of a UUID.

    Args:
        seed: Identifies the run and its namespace, 16 bytes.
        step: The superstep.
        name: The node.
        index: The position among the step's `Send`s, or -1 for a node reached by edges.
    """
    digest = blake2b(b"%b%d:%d:%b" % (seed, step, index, name.encode()), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def child_seed(task: str, call: int) -> bytes:
    """Return the seed of the `call`-th graph that runs inside the task with this id."""
    return blake2b(f"{task}|{call}".encode(), digest_size=16).digest()
