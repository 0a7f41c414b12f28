"""Task ids: the same run, namespace, step and task give the same id."""

from __future__ import annotations

from hashlib import blake2b


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
