"""Where in which run the current code is: one object in one context variable."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple
from warnings import warn

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import var_child_runnable_config
from typing_extensions import Protocol

from streamgraph._core.control import RunControl
from streamgraph._core.plan import Node, Plan
from streamgraph._core.task import Task
from streamgraph._langchain.run_config import RunConfig
from streamgraph._propagation import cancel_here, is_propagated, on_loop
from streamgraph._streams.backpressure import Capacity, DetachedCapacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph._streams.router import ParentStream
from streamgraph._streams.subscribers import RunSubscribers
from streamgraph._streams.watchdog import Watchdog
from streamgraph.errors import StreamClosed

SCOPE_KEY = "__streamgraph_scope"
"""Where a node's config carries its scope, for code that was handed the config but not the context."""

_counting = Lock()

_current: ContextVar[Optional[Scope]] = ContextVar("streamgraph_scope", default=None)


class MessageLog(Protocol):
    """What a run keeps of the messages that it has shown, as nodes see it."""

    def token(self, scope: Scope, key: str, chunk: BaseMessage) -> None:
        """Show a token that does not come from a model call of LangChain."""

    def finished(self, key: str) -> None:
        """Take note that such a message is over."""

    def pushed(self, scope: Scope, message: BaseMessage, key: Optional[str]) -> None:
        """Show a message that a node has pushed."""


class ParentTrace(Protocol):
    """The run of a task in traces, as what runs inside it sees it."""

    def child(self, tag: Optional[str] = None) -> BaseCallbackManager:
        """Return a manager for what runs inside."""


@dataclass(eq=False)
class RunScope:
    """What the tasks of one run have in common.

    Attributes:
        ns: The namespace of the graph.
        messages: What keeps track of the messages that have been streamed, if anybody wants messages.
        config: What the run was configured with; nested graphs inherit from it.
        ids: The well-known ids of its `configurable`.
        metadata: The user's metadata and these ids.
        configurable: What every task finds in its `configurable`.
        context: The user's object for this run.
        store: The user's store.
        control: Through which the run can be asked to end.
        subscribers: Who watches the graph, and the graphs that run in its tasks.
        plan: The graph.
        state: Returns the current values of the graph's state.
        call: Starts a task inside another one.
        capacity: The room there is for what its tasks emit, if it is limited.
        loop: The event loop on which the run awaits, if it is an async one.
        stop: Tells the whole run to stop.
        warned: Somebody has been told that what is written now comes too late.
        checks_mutations: Nodes that change the state in place are found, also in graphs that run in the tasks.
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
    state: Callable[[], Any]
    call: Callable[[Scope, Node, Any], Any]
    stop: CancelToken
    capacity: Optional[Capacity] = None
    loop: Optional[object] = None
    warned: bool = False
    checks_mutations: bool = False

    def __post_init__(self) -> None:
        self.ids: Dict[str, Any] = self.config.shown_ids
        self.metadata: Dict[str, Any] = {**self.config.metadata, **self.ids}


class Scope:
    """One task, as the code that runs in it sees it.

    It is bound to its task, not to a thread or context: whoever holds it can emit for the task.

    Attributes:
        task: The task.
        run: The run that it is a task of.
        wanted: The modes wanted from the task.
        put: Takes what the task emits; from any thread.
        stop: Tells whether the work is still wanted.
        parent: The scope around the graph, if it is nested.
        trace: The task in traces, if anybody listens.
        watch: Says how long the task may take.
        watches: Those that wait for signs of life of the task: its own, and those of the tasks around.
        children: The tasks that were called inside this one.
        writes: State keys that were written while the task runs, before what it returns.
        attempt: The number of the attempt, from 1.
        began: When the first attempt began, in seconds since the epoch.
        over: The attempt has ended; threads and asyncio tasks that it has started may go on.
    """

    __slots__ = (
        "attempt",
        "began",
        "children",
        "over",
        "parent",
        "put",
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
        self.writes: Tuple[Tuple[str, Any], ...] = ()
        self.attempt = attempt
        self.began = began
        self.over = False
        # What happens here is a sign of life for every task around as well.
        around = parent.watches if parent is not None else ()
        self.watches: Tuple[Watchdog, ...] = (watch, *around) if watch is not None and watch.counts_activity else around

    @property
    def inner_ns(self) -> Tuple[str, ...]:
        """The namespace of graphs that run in the task."""
        return (*self.run.ns, *self.task.ns_suffix)

    @property
    def checkpoint_ns(self) -> str:
        """The namespace of the task in one string, as in the metadata key `langgraph_checkpoint_ns`."""
        return "|".join(self.inner_ns)

    def metadata(self) -> Dict[str, Any]:
        """Return the metadata that says where something comes from."""
        return metadata_of(self.task, self.run.ns)

    def emit(self, mode: str, data: Any, key: Optional[str] = None) -> None:
        """Put something into the stream, in order with everything else the task emits.

        Args:
            mode: The stream mode it belongs to.
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
        except StreamClosed:  # while it waited for room
            self._refuse()

    def put_in(self, part: Part) -> None:
        """Put a part into the stream that was made in this task.

        Args:
            part: The part.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        try:
            self.put(part)
        except StreamClosed:  # while it waited for room
            self._refuse()

    def write(self, value: Any) -> None:
        """Put `value` into the stream as `custom` data, if anybody wants that."""
        if "custom" in self.wanted:
            self.emit("custom", value)
        else:
            self.check_alive()

    def check_alive(self, *, is_token: bool = False) -> None:
        """Do what goes with emitting where nobody wants what is emitted: give a sign of life, and end if told to.

        Args:
            is_token: It is a token or message.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        if self.stop.is_set:
            self._refuse()
        elif self.watches:
            self.signal_activity(is_token=is_token)

    def _refuse(self) -> None:
        """Answer what comes after the task was told to stop: end the work, unless nobody waits for its end.

        A call that a node has left behind in a thread or asyncio task of its own finishes, unheard.
        """
        if not self.stop.finished and not self.over:
            cancel_here()

    def _say_too_late(self) -> None:
        """Warn once of each run that what is written to it is lost."""
        if not self.run.warned:
            self.run.warned = True
            what = "A stream writer was used after its run had ended; what it wrote is lost."
            warn(what, RuntimeWarning, stacklevel=4)

    @property
    def wants_messages(self) -> bool:
        """Whether anybody wants messages of the graph, be it of this node or not."""
        return "messages" in self.run.subscribers.here.modes

    @property
    def is_called(self) -> bool:
        """Whether the task was called inside another."""
        return self.task.node.kind == "task"

    def signal_activity(self, *, is_token: bool = False) -> None:
        """Give a sign of life, for the timeouts of this task and those around it.

        Args:
            is_token: It is a token or message.
        """
        for watch in self.watches:
            watch.activity(is_token)

    def heartbeat(self) -> None:
        """Give a sign of life on purpose; the only kind that counts under `refresh_on="heartbeat"`."""
        scope: Optional[Scope] = self
        while scope is not None:
            if scope.watch is not None:
                scope.watch.heartbeat()
            scope = scope.parent

    def next_call(self) -> int:
        """Count the graphs that run in the task: 0 for the first."""
        with _counting:
            self.task.calls += 1
            return self.task.calls - 1

    def lets_go(self) -> bool:
        """Whether a graph that is run here goes on when the task is told to stop.

        So it is in a thread that the node has started itself: nobody would be there for the exception that ends it. (An
        asyncio task is cancelled instead.) And so it is with all that a node leaves behind when it returns.
        """
        return self.over or not (is_propagated() or on_loop())

    def parent_stream(self, *, detached: bool) -> ParentStream:
        """Return what this scope takes from graphs that run in it.

        Args:
            detached: They go on when the task is told to stop; what they show then is dropped.
        """
        put, capacity = self.put, self.run.capacity
        if detached:
            aside = DetachedCapacity(self.stop, put, capacity)
            put, capacity = aside.put, aside if capacity is not None else None
        return ParentStream(put, self.run.subscribers.below, capacity)

    def shows(self, tags: Sequence[str], key: Optional[str] = None, *, raw: bool = False) -> bool:
        """Whether anybody wants a message.

        Args:
            tags: Its tags.
            key: The state key that a node has written it to.
            raw: It is the raw JSON of structured output.
        """
        return self.run.subscribers.here.message(self.task.name, tags, key, raw)

    def shows_objects(self, tags: Sequence[str]) -> bool:
        """Whether anybody wants the structured output of a model with these tags."""
        return self.run.subscribers.here.structured(self.task.name, tags)


def metadata_of(task: Task, ns: Tuple[str, ...]) -> Dict[str, Any]:
    """Return the metadata that says that something comes from a task.

    Args:
        task: The task.
        ns: The namespace of its graph.
    """
    return {
        "langgraph_step": task.step,
        "langgraph_node": task.name,
        "langgraph_triggers": task.triggers,
        "langgraph_path": task.path,
        "langgraph_checkpoint_ns": "|".join((*ns, *task.ns_suffix)),
    }


def current_scope(config: Optional[Mapping[str, Any]] = None) -> Optional[Scope]:
    """Return the scope of the code that calls this, or `None` outside of a graph run.

    Args:
        config: A config that was handed over explicitly; used where the context has been lost, as in a
            thread that was started without one.
    """
    scope = _current.get()
    if scope is None:
        handed = config or var_child_runnable_config.get() or {}
        scope = (handed.get("configurable") or {}).get(SCOPE_KEY)
    return scope


def enter_scope(scope: Scope) -> None:
    """Make `scope` current in the context this runs in, for good: the context belongs to the task."""
    _current.set(scope)


def no_writer(value: Any) -> None:
    """Take a value and drop it: the stream writer outside of a run."""


def current_writer() -> Callable[[Any], None]:
    """Return the stream writer of the task this is called in; outside of one, a function that does nothing."""
    scope = current_scope()
    return no_writer if scope is None else scope.write
