"""Callback handler that turns a model's callbacks into parts of the `messages` mode."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from streamgraph._compat.langchain_core import add_to_every_call, call_info, streaming_handler
from streamgraph._langchain.configs import user_tags
from streamgraph._langchain.handlers import TaskHandler
from streamgraph._langchain.peer_tasks import PeerScope
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.tool_events import current_tool_call_id, is_tool_tapped
from streamgraph._messages.metadata import own_metadata
from streamgraph._messages.model_call import ModelCall
from streamgraph._messages.structured import format_of
from streamgraph._messages.tracker import MessageTracker
from streamgraph._messages.untracked import untracked_call_handler
from streamgraph._peers import passes_through
from streamgraph.constants import TAG_HIDDEN

T = TypeVar("T")

_current: ContextVar[Optional[BaseCallbackHandler]] = ContextVar("streamgraph_tap", default=None)


def _listener() -> Optional[BaseCallbackHandler]:
    """Return the handler for a model call: the task's tap, or outside of any run the untracked-call handler."""
    tap = _current.get()
    return untracked_call_handler() if tap is None and current_scope() is None else tap


# Needed for calls with their own callbacks, which replace the inherited ones.
add_to_every_call(_listener)


@streaming_handler
class Tap(TaskHandler):
    """Callback handler for the model calls of one task.

    Each task has its own tap. Tokens are therefore attributed to the right task, whether the callbacks reach a model
    through the context or through an explicit config.

    Args:
        scope: The task.
        messages: The message tracker of the stream.
    """

    raise_error = True  # `StreamClosed` must end the model's stream instead of being logged

    def __init__(self, scope: Scope, messages: MessageTracker) -> None:
        super().__init__(scope)
        self._messages = messages
        self._outer: Dict[UUID, Optional[str]] = {}
        self._parsers: Dict[UUID, ModelCall] = {}
        # The tasks of LangGraph inside this one: of model calls, and of the Runnables that are such tasks.
        self._elsewhere: Dict[UUID, Scope] = {}
        self._nodes: Dict[UUID, PeerScope] = {}
        # In `__dict__`, because a subclass computes this attribute at each lookup.
        self.__dict__["on_llm_new_token"] = _token_function(scope, messages, self._elsewhere)

    @property
    def ignore_chain(self) -> bool:
        """True unless a structured answer is to be parsed or LangGraph runs, which is all that chains are heard for."""
        return self._peer_tasks is None and not (self._parsers or self._messages.parses)

    def tap_output_iter(self, run_id: UUID, output: T) -> T:
        """Return `output` unchanged; the presence of this method makes langchain-core stream inside `invoke`."""
        return output

    def tap_output_aiter(self, run_id: UUID, output: T) -> T:
        """Return `output` unchanged; the presence of this method makes langchain-core stream inside `ainvoke`."""
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
        """Register a model call."""
        scope = self._scope_of(metadata)
        if scope is not self._scope:
            if not scope.run.subscribers.hears_models:
                return  # as in nested graphs: nobody wants their messages, but those that this task returns
            self._elsewhere[run_id] = scope
        self._messages.started(
            scope,
            run_id,
            name=kwargs.get("name") or _class_name(serialized),
            tags=user_tags(tags or ()),
            metadata=own_metadata(scope, metadata or {}),
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
        tags: Optional[List[str]] = None,
        metadata: Optional[Dict[str, object]] = None,
        **kwargs: object,
    ) -> None:
        """Register a Runnable that may parse the message of a structured answer, and a task of LangGraph."""
        call = self._messages.unparsed(inputs, self._scope)
        if call is not None:
            self._parsers[run_id] = call
        if self._peer_tasks is not None and TAG_HIDDEN not in (tags or ()):
            task = self._peer_tasks.begun(metadata, inputs, kwargs.get("name"), user_tags(tags or ()))
            if task is not None and task.run.subscribers.hears_models:
                self._nodes[run_id] = task
                self._messages.retract(task)

    def on_chain_end(
        self,
        outputs: object,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        inputs: object = None,
        **kwargs: object,
    ) -> None:
        """Show the parsed object of a structured answer.

        A Runnable that was streamed reports its whole input only here.
        """
        task = self._nodes.pop(run_id, None)
        if task is not None and self._peer_tasks is not None:
            self._messages.returned_elsewhere(task, outputs)
            self._peer_tasks.ended(task)
        call = self._parsers.pop(run_id, None) or self._messages.unparsed(inputs, self._scope)
        if call is None or outputs is None:
            return
        if isinstance(outputs, BaseMessage):
            # A pass-through step: langchain-openai checks for a refusal before it parses (from 1.7.4).
            self._messages.to_parse(call)
        else:
            call.parsed(outputs)

    def on_chain_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """Unregister a Runnable that has failed."""
        self._parsers.pop(run_id, None)
        task = self._nodes.pop(run_id, None)
        if task is not None and self._peer_tasks is not None:
            if not passes_through(error):
                self._messages.discard(task)
            self._peer_tasks.ended(task)

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
        """Attribute the messages of models in the tool to the tool call."""
        if tool_call_id is not None:
            self._outer[run_id] = current_tool_call_id.get()
            current_tool_call_id.set(tool_call_id)

    def on_tool_end(
        self, output: object, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """Restore the enclosing tool call."""
        if run_id in self._outer:
            current_tool_call_id.set(self._outer.pop(run_id))

    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """Restore the enclosing tool call after a failure."""
        self.on_tool_end(None, run_id=run_id)

    def on_llm_end(
        self, response: LLMResult, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """End a model call with its message."""
        call = self._messages.call(run_id, self._elsewhere.pop(run_id, self._scope))
        if call is not None:
            generation = response.generations[0][0] if response.generations and response.generations[0] else None
            message = generation.message if isinstance(generation, ChatGeneration) else None
            self._messages.ended(run_id, call, message)

    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """End a model call that has failed."""
        call = self._messages.call(run_id, self._elsewhere.pop(run_id, self._scope))
        if call is not None:
            self._messages.ended(run_id, call, None)
            if not isinstance(error, GeneratorExit):  # else the node has stopped reading the stream on purpose
                self._messages.broken_off(call)


def _token_function(scope: Scope, messages: MessageTracker, elsewhere: Mapping[UUID, Scope]) -> Callable[..., None]:
    """Return the `on_llm_new_token` of a tap.

    It is a function and not a method: langchain-core asks for each token whether it is a coroutine function, which
    takes up to twice as long for a method.

    Args:
        scope: The task.
        messages: The message tracker of the stream.
        elsewhere: The tasks of model calls that belong to tasks of LangGraph inside this one.
    """
    last: Tuple[Optional[UUID], Optional[ModelCall]] = (None, None)

    def on_llm_new_token(
        token: object,
        *,
        chunk: object = None,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[List[str]] = None,
        **kwargs: object,
    ) -> None:
        """Show a token."""
        nonlocal last
        of, call = last
        if of is not run_id:  # consecutive tokens mostly belong to one call; hashing each id is not cheap
            call = messages.call(run_id, elsewhere.get(run_id, scope))
            last = (run_id, call)
        if call is not None and isinstance(chunk, ChatGenerationChunk):
            call.token(chunk.message)

    return on_llm_new_token


def _class_name(serialized: Optional[Dict[str, Any]]) -> Optional[str]:
    """Return the class name of the model, which traces use for a model call without a name."""
    if not serialized:
        return None
    name: Optional[str] = serialized.get("name") or (serialized.get("id") or [None])[-1]
    return name


def enter_tap(tap: Optional[Tap]) -> None:
    """Set the tap of the current context; it is never reset, because the context belongs to the task."""
    _current.set(tap)


def is_tapped() -> bool:
    """Return whether the current context has a tap for models or tools."""
    return _current.get() is not None or is_tool_tapped()
