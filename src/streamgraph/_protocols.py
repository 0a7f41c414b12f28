"""The interfaces between the drivers and the LangChain side.

A driver knows how to wait, a session knows what to call. Work reaches the driver as a generator of `Call`s:
the session says what is to be called next, the driver calls it in its own way, in a thread or on an event
loop, and sends back the result. So everything around a call, its callbacks, its errors, what follows it, is
written once for both. What a driver owes a session is listed in `_drivers/__init__.py`.
"""

from __future__ import annotations

from concurrent.futures import Future
from contextvars import Context
from typing import (
    Any,
    Callable,
    Dict,
    Generator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from typing_extensions import Protocol

from streamgraph._core.action import Action
from streamgraph._core.effects import Effect
from streamgraph._core.events import Event
from streamgraph._core.run import Run
from streamgraph._core.task import Task
from streamgraph._signals import Unstreamed
from streamgraph._streams.backpressure import Capacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router
from streamgraph._streams.watchdog import Watchdog

T = TypeVar("T")


class Call:
    """An action with its arguments, to be called by the driver.

    Args:
        action: What to call.
        args: Its arguments.
        nonblocking: It returns at once, so it may be called on an event loop.
        watch: How long it may take. A call in a thread that takes longer goes on there; its result is dropped.
        shielded: If the work is cancelled while this is awaited, it is first awaited to its end.
    """

    # No NamedTuple: each step makes one of these, and that would take twice as long.
    __slots__ = ("action", "args", "nonblocking", "shielded", "watch")

    def __init__(
        self,
        action: Action,
        args: Tuple[Any, ...] = (),
        nonblocking: bool = False,
        watch: Optional[Watchdog] = None,
        shielded: bool = False,
    ) -> None:
        self.action = action
        self.args = args
        self.nonblocking = nonblocking
        self.watch = watch
        self.shielded = shielded


class Sleep(NamedTuple):
    """Wait for a time, or until the work is told to stop.

    Attributes:
        seconds: How long.
        stop: Tells the work to stop.
    """

    seconds: float
    stop: CancelToken


class Join(NamedTuple):
    """Wait until subtasks have ended, however they do.

    Attributes:
        futures: Their results.
    """

    futures: Sequence[Future[Any]]


Work = Generator[Union[Call, Sleep, Join], Any, T]
"""Calls to make and things to wait for, one after the other, with a result in the end."""


class Batch(Protocol):
    """Payloads of parts that follow each other, to be one part."""

    def add(self, data: Any) -> bool:
        """Take one more, if it belongs to these."""

    def sum(self) -> Any:
        """Return the payload that says the same as all of them."""


class Coalescer(Protocol):
    """What can be merged of what waits for a slow consumer."""

    def source(self, part: Part) -> str:
        """Return the task that a part comes from, as far as it is known: the beginning of its namespace in one string.

        What one task and those inside it make has to stay in its order.
        """

    def batch(self, part: Part) -> Optional[Batch]:
        """Begin a pile with this part, or return `None` if nothing can be added to such a part."""


class TaskRun:
    """A task, ready to run.

    Args:
        context: The context of its own in which all of it runs.
        work: What to call; it never raises, but reports a failure as its result.
        stop: Tells this task, and nothing beside it, to stop.
        lost: Is called by the driver if it can't begin the work, or can't bring it to its end.

    Attributes:
        over: The work has come to its end, of which the reader may not have heard yet.
    """

    __slots__ = ("context", "lost", "over", "stop", "work")

    def __init__(
        self,
        context: Context,
        work: Work[Event],
        stop: CancelToken,
        lost: Optional[Callable[[], None]] = None,
    ) -> None:
        self.context = context
        self.work = work
        self.stop = stop
        self.lost = lost
        self.over = False


class Partial(NamedTuple):
    """What a run has come to so far.

    Attributes:
        messages: The texts of the messages that were shown, as far as they came, by their ids; known if `messages`
            is one of the modes.
        state: The state after the last step that was finished, as `invoke` would return it; `None` before that.
    """

    messages: Dict[str, str]
    state: Any


class Backend(Protocol):
    """What a driver gives a run: the way into its inbox, and a way to start subtasks.

    Attributes:
        asynchronous: Work is awaited on an event loop.
        put: Adds a part to the inbox; may be called from any thread.
        capacity: How much room the inbox has; `None` if nothing limits it.
    """

    asynchronous: bool

    @property
    def put(self) -> Put: ...

    @property
    def capacity(self) -> Optional[Capacity]: ...

    def spawn(self, job: TaskRun) -> None:
        """Start a task run beside the one that asks for it; may be called from any thread.

        Its work sees to its own end.

        Raises:
            RuntimeError: It can't be started: there can be no more threads, or its event loop is closed.
        """


class Session(Protocol):
    """One run of one graph, as a driver sees it."""

    run: Run
    router: Router
    stop: CancelToken

    def must_watch(self, loop: object) -> bool:
        """Whether the run around this one cannot cancel what runs on this loop.

        So it is where a node in a thread runs a loop of its own.

        Args:
            loop: The event loop.
        """

    def opening(self, loop: Optional[object] = None) -> Work[List[Effect]]:
        """Begin the run; returns its first effects.

        Args:
            loop: The event loop on which the run is awaited, if it is.
        """

    def job(self, task: Task) -> TaskRun:
        """Prepare a task."""

    def partial(self) -> Partial:
        """Return what the run has come to so far."""

    def explain(self) -> List[Unstreamed]:
        """Return which model calls were not streamed so far, and why."""

    def closing(self, output: Any, error: Optional[BaseException]) -> Work[None]:
        """End the run: with its output, or with the error if there is one.

        If the error is no `Exception`, such as a cancellation, the work needs no loop to wait on.
        """
