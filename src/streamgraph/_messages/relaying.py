"""Messages of a task that runs on another machine, in the message tracker of the run here.

The worker has a tracker of its own and sends what it shows. Here each message is registered as if its model had been
called in the task, so that the node's result does not show it again, a failed attempt takes it back, and a run that is
left knows its text.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, cast

from langchain_core.messages import AIMessageChunk, BaseMessage, RemoveMessage
from langchain_core.messages.ai import add_ai_message_chunks

from streamgraph._langchain.scope import Scope
from streamgraph._messages.copying import is_last
from streamgraph._messages.model_call import ModelCall
from streamgraph._messages.tracker import MessageTracker
from streamgraph._signals import Unstreamed
from streamgraph._streams.part import Part
from streamgraph._types import MessageMetadata


class HiddenMessage(NamedTuple):
    """A message that the stream does not show.

    Attributes:
        ids: The ids under which it is known.
        message: The message, as far as it came; `None` if nothing came.
        metadata: What its tokens would have been shown with, if it is that of a model call.
    """

    ids: Tuple[str, ...]
    message: Optional[BaseMessage]
    metadata: Optional[MessageMetadata] = None


def hidden_messages(tracker: MessageTracker, scope: Scope) -> List[HiddenMessage]:
    """Return the hidden messages of a task that is about to return its result.

    Args:
        tracker: The message tracker of its run.
        scope: The task.
    """
    produced = tracker.by_task.get(scope.checkpoint_ns, ())
    hidden = [
        HiddenMessage(tuple(item.ids), item.message(), item.metadata)
        for item in produced
        if isinstance(item, ModelCall) and item.hidden
    ]
    if scope.run.subscribers.below.filtered:
        # Some of these were shown, and are known there.
        hidden += [HiddenMessage((str(item.id),), item) for item in produced if isinstance(item, BaseMessage)]
    return hidden


class Relay:
    """Shows the messages of one attempt of a task that runs elsewhere.

    Args:
        tracker: The message tracker of the run.
        scope: The attempt.
    """

    def __init__(self, tracker: MessageTracker, scope: Scope) -> None:
        self._tracker = tracker
        self._scope = scope
        self._pieces: Dict[str, List[BaseMessage]] = {}

    def show(self, part: Part) -> None:
        """Show a part of `messages`: a token, a whole message, or the retraction of one.

        Args:
            part: The part, as the worker has shown it.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        message, metadata = cast("Tuple[BaseMessage, MessageMetadata]", part.data)
        id_ = str(message.id)
        if isinstance(message, RemoveMessage) and part.key is None:
            self._take_back(id_)
        elif (part.key is None and not is_last(message)) or id_ in self._pieces:
            self._token(part, id_, message, metadata)
            return
        else:
            self._tracker.shown[id_] = message
            self._tracker.remember(self._scope, message)
        self._scope.put_in(part)

    def hide(self, messages: Sequence[HiddenMessage], unstreamed: Sequence[Unstreamed]) -> None:
        """Register what the worker did not show.

        Args:
            messages: The messages of hidden model calls.
            unstreamed: The model calls that were not streamed.
        """
        tracker = self._tracker
        tracker.unstreamed.extend(unstreamed)
        for hidden in messages:
            if hidden.metadata is None:
                if hidden.message is not None and hidden.ids[0] not in tracker.shown:
                    tracker.shown[hidden.ids[0]] = hidden.message
                    tracker.remember(self._scope, hidden.message)
                continue
            call = ModelCall(self._scope, hidden.metadata, True, tracker.turns)
            call.open, call.final = False, hidden.message
            call.ids = dict.fromkeys(hidden.ids)
            call.id = next(iter(hidden.ids), None)
            tracker.shown.update(dict.fromkeys(call.ids, call))
            tracker.remember(self._scope, call)

    def _token(self, part: Part, id_: str, message: BaseMessage, metadata: MessageMetadata) -> None:
        tracker, key = self._tracker, _key(id_)
        call = tracker.call(key, self._scope)
        if call is None:
            call = ModelCall(self._scope, metadata, False, tracker.turns)
            call.ns, call.node = part.ns, str(part.source)
            tracker.open(self._scope, key, call)
        pieces = self._pieces.setdefault(id_, [])
        pieces.append(message)
        call.token(message)
        if is_last(message):
            del self._pieces[id_]
            tracker.ended(key, call, _sum(pieces))

    def _take_back(self, id_: str) -> None:
        """Forget a message that a graph inside the node has retracted."""
        tracker, key = self._tracker, _key(id_)
        self._pieces.pop(id_, None)
        gone = tracker.call(key, self._scope)
        if gone is not None:
            tracker.ended(key, gone, None)
        known = tracker.shown.pop(id_, None)
        tracker.forget(self._scope, [item for item in (gone, known) if item is not None])
        if isinstance(known, ModelCall):
            known.unended = None


def _key(id_: str) -> str:
    return f"elsewhere:{id_}"


def _sum(pieces: Sequence[Any]) -> BaseMessage:
    first, rest = pieces[0], pieces[1:]
    if rest and all(isinstance(piece, AIMessageChunk) for piece in pieces):
        return add_ai_message_chunks(first, *rest)
    for piece in rest:
        first = first + piece
    return cast("BaseMessage", first)
