"""A run of a graph as LangChain sees it: its trace, the config and context of its tasks, what they call."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import replace
from typing import Any, Dict, FrozenSet, List, Optional, Union

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from streamgraph._core._commands import Command as RunCommand
from streamgraph._core._events import TaskDone, TaskFailed
from streamgraph._core._outlet import Outlet, Put
from streamgraph._core._returns import NOTHING, Outcome, read_return, read_routes
from streamgraph._core._run import Run
from streamgraph._core._state import Writes
from streamgraph._core._stop import Stop
from streamgraph._core._task import Task
from streamgraph._langchain._config import RunConfig, enter_config, open_manager, task_config
from streamgraph._langchain._inject import Invocation
from streamgraph._langchain._messages import Messages
from streamgraph._langchain._scope import Scope, enter_scope
from streamgraph._langchain._tap import Tap, enter_tap
from streamgraph._langchain._traces import Trace
from streamgraph._seam import Call, CarriedExit, Job, Work
from streamgraph.errors import ParentCommand


class GraphSession:
    """One run of one graph.

    Args:
        run: The state machine.
        outlet: Where its parts go.
        config: What it was configured with.
        given: The input as the user gave it, for traces.
        writes: The input as writes to state keys.
        scope: The task it is called in, if it is nested.
        context: The user's object for `Runtime.context`.
        store: The user's store.
        asynchronous: Whether an async driver runs it.
    """

    def __init__(
        self,
        run: Run,
        outlet: Outlet,
        config: RunConfig,
        *,
        given: Any,
        writes: Writes,
        scope: Optional[Scope],
        context: Any,
        store: Any,
        asynchronous: bool,
    ) -> None:
        self.run = run
        self.outlet = outlet
        self.stop = Stop(scope.stop if scope else None)
        self._config = config
        self._given = given
        self._writes = writes
        self._scope = scope
        self._context = context
        self._store = store
        self._asynchronous = asynchronous
        self._put: Put = _unconnected
        self._here: FrozenSet[str] = outlet.here
        self._below: FrozenSet[str] = outlet.below
        self._messages = self._message_log()
        self._trace: Optional[Trace] = None
        self._quiet: BaseCallbackManager

    def connect(self, put: Put) -> None:
        """Take the function through which tasks emit."""
        self._put = put

    def opening(self) -> Work[List[RunCommand]]:
        """Begin the run, and its trace if anybody listens."""
        manager = open_manager(self._config, asynchronous=self._asynchronous, without=Tap)
        self._quiet = manager
        if manager.handlers:
            self._trace = Trace(manager)
            name = self._config.name or self.run.plan.name
            yield Call(self._trace.start, (self._given, name, self._config.run_id), brief=True)
        return self.run.start(self._writes)

    def closing(self, output: Any, error: Optional[BaseException]) -> Optional[Work[None]]:
        """End the trace of the run, if there is one."""
        return None if self._trace is None else self._trace.closing(output, error)

    def job(self, task: Task) -> Job:
        """Prepare a task: its context, what it calls, and how to stop it."""
        stop = self.stop if len(self.run.tasks) == 1 else Stop(self.stop)
        scope = Scope(
            task,
            self.run.ns,
            here=self._here,
            below=self._below,
            put=self._put,
            stop=stop,
            parent=self._scope,
            messages=self._messages,
            config=self._config,
            context=self._context,
            store=self._store,
        )
        return Job(copy_context(), self._work(task, scope), stop)

    def _work(self, task: Task, scope: Scope) -> Work[Union[TaskDone, TaskFailed]]:
        """Everything there is to a task, from opening its trace to reading what it returned.

        It runs in the task's own context, and whatever happens, it ends with an event.
        """
        trace: Optional[Trace] = None
        outcome: Optional[Outcome] = None
        callbacks = self._quiet
        try:
            if self._trace is not None and task.step > 0:
                trace = Trace(self._trace.child(f"graph:step:{task.step}"))
                yield Call(trace.start, (task.input, task.name, None), brief=True)
                callbacks = trace.child()
            config = self._enter(scope, callbacks, traced=trace is not None)
            invocation = Invocation(config, scope)
            result = None
            if task.step > 0:
                try:
                    result = yield Call(task.node.action, (task.input, invocation))
                except ParentCommand as below:
                    # A graph that ran in this node returned a command for this one.
                    result = replace(below.command, graph=None)
                outcome = read_return(self.run.plan, task.name, result)
            outcome = yield from self._branch(task, outcome or NOTHING, invocation)
            if scope.messages is not None and "messages" in scope.here:
                outcome = scope.messages.returned(self.run.plan, scope, outcome, self.run.state.values)
            if trace is not None:
                yield from trace.closing(result, None)
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised.error if isinstance(raised, CarriedExit) else raised
            if trace is not None:
                yield from trace.closing(None, error)
            return TaskFailed(task, error, outcome)
        return TaskDone(task, outcome)

    def _branch(self, task: Task, outcome: Outcome, invocation: Invocation) -> Work[Outcome]:
        """Ask the branches of the task's node where to go; they see the state with what the node has just written."""
        if not task.node.branches:
            return outcome
        run = self.run
        fresh: Dict[str, Any] = run.state.fold([(task.name, outcome.writes)], preview=True)
        routes = list(outcome.routes)
        for branch in task.node.branches:
            seen = run.state.read(branch.reader, task.step, run.limit, fresh)
            answer = yield Call(branch.action, (seen, invocation))
            routes += read_routes(run.plan, task.name, branch, answer)
        return outcome._replace(routes=tuple(routes))

    def _enter(self, scope: Scope, callbacks: BaseCallbackManager, *, traced: bool) -> RunnableConfig:
        """Set up the context of a task, which this runs in."""
        tap = Tap(scope) if "messages" in scope.here else None
        metadata, tags = scope.task.node.metadata, scope.task.node.tags
        if tap is not None or metadata or tags:
            # A config given to a call in the node replaces the node's; what the manager carries survives that.
            callbacks = callbacks.copy()
            callbacks.add_metadata(dict(metadata), inherit=True)
            callbacks.add_tags(list(tags), inherit=True)
            if tap is not None:
                callbacks.add_handler(tap, inherit=True)
        config = task_config(self._config, scope, callbacks)
        enter_scope(scope)
        enter_tap(tap)
        enter_config(config, traced)
        return config

    def _message_log(self) -> Optional[Messages]:
        around = self._scope.messages if self._scope is not None else None
        if around is not None:
            return around  # type: ignore[no-any-return]
        return Messages() if "messages" in self._here or "messages" in self._below else None


def _unconnected(part: Any) -> None:
    raise AssertionError("the session was not given to a driver")
