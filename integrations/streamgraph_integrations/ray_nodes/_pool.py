"""A pool of Ray actors that run the tasks of nodes."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Type

from typing_extensions import Self

from streamgraph.errors import UnknownOptionError
from streamgraph_integrations.ray_nodes._actor import HostActor

if TYPE_CHECKING:
    from streamgraph_integrations.ray_nodes._task import RayTask


class RayPool:
    """Runs tasks of nodes in Ray actors, of which each runs many at once; an executor for `remote`.

    The actors are started by the first task, or by `start`. A task goes to the actor that has the fewest. An actor that
    is lost is started again, on another machine if need be; the tasks that it was running fail with a
    `WorkerLostError`, and the retry policies of their nodes decide what follows.

    Args:
        actors: The number of actors.
        num_cpus: The CPUs that each one takes of what Ray has.
        num_gpus: The GPUs, likewise; fractions share one.
        resources: Further resources, by the names that the machines of the cluster were started with.
        max_concurrency: The most tasks that one actor runs at once; further ones wait in it.
        warm_up: References of nodes that each actor loads when it starts, rather than with its first task.
        runtime_env: The environment of the actors, as Ray takes it: `pip`, `env_vars`, `working_dir`.
        options: Further options of Ray for an actor, such as `scheduling_strategy` or `memory`.

    Raises:
        MissingPackageError: Ray is not installed.
        UnknownOptionError: A number is out of range.
    """

    def __init__(
        self,
        actors: int = 1,
        *,
        num_cpus: float = 1,
        num_gpus: float = 0,
        resources: Optional[Mapping[str, float]] = None,
        max_concurrency: int = 100,
        warm_up: Sequence[str] = (),
        runtime_env: Optional[Mapping[str, Any]] = None,
        options: Optional[Mapping[str, Any]] = None,
    ) -> None:
        from streamgraph_integrations.ray_nodes import _ray

        for name, number in (("actors", actors), ("max_concurrency", max_concurrency)):
            if not number >= 1:
                raise UnknownOptionError(f"{name} must be at least 1, got {number!r}")
        self._ray = _ray
        self._size = actors
        self._options: Dict[str, Any] = {
            "num_cpus": num_cpus,
            "num_gpus": num_gpus,
            "resources": dict(resources or {}),
            **({} if runtime_env is None else {"runtime_env": dict(runtime_env)}),
            **(options or {}),
        }
        self._arguments = (tuple(warm_up), max_concurrency)
        self._lock = threading.Lock()
        self._members: List[Member] = []
        self._numbers = count(1)
        self._session: Optional[str] = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._size})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the actors, and a Ray on this machine if the program has started or joined none; without waiting."""
        self._ray.start()
        with self._lock:
            if self._session != self._ray.session():
                self._session, self._members = self._ray.session(), []  # those of an earlier Ray are gone with it
            while len(self._members) < self._size:
                self._members.append(Member(self._ray.made_actor(HostActor, self._options, *self._arguments)))

    def close(self) -> None:
        """End the actors, and what they are running; a later task starts others."""
        with self._lock:
            members, self._members = self._members, []
        for member in members:
            self._ray.kill(member.actor)

    async def submit(self, request: bytes) -> RayTask:
        """Start a task on an actor; see `Executor`.

        Args:
            request: The task.

        Raises:
            WorkerLostError: The actor is gone.
            Exception: An actor cannot load what it shall be warmed up with.
        """
        from streamgraph_integrations.ray_nodes._task import RayTask

        if len(self._members) < self._size or self._session != self._ray.session():
            await asyncio.get_running_loop().run_in_executor(None, self.start)
        with self._lock:
            member = min(self._members, key=lambda member: (member.suspect, member.tasks))
            member.tasks += 1
        try:
            if member.suspect:
                await member.wait()
            return RayTask(member, f"{next(self._numbers)}", request)
        except BaseException as error:
            member.tasks -= 1
            if isinstance(error, self._ray.GONE):
                with self._lock:  # for good: another one takes its place
                    self._members = [other for other in self._members if other is not member]
                raise self._ray.lost(error) from error
            raise


class Member:
    """One actor of a pool.

    Args:
        actor: Its handle.

    Attributes:
        actor: See above.
        tasks: The number of tasks that it was given and that have not ended.
        suspect: It is not known to be there: it has not answered yet, or a task was lost with it.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.tasks = 0
        self.suspect = True

    async def wait(self) -> None:
        """Wait until it is there.

        Raises:
            RayError: It is gone for good.
            Exception: It cannot load what it was told to.
        """
        from streamgraph_integrations.ray_nodes import _ray

        pause = 0.05
        while True:
            try:
                await self.actor.ready.remote()
            except _ray.UNAVAILABLE:
                await asyncio.sleep(pause)  # Ray is starting it again
                pause = min(2 * pause, 1.0)
            except _ray.FAILED as error:
                raise error.cause from error
            else:
                self.suspect = False
                return
