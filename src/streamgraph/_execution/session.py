"""The session of a run: its trace, the config and context of its tasks, and the calls of their work."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import replace
from functools import partial
from sys import modules
from time import monotonic, time
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from langchain_core.callbacks import BaseCallbackManager, CallbackManager
from langchain_core.runnables import Runnable

from streamgraph._compat.langgraph import PEER
from streamgraph._core.control import RunControl, is_signal
from streamgraph._core.effects import Effect, Note, Save
from streamgraph._core.events import Event, TaskDone, TaskFailed, TaskSignalled
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import PREVIOUS_KEY
from streamgraph._core.results import NOTHING, TaskResult, read_result, read_routes
from streamgraph._core.run import Run
from streamgraph._core.saved_run import SavedRun
from streamgraph._core.state import Writes
from streamgraph._core.task import Task
from streamgraph._drivers.exceptions import unwrapped
from streamgraph._drivers.portal import private_loops
from streamgraph._drivers.questions import LiveQuestions
from streamgraph._execution import outcomes
from streamgraph._execution.cache import Cache
from streamgraph._execution.live import LiveRun, asks_outside, paused
from streamgraph._execution.mutations import TrackedInput, checked_call
from streamgraph._execution.retry import attempts
from streamgraph._execution.saving import Saving
from streamgraph._execution.subtasks import Subtasks, settled
from streamgraph._execution.task_context import enter_task, opened_trace, traced_branch, traced_end
from streamgraph._execution.told import traced_outcome, went_on
from streamgraph._langchain.asking import check_questions, ended_with, hand_on
from streamgraph._langchain.configs import open_manager
from streamgraph._langchain.handlers import TaskHandler
from streamgraph._langchain.injection import Invocation
from streamgraph._langchain.peer_tasks import PeerScope, outermost_task
from streamgraph._langchain.run_config import RunConfig
from streamgraph._langchain.scope import ParentTrace, RunScope, Scope
from streamgraph._langchain.traces import Trace
from streamgraph._messages.tap import is_tapped
from streamgraph._messages.tracker import MessageTracker, tracker_of
from streamgraph._messages.untracked import UntrackedCallHandler, forget, listen
from streamgraph._peers import own_error, own_result, peer_error, peer_result
from streamgraph._protocols import Backend, Call, Partial, TaskRun, Work
from streamgraph._signals import Paused, Unstreamed
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.copying import own
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router
from streamgraph._streams.watchdog import Watchdog
from streamgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand

_NO_CALLBACKS = CallbackManager([])


class GraphSession:
    """One run of one graph.

    Args:
        run: The state machine.
        router: Routes its parts to the consumer and the parent run.
        config: The config of the run.
        backend: The driver's inbox and its way to start subtasks.
        parts: Makes the parts of subtasks.
        given: The input as the user gave it, for traces.
        writes: The input as writes to state keys.
        scope: The task in which the run was started; `None` for a root run.
        detached: It goes on when that task is cancelled.
        context: The user's object for `Runtime.context`.
        store: The user's store.
        cache: Stores the results of nodes.
        control: Accepts requests to end the run.
        saving: Loads and stores the run, if it is saved.
        checks_mutations: Nodes that change the state in place are found.
        questions: The open questions of its stream, if they are answered while it goes on.
    """

    _not_inherited: Tuple[type, ...] = (TaskHandler, UntrackedCallHandler)  # of the parent run's task, or of no run

    def __init__(
        self,
        run: Run,
        router: Router,
        config: RunConfig,
        backend: Backend,
        *,
        parts: PartBuilder,
        given: Any,
        writes: Writes,
        scope: Optional[Scope],
        detached: bool,
        context: Any,
        store: Any,
        cache: Optional[Cache] = None,
        control: Optional[RunControl] = None,
        saving: Optional[Saving] = None,
        checks_mutations: bool = False,
        questions: Optional[LiveQuestions] = None,
    ) -> None:
        self.run = run
        self._saving = saving
        self.router = router
        self._parent = None if detached else scope
        self.stop = CancelToken() if self._parent is None else CancelToken(self._parent.stop)
        self._config = config
        self._given = given
        self._writes = writes
        self._scope = scope
        self._cache = cache
        # LangGraph's handlers look for messages in what our nodes return.
        self._in_peer_run = PEER in modules and outermost_task(scope) is not None
        self._asynchronous = backend.asynchronous
        self._put = router.sender(backend.put)
        self._capacity = capacity = router.capacity(backend.put, backend.capacity)
        put = self._put if capacity is None else capacity.sender(self.stop)
        self._subtasks = Subtasks(parts, run.ns, self, config.concurrency, put, backend, saving)
        subscribers = router.subscribers
        self._subscribers = subscribers.here
        self._wanted = subscribers.here.modes
        # Nested runs, and code that a task left behind, must replace an inherited tap even without a subscriber.
        listens = subscribers.listens or is_tapped()
        self._parent_tracker = tracker_of(scope)
        self._messages = (
            MessageTracker() if self._parent_tracker is None and subscribers.tracks_messages else self._parent_tracker
        )
        self._shared = RunScope(
            run.ns,
            run.plan,
            messages=self._messages,
            config=config,
            configurable=config.configurable,
            context=context,
            store=store,
            control=control,
            subscribers=subscribers,
            state=run.snapshot,
            fold=partial(outcomes.fold_early, run),
            call=self._subtasks.start,
            stop=self.stop,
            capacity=capacity,
            checks_mutations=checks_mutations,
            saving=saving,
        )
        self.questions = questions
        self._live = None if questions is None else LiveRun(questions, self._shared, run, parts, put, backend)
        tracker = self._messages if subscribers.hears_models else None
        self._enter = partial(enter_task, listens=listens, messages=tracker)
        self._trace: Optional[Trace] = None
        self._untraced: BaseCallbackManager = _NO_CALLBACKS

    def must_watch(self, loop: object) -> bool:
        """Return True if the parent run cannot cancel tasks on `loop`."""
        parent = self._parent
        return parent is not None and loop is not parent.run.loop and loop not in private_loops

    def opening(self, loop: Optional[object] = None) -> Work[List[Effect]]:
        """Begin the run, and its trace if it has callback handlers."""
        if self._messages is not None and self._parent_tracker is None:
            listen(self._messages)
        self._shared.loop = loop
        manager = open_manager(self._config, asynchronous=self._asynchronous, without=self._not_inherited)
        self._untraced = manager
        if manager.handlers:
            self._trace = Trace(manager)
            yield self._trace.start(self._given, self._config.name or self.run.plan.name, self._config.run_id)
        if self._saving is not None:
            assert isinstance(self.run, SavedRun)
            effects = yield from self._saving.begin(self.run, self._given, self._writes)
            self._shared.answers = self._saving.answers
            self._shared.previous = own(self.run.state.values.get(PREVIOUS_KEY))
            if self._saving.resumed:
                yield from went_on(self.run, self._saving, self._parent, self._trace, self._messages)
            return effects
        return self.run.start(self._writes)

    def keep(self, effect: Union[Note, Save]) -> Work[None]:
        """Store something of the run."""
        assert self._saving is not None
        return self._saving.keep(effect)

    def closing(self, error: Optional[BaseException], unsaved: Sequence[Union[Note, Save]] = ()) -> Work[None]:
        """End the trace of the run, if there is one. A run that ends with a control signal has not failed."""
        if self._saving is not None:
            yield from self._saving.settle(unsaved, early=error is not None or bool(self.run.paused))
        self._subtasks.over = error is None or isinstance(error, Exception)
        if self._messages is not None and self._parent_tracker is None:
            forget(self._messages)
        if self._trace is not None:
            yield from self._trace.closing(*traced_outcome(self.run, self._saving, error))

    def partial(self) -> Partial:
        """Return the result of the run so far."""
        return Partial({} if self._messages is None else self._messages.texts(), self.run.output())

    @property
    def asks_outside(self) -> bool:
        """True if its open questions are those of a run around it as well."""
        return asks_outside(self.questions, self._scope)

    def paused(self) -> List[Paused]:
        """Return the questions that wait for an answer."""
        return paused(self.questions, self._shared, self.run.interrupts)

    def message_ends(self) -> Sequence[Part]:
        """Return the parts that end the messages which are still open at the end of the run."""
        return () if self._messages is None else self._messages.ends(self._shared)

    def explain(self) -> List[Unstreamed]:
        """Return the model calls that were not streamed so far, with the reasons."""
        if "messages" not in self._wanted:
            hint = 'Ask for it: stream_mode="messages", or a list of modes with it.'
            return [Unstreamed("mode", "the stream was not asked for `messages`", hint)]
        assert self._messages is not None
        return self._messages.unstreamed_in(self.run.ns)

    def outward(self, error: BaseException) -> BaseException:
        """Return the error with which the run ends as its caller expects it, which may be a task of LangGraph."""
        scope = self._scope
        if isinstance(error, GraphInterrupt) and self._parent is not None:
            hand_on(self._parent, error.interrupts)
        return peer_error(error, scope.checkpoint_ns) if isinstance(scope, PeerScope) else error

    def job(self, task: Task) -> TaskRun:
        """Return the task run of a task, with its context, work and cancel token."""
        stop = self.stop if len(self.run.tasks) == 1 else CancelToken(self.stop)
        return TaskRun(copy_context(), self.work(task, stop, self._scope), stop)

    def work(self, task: Task, stop: CancelToken, parent: Optional[Scope]) -> Work[Event]:
        """Return all the work of a task, from opening its trace to reading its result.

        It runs in the task's own context and always returns an event, also after an error.

        Args:
            task: The task.
            stop: Its cancel token.
            parent: The task that this one is inside of: that has called it, or that the graph is nested in.
        """
        trace: Optional[Trace] = None
        try:
            node, policies = task.node, task.node.policies
            cache = self._cache if policies.cache is not None else None
            if cache is not None and policies.cache is not None:
                known = yield from cache.look_up(task, policies.cache)
                if known is not None:
                    return TaskDone(task, self._known(task, stop, parent, known), cached=True)
            parent_trace: Optional[ParentTrace] = self._trace
            if parent is not None and node.kind == "task":
                parent_trace = parent.trace
            callbacks = self._untraced
            if parent_trace is not None and node.action is not None:
                trace = yield from opened_trace(task, parent_trace, self.run.ns)
                callbacks = trace.child("seq:step:1")
            attempt: Callable[..., Work[Tuple[Any, TaskResult]]] = self._attempt
            if self._live is not None:
                attempt = partial(self._live.attempts, self._attempt, self._scope_of)
            if policies.retry or task.timeout is not None or node.handler is not None:
                once = partial(attempt, task, parent, callbacks, trace)
                result, outcome = yield from attempts(task, stop, once, self._scope_of)
            else:
                result, outcome = yield from attempt(task, parent, callbacks, trace, stop)
            if cache is not None and policies.cache is not None:
                yield from cache.keep(task, policies.cache, outcome)
            if trace is not None:
                yield from trace.closing(peer_result(result) if self._in_peer_run else result, None)
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = unwrapped(raised)
            if trace is not None:
                try:
                    yield from trace.closing(*traced_end(error, self.run.ns))
                except GeneratorExit:
                    raise
                except BaseException as insisting:
                    # A user's handler with raise_error, or a cancellation meanwhile.
                    error = unwrapped(insisting)
            if isinstance(error, GraphBubbleUp) and is_signal(error, self.run.ns):
                return TaskSignalled(task, error)
            return TaskFailed(task, error, task.outcome)
        return TaskDone(task, outcome)

    def _attempt(
        self,
        task: Task,
        parent: Optional[Scope],
        callbacks: BaseCallbackManager,
        trace: Optional[Trace],
        stop: CancelToken,
        number: int = 1,
        began: Optional[float] = None,
    ) -> Work[Tuple[Any, TaskResult]]:
        """Run a node once: call it, read its result, and call its branches."""
        run, node, messages = self.run, task.node, self._messages
        scope = self._scope_of(task, stop, parent, trace, number, began)
        invocation = Invocation(self._enter(scope, callbacks), scope)
        task.outcome = None
        result, outcome = None, NOTHING
        try:
            if number > 1 and messages is not None:
                messages.retract(scope)
            if node.action is not None:
                try:
                    if self._shared.checks_mutations and node.kind == "node":
                        result = yield from checked_call(node.action, task, invocation, scope.watch)
                    else:
                        result = yield Call(node.action, (task.input, invocation), False, scope.watch)
                except Exception as raised:
                    below = own_error(raised)
                    if node.kind != "node" or not isinstance(below, ParentCommand):
                        raise
                    # A graph that ran in this node returned a command for this one.
                    result = replace(below.command, graph=None) if below is raised else below.command
                if type(result) is not dict and isinstance(result, Runnable) and node.kind == "node":
                    result = yield from outcomes.called_further(result, task, invocation, scope.watch)
                if scope.children:
                    yield from settled(scope.children)
                if scope.questions:
                    check_questions(scope)
                if node.kind == "node":
                    if PEER in modules:
                        result = own_result(result)
                    outcome = read_result(run.plan, task.name, result)
                else:
                    result, outcome = outcomes.called_result(node.kind, result, saved=self._saving is not None)
                if scope.writes or self._cache is not None or run.plan.templates:
                    outcome = outcomes.completed(run, scope, outcome, cached=self._cache is not None)
                task.outcome = outcome
            if node.branches:
                outcome = yield from self._branch(task, result, outcome, invocation, trace)
                check_questions(scope)
            scope.over = True
            if messages is not None and "messages" in self._wanted:
                outcome = messages.returned(run.plan, scope, outcomes.with_ids(run, task, outcome), run.state.values)
        except Exception as raised:
            error = ended_with(scope, own_error(raised))
            scope.over = scope.watch is None or not scope.watch.expired  # else it still runs in its thread
            yield from settled(scope.children, cancel=not isinstance(error, GraphInterrupt))
            error = ended_with(scope, error)  # its subtasks may have asked meanwhile
            if messages is not None and not isinstance(error, GraphBubbleUp):
                messages.discard(scope)
            if error is raised:
                raise
            raise error from raised
        return result, outcome

    def _known(self, task: Task, stop: CancelToken, parent: Optional[Scope], outcome: TaskResult) -> TaskResult:
        """Return a cached result; the messages in it are streamed like any others."""
        if self._messages is None or "messages" not in self._wanted:
            return outcome
        scope = self._scope_of(task, stop, parent)
        return self._messages.returned(self.run.plan, scope, outcome, self.run.state.values)

    def _scope_of(
        self,
        task: Task,
        stop: CancelToken,
        parent: Optional[Scope],
        trace: Optional[Trace] = None,
        number: int = 1,
        began: Optional[float] = None,
    ) -> Scope:
        return Scope(
            task,
            self._shared,
            self._subscribers.modes_of(task.name) if self._subscribers.filtered else self._wanted,
            self._put if self._capacity is None else self._capacity.sender(stop),
            stop,
            parent,
            trace,
            None if task.timeout is None else Watchdog(task.name, task.step, task.timeout, monotonic, stop),
            number,
            time() if began is None else began,
        )

    def _branch(
        self, task: Task, result: object, outcome: TaskResult, invocation: Invocation, trace: Optional[Trace]
    ) -> Work[TaskResult]:
        """Call the branches of the task's node; they see the state with the writes of the node."""
        run, outcome = self.run, outcomes.folded(self.run, task, outcome)
        routes = list(outcome.routes)
        for number, branch in enumerate(task.node.branches, 3):
            state = run.state.read(branch.reader, task.step, run.limit, outcome.folded)
            checked = TrackedInput(state) if self._shared.checks_mutations else None
            seen = outcomes.seen_by(run.plan, branch, state if checked is None else checked.value, result)
            if trace is None:
                answer = yield from outcomes.called_branch(branch, seen, invocation)
            else:
                answer = yield from traced_branch(branch, number, seen, invocation.scope, trace, self._enter)
            if checked is not None:
                checked.check(task.name, task.step)
            if PEER in modules:
                answer = own_result(answer)
            routes += read_routes(run.plan, task.name, branch, answer)
        return outcomes.with_sent(run, invocation.scope, outcome._replace(routes=tuple(routes)))
