"""What a graph has streamed, in one form, and questions to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, AsyncIterable, Dict, Iterable, List, Tuple, cast

from langchain_core.messages import BaseMessage, RemoveMessage

from streamgraph.accumulate import MessageAccumulator
from streamgraph.types import MessageMetadata, StreamPart

__all__ = ["Collected", "acollect", "collect"]


_NO_NODES = ("__metadata__", "__interrupt__")


@dataclass(frozen=True)
class Collected:
    """All parts of a stream, and what a test wants to know of them.

    Args:
        parts: The parts, in their order.
        output: The final state, as `invoke` would have returned it; `None` if the stream is not a graph's stream.
    """

    parts: List[StreamPart] = field(default_factory=list)
    output: Any = None

    def modes(self) -> List[str]:
        """Return the modes that have parts, in the order of their first ones."""
        return list(dict.fromkeys(part["type"] for part in self.parts))

    def of(self, mode: str, ns: object = ...) -> List[Any]:
        """Return the data of the parts of a mode.

        Args:
            mode: A stream mode, or `heartbeat`, `gap` or `error`.
            ns: A namespace, as a tuple, for the parts of one graph alone; `()` is the outermost graph.
        """
        return [part["data"] for part in self.parts if part["type"] == mode and (ns is ... or part["ns"] == ns)]

    def by_mode(self) -> Dict[str, List[Any]]:
        """Return the data of all parts, by mode."""
        found: Dict[str, List[Any]] = defaultdict(list)
        for part in self.parts:
            found[part["type"]].append(part["data"])
        return dict(found)

    def tokens(self, node: str = "") -> List[str]:
        """Return the texts of the chunks and messages of the `messages` mode, without empty ones.

        What was taken back later, because a node was run again, is among them; `texts` leaves it out.

        Args:
            node: A node's name, for what this node has said alone.
        """
        items = [item for item in self._messages() if not node or item[1].get("langgraph_node") == node]
        return [text for text in (_text(message) for message, _ in items) if text]

    def messages(self) -> Dict[str, BaseMessage]:
        """Return the messages that the chunks add up to, by their ids, without those that were taken back."""
        return self._accumulated().messages

    def texts(self) -> Dict[str, str]:
        """Return the text of each message by its id, without those that were taken back."""
        return self._accumulated().texts()

    def updates(self) -> List[Tuple[str, Any]]:
        """Return what each node of any graph has written, as pairs of its name and its update."""
        return [
            (str(name), update) for data in self.of("updates") for name, update in data.items() if name not in _NO_NODES
        ]

    def values(self) -> List[Any]:
        """Return the states of the outermost graph, one after each step that has changed it."""
        return self.of("values", ())

    def custom(self) -> List[Any]:
        """Return what nodes and tools have handed to their stream writers."""
        return self.of("custom")

    def nodes(self) -> List[str]:
        """Return the names of the nodes that have shown something, in the order of their first parts.

        Parts of `messages`, `objects`, `updates`, `tasks` and `debug` name their nodes.
        """
        return list(dict.fromkeys(name for part in self.parts for name in _nodes_of(part)))

    def _messages(self) -> List[Tuple[BaseMessage, MessageMetadata]]:
        return [(message, metadata) for message, metadata in self.of("messages")]

    def _accumulated(self) -> MessageAccumulator:
        return MessageAccumulator(self.of("messages"))


def collect(stream: Iterable[object]) -> Collected:
    """Read a stream of `version="v2"` to its end.

    Args:
        stream: What `graph.stream(..., version="v2")` returns, or any parts of that form.

    Returns:
        Its parts, to ask for what is in them.

    Raises:
        TypeError: A chunk is not a part of `version="v2"`.
        Exception: What the run has failed with. Read such a stream with a loop of your own if its parts are of
            interest, and make `Collected(parts)` of them.
    """
    parts = [checked_part(part, index) for index, part in enumerate(stream)]
    return Collected(parts, getattr(stream, "output", None))


async def acollect(stream: AsyncIterable[object]) -> Collected:
    """Read an async stream of `version="v2"` to its end.

    Args:
        stream: What `graph.astream(..., version="v2")` returns, or any parts of that form.

    Returns:
        Its parts, to ask for what is in them.

    Raises:
        TypeError: A chunk is not a part of `version="v2"`.
        Exception: What the run has failed with, as in `collect`.
    """
    parts: List[StreamPart] = []
    async for part in stream:
        parts.append(checked_part(part, len(parts)))
    return Collected(parts, getattr(stream, "output", None))


def checked_part(part: object, index: int) -> StreamPart:
    """Return a chunk that is a part of `version="v2"`.

    Args:
        part: The chunk.
        index: Its place in the stream, from 0 on, for the error.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(part, dict) and {"type", "ns", "data"} <= part.keys():
        return cast("StreamPart", part)
    raise TypeError(
        f"Chunk {index} of a stream is {part!r:.100}, not a part with `type`, `ns` and `data`."
        ' Call stream() or astream() with version="v2".'
    )


def _text(message: BaseMessage) -> str:
    if isinstance(message, RemoveMessage):
        return ""
    content = message.content
    blocks = [content] if isinstance(content, str) else content
    return "".join(block if isinstance(block, str) else str(block.get("text") or "") for block in blocks)


def _nodes_of(part: StreamPart) -> List[str]:
    kind, data = part["type"], cast("Any", part["data"])
    if kind in ("messages", "objects"):
        node = data[1].get("langgraph_node")
        return [] if node is None else [str(node)]
    if kind == "updates":
        return [str(name) for name in data if name not in _NO_NODES]
    if kind in ("tasks", "debug"):
        payload = data.get("payload", {}) if kind == "debug" else data
        return [str(payload["name"])] if "name" in payload else []
    return []
