"""Message tracker: shows each message once, as tokens or whole.

A model call shows its message token by token. Later the node returns that message, a copy, or its text in a new
message, which must not be shown again. A message is recognised by its id, by the output of model calls in the same
task, and by the state before the task; never by object identity, which is meaningless once memory is reused.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union
from uuid import UUID, uuid4

from langchain_core.messages import BaseMessage, RemoveMessage

from streamgraph._compat.langchain_core import CallInfo
from streamgraph._core.plan import RESULT_KEY, RETURN_KEY, Plan
from streamgraph._core.results import TaskResult
from streamgraph._drivers.handover import ReaderTurns
from streamgraph._langchain.scope import RunScope, Scope
from streamgraph._messages.copying import marked_last, private_copy
from streamgraph._messages.endings import Endings, is_inside
from streamgraph._messages.explain import explain_call
from streamgraph._messages.matching import PriorMessages, messages_in, parts_of, prepared_writes, same_message, text_of
from streamgraph._messages.metadata import OF_A_NODE, model_metadata, node_metadata
from streamgraph._messages.model_call import ModelCall
from streamgraph._messages.peer_results import fields_of, returned_messages
from streamgraph._messages.structured import Format, PartialObject
from streamgraph._signals import Reason, Unstreamed
from streamgraph._streams.part import Part
from streamgraph.constants import TAG_NOSTREAM

_WHOLE = (RESULT_KEY, RETURN_KEY)

CallKey = Union[UUID, str]
"""Key of a model call: its id in traces, or a string for a call that is not made by a LangChain model."""


class MessageTracker:
    """Messages that a stream and its nested graphs have shown."""

    def __init__(self) -> None:
        self.turns = ReaderTurns()
        self._calls: Dict[CallKey, ModelCall] = {}
        self.shown: Dict[str, Union[ModelCall, BaseMessage]] = {}
        # Output of each running task, including the tasks of nested graphs, by `checkpoint_ns`.
        self.by_task: Dict[str, List[Union[ModelCall, BaseMessage]]] = {}
        # Calls with structured output by the ids of their messages, until these are parsed.
        self._unparsed: Dict[str, ModelCall] = {}
        self.unstreamed: List[Unstreamed] = []
        """Model calls that were not streamed."""
        self._endings = Endings()
        # Shown output of failed attempts by task, to be retracted at the next attempt.
        self._failed: Dict[str, List[Union[ModelCall, BaseMessage]]] = {}

    def started(
        self,
        scope: Scope,
        run_id: CallKey,
        *,
        name: Optional[str],
        tags: List[str],
        metadata: Mapping[str, object],
        call_info: Optional[CallInfo] = None,
        format_: Optional[Format] = None,
    ) -> ModelCall:
        """Register a model call that starts.

        Args:
            scope: The task that makes the call.
            run_id: The id of the call in traces.
            name: The name of the call in traces.
            tags: The user's tags of the call.
            metadata: The metadata of the call, without secrets.
            call_info: Details of the call, if a LangChain model was called.
            format_: The format of structured output; `None` for prose.
        """
        if run_id in self._calls:
            # The same call, reported through both the context and an explicit config.
            return self._calls[run_id]
        if self._failed:
            self.retract(scope)
        schema = format_.name if format_ is not None else None
        shown = model_metadata(scope, run_id, name=name, tags=tags, metadata=metadata, schema=schema)
        partial_object = None
        if format_ is not None and TAG_NOSTREAM not in tags and scope.shows_objects(tags):
            partial_object = PartialObject(format_)
        hidden = TAG_NOSTREAM in tags or not scope.shows(tags, raw=format_ is not None)
        call = self.open(scope, run_id, ModelCall(scope, shown, hidden, self.turns, call_info, partial_object))
        if hidden and scope.wants_messages:
            self._note(call, *_hidden(tags))
        return call

    def hears(self, run_id: CallKey) -> bool:
        """Return whether a model call is open and registered here."""
        return run_id in self._calls

    def call(self, run_id: CallKey, scope: Scope) -> Optional[ModelCall]:
        """Return the open model call with this id, or `None` if this task has none."""
        call = self._calls.get(run_id)
        return call if call is not None and call.scope is scope else None

    def token(self, scope: Scope, key: str, chunk: BaseMessage) -> None:
        """Show a token that does not come from a LangChain model call.

        Tokens that a node yields after receiving them from a model have been shown already and are skipped.

        Args:
            scope: The task that emits the token.
            key: The key of the token's message.
            chunk: The token.
        """
        if self._echoes(scope, chunk):
            scope.check_alive()
            return
        call = self._calls.get(key)
        if call is None:
            metadata = node_metadata(scope)
            hidden = not scope.shows(metadata["tags"])
            call = self.open(scope, key, ModelCall(scope, metadata, hidden, self.turns))
        call.token(chunk, key)

    def ended(self, run_id: CallKey, call: ModelCall, message: Optional[BaseMessage]) -> None:
        """End a model call.

        Args:
            run_id: The key of the call.
            call: The call.
            message: The finished message; `None` after an error.
        """
        self._calls.pop(run_id, None)
        call.open = False
        if message is not None and call.call_info is not None and not call.streamed and not call.hidden:
            self._note(call, *explain_call(call.call_info))
        call.call_info = None
        call.stop()
        try:
            if message is not None:
                call.end(message)
        finally:
            self.shown.update(dict.fromkeys(call.ids, call))
            self._endings.show(call)
            if call.scope is None or call.scope.over:
                call.scope = None  # the call, or the message of a client's writer, has outlived its task
            elif call.structured and message is not None:
                self.to_parse(call)

    def unstreamed_in(self, ns: Tuple[str, ...]) -> List[Unstreamed]:
        """Return the model calls of a graph, and of those nested in it, that were not streamed."""
        return [item for item in self.unstreamed if item.namespace[: len(ns)] == ns]

    def ends(self, run: RunScope) -> Sequence[Part]:
        """Return the parts that end the messages which are still open at the end of a run."""
        for key, call in tuple(self._calls.items()):
            if is_inside(call.scope, run):
                del self._calls[key]
                self.shown.update(dict.fromkeys(call.ids, call))
                self._endings.leave_open(call)
        return self._endings.parts(run)

    def finished(self, key: str) -> None:
        """End a message that does not come from a LangChain model call.

        Args:
            key: The key of the message; see `token`.
        """
        call = self._calls.get(key)
        if call is not None:
            self.ended(key, call, None)

    def to_parse(self, call: ModelCall) -> None:
        """Register a call whose finished message is still to be parsed into an object."""
        self._unparsed.update(dict.fromkeys(call.ids, call))

    @property
    def parses(self) -> bool:
        """True if a finished message is still to be parsed into an object."""
        return bool(self._unparsed)

    def unparsed(self, message: object, scope: Scope) -> Optional[ModelCall]:
        """Return the call of this task whose finished message a parser receives; each call is returned once.

        Args:
            message: The input of a Runnable.
            scope: The task.
        """
        call = self._unparsed.get(str(message.id)) if self._unparsed and isinstance(message, BaseMessage) else None
        if call is None or call.scope is not scope:
            return None
        for id_ in call.ids:
            self._unparsed.pop(id_, None)
        return call

    def pushed(self, scope: Scope, message: BaseMessage, key: Optional[str]) -> None:
        """Show a message passed to `push_message`, unless it has been shown.

        Args:
            scope: The task.
            message: The message, with an id.
            key: The state key that the message is written to.
        """
        before = self.shown.get(str(message.id))
        if before is None or not same_message(message, _produced(before)):
            self._show(scope, message, key, pushed=True)

    def texts(self) -> Dict[str, str]:
        """Return the texts so far of the shown messages by their ids."""
        texts: Dict[str, str] = {}
        for item in (*self.shown.values(), *self._calls.values()):
            message = _produced(item)
            if message is not None and item.id is not None and not (isinstance(item, ModelCall) and item.hidden):
                texts[item.id] = text_of(message)
        return texts

    def discard(self, scope: Scope) -> None:
        """Forget the output of a failed attempt; equal output of the next attempt counts as a new message.

        Args:
            scope: The attempt.
        """
        for key, call in tuple(self._calls.items()):
            if call.scope is scope:  # a thread or asyncio task that outlives the attempt may continue the call
                self.ended(key, call, None)
        dropped = self.by_task.pop(scope.checkpoint_ns, [])
        self.forget(scope.parent, dropped)
        self._failed[scope.checkpoint_ns] = dropped

    def broken_off(self, call: ModelCall) -> None:
        """Register a failed model call, to be retracted if the task makes another one."""
        if call.streamed and call.scope is not None:
            self._failed.setdefault(call.scope.checkpoint_ns, []).append(call)

    def retract(self, scope: Scope) -> None:
        """Retract the shown output of a failed attempt of a node or a model, before the next attempt shows more.

        A `RemoveMessage` is emitted for the id of each message. (LangGraph leaves the tokens there.)

        Args:
            scope: The next attempt.
        """
        dropped = self._failed.pop(scope.checkpoint_ns, [])
        self.forget(scope, dropped)
        for item in dropped:
            ns, node, metadata = scope.run.ns, scope.task.name, node_metadata(scope)
            if isinstance(item, ModelCall):
                ns, node, metadata = item.ns, item.node, item.metadata
            if isinstance(item, ModelCall) and (item.hidden or not item.streamed):
                continue
            scope.check_alive()
            if isinstance(item, ModelCall):
                item.unended = None
            self.shown.pop(str(item.id), None)
            payload = (RemoveMessage(id=str(item.id)), {**metadata, "tags": [*metadata["tags"]]})
            scope.put_in(Part(ns, "messages", payload, node))

    def forget(self, scope: Optional[Scope], dropped: List[Union[ModelCall, BaseMessage]]) -> None:
        """Remove messages from the output of this task and its parents."""
        while scope is not None and scope.run.messages is self:
            produced = self.by_task.get(scope.checkpoint_ns, [])
            produced[:] = [item for item in produced if not any(item is gone for gone in dropped)]
            scope = scope.parent

    def returned(self, plan: Plan, scope: Scope, outcome: TaskResult, before: Mapping[str, object]) -> TaskResult:
        """Show the messages that a node writes to the state and that have not been shown yet.

        Args:
            plan: The graph of the node.
            scope: The task.
            outcome: The result of the task.
            before: The state before the task.

        Returns:
            The result with written values in stored form, so that messages have the ids under which they were shown.
        """
        produced = self.by_task.pop(scope.checkpoint_ns, [])
        outcome = self._shown_in(plan, scope, outcome, before, produced) if outcome.writes else outcome
        self._release(scope, produced)
        return outcome

    def returned_elsewhere(self, scope: Scope, result: object) -> None:
        """Show the messages that a task of LangGraph has returned and that have not been shown yet.

        A message without an id gets one, as the state of LangGraph's graph must hold it under the id that is shown.

        Args:
            scope: The task.
            result: What its node has returned.
        """
        produced = self.by_task.pop(scope.checkpoint_ns, [])
        history = PriorMessages({}, fields_of(scope.task.input))
        for message in returned_messages(result):
            message.id = message.id or str(uuid4())
            if not self._known(message, produced, history):
                self._show(scope, message, None, {})
        self._release(scope, produced)

    def _release(self, scope: Scope, produced: List[Union[ModelCall, BaseMessage]]) -> None:
        for item in produced:
            # An open call belongs to a thread or asyncio task started by the node, and is shown until the run ends.
            if isinstance(item, ModelCall) and item.scope is scope and not item.open:
                item.scope = None

    def _shown_in(
        self,
        plan: Plan,
        scope: Scope,
        outcome: TaskResult,
        before: Mapping[str, object],
        produced: List[Union[ModelCall, BaseMessage]],
    ) -> TaskResult:
        stored = outcome.stored or prepared_writes(plan, outcome.writes)
        fresh = [
            (key, message)
            for written, returned in stored
            for key, value in (parts_of(plan, returned) if written in _WHOLE else ((written, returned),))
            for message in messages_in(value)
        ]
        if fresh:
            history = PriorMessages(before, scope.task.input)
            for key, message in fresh:
                if not self._known(message, produced, history):
                    self._show(scope, message, key)
        return outcome._replace(stored=stored)

    def _note(self, call: ModelCall, reason: Reason, why: str, hint: str) -> None:
        about, at = call.metadata, (call.node, call.metadata["langgraph_step"], call.ns)
        name, run_id = str(about["run_name"]), str(about["run_id"])
        self.unstreamed.append(Unstreamed(reason, why, hint, name, *at, run_id))

    def open(self, scope: Scope, key: CallKey, call: ModelCall) -> ModelCall:
        self._calls[key] = call
        self.remember(scope, call)
        return call

    def remember(self, scope: Optional[Scope], produced: Union[ModelCall, BaseMessage]) -> None:
        """Note a message of a task, which the tasks around it do not show as their own."""
        while scope is not None and scope.run.messages is self:
            self.by_task.setdefault(scope.checkpoint_ns, []).append(produced)
            scope = scope.parent

    def _echoes(self, scope: Scope, chunk: BaseMessage) -> bool:
        """Return whether a chunk is a token of a model call of this task."""
        finished = self.shown.get(chunk.id) if chunk.id is not None else None
        calls = [call for call in self._calls.values() if call.call_info is not None and call.scope is scope]
        calls += [finished] if isinstance(finished, ModelCall) and finished.scope is scope else []
        return any(call.has_shown(chunk) for call in calls)

    def _known(
        self, message: BaseMessage, produced: Iterable[Union[ModelCall, BaseMessage]], history: PriorMessages
    ) -> bool:
        if history.has(message) or (isinstance(message, RemoveMessage) and history.mentions(message.id)):
            return True
        if message.id is not None and message.id in self.shown:
            if _is_secret(self.shown[message.id]):
                return True
            # The message may have been modified and shown more than once.
            several = [item for item in produced if _goes_by(item, message.id)]
            return any(same_message(message, _produced(item)) for item in (self.shown[message.id], *several))
        return any(same_message(message, _produced(item)) for item in produced)

    def _show(
        self,
        scope: Scope,
        message: BaseMessage,
        key: Optional[str],
        source: Mapping[str, object] = OF_A_NODE,
        *,
        pushed: bool = False,
    ) -> None:
        id_ = message.id or str(uuid4())
        self.shown[id_] = message
        self.remember(scope if pushed else scope.parent, message)
        metadata = node_metadata(scope, {} if pushed else source)
        if scope.shows(metadata["tags"], key):
            scope.emit("messages", (marked_last(private_copy(message, id_)), metadata), key)


def _hidden(tags: List[str]) -> Tuple[Reason, str, str]:
    """Return `(kind, reason, hint)` for the hidden messages of a model with these tags."""
    if TAG_NOSTREAM in tags:
        return "nostream", f"it has the tag {TAG_NOSTREAM!r}", "Take the tag from the model, chain or node."
    return "filtered", "the filters of the stream leave it out", "See include_ and exclude_ of the call."


def _is_secret(item: Union[ModelCall, BaseMessage]) -> bool:
    """Return whether a message has the tag `nostream`, so that even an edited copy of it must stay hidden."""
    return isinstance(item, ModelCall) and TAG_NOSTREAM in item.metadata["tags"]


def _goes_by(item: Union[ModelCall, BaseMessage], id: str) -> bool:  # noqa: A002  (the field's name)
    return id in item.ids if isinstance(item, ModelCall) else item.id == id


def _produced(item: Union[ModelCall, BaseMessage]) -> Optional[BaseMessage]:
    return item.message() if isinstance(item, ModelCall) else item


def tracker_of(scope: Optional[Scope]) -> Optional[MessageTracker]:
    """Return the message tracker of a task's run, or `None` if the run shows no messages."""
    log = None if scope is None else scope.run.messages
    return log if isinstance(log, MessageTracker) else None
