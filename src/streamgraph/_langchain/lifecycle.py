"""What happens to whole runs, beyond starting and ending: handlers for it, and the managers that call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.callbacks.manager import ahandle_event, handle_event
from langchain_core.runnables import RunnableConfig
from typing_extensions import Literal

from streamgraph._interrupts import Interrupt

M = TypeVar("M", bound="GraphCallbackManager")

GraphLifecycleStatus = Literal["input", "pending", "done", "interrupt_before", "interrupt_after", "out_of_steps"]
"""Where a run stood when something happened to it."""

_KEEP: object = object()


class Pause(NamedTuple):
    """How a run has ended that has steps left to do.

    Attributes:
        status: Why: `"pending"` for questions, else the kind of the breakpoint.
        checkpoint_id: The id of the saved state; empty if the run is not saved.
        interrupts: The questions.
    """

    status: GraphLifecycleStatus
    checkpoint_id: str
    interrupts: Sequence[Interrupt]


@dataclass(frozen=True)
class GraphInterruptEvent:
    """A run has ended with questions, and waits for answers, or at a breakpoint.

    Attributes:
        run_id: The id of the run in traces.
        status: Where the run stood.
        checkpoint_id: The id of the saved state; empty if the run is not saved.
        checkpoint_ns: The namespace of the graph, level by level; `()` for the root.
        interrupts: The questions.
    """

    run_id: Optional[UUID]
    status: GraphLifecycleStatus
    checkpoint_id: str
    checkpoint_ns: Tuple[str, ...]
    interrupts: Tuple[Interrupt, ...]


@dataclass(frozen=True)
class GraphResumeEvent:
    """A saved run goes on.

    Attributes:
        run_id: The id of the run in traces.
        status: Where the run stands.
        checkpoint_id: The id of the saved state from which it goes on.
        checkpoint_ns: The namespace of the graph, level by level; `()` for the root.
    """

    run_id: Optional[UUID]
    status: GraphLifecycleStatus
    checkpoint_id: str
    checkpoint_ns: Tuple[str, ...]


GraphLifecycleEvent = Union[GraphInterruptEvent, GraphResumeEvent]
"""Any event of a `GraphCallbackHandler`."""


class GraphCallbackHandler(BaseCallbackHandler):
    """Base class of callback handlers that are told when a run is interrupted or goes on.

    Its methods may be coroutine functions. Pass an object of a subclass in `config["callbacks"]`, as any handler::

        class Ask(GraphCallbackHandler):
            def on_interrupt(self, event):
                notify(event.interrupts)
    """

    def on_interrupt(self, event: GraphInterruptEvent) -> object:
        """Take note that a run has ended with questions, or at a breakpoint.

        Args:
            event: The run and its questions.
        """

    def on_resume(self, event: GraphResumeEvent) -> object:
        """Take note that a saved run goes on.

        Args:
            event: The run, and the state from which it goes on.
        """


def graph_handlers(handlers: Sequence[BaseCallbackHandler]) -> List[BaseCallbackHandler]:
    """Return the handlers that are told of interrupts and resumed runs."""
    return [handler for handler in handlers if isinstance(handler, GraphCallbackHandler)]


class GraphCallbackManager(BaseCallbackManager):
    """Calls the graph handlers among the callbacks of a run.

    Args:
        handlers: The handlers.
        inheritable_handlers: Those of them that nested runs inherit.
        parent_run_id: The id of the run around this one.
        tags: The tags of the run.
        inheritable_tags: Those of them that nested runs inherit.
        metadata: The metadata of the run.
        inheritable_metadata: That which nested runs inherit.
        run_id: The id of the run.
    """

    def __init__(
        self,
        handlers: Optional[Sequence[BaseCallbackHandler]] = None,
        inheritable_handlers: Optional[Sequence[BaseCallbackHandler]] = None,
        parent_run_id: Optional[UUID] = None,
        *,
        tags: Optional[List[str]] = None,
        inheritable_tags: Optional[List[str]] = None,
        metadata: Optional[Dict[str, Any]] = None,
        inheritable_metadata: Optional[Dict[str, Any]] = None,
        run_id: Optional[UUID] = None,
    ) -> None:
        super().__init__(
            handlers=list(handlers or ()),
            inheritable_handlers=list(inheritable_handlers or ()),
            parent_run_id=parent_run_id,
            tags=tags,
            inheritable_tags=inheritable_tags,
            metadata=metadata,
            inheritable_metadata=inheritable_metadata,
        )
        self.run_id = run_id

    @classmethod
    def configure(cls: Type[M], callbacks: object = None, *, run_id: Optional[UUID] = None) -> M:
        """Return a manager of the graph handlers among some callbacks.

        Args:
            callbacks: A handler, several, or a callback manager.
            run_id: The id of the run.

        Raises:
            TypeError: The callbacks are none of these.
        """
        if callbacks is None or isinstance(callbacks, GraphCallbackHandler):
            return cls(() if callbacks is None else (callbacks,), run_id=run_id)
        if isinstance(callbacks, BaseCallbackManager):
            return cls(
                graph_handlers(callbacks.handlers),
                graph_handlers(callbacks.inheritable_handlers),
                callbacks.parent_run_id,
                tags=list(callbacks.tags),
                inheritable_tags=list(callbacks.inheritable_tags),
                metadata=dict(callbacks.metadata),
                inheritable_metadata=dict(callbacks.inheritable_metadata),
                run_id=run_id,
            )
        if isinstance(callbacks, Sequence) and not isinstance(callbacks, (str, bytes)):
            return cls(graph_handlers(callbacks), run_id=run_id)
        raise TypeError(f"callbacks must be a handler, sequence, or manager, got {callbacks!r:.80}.")

    def copy(self: M, *, run_id: object = _KEEP) -> M:
        """Return a copy.

        Args:
            run_id: The id of the run, if it is another one.

        Raises:
            TypeError: The id is no UUID.
        """
        if run_id is _KEEP:
            run_id = self.run_id
        elif run_id is not None and not isinstance(run_id, UUID):
            raise TypeError(f"run_id must be a UUID or None, got {run_id!r:.80}.")
        return type(self).configure(self, run_id=run_id)


class SyncGraphCallbackManager(GraphCallbackManager):
    """Calls graph handlers in sync code."""

    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Tell the handlers that a run has ended with questions, or at a breakpoint.

        Args:
            event: The run and its questions.
        """
        handle_event(self.handlers, "on_interrupt", None, event)

    def on_resume(self, event: GraphResumeEvent) -> None:
        """Tell the handlers that a saved run goes on.

        Args:
            event: The run, and the state from which it goes on.
        """
        handle_event(self.handlers, "on_resume", None, event)


class AsyncGraphCallbackManager(GraphCallbackManager):
    """Calls graph handlers in async code."""

    @property
    def is_async(self) -> bool:
        """True: its methods are awaited."""
        return True

    async def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Tell the handlers that a run has ended with questions, or at a breakpoint.

        Args:
            event: The run and its questions.
        """
        await ahandle_event(self.handlers, "on_interrupt", None, event)

    async def on_resume(self, event: GraphResumeEvent) -> None:
        """Tell the handlers that a saved run goes on.

        Args:
            event: The run, and the state from which it goes on.
        """
        await ahandle_event(self.handlers, "on_resume", None, event)


def get_sync_graph_callback_manager_for_config(
    config: RunnableConfig, *, run_id: Optional[UUID] = None
) -> SyncGraphCallbackManager:
    """Return the manager of the graph handlers in a config, for sync code.

    Args:
        config: The config.
        run_id: The id of the run.
    """
    return SyncGraphCallbackManager.configure(config.get("callbacks"), run_id=run_id)


def get_async_graph_callback_manager_for_config(
    config: RunnableConfig, *, run_id: Optional[UUID] = None
) -> AsyncGraphCallbackManager:
    """Return the manager of the graph handlers in a config, for async code.

    Args:
        config: The config.
        run_id: The id of the run.
    """
    return AsyncGraphCallbackManager.configure(config.get("callbacks"), run_id=run_id)
