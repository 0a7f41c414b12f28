"""What is reported of one run: its span, those of its tasks, and its numbers."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from time import perf_counter
from typing import Callable, Deque, Dict, List, Optional, Tuple, Union

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from streamgraph._interrupts import Interrupt
from streamgraph._telemetry.content import as_json
from streamgraph._telemetry.instruments import Telemetry, captures_content
from streamgraph._telemetry.spans import STATUS, Outcome, error_type, fail

Attributes = Dict[str, Union[str, int, bool]]

_SHOWN = 16

current_run: ContextVar[Optional[RunRecord]] = ContextVar("streamgraph_measured_run", default=None)
"""The run whose task the code belongs to."""


class RunRecord:
    """A run, as it is reported.

    Args:
        telemetry: Where it is reported.
        name: The name of the graph or workflow.
        ns: Its namespace; `()` for a root run.
        ids: Further attributes that identify it.
        thread_id: The id of the thread that it is saved in, or of the conversation that it belongs to.
        outer: The run that it is nested in.
        outcome: Returns how something has ended that has raised an exception.

    Attributes:
        telemetry: See above.
        outcome: See above.
        labels: The attributes that all it reports has in common.
        conversation: The attribute for the id of the conversation, which numbers do not have.
        shows_content: Prompts, answers, and the arguments and results of tools are recorded.
        span: The span of the run.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        name: str,
        ns: Tuple[str, ...],
        ids: Attributes,
        thread_id: object,
        outer: Optional[RunRecord],
        outcome: Callable[[Optional[BaseException]], Outcome],
    ) -> None:
        self.telemetry = telemetry
        self.outcome = outcome
        self.labels: Attributes = {"gen_ai.agent.name": name}
        self.shows_content = captures_content()
        self.span: Span = INVALID_SPAN
        self._name = name
        self._ns = ns
        self.conversation: Attributes = {} if thread_id is None else {"gen_ai.conversation.id": str(thread_id)}
        self._ids = ids
        self._outer = outer
        self._began: Optional[float] = None
        self._has_token = False
        self._step: Optional[int] = None
        self._step_began = self._step_ended = 0.0
        self._usage: List[Tuple[int, int]] = []
        # The exceptions whose tracebacks are in a span already: a few, since each keeps all that its frames refer to.
        self._shown: Deque[BaseException] = deque(maxlen=_SHOWN) if outer is None else outer._shown

    def begin(self) -> None:
        """Begin the run: its span is a child of the current one, but does not become the current one."""
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            **self.labels,
            **self.conversation,
            **self._ids,
        }
        if self._ns:
            attributes["streamgraph.namespace"] = "|".join(self._ns)
        else:
            self.telemetry.active.add(1, self.labels)
        self._began = perf_counter()
        self.span = self.telemetry.tracer.start_span(f"invoke_agent {self._name}", attributes=attributes)

    def end(self, outcome: Outcome, error: Optional[BaseException]) -> None:
        """End the run.

        Args:
            outcome: How.
            error: The exception with which it has ended.
        """
        began, self._began = self._began, None
        if began is None:
            return
        self._end_step()
        labels = {**self.labels, STATUS: outcome}
        if outcome == "failed" and error is not None:
            labels["error.type"] = error_type(error)
            fail(self.span, error, shows=self.is_new(error))
        if self._outer is None:
            self._shown.clear()
        if self._usage:
            read, written = zip(*self._usage)
            self.span.set_attribute("gen_ai.usage.input_tokens", sum(read))
            self.span.set_attribute("gen_ai.usage.output_tokens", sum(written))
        self.span.set_attribute(STATUS, outcome)
        self.span.end()
        self.telemetry.runs.record(perf_counter() - began, labels)
        if not self._ns:
            self.telemetry.active.add(-1, self.labels)

    # What happens in it

    def token(self, now: float) -> None:
        """Note that a model has made a token."""
        if self._has_token:
            return
        self._has_token = True
        if self._began is not None:
            self.telemetry.first_tokens.record(now - self._began, self.labels)
        if self._outer is not None:
            self._outer.token(now)

    def used(self, read: int, written: int) -> None:
        """Note how many tokens a model has read and written."""
        self._usage.append((read, written))
        if self._outer is not None:
            self._outer.used(read, written)

    def starts(self, step: int) -> None:
        """Note that a task of a step is started; from the thread or loop that drives the run."""
        if step != self._step:
            self._end_step()
            self._step, self._step_began = step, perf_counter()
            self._step_ended = self._step_began

    def _end_step(self) -> None:
        if self._step is not None:
            self.telemetry.steps.record(self._step_ended - self._step_began, self.labels)
            self._step = None

    # Its tasks

    def enter(self) -> Context:
        """Make this run the one whose task the code belongs to, and its span the current one; return the context."""
        current_run.set(self)
        here = set_span_in_context(self.span)
        attach(here)
        return here

    def task(self, name: str, kind: str, attributes: Attributes, *, called: bool) -> TaskRecord:
        """Begin a task and make its span the current one.

        Args:
            name: The name of its node.
            kind: What the name of its span begins with.
            attributes: What identifies it.
            called: It is called in another task, whose span is the current one.
        """
        current_run.set(self)
        around = get_current() if called else self.enter()
        attributes = {"streamgraph.node.name": name, **self.labels, **attributes}
        span = self.telemetry.tracer.start_span(f"{kind} {name}", around, attributes=attributes)
        attach(set_span_in_context(span, around))
        return TaskRecord(self, span, {**self.labels, "streamgraph.node.name": name})

    def task_ended(self) -> None:
        """Note that a task has ended."""
        self._step_ended = perf_counter()

    def is_new(self, error: BaseException) -> bool:
        """Return whether no span shows the traceback of an exception yet; then that of the caller has to."""
        if any(shown is error for shown in tuple(self._shown)):
            return False
        self._shown.append(error)
        return True


class TaskRecord:
    """A task, as it is reported.

    Args:
        run: Its run.
        span: Its span.
        labels: The attributes of its numbers.

    Attributes:
        span: See above.
    """

    def __init__(self, run: RunRecord, span: Span, labels: Attributes) -> None:
        self.span = span
        self._run = run
        self._labels = labels
        self._began = perf_counter()

    def retried(self, attempt: int) -> None:
        """Note that another attempt begins.

        Args:
            attempt: Its number, counted from 1.
        """
        self.span.add_event("streamgraph.retry", {"streamgraph.attempt": attempt})
        self._run.telemetry.retries.add(1, self._labels)

    def attempt_failed(self, error: BaseException, attempt: int) -> None:
        """Note that an attempt has failed."""
        where = {"streamgraph.attempt": attempt}
        if self._run.is_new(error):
            self.span.record_exception(error, where)
        else:
            about = {"exception.type": error_type(error), "exception.message": str(error)}
            self.span.add_event("exception", {**where, **about})

    def asked(self, question: Interrupt) -> None:
        """Note that the task asks a question."""
        attributes: Attributes = {"streamgraph.interrupt.id": question.id}
        if self._run.shows_content:
            attributes["streamgraph.interrupt.value"] = as_json(question.value)
        self.span.add_event("streamgraph.interrupt", attributes)

    def answered(self, question: Interrupt) -> None:
        """Note that a question does not wait any more."""
        self.span.add_event("streamgraph.answer", {"streamgraph.interrupt.id": question.id})

    def end(self, outcome: Outcome, error: Optional[BaseException], *, cached: bool = False) -> None:
        """End the task.

        Args:
            outcome: How.
            error: The exception that it has failed with. Its attempt shows it already.
            cached: Its result comes from the cache.
        """
        labels = {**self._labels, STATUS: outcome}
        if outcome == "failed" and error is not None:
            labels["error.type"] = error_type(error)
            fail(self.span, error, shows=False)
        if cached:
            self.span.set_attribute("streamgraph.node.cached", True)
        self.span.set_attribute(STATUS, outcome)
        self.span.end()
        self._run.telemetry.nodes.record(perf_counter() - self._began, labels)
        self._run.task_ended()
