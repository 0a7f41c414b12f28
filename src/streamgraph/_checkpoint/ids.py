"""Ids of tasks in saved runs: functions of the checkpoint before the step, computed as LangGraph does.

A run that continues from a checkpoint finds the results of tasks that had finished by these ids, whichever of the two
libraries stored them. Runs without a saver use `_core/ids.py`, which needs no package.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Callable, Sequence, Tuple
from uuid import UUID, uuid5

from streamgraph._core.task import PULL, PUSH

Digest = Callable[[bytes], str]
"""A function from bytes to at least 32 hexadecimal digits."""


def digest_for(version: int) -> Digest:
    """Return the hash function for the tasks of a checkpoint.

    Args:
        version: The `v` of the checkpoint. Up to 1 it was SHA-1.
    """
    if version <= 1:
        return _sha1
    from xxhash import xxh3_128_hexdigest

    return xxh3_128_hexdigest


def _sha1(text: bytes) -> str:
    return sha1(text, usedforsecurity=False).hexdigest()


class RecordIds:
    """The ids of the tasks of the step after a record.

    Args:
        record: The id of the record.
        ns: The namespace of the graph.
        version: The `v` of the checkpoint in which it is stored.
    """

    __slots__ = ("_digest", "_ns", "_record")

    def __init__(self, record: str, ns: Tuple[str, ...], version: int = 4) -> None:
        self._record = bytes.fromhex(record.replace("-", ""))
        self._ns = ns
        self._digest = digest_for(version)

    def by_edge(self, step: int, node: str, triggers: Sequence[str]) -> str:
        """Return the id of a task that edges, branches or joins have started."""
        return self._id(self._ns, step, node, PULL, *triggers)

    def by_send(self, step: int, node: str, index: int) -> str:
        """Return the id of a task that a `Send` has started."""
        return self._id(self._ns, step, node, PUSH, str(index))

    def handling(self, step: int, failed: str, node: str, name: str) -> str:
        """Return the id of the error handler of a failed task."""
        return self._id((*self._ns, f"{node}:{failed}"), step, name, PUSH, "node_error_handler", failed)

    def by_call(self, step: int, caller: Sequence[str], path: str, name: str, number: int) -> str:
        """Return the id of a `@task` that is called in another task.

        Args:
            step: The superstep.
            caller: The namespace of graphs that run in the calling task.
            path: The path of the calling task, as text.
            name: The name of the `@task`.
            number: The number of earlier calls in the calling task.
        """
        return self._id(caller, step, name, PUSH, path, str(number))

    def _id(self, ns: Sequence[str], step: int, name: str, *parts: str) -> str:
        text = "".join(("|".join((*ns, name)), str(step), name, *parts))
        digest = self._digest(self._record + text.encode())
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def question_id(ns: Tuple[str, ...], number: int = 0) -> str:
    """Return the id of a question that a task asks with `interrupt`, 32 hexadecimal digits.

    Args:
        ns: The namespace of graphs that run in the task, which ends with the task's name and id.
        number: The number of questions that the task has asked before.
    """
    text = "|".join(ns) if not number else "|".join((*ns, str(number)))
    return digest_for(4)(text.encode())


def input_id(record: str) -> str:
    """Return the id under which the writes of an input are stored, on the record of the input; no task has it.

    Args:
        record: The id of the record.
    """
    return str(uuid5(UUID(record), "__input__"))


def path_text(path: Sequence[object]) -> str:
    """Return the path of a task as text, by which stored writes are ordered.

    Args:
        path: The path, with strings, numbers, booleans and the paths of calling tasks.
    """
    return f"~{', '.join(_part(part) for part in path)}"


def _part(part: object) -> str:
    if isinstance(part, (tuple, list)):
        return path_text(part)
    return f"{part:010d}" if isinstance(part, int) else str(part)
