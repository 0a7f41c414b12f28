"""Callback handler that reports the calls of models, tools and retrievers in the tasks of measured runs."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.outputs import LLMResult
from opentelemetry.metrics import Histogram
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, set_span_in_context

from streamgraph._compat.langchain_core import add_to_every_call
from streamgraph._telemetry.content import as_json, as_messages
from streamgraph._telemetry.models import read_answer, read_request
from streamgraph._telemetry.runs import RunRecord, current_run
from streamgraph._telemetry.spans import STATUS, ScopedSpan, enter, error_type, fail, leave


class _Call:
    """A call that has not ended.

    Args:
        run: The run that it belongs to.
        span: Its span.
        labels: The attributes of its numbers.
        duration: Takes how long it lasts.
    """

    __slots__ = ("began", "chunks", "duration", "first", "labels", "last", "run", "span")

    def __init__(self, run: RunRecord, span: ScopedSpan, labels: Dict[str, str], duration: Histogram) -> None:
        self.run = run
        self.span = span
        self.labels = labels
        self.duration = duration
        self.began = perf_counter()
        self.first = self.last = 0.0
        self.chunks = 0

    @property
    def shows_content(self) -> bool:
        """Whether its arguments and results are recorded."""
        return self.run.shows_content and self.span.is_recording()

    def first_chunk(self) -> None:
        """Note the first chunk of a model's answer."""
        self.first = self.last
        seconds = self.first - self.began
        self.run.telemetry.first_chunks.record(seconds, self.labels)
        self.span.set_attribute("gen_ai.request.stream", True)
        self.span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        self.run.token(self.first)


class CallHandler(BaseCallbackHandler):
    """Reports what is called in the tasks of all measured runs; it changes nothing about how models are called."""

    run_inline = True

    # Plain attributes instead of the properties of the base class, because they are asked for at every event.
    ignore_chain = True
    ignore_agent = False  # tools count as agents
    ignore_llm = False
    ignore_chat_model = False
    ignore_retriever = False
    ignore_custom_event = True

    def __init__(self) -> None:
        self._calls: Dict[UUID, _Call] = {}
        self._last: Tuple[Optional[UUID], Optional[_Call]] = (None, None)
        # A function and not a method, as in the tap of a stream: langchain-core looks at it for each token.
        self.__dict__["on_llm_new_token"] = self._token_function()

    # Models

    def _token_function(self) -> Callable[..., None]:
        """Return what notes a chunk of a model's answer."""

        def on_llm_new_token(token: object, *, run_id: UUID, **kwargs: object) -> None:
            of, call = self._last
            if of is not run_id:  # consecutive chunks mostly belong to one call; hashing each id is not cheap
                call = self._calls.get(run_id)
                self._last = (run_id, call)
            if call is not None:
                call.last = perf_counter()
                call.chunks += 1
                if call.chunks == 1:
                    call.first_chunk()

        return on_llm_new_token

    def on_chat_model_start(
        self,
        serialized: Optional[Dict[str, Any]],
        messages: List[List[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        metadata: Optional[Dict[str, Any]] = None,
        **kwargs: object,
    ) -> None:
        """Begin the call of a chat model."""
        call = self._model("chat", run_id, parent_run_id, metadata, kwargs)
        if call is not None and call.shows_content:
            call.span.set_attribute("gen_ai.input.messages", as_messages([one for many in messages for one in many]))

    def on_llm_start(
        self,
        serialized: Optional[Dict[str, Any]],
        prompts: List[str],
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        metadata: Optional[Dict[str, Any]] = None,
        **kwargs: object,
    ) -> None:
        """Begin the call of a model of texts."""
        call = self._model("text_completion", run_id, parent_run_id, metadata, kwargs)
        if call is not None and call.shows_content:
            shown = [{"role": "user", "parts": [{"type": "text", "content": prompt}]} for prompt in prompts]
            call.span.set_attribute("gen_ai.input.messages", as_json(shown))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: object) -> None:
        """End the call of a model."""
        call = self._calls.get(run_id)
        if call is None:
            return
        answer = read_answer(response)
        call.span.set_attributes(answer.attributes)
        if answer.model is not None:
            call.labels["gen_ai.response.model"] = answer.model
        if answer.usage is not None:
            read, written = answer.usage
            call.run.used(read, written)
            tokens = call.run.telemetry.tokens
            tokens.record(read, {**call.labels, "gen_ai.token.type": "input"})
            tokens.record(written, {**call.labels, "gen_ai.token.type": "output"})
        if call.last > call.first:
            written = call.chunks if answer.usage is None else answer.usage[1]
            call.run.telemetry.rates.record(written / (call.last - call.first), call.labels)
        if call.shows_content and answer.messages:
            call.span.set_attribute("gen_ai.output.messages", as_messages(answer.messages, answer.finish_reason or ""))
        self._end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: object) -> None:
        """End the call of a model that has failed, or whose stream nobody reads on."""
        self._end(run_id, error)

    # Tools

    def on_tool_start(
        self,
        serialized: Optional[Dict[str, Any]],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        inputs: Optional[Dict[str, Any]] = None,
        tool_call_id: Optional[str] = None,
        **kwargs: object,
    ) -> None:
        """Begin a tool."""
        run = self._run(run_id)
        if run is None:
            return
        serialized = serialized or {}
        name = str(kwargs.get("name") or serialized.get("name") or "tool")
        labels = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
        attributes: Dict[str, Any] = dict(labels)
        if serialized.get("description"):
            attributes["gen_ai.tool.description"] = str(serialized["description"])
        if tool_call_id is not None:
            attributes["gen_ai.tool.call.id"] = tool_call_id
        if run.shows_content:
            attributes["gen_ai.tool.call.arguments"] = as_json(input_str if inputs is None else inputs)
        self._begin(run, run_id, "execute_tool", name, labels, attributes, run.telemetry.tools)

    def on_tool_end(self, output: object, *, run_id: UUID, **kwargs: object) -> None:
        """End a tool; of one that asks a question, the output carries the exception that asks."""
        call = self._calls.get(run_id)
        if call is None:
            return
        asking = getattr(output, "error", None) if isinstance(output, ToolOutputMixin) else None
        if isinstance(asking, Exception):
            self._end(run_id, asking)
            return
        if isinstance(output, ToolMessage):
            call.span.set_attribute("gen_ai.tool.call.id", output.tool_call_id)
            if output.status == "error":
                call.labels["error.type"] = "tool_error"
                call.span.set_attribute("error.type", "tool_error")
                call.span.set_status(Status(StatusCode.ERROR))
        if call.shows_content:
            shown = output.content if isinstance(output, ToolMessage) else output
            call.span.set_attribute("gen_ai.tool.call.result", as_json(shown))
        self._end(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: object) -> None:
        """End a tool that has failed, or that asks a question."""
        self._end(run_id, error)

    # Retrievers

    def on_retriever_start(
        self,
        serialized: Optional[Dict[str, Any]],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        **kwargs: object,
    ) -> None:
        """Begin a retriever."""
        run = self._run(run_id)
        if run is None:
            return
        name = str(kwargs.get("name") or (serialized or {}).get("name") or "retriever")
        labels = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": name}
        attributes = {**labels, "gen_ai.retrieval.query.text": query} if run.shows_content else labels
        self._begin(run, run_id, "retrieval", name, labels, attributes, run.telemetry.calls)

    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: object) -> None:
        """End a retriever."""
        call = self._calls.get(run_id)
        if call is not None and call.shows_content:
            shown = [{"id": document.id, "content": document.page_content} for document in documents]
            call.span.set_attribute("gen_ai.retrieval.documents", as_json(shown))
        self._end(run_id)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: object) -> None:
        """End a retriever that has failed."""
        self._end(run_id, error)

    # All of them

    def _run(self, run_id: UUID) -> Optional[RunRecord]:
        """Return the run that a call belongs to; `None` if it is reported already, or is part of no measured run."""
        return None if run_id in self._calls else current_run.get()

    def _model(
        self,
        operation: str,
        run_id: UUID,
        parent_run_id: Optional[UUID],
        metadata: Optional[Dict[str, Any]],
        known: Mapping[str, object],
    ) -> Optional[_Call]:
        run = self._run(run_id)
        if run is None:
            return None
        asked = read_request(metadata, known.get("invocation_params"))
        labels = {"gen_ai.operation.name": operation, **asked.labels}
        attributes = {**labels, **asked.settings}
        return self._begin(
            run, run_id, operation, asked.model, labels, attributes, run.telemetry.calls, group=(parent_run_id,)
        )

    def _begin(
        self,
        run: RunRecord,
        run_id: UUID,
        operation: str,
        name: str,
        labels: Dict[str, str],
        attributes: Mapping[str, Any],
        duration: Histogram,
        group: Optional[Tuple[Optional[UUID]]] = None,
    ) -> _Call:
        around = get_current_span()
        while group is not None and isinstance(around, ScopedSpan) and around.group == group:
            around = around.around  # beside another call of the same Runnable, whose stream is still read
        is_model = operation in ("chat", "text_completion")
        span = run.telemetry.tracer.start_span(
            f"{operation} {name}".rstrip(),
            set_span_in_context(around),
            SpanKind.CLIENT if is_model else SpanKind.INTERNAL,
            {"gen_ai.operation.name": operation, **run.labels, **run.conversation, **attributes},
        )
        scoped = ScopedSpan(span, around, group)
        enter(scoped)
        agent = {"gen_ai.agent.name": str(run.labels["gen_ai.agent.name"])}
        call = self._calls[run_id] = _Call(run, scoped, {**labels, **agent}, duration)
        return call

    def _end(self, run_id: UUID, error: Optional[BaseException] = None) -> None:
        call = self._calls.pop(run_id, None)
        self._last = (None, None)
        if call is None:
            return
        outcome = call.run.outcome(error)
        if outcome == "failed" and error is not None:
            call.labels["error.type"] = error_type(error)
            fail(call.span, error, shows=call.run.is_new(error))
        elif outcome != "done":
            call.span.set_attribute(STATUS, outcome)
        call.duration.record(perf_counter() - call.began, call.labels)
        leave(call.span)


_handler = CallHandler()


def _listener() -> Optional[CallHandler]:
    return None if current_run.get() is None else _handler


# Needed for calls with their own callbacks, which replace the inherited ones.
add_to_every_call(_listener)
