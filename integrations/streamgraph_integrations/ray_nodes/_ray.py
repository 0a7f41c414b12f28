"""All that is known of Ray here: how it is started, and what its errors mean."""

from __future__ import annotations

import os
import threading
from typing import Any, Mapping, Optional

try:
    import ray
    from ray import exceptions
except ImportError as error:
    from streamgraph.errors import MissingPackageError

    raise MissingPackageError(
        "Nodes on Ray need further packages", hint='Install them: pip install "streamgraph[ray]".'
    ) from error

from streamgraph.errors import WorkerLostError

MOST_CALLS = 10_000
"""How many calls of an actor Ray lets run at once; how many tasks run at once is up to the actor itself."""

_starting = threading.Lock()

FAILED = exceptions.RayTaskError
"""What Ray raises for an exception in an actor; `cause` is the exception."""

UNAVAILABLE = exceptions.ActorUnavailableError
"""What Ray raises while it starts an actor again."""

GONE = (
    exceptions.LocalRayletDiedError,
    exceptions.NodeDiedError,
    exceptions.ObjectLostError,
    exceptions.OutOfMemoryError,
    exceptions.OwnerDiedError,
    exceptions.RayActorError,
    exceptions.RaySystemError,
    exceptions.WorkerCrashedError,
)
"""What Ray raises if the process, or the machine, of an actor is gone."""


def start() -> None:
    """Start a Ray of this program, unless it has started or joined one, or `RAY_ADDRESS` says which one to join.

    Left to itself, Ray joins whatever runs on the machine, also another program's, which may end at any time.
    """
    with _starting:
        if not ray.is_initialized():
            address = None if os.environ.get("RAY_ADDRESS") else "local"
            ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False)


def session() -> Optional[str]:
    """Return the id of this program's part in the cluster, by which actors belong to it; `None` without a Ray."""
    return ray.get_runtime_context().get_job_id() if ray.is_initialized() else None


def made_actor(cls: type, options: Mapping[str, Any], *args: object) -> Any:
    """Return the handle of a new actor, which may not have begun yet.

    A lost process is started again by Ray. What it was running is never run again by Ray: a model answers differently
    each time, and the reader would get a mixture.

    Args:
        cls: Its class.
        options: Options of Ray for its place.
        args: The arguments of its class.
    """
    kept = {"max_restarts": -1, "max_task_retries": 0, "max_concurrency": MOST_CALLS}
    return ray.remote(cls).options(**options, **kept).remote(*args)


def started_generator(method: Any, *args: object) -> Any:
    """Call a generator of an actor, and return the generator of the references to what it yields.

    Args:
        method: The method of the actor's handle.
        args: Its arguments.
    """
    return method.options(num_returns="streaming").remote(*args)


def cancel(generator: Any) -> None:
    """Cancel a call, also one that has not begun."""
    ray.cancel(generator, force=False)


def kill(actor: Any) -> None:
    """End the process of an actor, and let none follow it."""
    if ray.is_initialized():
        ray.kill(actor)


def lost(error: BaseException) -> WorkerLostError:
    """Return the error for a task whose actor is gone.

    Args:
        error: The error of Ray.
    """
    first = str(error).strip().split("\n", 1)[0]
    return WorkerLostError(
        f"The Ray actor of a node was lost ({type(error).__name__}: {first:.200})",
        hint="A retry_policy on the node runs it again on another actor.",
    )
