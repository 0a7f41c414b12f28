"""The context in which the code of a task runs: its scope, its taps and its config; and its trace."""

from __future__ import annotations

from sys import modules
from typing import Any, Callable, List, Optional, Tuple

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from streamgraph._compat.langgraph import PEER
from streamgraph._core.control import is_signal
from streamgraph._core.plan import Branch
from streamgraph._core.task import Task, metadata_of
from streamgraph._drivers.exceptions import unwrapped
from streamgraph._execution.outcomes import called_branch
from streamgraph._langchain import asking  # noqa: F401  (which tells `interrupt` of the running task)
from streamgraph._langchain.activity import ActivityHandler
from streamgraph._langchain.configs import enter_config, extended, task_config
from streamgraph._langchain.injection import Invocation
from streamgraph._langchain.peer_entries import with_peer_entries
from streamgraph._langchain.scope import ParentTrace, Scope, enter_scope
from streamgraph._langchain.tool_events import ToolTap, enter_tool_tap
from streamgraph._langchain.traces import Trace
from streamgraph._messages.backpressure_tap import tap_of
from streamgraph._messages.tap import enter_tap
from streamgraph._messages.tracker import MessageTracker
from streamgraph._protocols import Work
from streamgraph.errors import ParentCommand


def enter_task(
    scope: Scope,
    callbacks: BaseCallbackManager,
    *,
    listens: bool,
    messages: Optional[MessageTracker],
) -> RunnableConfig:
    """Set the scope, taps and config of a task in the current context, and return the config.

    Args:
        scope: The task.
        callbacks: The callback manager for what runs in it.
        listens: The taps of the context are replaced, as a subscriber wants callbacks or a tap is inherited.
        messages: The message tracker, if callbacks of models are wanted.
    """
    handlers: List[BaseCallbackHandler] = [ActivityHandler(scope)] if scope.watches else []
    if listens:
        tap = tap_of(scope, messages) if messages is not None else None
        tools = ToolTap(scope) if "tools" in scope.wanted else None
        enter_tap(tap)
        enter_tool_tap(tools)
        handlers += filter(None, (tap, tools))
    metadata, tags = scope.task.node.metadata, scope.task.node.tags
    if handlers or metadata or tags:
        # A config given to a call in the node replaces the node's config, but not what the callback manager carries.
        callbacks = extended(callbacks, handlers, tags, metadata)
    config = task_config(scope, callbacks)
    if PEER in modules:
        config["configurable"] = with_peer_entries(config["configurable"], scope)
    enter_scope(scope)
    enter_config(config, callbacks)
    return config


def opened_trace(task: Task, parent: ParentTrace, ns: Tuple[str, ...]) -> Work[Trace]:
    """Open the trace of a task, with the task's origin as metadata, as in LangGraph.

    Args:
        task: The task.
        parent: The trace that it is a part of.
        ns: The namespace of its graph.
    """
    called = task.node.kind == "task"
    manager = parent.child("seq:step:1" if called else f"graph:step:{task.step}")
    manager.add_metadata({**task.node.metadata, **metadata_of(task, ns)}, inherit=True)
    trace = Trace(manager, chunks=True, policy=task.node.policies.trace)
    given = task.input if task.node.shown is None else task.node.shown(task.input)
    try:
        yield trace.start(given, task.name)
    except GeneratorExit:
        raise
    except BaseException as error:
        yield from trace.closing(None, unwrapped(error))
        raise
    return trace


def traced_end(error: BaseException, ns: Tuple[str, ...]) -> Tuple[Any, Optional[BaseException]]:
    """Return the output and the error with which a trace ends, given the exception of its task.

    Args:
        error: The exception.
        ns: The namespace of the task's graph.
    """
    if not is_signal(error, ns):
        return None, error
    return error.command if isinstance(error, ParentCommand) else None, None


def traced_branch(
    branch: Branch,
    number: int,
    seen: Any,
    scope: Scope,
    trace: Trace,
    enter: Callable[[Scope, BaseCallbackManager], RunnableConfig],
) -> Work[Any]:
    """Call a branch as a trace of its own inside that of the node.

    Args:
        branch: The branch.
        number: Its place among the calls of the task, for its tag.
        seen: What it is called with.
        scope: The task.
        trace: The trace of the task.
        enter: Sets the config of the task with other callbacks, and returns it.
    """
    manager = trace.child(f"seq:step:{number}")
    own = Trace(manager) if branch.traced else None
    try:
        if own is not None:
            yield own.start(seen, branch.name)
            manager = own.child()
        config = enter(scope, manager)
        answer = yield from called_branch(branch, seen, Invocation(config, scope))
    except GeneratorExit:
        raise
    except BaseException as error:
        if own is not None:
            yield from own.closing(*traced_end(unwrapped(error), scope.run.ns))
        raise
    if own is not None:
        yield from own.closing(answer, None)
    return answer
