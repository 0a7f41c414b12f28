"""Collect the parts of a stream and query them."""

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
    """All parts of a stream, with queries for tests.

    Args:
        parts: The parts in order.
        output: The final state, as `invoke` would return it; `None` if the stream is not a graph's stream.
    """

    parts: List[StreamPart] = field(default_factory=list)
    output: Any = None

    def modes(self) -> List[str]:
        """Return the modes of the parts, ordered by first occurrence."""
        return list(dict.fromkeys(part["type"] for part in self.parts))

    def of(self, mode: str, ns: object = ...) -> List[Any]:
        """Return the data of the parts of a mode.

        Args:
            mode: A stream mode, or `heartbeat`, `gap` or `error`.
            ns: A namespace tuple, to select the parts of one graph; `()` is the root graph.
        """
        return [part["data"] for part in self.parts if part["type"] == mode and (ns is ... or part["ns"] == ns)]

    def by_mode(self) -> Dict[str, List[Any]]:
        """Return the data of all parts, by mode."""
        found: Dict[str, List[Any]] = defaultdict(list)
        for part in self.parts:
            found[part["type"]].append(part["data"])
        return dict(found)

    def tokens(self, node: str = "") -> List[str]:
        """Return the non-empty texts of the chunks and messages of the `messages` mode.

        Texts that were retracted later, because a node was retried, are included; `texts` omits them.

        Args:
            node: The name of a node, to select its texts; by default all nodes.
        """
        items = [item for item in self._messages() if not node or item[1].get("langgraph_node") == node]
        return [text for text in (_text(message) for message, _ in items) if text]

    def messages(self) -> Dict[str, BaseMessage]:
        """Return the messages accumulated from the chunks by their ids, without retracted ones."""
        return self._accumulated().messages

    def texts(self) -> Dict[str, str]:
        """Return the text of each message by its id, without retracted messages."""
        return self._accumulated().texts()

    def updates(self) -> List[Tuple[str, Any]]:
        """Return the updates of all nodes of all graphs, as pairs of node name and update."""
        return [
            (str(name), update) for data in self.of("updates") for name, update in data.items() if name not in _NO_NODES
        ]

    def values(self) -> List[Any]:
        """Return the states of the root graph, one per step that has changed it."""
        return self.of("values", ())

    def custom(self) -> List[Any]:
        """Return the values that nodes and tools passed to their stream writers."""
        return self.of("custom")

    def nodes(self) -> List[str]:
        """Return the names of nodes that have emitted parts, ordered by first occurrence.

        Parts of `messages`, `objects`, `updates`, `tasks` and `debug` carry the node's name.
        """
        return list(dict.fromkeys(name for part in self.parts for name in _nodes_of(part)))

    def _messages(self) -> List[Tuple[BaseMessage, MessageMetadata]]:
        return [(message, metadata) for message, metadata in self.of("messages")]

    def _accumulated(self) -> MessageAccumulator:
        return MessageAccumulator(self.of("messages"))


def collect(stream: Iterable[object]) -> Collected:
    """Read a stream of `version="v2"` to its end.

    Args:
        stream: The result of `graph.stream(..., version="v2")`, or any parts of that form.

    Returns:
        The parts, with queries for tests.

    Raises:
        TypeError: A chunk is not a part of `version="v2"`.
        Exception: The failure of the run. To query the parts of a failing stream, read it in a loop and pass them to
            `Collected(parts)`.
    """
    parts = [checked_part(part, index) for index, part in enumerate(stream)]
    return Collected(parts, getattr(stream, "output", None))


async def acollect(stream: AsyncIterable[object]) -> Collected:
    """Read an async stream of `version="v2"` to its end.

    Args:
        stream: The result of `graph.astream(..., version="v2")`, or any parts of that form.

    Returns:
        The parts, with queries for tests.

    Raises:
        TypeError: A chunk is not a part of `version="v2"`.
        Exception: The failure of the run, as in `collect`.
    """
    parts: List[StreamPart] = []
    async for part in stream:
        parts.append(checked_part(part, len(parts)))
    return Collected(parts, getattr(stream, "output", None))


def checked_part(part: object, index: int) -> StreamPart:
    """Return the chunk if it is a part of `version="v2"`.

    Args:
        part: The chunk.
        index: The position in the stream, from 0, for the error message.

    Raises:
        TypeError: The chunk is not a part of `version="v2"`.
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
