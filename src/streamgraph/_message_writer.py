"""Stream tokens of clients that do not use LangChain into the `messages` mode."""

from __future__ import annotations

from types import TracebackType
from typing import Dict, List, Mapping, Optional, Sequence, Type, Union, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._messages.metadata import foreign_metadata
from streamgraph._messages.model_call import ModelCall
from streamgraph._messages.tracker import MessageTracker, tracker_of

__all__ = ["MessageWriter", "message_writer"]


class MessageWriter:
    """Writes one message into the stream, token by token; created by `message_writer`.

    Attributes:
        id: The id of the message.
    """

    def __init__(self, call: Optional[ModelCall], scope: Optional[Scope], id: str) -> None:  # noqa: A002  (the field's name)
        self.id = id
        self._call = call
        self._scope = scope
        self._pieces: List[AIMessageChunk] = []

    def write(self, token: Union[str, AIMessageChunk, None]) -> None:
        """Show a token.

        Args:
            token: The text, or a chunk that also carries, for example, tool calls or usage. Clients send empty texts
                and `None` between tokens; these are ignored.

        Raises:
            StreamClosed: The consumer has left. Do not catch it, so that the client's response is closed.
        """
        if not token:
            return
        # The message keeps this writer's id from the first token on, whatever ids the client's chunks have.
        given = AIMessageChunk(content=token) if isinstance(token, str) else token
        chunk = given.model_copy(update={"id": self.id})
        self._pieces.append(chunk)
        if self._call is not None:
            self._call.token(chunk)
        elif self._scope is not None:
            self._scope.check_alive(is_token=True)

    __call__ = write

    @property
    def message(self) -> AIMessage:
        """The message so far; if a node returns it, the stream does not show it again."""
        first = self._pieces[0] if self._pieces else AIMessageChunk(content="")
        whole = first + self._pieces[1:] if len(self._pieces) > 1 else first
        return cast("AIMessage", message_chunk_to_message(whole).model_copy(update={"id": self.id}))


class message_writer:  # noqa: N801  (used like a function)
    """Stream a client that does not use LangChain into `messages`, with the metadata of a LangChain model.

    A context manager for sync and async code, in nodes, tools and the code that they call::

        with message_writer(model="gpt-4o-mini", provider="openai") as message:
            for event in client.chat.completions.create(model="gpt-4o-mini", messages=asked, stream=True):
                message.write(event.choices[0].delta.content)
        return {"messages": [message.message]}

    If the consumer leaves, `write` raises and the block ends. If the client's response is a context manager, use it in
    a `with` as well, so that it is closed immediately and not at garbage collection.

    Outside of a run, and if the consumer did not ask for `messages`, the writer only accumulates the message. Tokens of
    a failed attempt are retracted as those of a model are. (LangGraph's way is `custom` data, langgraph #972.)

    Args:
        name: The name in the metadata (`run_name`); by default the model's.
        model: The model's name (`ls_model_name`).
        provider: The model's provider (`ls_provider`).
        tags: Tags, for filters; `nostream` hides the message.
        metadata: Additional metadata.
        id: The id of the message; by default a new one.
    """

    def __init__(
        self,
        name: Optional[str] = None,
        *,
        model: Optional[str] = None,
        provider: Optional[str] = None,
        tags: Sequence[str] = (),
        metadata: Optional[Mapping[str, object]] = None,
        id: Optional[str] = None,  # noqa: A002  (the field's name)
    ) -> None:
        if isinstance(tags, str):
            raise TypeError(f"tags is {tags!r:.80}; give a list of tags.")
        self._name = name or model or "message_writer"
        described: Dict[str, Optional[str]] = {"ls_provider": provider, "ls_model_name": model, "ls_model_type": "chat"}
        known = {key: value for key, value in described.items() if value is not None}
        self._metadata = {**known, **(metadata or {})}
        self._tags = list(tags)
        self._id = id
        self._call: Optional[ModelCall] = None
        self._messages: Optional[MessageTracker] = None

    def __enter__(self) -> MessageWriter:
        scope, run_id = current_scope(), uuid4()
        if scope is not None and scope.stop.finished:
            scope = None
        tracker = tracker_of(scope)
        if scope is not None and tracker is not None:
            tags = list(dict.fromkeys([*scope.run.config.tags, *scope.task.node.tags, *self._tags]))
            self._messages = tracker
            self._call = self._messages.started(
                scope, run_id, name=self._name, tags=tags, metadata=foreign_metadata(scope, self._metadata)
            )
        self._run_id = run_id
        self._writer = MessageWriter(self._call, scope, self._id or f"run-{run_id}")
        return self._writer

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        call, messages = self._call, self._messages
        if call is None or messages is None:
            return
        messages.ended(self._run_id, call, self._writer.message if error is None else None)
        if isinstance(error, Exception):
            messages.broken_off(call)

    async def __aenter__(self) -> MessageWriter:
        return self.__enter__()

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.__exit__(kind, error, trace)
