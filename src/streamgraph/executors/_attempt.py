"""One attempt of a task on a worker: its session, and what it ends with."""

from __future__ import annotations

from time import monotonic
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, cast

from langchain_core.tracers import BaseTracer
from typing_extensions import Literal

from streamgraph._core.parts import PartBuilder
from streamgraph._core.task import Task
from streamgraph._execution.saving import Saving
from streamgraph._execution.session import GraphSession
from streamgraph._langchain.nodes import as_action
from streamgraph._langchain.run_config import DEFAULT_RECURSION_LIMIT, RunConfig
from streamgraph._langchain.scope import Scope
from streamgraph._messages.copying import copy_payload
from streamgraph._messages.relaying import hidden_messages
from streamgraph._messages.tracker import MessageTracker
from streamgraph._policies import TimeoutPolicy
from streamgraph._protocols import Backend
from streamgraph._runnable.base import is_graph
from streamgraph._runnable.timestamps import timestamp
from streamgraph._streams.router import Router
from streamgraph._streams.subscribers import RunSubscribers
from streamgraph._streams.watchdog import Watchdog
from streamgraph.errors import GraphInterrupt
from streamgraph.executors._callbacks import Forwarder
from streamgraph.executors._failures import packed_error
from streamgraph.executors._home import Home
from streamgraph.executors._home_saving import saving_at_home
from streamgraph.executors._home_store import store_at_home
from streamgraph.executors._remote_run import RemoteRun, plan_of
from streamgraph.executors._request import subscribers_of
from streamgraph.executors._targets import Targets
from streamgraph.executors._wire import packed, unpacked

Activity = Literal["token", "activity", "heartbeat"]


class HostedAttempt:
    """One attempt of a task of another process.

    Args:
        targets: What was loaded.
        home: The way to its run.
        tell: Takes events for callback handlers; from any thread.
        alive: Is called, from any thread, when there is a sign of life that the stream does not show.
    """

    def __init__(
        self, targets: Targets, home: Home, tell: Callable[[bytes], None], alive: Callable[[Activity], None]
    ) -> None:
        self._targets = targets
        self._home = home
        self._tell = tell
        self._alive = alive
        self._node = ""
        self._run: Optional[RemoteRun] = None
        self._session: Optional[_HostedSession] = None
        self._is_graph = False
        self._result: object = None
        self._hidden: List[Tuple[object, ...]] = []

    def open(self, data: bytes, backend: Backend) -> GraphSession:
        """Return the session that runs it.

        Args:
            data: The request.
            backend: The inbox of the driver.

        Raises:
            SerializationError: The request has a value whose class is not on this worker.
            UnknownOptionError: Its reference names nothing that can be a node.
        """
        request: Mapping[str, Any] = unpacked(data)
        self._node = request["node"]
        target = self._targets[request["target"]]
        self._is_graph = is_graph(target)
        plan = plan_of(request, as_action(target, error=request["error"] is not None), self._returned)
        here, below = subscribers_of(request["here"]), subscribers_of(request["below"])
        subscribers = RunSubscribers(tuple(request["ns"]), here.modes, below.modes)
        subscribers.here, subscribers.below = here, below
        config = RunConfig(
            tags=request["tags"],
            metadata=request["metadata"],
            configurable=request["configurable"],
            limit=DEFAULT_RECURSION_LIMIT if request["limit"] is None else request["limit"],
            callbacks=[Forwarder(self._tell)] if request["heard"] else None,
            concurrency=request["concurrency"],
            run_id=request["run_id"],
        )
        parts = PartBuilder(tuple(request["ns"]), here, metadata=config.metadata, tags=config.tags, clock=timestamp)
        self._run = run = RemoteRun(plan, parts, request)
        self._session = session = _HostedSession(
            run,
            Router(subscribers, shape=lambda part: part, copy_payload=copy_payload),
            config,
            backend,
            parts=parts,
            given=request["input"],
            writes=(),
            scope=None,
            detached=False,
            context=request["context"],
            store=None if request["store"] is None else store_at_home(self._home, request["store"]),
            checks_mutations=request["checks_mutations"],
        )
        saving = None
        if request["saving"] is not None:
            saving = saving_at_home(request["saving"], self._home, plan, run.ns, run.task.step, backend)
        session.began(request, saving, self._alive if request["watched"] else None)
        return session

    def _returned(self, result: object) -> None:
        """Take what the node has returned, while it is known what its task has shown."""
        self._result = result
        session = self._session
        if session is not None and isinstance(session.shared.messages, MessageTracker) and session.scope is not None:
            self._hidden = [tuple(one) for one in hidden_messages(session.shared.messages, session.scope)]

    def end(self, error: Optional[Exception] = None) -> bytes:
        """Return what it has ended with, as data.

        Args:
            error: The exception with which it has ended; `None` if it has finished.

        Raises:
            UnsendableValueError: The node has returned, or asks, something that cannot be sent.
        """
        values: Dict[str, object] = {}
        if isinstance(error, GraphInterrupt):
            values["questions"] = list(error.interrupts)
        elif error is not None:
            values["error"] = packed_error(error)
        else:
            values["result"] = self._result
        if self._run is not None and self._session is not None:
            task, shared = self._run.task, self._session.shared
            tracker = shared.messages
            values.update(
                sent=list(self._run.sent) if error is None else [],
                is_graph=self._is_graph,
                answers=task.answers,
                call_answers=task.call_answers,
                calls=task.calls,
                asked=shared.asked or {},
                hidden=self._hidden,
                unstreamed=tracker.unstreamed if isinstance(tracker, MessageTracker) else [],
            )
        names = {"result": "what the node has returned", "sent": "what the node has written", "questions": "a question"}
        return packed(values, node=self._node, what=names)


class _HostedSession(GraphSession):
    """The session of one task that belongs to a run in another process."""

    scope: Optional[Scope] = None
    _alive: Optional[Callable[[Activity], None]] = None

    def began(
        self, request: Mapping[str, Any], saving: Optional[Saving], alive: Optional[Callable[[Activity], None]]
    ) -> None:
        """Take over what the run has come to.

        Args:
            request: The request.
            saving: How what is inside the task is saved; the task itself is saved where the run is.
            alive: Takes signs of life; `None` if nobody waits for them.
        """
        self.shared = self._shared
        self.shared.answers = request["run_answers"]
        self.shared.saving = self._subtasks.saving = saving
        self._previous = request["previous"]
        self._place = (request["attempt"], request["began"])
        if request["heard"]:
            # A tracer of this process would report the same runs once more.
            self._not_inherited = (*self._not_inherited, BaseTracer)
        self._alive = alive

    def opening(self, loop: Optional[object] = None) -> Any:
        """Begin the run."""
        effects = yield from super().opening(loop)
        self.shared.previous = self._previous
        return effects

    def _scope_of(self, task: Task, *args: Any) -> Scope:
        scope = super()._scope_of(task, *args)
        if task is cast("RemoteRun", self.run).task:
            scope.attempt, scope.began = self._place
            self.scope = scope
            if self._alive is not None:
                scope.watch = _Beacon(task, scope, self._alive)
                scope.watches = (scope.watch,)
        return scope


class _Beacon(Watchdog):
    """Sends signs of life in place of measuring time: the limits are where the run is."""

    __slots__ = ("_alive",)

    def __init__(self, task: Task, scope: Scope, alive: Callable[[Activity], None]) -> None:
        super().__init__(task.name, task.step, TimeoutPolicy(), monotonic, scope.stop)
        self._alive = alive

    def heartbeat(self) -> None:
        """Send a call of `Runtime.heartbeat()`."""
        self._alive("heartbeat")

    def activity(self, is_token: bool) -> None:
        """Send any other activity."""
        self._alive("token" if is_token else "activity")
