"""Rules: each message is shown exactly once, each tool call starts and ends once."""

from __future__ import annotations

from collections import Counter
from typing import Counter as CounterType
from typing import Dict, Iterator, Mapping, Optional, Sequence, Set, Tuple

from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk, RemoveMessage

from streamgraph.accumulate import MessageAccumulator
from streamgraph.constants import REMOVE_ALL_MESSAGES
from streamgraph.testing._facts import Fact, Rules, TaskRef
from streamgraph.types import MessageMetadata


class MessageRules(Rules):
    """The chunks of a model call have one id; their end is shown, and neither a chunk nor a copy follows it."""

    def __init__(self) -> None:
        self._shown = MessageAccumulator()
        self._whole: Set[str] = set()
        self._over: Set[str] = set()
        self._tasks: Dict[str, Tuple[TaskRef, ...]] = {}
        self._of_run: Dict[str, str] = {}
        self._history: Dict[str, BaseMessage] = {}
        # The last chunks of the messages that are not over.
        self._open: Dict[str, Fact] = {}

    def take(self, fact: Fact) -> None:
        if fact.kind == "values":
            self._history = {message.id: message for message in _messages_in(fact.data) if message.id}
        if fact.kind != "messages":
            return
        message, metadata = fact.data
        if not isinstance(message, BaseMessage) or message.id is None:
            return
        if isinstance(message, RemoveMessage):
            self._retract(message.id)
        elif isinstance(message, BaseMessageChunk):
            self._chunk(fact, message, message.id, metadata)
        else:
            self._message(fact, message, message.id, metadata)
        self._shown.add((message, metadata))

    def _chunk(self, fact: Fact, chunk: BaseMessageChunk, id_: str, metadata: MessageMetadata) -> None:
        if id_ in self._over:
            what = "a whole message" if id_ in self._whole else "the last chunk of the message"
            fact.breaks("message-end", f"A chunk comes after {what} with its id.", id_)
        run_id = metadata.get("run_id")
        if run_id is not None:
            known = self._of_run.setdefault(str(run_id), id_)
            if known != id_:
                fact.breaks("message-one-id", "The chunks of one model call have two ids.", known, id_)
        if getattr(chunk, "chunk_position", None) == "last":
            self._over.add(id_)
            self._open.pop(id_, None)
        else:
            self._open[id_] = fact
        self._tasks[id_] = fact.tasks

    def _message(self, fact: Fact, message: BaseMessage, id_: str, metadata: MessageMetadata) -> None:
        messages = self._shown.messages
        earlier = messages.get(id_)
        if earlier is not None and _content_of(earlier) == _content_of(message):
            how = "as a whole" if id_ in self._whole else "in chunks"
            fact.breaks("message-once", f"The message has been shown {how} before, under the same id.", id_)
        elif earlier is None and id_ in self._history and _content_of(self._history[id_]) == _content_of(message):
            fact.breaks("message-once", "The message was in the state before this step: it is history.", id_)
        # Two models may produce equal messages, but then the second one has the `run_id` of its own model call.
        if isinstance(message, AIMessage) and metadata.get("run_id") is None and fact.own is not None:
            for other, streamed in messages.items():
                if other in self._whole or not any(_content_of(streamed)) or fact.own not in self._tasks.get(other, ()):
                    continue
                if _content_of(streamed) == _content_of(message):
                    fact.breaks(
                        "message-once", "The task has shown the same message in chunks, under another id.", other, id_
                    )
        self._whole.add(id_)
        self._over.add(id_)
        self._open.pop(id_, None)

    def over(self) -> None:
        for id_, fact in self._open.items():
            fact.breaks("message-ends", "It is the last chunk of a message, and does not say so.", id_)

    def _retract(self, id_: str) -> None:
        if id_ == REMOVE_ALL_MESSAGES:
            self._whole.clear()
            self._over.clear()
            self._open.clear()
            self._history.clear()
        self._whole.discard(id_)
        self._over.discard(id_)
        self._open.pop(id_, None)


class ToolRules(Rules):
    """A tool call reports progress and ends after its start, and ends once."""

    def __init__(self) -> None:
        self._open: CounterType[Tuple[Tuple[str, ...], Optional[str]]] = Counter()

    def take(self, fact: Fact) -> None:
        if fact.kind != "tools":
            return
        event, call_id = fact.data.get("event"), fact.data.get("tool_call_id")
        key = (fact.ns, call_id)
        if event == "tool-started":
            self._open[key] += 1
            return
        if not self._open[key]:
            fact.breaks("tool-order", f"{event} comes for a tool call that is not running.", call_id)
        if event in ("tool-finished", "tool-error"):
            self._open[key] -= 1


class ErrorRules(Rules):
    """No part follows an error."""

    def __init__(self) -> None:
        self._error: Optional[Fact] = None

    def take(self, fact: Fact) -> None:
        if self._error is not None:
            fact.breaks("error-last", f"It comes after the error that ended the stream at {self._error.index}.")
        if fact.kind == "error":
            self._error = fact


def _messages_in(state: object) -> Iterator[BaseMessage]:
    for value in state.values() if isinstance(state, Mapping) else ():
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, BaseMessage))


def _content_of(message: BaseMessage) -> Tuple[str, Sequence[Mapping[str, object]], Sequence[Tuple[object, ...]]]:
    """Return a message's text, its other content, and its tool calls."""
    content = message.content
    blocks = [content] if isinstance(content, str) else content
    text = "".join(block if isinstance(block, str) else str(block.get("text") or "") for block in blocks)
    others = [
        {key: value for key, value in block.items() if key != "index"}
        for block in blocks
        if isinstance(block, dict) and not block.get("text")
    ]
    calls = [(call["name"], call["args"], call["id"]) for call in getattr(message, "tool_calls", ())]
    return text, others, calls
