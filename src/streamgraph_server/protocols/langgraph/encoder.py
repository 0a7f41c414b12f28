"""Parts of a run as the events of LangGraph's server."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, cast

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk
from langchain_core.messages.utils import message_chunk_to_message
from typing_extensions import Literal, get_args

from streamgraph.serialization import PartEncoder, to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._refusals import refusal
from streamgraph_server.frames import Frame, RunEnd, RunFacts

TUPLES, WHOLE = "messages-tuple", "messages"
"""The two modes of messages on this wire: each chunk with its metadata, or the message so far."""

WireMode = Literal[
    "messages-tuple",
    "messages",
    "values",
    "updates",
    "custom",
    "tasks",
    "tools",
    "retries",
    "debug",
    "checkpoints",
    "objects",
]
WIRE_MODES: Tuple[str, ...] = get_args(WireMode)
"""The modes that clients may ask for."""


def read_modes(given: Sequence[str], default: Sequence[str] = ("values",)) -> Tuple[str, ...]:
    """Return the modes that a client asks for.

    Raises:
        HTTPException: One does not exist.
    """
    asked = tuple(dict.fromkeys(mode for mode in given if mode)) or tuple(default)
    for mode in asked:
        if mode not in WIRE_MODES:
            raise refusal(422, f"There is no stream mode {mode[:80]!r} here, but: {', '.join(WIRE_MODES)}.")
    return asked


def core_modes(wire_modes: Sequence[str]) -> Tuple[StreamMode, ...]:
    """Return the modes to read for those that a client has asked for."""
    own = ["messages" if mode == TUPLES else mode for mode in wire_modes]
    return tuple(dict.fromkeys(cast("List[StreamMode]", own)))


class LangGraphEncoder:
    """Writes the events that the clients of LangGraph's server read.

    The name of an event is the mode of the part, followed by the namespace, one level after each bar.

    Args:
        modes: The modes that the client has asked for, as it names them.
        subgraphs: Whether it gets the parts of nested graphs as well.
    """

    def __init__(self, modes: Sequence[str], subgraphs: bool) -> None:
        self.modes: Sequence[StreamMode] = core_modes(modes)
        self.subgraphs: Optional[bool] = subgraphs
        self._asked = modes, subgraphs
        self._tuples = TUPLES in modes
        self._whole = WHOLE in modes
        self._json = PartEncoder()
        self._names: Dict[Tuple[str, Tuple[str, ...]], str] = {}
        self._described: Set[str] = set()
        self._so_far: Dict[str, BaseMessageChunk] = {}

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the event that says which run it is."""
        return [Frame(to_json({"run_id": run.id, "attempt": run.attempt}), "metadata")]

    def renewed(self) -> LangGraphEncoder:
        """Return the encoder of a later attempt; its first event says which one, so that clients drop the others'."""
        return LangGraphEncoder(*self._asked)

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the events of a part."""
        mode, ns = part["type"], part["ns"]
        if part["type"] == "messages":
            message, metadata = part["data"]
            return self._message(ns, message, cast("Dict[str, object]", metadata))
        data: object = part["data"]
        if part["type"] == "values" and part["interrupts"] and isinstance(data, dict):
            data = {**data, "__interrupt__": part["interrupts"]}
        return [Frame(self._json.encode_data(mode, data), self._name(mode, ns))]

    def tokens(self, part: StreamPart) -> Optional[Callable[[str], Frame]]:
        """Return what writes the tokens of a message, if the client wants each of them by itself."""
        if self._whole or part["type"] != "messages":
            return None
        message, metadata = part["data"]
        write = self._json.token_writer((message, cast("Dict[str, object]", metadata)))
        name = self._name("messages", part["ns"])
        return None if write is None else lambda text: Frame(write(text), name)

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the event that says that others are missing."""
        message = f"{count} events before this one are not kept any more."
        return [Frame(to_json({"error": "ResumeGap", "message": message}), "error")]

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last event."""
        if end.status == "failed":
            return [Frame(to_json({"error": end.error, "message": end.message}), "error")]
        if end.status == "cancelled":
            return [Frame(to_json({"error": "UserInterrupt", "message": "The run was cancelled."}), "error")]
        return [Frame(b"null", "end")]

    def _message(self, ns: Tuple[str, ...], message: BaseMessage, metadata: Dict[str, object]) -> Iterator[Frame]:
        if self._tuples:
            yield Frame(self._json.encode_data("messages", (message, metadata)), self._name("messages", ns))
        if self._whole and message.id is not None:
            id = message.id
            if id not in self._described:
                self._described.add(id)
                yield Frame(to_json({id: {"metadata": metadata}}), self._name("messages/metadata", ns))
            if isinstance(message, AIMessageChunk):
                before = self._so_far.get(id)
                so_far = self._so_far[id] = message if before is None else cast("AIMessageChunk", before + message)
                yield Frame(to_json([message_chunk_to_message(so_far)]), self._name("messages/partial", ns))
            else:
                yield Frame(to_json([message]), self._name("messages/complete", ns))

    def _name(self, mode: str, ns: Tuple[str, ...]) -> str:
        if not ns:
            return mode
        name = self._names.get((mode, ns))
        if name is None:
            name = self._names[mode, ns] = "|".join((mode, *ns))
        return name
