"""The callback handler that turns a model's callbacks into the `messages` mode."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Dict, List, Optional, Tuple, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from streamgraph._compat.langchain_core import add_to_every_call, call_info, streaming_handler
from streamgraph._langchain.configs import user_tags
from streamgraph._langchain.handlers import TaskHandler
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.tool_events import current_tool_call_id, is_tool_tapped
from streamgraph._messages.metadata import own_metadata
from streamgraph._messages.model_call import ModelCall
from streamgraph._messages.structured import format_of
from streamgraph._messages.tracker import MessageTracker
from streamgraph._messages.untracked import untracked_call_handler

T = TypeVar("T")

_current: ContextVar[Optional[BaseCallbackHandler]] = ContextVar("streamgraph_tap", default=None)


def _listener() -> Optional[BaseCallbackHandler]:
    """Return whom to tell of a call: the tap of the task, or outside of any run whoever notes strays."""
    tap = _current.get()
    return untracked_call_handler() if tap is None and current_scope() is None else tap


# A call with callbacks of its own replaces the inherited ones.
add_to_every_call(_listener)


@streaming_handler
class Tap(TaskHandler):
    """Listens to the model calls of one task.

    Each task has its own, so whatever way the callbacks reach a model, through the context or through a
    config passed by hand, its tokens are those of the right task.

    Args:
        scope: The task.
        messages: Remembers what was shown.
    """

    raise_error = True  # a consumer that has left must end the model's stream, not fill a log

    def __init__(self, scope: Scope, messages: MessageTracker) -> None:
        super().__init__(scope)
        self._messages = messages
        self._outer: Dict[UUID, Optional[str]] = {}
        self._parsers: Dict[UUID, ModelCall] = {}
        self._last: Tuple[Optional[UUID], Optional[ModelCall]] = (None, None)

    def tap_output_iter(self, run_id: UUID, output: T) -> T:
        """Having this method makes langchain-core stream inside `invoke`; nothing is done here."""
        return output

    def tap_output_aiter(self, run_id: UUID, output: T) -> T:
        """Having this method makes langchain-core stream inside `ainvoke`; nothing is done here."""
        return output

    def on_chat_model_start(
        self,
        serialized: Optional[Dict[str, object]],
        messages: List[List[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[List[str]] = None,
        metadata: Optional[Dict[str, object]] = None,
        **kwargs: Any,
    ) -> None:
        """A model call starts."""
        self._messages.started(
            self._scope,
            run_id,
            name=kwargs.get("name") or _class_name(serialized),
            tags=user_tags(tags or ()),
            metadata=own_metadata(self._scope, metadata or {}),
            call_info=call_info(),
            format_=format_of(kwargs.get("options")),
        )

    def on_chain_start(
        self,
        serialized: Optional[Dict[str, object]],
        inputs: object,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        **kwargs: object,
    ) -> None:
        """A Runnable starts: one that gets the message of a structured answer may make the object of it."""
        call = self._messages.unparsed(inputs, self._scope)
        if call is not None:
            self._parsers[run_id] = call

    def on_chain_end(
        self,
        outputs: object,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        inputs: object = None,
        **kwargs: object,
    ) -> None:
        """A Runnable is over; one that was streamed is only now told what it got as a whole."""
        call = self._parsers.pop(run_id, None) or self._messages.unparsed(inputs, self._scope)
        if call is None or outputs is None:
            return
        if isinstance(outputs, BaseMessage):
            # It only passes the message on: langchain-openai looks for a refusal before it parses (from 1.7.4).
            self._messages.to_parse(call)
        else:
            call.parsed(outputs)

    def on_chain_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A Runnable has failed."""
        self._parsers.pop(run_id, None)

    def on_tool_start(
        self,
        serialized: Optional[Dict[str, object]],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tool_call_id: Optional[str] = None,
        **kwargs: object,
    ) -> None:
        """A tool starts: what models in it say belongs to the call that it answers."""
        if tool_call_id is not None:
            self._outer[run_id] = current_tool_call_id.get()
            current_tool_call_id.set(tool_call_id)

    def on_tool_end(
        self, output: object, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A tool has returned."""
        if run_id in self._outer:
            current_tool_call_id.set(self._outer.pop(run_id))

    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A tool has failed."""
        self.on_tool_end(None, run_id=run_id)

    def on_llm_new_token(
        self,
        token: object,
        *,
        chunk: object = None,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        **kwargs: object,
    ) -> None:
        """A model has made a token."""
        last, call = self._last
        if last is not run_id:  # tokens come in runs; hashing the id of each is not cheap
            call = self._messages.call(run_id, self._scope)
            self._last = (run_id, call)
        if call is not None and isinstance(chunk, ChatGenerationChunk):
            call.token(chunk.message)

    def on_llm_end(
        self, response: LLMResult, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A model call is over."""
        call = self._messages.call(run_id, self._scope)
        if call is not None:
            generation = response.generations[0][0] if response.generations and response.generations[0] else None
            message = generation.message if isinstance(generation, ChatGeneration) else None
            self._messages.ended(run_id, call, message)

    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A model call has failed."""
        call = self._messages.call(run_id, self._scope)
        if call is not None:
            self._messages.ended(run_id, call, None)
            if not isinstance(error, GeneratorExit):  # else the node has read as much of it as it wanted
                self._messages.broken_off(call)


def _class_name(serialized: Optional[Dict[str, Any]]) -> Optional[str]:
    """Return the name that traces give a model call that was given none: that of the model's class."""
    if not serialized:
        return None
    name: Optional[str] = serialized.get("name") or (serialized.get("id") or [None])[-1]
    return name


def enter_tap(tap: Optional[Tap]) -> None:
    """Make `tap` the one of the context this runs in, for good: the context belongs to the task."""
    _current.set(tap)


def is_tapped() -> bool:
    """Whether there is a tap in the context this runs in, of models or of tools."""
    return _current.get() is not None or is_tool_tapped()
