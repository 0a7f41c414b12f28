"""What the drivers and the LangChain side know of each other.

A driver knows how to wait, a session knows what to call. Work reaches the driver as a generator of `Call`s:
the session says what is to be called next, the driver calls it in its own way, in a thread or on an event
loop, and sends back what came of it. So everything around a call, its callbacks, its errors, what follows
it, is written once for both.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, get_running_loop
from contextvars import Context, ContextVar
from time import sleep
from typing import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Generator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    TypeVar,
    Union,
)
from weakref import WeakSet

from typing_extensions import Protocol

from streamgraph._core.effects import Effect
from streamgraph._core.events import TaskDone, TaskFailed
from streamgraph._core.task import Task
from streamgraph._core.workflow import AnyRun
from streamgraph._signals import Unstreamed
from streamgraph._streams.backpressure import Capacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router
from streamgraph._streams.watchdog import Watchdog
from streamgraph.errors import NodeCancelledError

T = TypeVar("T")


class Action(NamedTuple):
    """Something that can be called.

    Attributes:
        sync: Calls it and returns the result; `None` if it can only be awaited.
        asyn: Returns an awaitable of the result; `None` if it can only be called.
    """

    sync: Optional[Callable[..., Any]]
    asyn: Optional[Callable[..., Awaitable[Any]]]


class Call:
    """An action with its arguments, to be called by the driver.

    Args:
        action: What to call.
        args: Its arguments.
        nonblocking: It returns at once, so an event loop need not be spared it.
        watch: Says how long it may take; a call that is cut short goes on in its thread, unheard.
    """

    # No NamedTuple: each step makes one of these, and that would take twice as long.
    __slots__ = ("action", "args", "nonblocking", "watch")

    def __init__(
        self, action: Action, args: Tuple[Any, ...] = (), nonblocking: bool = False, watch: Optional[Watchdog] = None
    ) -> None:
        self.action = action
        self.args = args
        self.nonblocking = nonblocking
        self.watch = watch


Work = Generator[Call, Any, T]
"""Calls to make one after the other, with a result in the end."""


class WrappedExit(BaseException):
    """Carries a `GeneratorExit` or `StopIteration` of the user's into work, which would take it for its own end."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


E = TypeVar("E", BaseException, Optional[BaseException])


def wrap_for_throw(error: E) -> E:
    """Return `error` in a form that can be thrown into work."""
    return WrappedExit(error) if isinstance(error, (GeneratorExit, StopIteration)) else error


def unwrapped(error: BaseException) -> BaseException:
    """Return what `wrap_for_throw` was given."""
    return error.error if isinstance(error, WrappedExit) else error


def as_public_error(task: Task, error: BaseException) -> BaseException:
    """Return what is raised for an exception of a node: itself, but for those that mean something to whoever reads.

    Args:
        task: The task that it was raised in.
        error: The exception.
    """
    wrapped: BaseException
    if isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit)):
        # Raised as it is, it would end the reader's loop as if all were well (PEP 479), or its generator as if
        # somebody had closed that.
        wrapped = RuntimeError(f"Node {task.name!r} raised {type(error).__name__}.")
    elif isinstance(error, CancelledError):
        # A run that has asked for a cancellation is failing already and ignores what its tasks end with.
        wrapped = NodeCancelledError(
            "A node raised CancelledError though nobody had cancelled it",
            node=task.name,
            step=task.step,
            hint="Await cancelled tasks inside a try block.",
        )
    else:
        return error
    wrapped.__cause__ = error
    return wrapped


def on_loop() -> bool:
    """Whether this is called on an event loop, which must not wait."""
    try:
        get_running_loop()
    except RuntimeError:
        return False
    return True


_YIELD_SECONDS = 1e-6
"""Seconds; with 0 the thread would often be back before the other one has woken up."""


def yield_to_reader() -> None:
    """Let the thread that reads have what has just been put there for it, if this is another one.

    A thread that waits for nothing goes on for 5 ms before the interpreter lets another one run
    (`sys.setswitchinterval`), and what a provider sends at one go is many tokens.
    """
    if not on_loop():
        sleep(_YIELD_SECONDS)


never_block: ContextVar[bool] = ContextVar("streamgraph_not_held_up", default=False)
"""Whether code must not be kept waiting for a consumer, since the consumer's thread or event loop waits for it."""


private_loops: WeakSet[AbstractEventLoop] = WeakSet()
"""The event loops on which blocking runs await; what a run awaits there is cancelled when it is told to stop."""


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
        work: Work[Union[TaskDone, TaskFailed]],
        stop: CancelToken,
        lost: Optional[Callable[[], None]] = None,
    ) -> None:
        self.context = context
        self.work = work
        self.stop = stop
        self.lost = lost
        self.over = False


Spawn = Callable[[TaskRun], None]
"""Starts a job beside the one that asks for it; from any thread. Its work sees to its own end.

Raises a RuntimeError if the job can't be started: there can be no more threads, or its event loop is closed.
"""


class Partial(NamedTuple):
    """What a run has come to so far.

    Attributes:
        messages: The texts of the messages that were shown, as far as they came, by their ids; known if `messages`
            is one of the modes.
        state: The state after the last step that was finished, as `invoke` would return it; `None` before that.
    """

    messages: Dict[str, str]
    state: Any


class Session(Protocol):
    """One run of one graph, as a driver sees it."""

    run: AnyRun
    router: Router
    stop: CancelToken
    coalescer: Coalescer

    def connect(self, put: Put, spawn: Spawn, capacity: Optional[Capacity] = None) -> None:
        """Take the functions through which tasks emit, and through which they start other tasks.

        Args:
            put: Takes what tasks emit.
            spawn: Starts a task beside another.
            capacity: The room that there is for what they emit, if it is limited; each of them has its own way in then.
        """

    def must_watch(self, loop: AbstractEventLoop) -> bool:
        """Whether nobody cancels what runs on this loop when the run around this one, if there is one, is told to stop.

        So it is where a node in a thread runs a loop of its own.
        """

    def opening(self) -> Work[List[Effect]]:
        """Begin the run; returns its first commands."""

    def job(self, task: Task) -> TaskRun:
        """Prepare a task."""

    def partial(self) -> Partial:
        """Return what the run has come to so far."""

    def explain(self) -> List[Unstreamed]:
        """Return which model calls were not streamed so far, and why."""

    def closing(self, output: Any, error: Optional[BaseException]) -> Optional[Work[None]]:
        """End the run: with its output, or with the error if there is one.

        If the error is no `Exception`, such as a cancellation, the work needs no loop to wait on.
        """
