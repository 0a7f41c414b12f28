"""The interfaces between the drivers and the LangChain side.

A driver implements waiting, a session decides the calls. Work reaches the driver as a generator of `Call`s: the session
yields the next call, the driver makes it in its own way, in a thread or on an event loop, and sends back the result. So
the code around a call (callbacks, error handling, the next step) is written once for both. The duties of a driver are
listed in `_drivers/__init__.py`.
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
from streamgraph._core.effects import Effect, Note, Save
from streamgraph._core.events import Event
from streamgraph._core.run import Run
from streamgraph._core.task import Task
from streamgraph._signals import Paused, Unstreamed
from streamgraph._streams.backpressure import Capacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router
from streamgraph._streams.watchdog import Watchdog

T = TypeVar("T")


class Call:
    """An action with its arguments, to be called by the driver.

    Args:
        action: The action to call.
        args: Its arguments.
        nonblocking: It returns at once, so it may be called on an event loop.
        watch: Its time limits. A call in a thread that exceeds one goes on there; its result is dropped.
        shielded: If the work is cancelled while this is awaited, it is first awaited to its end.
    """

    # Not a NamedTuple: one or more are made in each step, and that would take twice as long.
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
    """Wait for a time, or until the work is cancelled.

    Attributes:
        seconds: The time in seconds.
        stop: Cancel token of the work.
    """

    seconds: float
    stop: CancelToken


class Join(NamedTuple):
    """Wait until subtasks have ended, with or without an error.

    Attributes:
        futures: The futures of the subtasks.
    """

    futures: Sequence[Future[Any]]


Work = Generator[Union[Call, Sleep, Join], Any, T]
"""A generator of calls and waits, made one after the other; it returns the result."""


class Batch(Protocol):
    """Payloads of consecutive parts that are merged into one part."""

    def add(self, data: Any) -> bool:
        """Add one payload; return False if it cannot be merged with the others."""

    def sum(self) -> Any:
        """Return one payload with the content of all of them."""


class Coalescer(Protocol):
    """Merges the parts in an overflow queue."""

    def source(self, part: Part) -> str:
        """Return the task that a part comes from, as far as it is known: the start of its namespace in one string.

        Parts of one task and of the tasks inside it must keep their order.
        """

    def batch(self, part: Part) -> Optional[Batch]:
        """Return a batch that begins with this part, or `None` if nothing can be merged into such a part."""


class TaskRun:
    """A task made ready for a driver.

    Args:
        context: The context of its own in which all of its work runs.
        work: Its work; never raises, but returns a failure as its result.
        stop: Cancel token of this task alone.
        lost: Called by the driver if it cannot begin the work, or cannot bring it to its end.

    Attributes:
        over: The work has ended; its event may still be in the inbox.
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
    """The result of a run so far.

    Attributes:
        messages: The texts of the streamed messages, as far as they came, by message id; empty unless `messages` is one
            of the modes.
        state: The state after the last finished step, as `invoke` would return it; `None` before the first.
    """

    messages: Dict[str, str]
    state: Any


class Backend(Protocol):
    """The part of a driver that a run uses: it adds parts to the inbox and starts subtasks.

    Attributes:
        asynchronous: Work is awaited on an event loop.
        put: Adds a part to the inbox; thread-safe.
        capacity: The capacity of the inbox; `None` if it has no limit.
    """

    asynchronous: bool

    @property
    def put(self) -> Put: ...

    @property
    def capacity(self) -> Optional[Capacity]: ...

    def spawn(self, job: TaskRun) -> None:
        """Start a subtask's task run beside its caller; thread-safe.

        Its work stores the result in the subtask's future, so the driver ignores the returned event.

        Raises:
            RuntimeError: It cannot be started: there are no more threads, or its event loop is closed.
        """

    def tell(self, effects: Sequence[Effect], waits: int) -> None:
        """Let the driver carry out effects beside those of the run; thread-safe.

        Args:
            effects: The effects.
            waits: 1 if a task begins to wait for a person, -1 if it goes on.
        """


class Questions(Protocol):
    """The questions of a stream that are answered while it goes on."""

    def answer(self, id: str, value: object) -> None:  # noqa: A002
        """Answer a question; thread-safe."""

    @property
    def paused(self) -> List[Paused]:
        """The open questions."""

    def close(self) -> None:
        """End all waiting."""


class Session(Protocol):
    """One run of one graph, as a driver uses it.

    Attributes:
        run: The run.
        router: Routes its parts.
        stop: Its cancel token.
    """

    run: Run
    router: Router
    stop: CancelToken

    @property
    def questions(self) -> Optional[Questions]:
        """The open questions of the stream that it belongs to, if they are answered while it goes on."""

    @property
    def asks_outside(self) -> bool:
        """True if these are the questions of a run around it as well."""

    def paused(self) -> List[Paused]:
        """Return the questions that wait for an answer: open ones, or those that the run has ended with."""

    def must_watch(self, loop: object) -> bool:
        """Return True if the parent run cannot cancel tasks on `loop`.

        This is the case if a node in a thread runs a loop of its own.

        Args:
            loop: The event loop.
        """

    def opening(self, loop: Optional[object] = None) -> Work[List[Effect]]:
        """Begin the run; the work returns its first effects.

        Args:
            loop: The event loop on which the run is awaited; `None` in a blocking driver.
        """

    def job(self, task: Task) -> TaskRun:
        """Return the task run of a task."""

    def partial(self) -> Partial:
        """Return the result of the run so far."""

    def message_ends(self) -> Sequence[Part]:
        """Return the parts that end the messages which are still open at the end of the run."""

    def outward(self, error: BaseException) -> BaseException:
        """Return the error with which the run ends, in the form that its caller expects."""

    def explain(self) -> List[Unstreamed]:
        """Return the model calls that were not streamed so far, with the reasons."""

    def keep(self, effect: Union[Note, Save]) -> Work[None]:
        """Store something of a run that is saved."""

    def closing(self, error: Optional[BaseException], unsaved: Sequence[Union[Note, Save]] = ()) -> Work[None]:
        """End the run: with its output, or with an error.

        Args:
            error: The error; `None` if the run has finished.
            unsaved: What has still to be stored.

        If the error is not an `Exception`, such as a cancellation, the work can be driven without an event loop.
        """
