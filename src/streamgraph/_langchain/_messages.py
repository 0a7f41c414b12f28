"""Which messages a stream has shown: each one once, as tokens or whole.

A model call shows its message token by token; later the node returns that message, or a copy, or its text in
a new one, and it must not be shown again. A message is recognised by its id, by what the calls inside the
same task have produced, and by what was in the state before the task; never by the identity of objects,
which says nothing once memory is used again.
"""

from __future__ import annotations

import types
import typing
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Type, Union
from uuid import uuid4

from langchain_core.messages import BaseMessage, RemoveMessage
from typing_extensions import Literal, get_args, get_origin

from streamgraph._core._detach import CONTAINERS, detach
from streamgraph._core._events import Emitted
from streamgraph._core._plan import RESULT_KEY, RETURN_KEY, Plan
from streamgraph._core._returns import Outcome
from streamgraph._langchain._recognition import History, messages_in, parts_of, prepared, same_message, text_of
from streamgraph._langchain._scope import Scope
from streamgraph._langchain._tool_events import answered
from streamgraph.constants import TAG_NOSTREAM

_WHOLE = (RESULT_KEY, RETURN_KEY)

_NODE_OUTPUT = {"ls_integration": "langgraph"}

_set = object.__setattr__


class Call:
    """One model call: the tokens it streams, which are one message.

    Args:
        scope: The task it is made in.
        metadata: The metadata of its chunks.
        hidden: Nobody is to see it.
    """

    __slots__ = ("_pieces", "final", "hidden", "id", "ids", "metadata", "scope")

    def __init__(self, scope: Scope, metadata: Dict[str, Any], hidden: bool) -> None:
        self.scope = scope
        self._pieces: List[BaseMessage] = []
        self.metadata = metadata
        self.hidden = hidden
        self.id: Optional[str] = None
        self.ids: Dict[str, None] = {}
        self.final: Optional[BaseMessage] = None

    @property
    def streamed(self) -> bool:
        """Whether there has been a token."""
        return self.id is not None

    def token(self, chunk: BaseMessage, id: Optional[str] = None) -> None:  # noqa: A002  (the field's name)
        """Show a token.

        All tokens of a call go by the id of the first, whatever ids the provider puts on them.

        Args:
            chunk: The token.
            id: The id to go by if it has none.
        """
        own = chunk.id
        if self.id is None:
            self.id = own or id or str(uuid4())
            self.ids[self.id] = None
        if own is not None and own not in self.ids:
            self.ids[own] = None
        self._pieces.append(chunk)
        if self.hidden:
            self.scope.go_on()
        else:
            self._show(chunk)

    def end(self, message: BaseMessage) -> None:
        """Take the finished message; show it if no token was.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        self.final = message
        self._pieces.clear()
        if message.id is not None:
            self.ids[message.id] = None
        if not self.streamed:
            self.id = message.id or str(uuid4())
            if not self.hidden:
                self._show(message)

    def message(self) -> Optional[BaseMessage]:
        """Return what was produced: the finished message, or the tokens so far as one."""
        if self.final is None and self._pieces:
            first, *rest = self._pieces
            return first.__class__(content="".join(text_of(piece) for piece in (first, *rest)), id=self.id)
        return self.final

    def _show(self, message: BaseMessage) -> None:
        metadata = self.metadata.copy()
        metadata["tags"] = metadata["tags"][:]
        self.scope.emit("messages", (private_copy(message, self.id), metadata))


class Messages:
    """What a stream, and the graphs below it, has shown of messages."""

    def __init__(self) -> None:
        self._calls: Dict[Any, Call] = {}
        self._shown: Dict[str, Union[Call, BaseMessage]] = {}
        # What was produced inside each running task, the tasks of nested graphs included.
        self._by_task: Dict[str, List[Union[Call, BaseMessage]]] = {}
        # What has been shown of attempts that failed, by their task: to be taken back when there is another one.
        self._failed: Dict[str, List[Union[Call, BaseMessage]]] = {}

    def started(
        self, scope: Scope, run_id: Any, *, name: Optional[str], tags: List[str], metadata: Mapping[str, Any]
    ) -> None:
        """A model call starts.

        Args:
            scope: The task it is made in.
            run_id: Its id in traces.
            name: Its name in traces.
            tags: The user's tags on it.
            metadata: Its metadata, without what must not be shown.
        """
        if run_id in self._calls:
            # The same call, heard of through both the context and an explicit config.
            return
        if self._failed:
            self.retract(scope)
        shown = {
            **metadata,
            **scope.metadata(),
            "checkpoint_ns": scope.address,
            "tags": tags,
            "run_id": str(run_id),
            "run_name": name,
            **_tool_call(),
        }
        self._open(scope, run_id, Call(scope, shown, TAG_NOSTREAM in tags or not scope.shows(tags)))

    def call(self, run_id: Any, scope: Scope) -> Optional[Call]:
        """Return the model call with this id, if it is one of this task that is still on."""
        call = self._calls.get(run_id)
        return call if call is not None and call.scope is scope else None

    def token(self, scope: Scope, key: str, chunk: BaseMessage) -> None:
        """Show a token that does not come from a model call of LangChain.

        Args:
            scope: The task it comes from.
            key: Stands for the message that it is a part of.
            chunk: The token.
        """
        call = self._calls.get(key)
        if call is None:
            metadata = _node_metadata(scope)
            call = self._open(scope, key, Call(scope, metadata, not scope.shows(metadata["tags"])))
        call.token(chunk, key)

    def ended(self, run_id: Any, call: Call, message: Optional[BaseMessage]) -> None:
        """A model call is over, with its message or, after an error, without one."""
        self._calls.pop(run_id, None)
        try:
            if message is not None:
                call.end(message)
        finally:
            self._shown.update(dict.fromkeys(call.ids, call))

    def pushed(self, scope: Scope, message: BaseMessage, key: Optional[str]) -> None:
        """Show a message that a node hands over before it returns; unless it has been shown.

        Args:
            scope: The task.
            message: The message, with an id.
            key: The state key it is written to.
        """
        before = self._shown.get(str(message.id))
        if before is None or not same_message(message, _produced(before)):
            self._show(scope, message, key, pushed=True)

    def texts(self) -> Dict[str, str]:
        """Return the texts of the messages that have been shown, as far as they came, by their ids."""
        texts: Dict[str, str] = {}
        for item in (*self._shown.values(), *self._calls.values()):
            message = _produced(item)
            if message is not None and item.id is not None and not (isinstance(item, Call) and item.hidden):
                texts[item.id] = text_of(message)
        return texts

    def discard(self, scope: Scope) -> None:
        """Forget what a failed attempt has produced: if the next one produces the same, that is another message.

        Args:
            scope: The attempt.
        """
        for key, call in tuple(self._calls.items()):
            if call.scope is scope:
                self.ended(key, call, None)
        dropped = self._by_task.pop(scope.address, [])
        self._forget(scope.parent, dropped)
        self._failed[scope.address] = dropped

    def broken_off(self, call: Call) -> None:
        """A model call has failed; if the task makes another one, that takes its place."""
        if call.streamed:
            self._failed.setdefault(call.scope.address, []).append(call)

    def retract(self, scope: Scope) -> None:
        """Take back what a failed attempt has shown, be it of a node or of a model, before the next one shows more.

        A `RemoveMessage` with the id of each message says so. (LangGraph leaves the tokens there.)

        Args:
            scope: The next attempt.
        """
        dropped = self._failed.pop(scope.address, [])
        self._forget(scope, dropped)
        for item in dropped:
            origin, metadata = (item.scope, item.metadata) if isinstance(item, Call) else (scope, _node_metadata(scope))
            if isinstance(item, Call) and (item.hidden or not item.streamed):
                continue
            scope.go_on()
            self._shown.pop(str(item.id), None)
            taken_back = (RemoveMessage(id=str(item.id)), {**metadata, "tags": [*metadata["tags"]]})
            scope.put(Emitted(origin.ns, "messages", taken_back, origin.task.name))

    def _forget(self, scope: Optional[Scope], dropped: List[Union[Call, BaseMessage]]) -> None:
        """Take messages out of what tasks have produced, from this one upwards."""
        while scope is not None and scope.messages is self:
            produced = self._by_task.get(scope.address, [])
            produced[:] = [item for item in produced if not any(item is gone for gone in dropped)]
            scope = scope.parent

    def returned(self, plan: Plan, scope: Scope, outcome: Outcome, before: Mapping[str, Any]) -> Outcome:
        """Show the messages that a node writes to the state and that have not been shown yet.

        Args:
            plan: The graph of the node.
            scope: The task.
            outcome: What it did.
            before: The state before it.

        Returns:
            The outcome, with messages in the form and under the ids under which they were shown.
        """
        for key, call in tuple(self._calls.items()):
            if call.scope is scope:  # a stream that the node did not read to its end
                self.ended(key, call, None)
        produced = self._by_task.pop(scope.address, [])
        if not outcome.writes:
            return outcome
        stored = [(key, prepared(plan.channels.get(key), value)) for key, value in outcome.writes]
        fresh = [
            (key, message)
            for written, returned in stored
            for key, value in (parts_of(plan, returned) if written in _WHOLE else ((written, returned),))
            for message in messages_in(value)
        ]
        if fresh:
            history = History(before, scope.task.input)
            for key, message in fresh:
                if not self._known(message, produced, history):
                    self._show(scope, message, key)
        return outcome._replace(stored=tuple(stored))

    def _open(self, scope: Scope, key: Any, call: Call) -> Call:
        self._calls[key] = call
        self._remember(scope, call)
        return call

    def _remember(self, scope: Optional[Scope], produced: Union[Call, BaseMessage]) -> None:
        while scope is not None and scope.messages is self:
            self._by_task.setdefault(scope.address, []).append(produced)
            scope = scope.parent

    def _known(self, message: BaseMessage, produced: Iterable[Union[Call, BaseMessage]], history: History) -> bool:
        if history.has(message) or (isinstance(message, RemoveMessage) and history.mentions(message.id)):
            return True
        if message.id is not None and message.id in self._shown:
            # It may have been changed and shown more than once.
            several = [item for item in produced if _goes_by(item, message.id)]
            return any(same_message(message, _produced(item)) for item in (self._shown[message.id], *several))
        return any(same_message(message, _produced(item)) for item in produced)

    def _show(self, scope: Scope, message: BaseMessage, key: Optional[str], *, pushed: bool = False) -> None:
        id_ = message.id or str(uuid4())
        self._shown[id_] = message
        self._remember(scope if pushed else scope.parent, message)
        metadata = _node_metadata(scope, {} if pushed else _NODE_OUTPUT)
        if scope.shows(metadata["tags"], key):
            scope.emit("messages", (private_copy(message, id_), metadata), key)


def _node_metadata(scope: Scope, source: Mapping[str, Any] = _NODE_OUTPUT) -> Dict[str, Any]:
    """Return the metadata of a message that a node returns."""
    metadata = {**scope.config.shown_metadata, **scope.task.node.metadata, **source, **scope.metadata()}
    if scope.ns:
        metadata["checkpoint_ns"] = "|".join(scope.ns)
    metadata["tags"] = [*scope.config.tags, *scope.task.node.tags]
    metadata.update(_tool_call())
    return metadata


def _tool_call() -> Dict[str, str]:
    """Return what ties a message to the tool call inside of which it is made."""
    call_id = answered.get()
    return {} if call_id is None else {"tool_call_id": call_id}


def _goes_by(item: Union[Call, BaseMessage], id: str) -> bool:  # noqa: A002  (the field's name)
    return id in item.ids if isinstance(item, Call) else item.id == id


def _produced(item: Union[Call, BaseMessage]) -> Optional[BaseMessage]:
    return item.message() if isinstance(item, Call) else item


def private_copy(message: BaseMessage, id: Optional[str]) -> BaseMessage:  # noqa: A002  (the field's name)
    """Return a copy under `id` that shares no container with `message`, so that a reader can change it.

    langchain-core goes on to sum up the chunks it has announced; a changed one would change the result.
    """
    kind = type(message)
    fields = message.__dict__.copy()
    for key in _CONTAINER_FIELDS.get(kind) or _container_fields(kind):
        value = fields.get(key)
        if type(value) in CONTAINERS:
            fields[key] = detach(value) if value else value.copy()  # type: ignore[union-attr]
    fields["id"] = id
    # BaseModel.__copy__ does the same with more detours, and this is done for every token.
    copied = kind.__new__(kind)
    extra = message.__pydantic_extra__
    _set(copied, "__dict__", fields)
    _set(copied, "__pydantic_fields_set__", message.__pydantic_fields_set__.copy())
    _set(copied, "__pydantic_extra__", detach(extra) if extra else extra)
    _set(copied, "__pydantic_private__", message.__pydantic_private__)
    return copied


_CONTAINER_FIELDS: Dict[Type[BaseMessage], Tuple[str, ...]] = {}


def _container_fields(kind: Type[BaseMessage]) -> Tuple[str, ...]:
    """Return the fields of a message class that can hold a container; computed once for each class."""
    found = tuple(key for key, field in kind.model_fields.items() if not _is_scalar(field.annotation))
    return _CONTAINER_FIELDS.setdefault(kind, found)


def _is_scalar(hint: Any) -> bool:
    """Whether a type hint names only strings, numbers and the like: `Optional[str]`, `Literal["last"]`."""
    # Literal is another object in typing_extensions on Python 3.9, and X | Y another than Union from 3.10 to 3.13.
    if get_origin(hint) in (Union, getattr(types, "UnionType", Union), Literal, typing.Literal):
        return all(isinstance(item, str) or _is_scalar(item) for item in get_args(hint))
    return hint in (str, bool, int, float, type(None))


def twin_of(mode: str, data: Any) -> Any:
    """Copy the payload of a part for a second consumer; custom data is the user's and stays as it is."""
    if mode == "custom":
        return data
    if mode == "messages":
        message, metadata = data
        return private_copy(message, message.id), detach(metadata)
    return detach(data)
