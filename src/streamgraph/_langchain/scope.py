"""Scope: the current task and its run, in one context variable."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple
from warnings import warn

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import var_child_runnable_config
from typing_extensions import Protocol

from streamgraph._core.control import RunControl
from streamgraph._core.plan import Node, Plan
from streamgraph._core.task import Task, metadata_of
from streamgraph._interrupts import Interrupt
from streamgraph._langchain.run_config import RunConfig
from streamgraph._langchain.side_calls import side_call
from streamgraph._propagation import cancel_here, is_propagated, on_loop
from streamgraph._signals import Paused
from streamgraph._streams.backpressure import Capacity, DetachedCapacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph._streams.router import ParentStream
from streamgraph._streams.subscribers import RunSubscribers
from streamgraph._streams.watchdog import Watchdog
from streamgraph.errors import StreamClosed

SCOPE_KEY = "__streamgraph_scope"
"""Key of the scope in a node's `configurable`, for code that has the config but not the context."""

_counting = Lock()
_current: ContextVar[Optional[Scope]] = ContextVar("streamgraph_scope", default=None)


class MessageLog(Protocol):
    """Interface of a run's message tracker for the code of nodes."""

    def token(self, scope: Scope, key: str, chunk: BaseMessage) -> None:
        """Show a token that does not come from a model call of LangChain."""

    def finished(self, key: str) -> None:
        """End a message that does not come from a model call of LangChain."""

    def pushed(self, scope: Scope, message: BaseMessage, key: Optional[str]) -> None:
        """Show a message passed to `push_message`."""


class ParentTrace(Protocol):
    """A task's run in traces, as the parent of runs inside it."""

    def child(self, tag: Optional[str] = None) -> BaseCallbackManager:
        """Return a callback manager for runs inside the task."""


@dataclass(eq=False)
class RunScope:
    """State shared by the tasks of one run.

    Attributes:
        ns: The namespace of the graph.
        messages: The message tracker; `None` if messages are not wanted.
        config: The config of the run; nested runs inherit it.
        ids: The entries of `configurable` that may be shown in metadata.
        metadata: The user's metadata and `ids`.
        configurable: The `configurable` of every task.
        context: The object passed to the run as `context=`.
        store: The user's store.
        control: The handle to request an early end of the run.
        subscribers: The subscribers of the graph and of its nested graphs.
        plan: The graph.
        state: Returns the current values of the graph's state, or those of some keys.
        fold: Returns the values that keys would have after some writes of a task.
        call: Starts a task inside another task.
        capacity: The capacity for the parts that the tasks emit, if it is limited.
        loop: The event loop of an async run.
        stop: The cancel token of the whole run.
        warned: True after a warning about a write after the end of the run.
        checks_mutations: True if nodes that change the state in place are found, also in nested graphs.
        saving: How the run is saved; `None` if it is not.
        answers: The answers with which the run is continued, by the ids of the questions.
        previous: What the last run of the thread saved, for workflows.
        live: Asks questions that are answered while the run goes on; `None` if it ends with them.
        asked: Where and when questions were asked with which the run ends, by their ids; `None` if there are none.
    """

    ns: Tuple[str, ...]
    plan: Plan
    messages: Optional[MessageLog]
    config: RunConfig
    configurable: Mapping[str, Any]
    context: Any
    store: Any
    control: Optional[RunControl]
    subscribers: RunSubscribers
    state: Callable[..., Dict[str, Any]]
    fold: Callable[[Task, Sequence[Tuple[str, object]]], Mapping[str, object]]
    call: Callable[[Scope, Node, Any], Any]
    stop: CancelToken
    capacity: Optional[Capacity] = None
    loop: Optional[object] = None
    warned: bool = False
    checks_mutations: bool = False
    saving: Optional[object] = None
    answers: Mapping[str, object] = field(default_factory=dict)
    previous: object = None
    live: Optional[object] = None
    asked: Optional[Dict[str, Paused]] = None

    def __post_init__(self) -> None:
        self.ids: Dict[str, Any] = self.config.shown_ids
        self.metadata: Dict[str, Any] = {**self.config.metadata, **self.ids}


class Scope:
    """One task, as seen by the code that runs in it.

    It is bound to its task, not to a thread or context: code that holds the scope can emit for the task.

    Attributes:
        task: The task.
        run: The state shared by the tasks of its run.
        wanted: The modes that are wanted from the task.
        put: Takes the parts that the task emits; thread-safe.
        stop: The cancel token of the task.
        parent: The scope of the parent run's task, if the run is nested.
        trace: The task's run in traces; `None` without handlers.
        watch: The watchdog of the attempt; `None` without a time limit.
        watches: The watchdogs that the task's activity resets: its own, and those of the enclosing tasks.
        children: The tasks that were called inside this one, and what else has to end before it does.
        called: The number of tasks that were called inside this one.
        batches: The number of times that several tool calls were run side by side.
        writes: Writes to state keys made while the task runs, applied before those that it returns.
        asked: The number of questions that the attempt has asked.
        asked_by: The number of the last question of each of several tool calls.
        questions: The open questions with which the attempt will end: its own by the tool call that asks (`None` if
            there is none), and those of graphs and `@task`s that were called in it.
        attempt: The number of the attempt, from 1.
        began: The start of the first attempt in seconds since the epoch.
        over: True after the end of the attempt; threads and asyncio tasks started in it may continue.
    """

    __slots__ = (
        "asked",
        "asked_by",
        "attempt",
        "batches",
        "began",
        "called",
        "children",
        "over",
        "parent",
        "put",
        "questions",
        "run",
        "stop",
        "task",
        "trace",
        "wanted",
        "watch",
        "watches",
        "writes",
    )

    def __init__(
        self,
        task: Task,
        run: RunScope,
        wanted: FrozenSet[str],
        put: Put,
        stop: CancelToken,
        parent: Optional[Scope],
        trace: Optional[ParentTrace],
        watch: Optional[Watchdog],
        attempt: int,
        began: float,
    ) -> None:
        self.task = task
        self.run = run
        self.wanted = wanted
        self.put = put
        self.stop = stop
        self.parent = parent
        self.trace = trace
        self.watch = watch
        self.children: Any = ()
        self.called = 0
        self.batches = 0
        self.writes: Tuple[Tuple[str, Any], ...] = ()
        self.asked = 0
        self.asked_by: Optional[Dict[str, int]] = None
        self.questions: Optional[Dict[object, Interrupt]] = None
        self.attempt = attempt
        self.began = began
        self.over = False
        # Activity of this task also counts for the enclosing tasks.
        outer = parent.watches if parent is not None else ()
        self.watches: Tuple[Watchdog, ...] = (watch, *outer) if watch is not None and watch.counts_activity else outer

    @property
    def inner_ns(self) -> Tuple[str, ...]:
        """The namespace of nested runs in the task."""
        return (*self.run.ns, *self.task.ns_suffix)

    @property
    def checkpoint_ns(self) -> str:
        """The namespace of the task in one string, as in the metadata key `langgraph_checkpoint_ns`."""
        return "|".join(self.inner_ns)

    def metadata(self) -> Dict[str, Any]:
        """Return the metadata that identifies the task."""
        return metadata_of(self.task, self.run.ns)

    def emit(self, mode: str, data: Any, key: Optional[str] = None) -> None:
        """Emit a payload into the stream, in order with the other parts of the task.

        Args:
            mode: The stream mode.
            data: The payload.
            key: The state key that a message was written to.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        if self.stop.is_set:
            self._refuse()
            if mode == "custom" and self.run.stop.is_set:
                self._say_too_late()
            return
        if self.watches:
            self.signal_activity(is_token=mode == "messages")
        try:
            self.put(Part(self.run.ns, mode, data, self.task.name, key))
        except StreamClosed:  # cancelled while waiting for capacity
            self._refuse()

    def put_in(self, part: Part) -> None:
        """Emit a finished part with a message.

        Args:
            part: The part.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        if self.stop.is_set:
            self._refuse()
            return
        if self.watches:
            self.signal_activity(is_token=True)
        try:
            self.put(part)
        except StreamClosed:  # cancelled while waiting for capacity
            self._refuse()

    def write(self, value: Any) -> None:
        """Emit `value` as `custom` data if that mode is wanted."""
        if "custom" in self.wanted:
            self.emit("custom", value)
        else:
            self.check_alive()

    def check_alive(self, *, is_token: bool = False) -> None:
        """Report activity and check for cancellation without emitting a part.

        Called in place of `emit` if the part is not wanted.

        Args:
            is_token: True for a token or message.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        if self.stop.is_set:
            self._refuse()
        elif self.watches:
            self.signal_activity(is_token=is_token)

    def _refuse(self) -> None:
        """End the work of a cancelled task, unless its end is not awaited.

        A call that continues in a thread or asyncio task started by the node finishes, and its parts are dropped.
        """
        if not self.stop.finished and not self.over:
            cancel_here()

    def _say_too_late(self) -> None:
        """Warn once per run that a write after its end is lost."""
        if not self.run.warned:
            self.run.warned = True
            what = "A stream writer was used after its run had ended; what it wrote is lost."
            warn(what, RuntimeWarning, stacklevel=4)

    @property
    def wants_messages(self) -> bool:
        """True if messages of the graph are wanted, from this node or others."""
        return "messages" in self.run.subscribers.here.modes

    @property
    def is_called(self) -> bool:
        """True for a subtask."""
        return self.task.node.kind == "task"

    def signal_activity(self, *, is_token: bool = False) -> None:
        """Report activity, for the timeouts of this task and the enclosing tasks.

        Args:
            is_token: True for a token or message.
        """
        for watch in self.watches:
            watch.activity(is_token)

    def heartbeat(self) -> None:
        """Report activity explicitly; with `refresh_on="heartbeat"` only this counts."""
        scope: Optional[Scope] = self
        while scope is not None:
            if scope.watch is not None:
                scope.watch.heartbeat()
            scope = scope.parent

    def next_call(self) -> int:
        """Return the number of the next nested run in the task, from 0; thread-safe."""
        side, task = side_call(self), self.task
        with _counting:
            number = task.calls if side is None else side.number("graphs")
            task.calls = max(task.calls, number + 1)
            return number

    def wait_for(self, future: object) -> None:
        """Let the task end after a future; thread-safe."""
        with _counting:
            self.children = self.children or []
            self.children.append(future)

    def next_subtask(self) -> int:
        """Return the number of the next `@task` that is called in the task, from 0; thread-safe."""
        side = side_call(self)
        with _counting:
            number = self.called if side is None else side.number("tasks")
            self.called = max(self.called, number + 1)
            return number

    def lets_go(self) -> bool:
        """Return whether a run nested here continues after the task was cancelled.

        True in a thread that the node has started: the exception that ends the run would not be caught there. (An
        asyncio task is cancelled instead.) Also true for all work that continues after the node has returned.
        """
        return self.over or not (is_propagated() or on_loop())

    def parent_stream(self, *, detached: bool) -> ParentStream:
        """Return the parent stream for nested runs.

        Args:
            detached: True if they continue after the task was cancelled; their parts are then dropped.
        """
        put, capacity = self.put, self.run.capacity
        if detached:
            aside = DetachedCapacity(self.stop, put, capacity)
            put, capacity = aside.put, aside if capacity is not None else None
        return ParentStream(put, self.run.subscribers.below, capacity)

    def shows(self, tags: Sequence[str], key: Optional[str] = None, *, raw: bool = False) -> bool:
        """Return whether a message is wanted.

        Args:
            tags: The tags of the message.
            key: The state key that a node has written the message to.
            raw: True for the raw JSON of structured output.
        """
        return self.run.subscribers.here.message(self.task.name, tags, key, raw)

    def shows_objects(self, tags: Sequence[str]) -> bool:
        """Return whether structured output of a model with these tags is wanted."""
        return self.run.subscribers.here.structured(self.task.name, tags)


def current_scope(config: Optional[Mapping[str, Any]] = None) -> Optional[Scope]:
    """Return the scope of the calling code, or `None` outside of a graph run.

    Args:
        config: An explicit config; used if the context has been lost, as in a thread that was started without one.
    """
    scope = _current.get()
    if scope is None:
        handed = config or var_child_runnable_config.get() or {}
        scope = (handed.get("configurable") or {}).get(SCOPE_KEY)
    return scope


def enter_scope(scope: Scope) -> None:
    """Set the scope of the current context; it is never reset, because the context belongs to the task."""
    _current.set(scope)


def no_writer(value: Any) -> None:
    """Drop `value`; the stream writer outside of a run."""
