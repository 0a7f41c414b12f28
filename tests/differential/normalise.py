"""Turns what two runs streamed into plain values that are equal when a user could not tell the runs apart."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_ADDED_BY_VERSION = {"checkpoint_ns", "lc_versions", "run_id", "run_name"}
_MESSAGE_FIELDS = (
    "content",
    "name",
    "tool_calls",
    "invalid_tool_calls",
    "tool_call_chunks",
    "tool_call_id",
    "chunk_position",
    "usage_metadata",
    "additional_kwargs",
    "response_metadata",
)


class Normaliser:
    """Normalises the chunks of one run; ids are numbered in the order they appear.

    Args:
        stable_ids: number the ids; otherwise all ids look alike, for runs whose order is free.
    """

    def __init__(self, *, stable_ids: bool = True) -> None:
        self._stable = stable_ids
        self._ids: dict[str, str] = {}

    def chunk(self, raw: Any, mode: Any, *, subgraphs: bool, version: str) -> Any:
        """Normalise a chunk, keeping the shape that mode, `subgraphs` and version give it."""
        if version == "v2":
            if not isinstance(raw, dict) or "type" not in raw:
                return ("not a v2 part", self.value(raw))
            part = {key: self.value(value) for key, value in raw.items() if key not in ("ns", "data")}
            return {**part, "ns": self.namespace(raw["ns"]), "data": self.payload(raw["type"], raw["data"])}
        many = isinstance(mode, (list, tuple))
        width = 1 + many + subgraphs
        if width == 1:
            return self.payload(mode or "updates", raw)
        if not isinstance(raw, tuple) or len(raw) != width:
            return ("unexpected shape", self.value(raw))
        namespace = (self.namespace(raw[0]),) if subgraphs else ()
        name = (raw[-2],) if many else ()
        return (*namespace, *name, self.payload(raw[-2] if many else mode or "updates", raw[-1]))

    def namespace(self, levels: Any) -> Any:
        """Replace the task ids in a namespace tuple."""
        if not isinstance(levels, tuple):
            return ("not a tuple", repr(levels))
        return tuple(self._level(level) for level in levels)

    def payload(self, mode: str, data: Any) -> Any:
        """Normalise what one mode carries."""
        if mode == "messages" and isinstance(data, tuple) and len(data) == 2:
            return (self.value(data[0]), self.metadata(data[1]))
        if mode == "tasks" and isinstance(data, dict) and "id" in data:
            return {**{key: self.value(value) for key, value in data.items()}, "id": self._id(data["id"])}
        if mode == "debug" and isinstance(data, dict) and "payload" in data:
            inner = "tasks" if data["type"].startswith("task") else "checkpoints"
            rest = {key: self.value(value) for key, value in data.items()}
            return {**rest, "timestamp": "<time>", "payload": self.payload(inner, data["payload"])}
        return self.value(data)

    def metadata(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the comparable keys of a message's metadata."""
        kept = {key: self.value(value) for key, value in data.items() if key not in _ADDED_BY_VERSION}
        namespace = data.get("langgraph_checkpoint_ns")
        if isinstance(namespace, str):
            kept["langgraph_checkpoint_ns"] = "|".join(self._level(level) for level in namespace.split("|"))
        return kept

    def value(self, data: Any) -> Any:
        """Normalise any value, by type."""
        if isinstance(data, BaseMessage):
            return self._message(data)
        if isinstance(data, str):
            return _UUID.sub(lambda found: self._id(found.group()), data)
        if isinstance(data, BaseException):
            return self.error(data)
        if isinstance(data, BaseModel):
            return (type(data).__name__, {key: self.value(value) for key, value in data.__dict__.items()})
        if dataclasses.is_dataclass(data) and not isinstance(data, type):
            names = [field.name for field in dataclasses.fields(data)]
            if type(data).__name__ == "Overwrite":
                names = ["value"]
            return (type(data).__name__, {name: self.value(getattr(data, name)) for name in names})
        if isinstance(data, Mapping) and "langgraph_checkpoint_ns" in data:
            return self.metadata(data)
        if isinstance(data, Mapping):
            return {self.value(key): self.value(value) for key, value in data.items()}
        if isinstance(data, tuple):
            return tuple(self.value(item) for item in data)
        if isinstance(data, Sequence) and not isinstance(data, (bytes, bytearray)):
            return [self.value(item) for item in data]
        if data is None or isinstance(data, (bool, int, float)):
            return data
        return _UUID.sub("<id>", _ADDRESS.sub("", repr(data)))

    def error(self, error: BaseException) -> tuple[str, str]:
        """The type's name, and the text of errors that are not the library's own."""
        own = type(error).__module__.split(".")[0] in ("langgraph", "streamgraph")
        return (type(error).__name__, "" if own else self.value(str(error)))

    def _message(self, message: BaseMessage) -> tuple[Any, ...]:
        fields = {name: self.value(getattr(message, name)) for name in _MESSAGE_FIELDS if getattr(message, name, None)}
        return (type(message).__name__, {**fields, "id": self._message_id(message.id)})

    def _message_id(self, text: Optional[str]) -> Optional[str]:
        return None if text is None else self.value(text)

    def _level(self, level: str) -> str:
        node, separator, task = level.partition(":")
        return f"{node}:{self._id(task)}" if separator else level

    def _id(self, raw: Any) -> str:
        if not isinstance(raw, str):
            return f"not an id: {raw!r}"
        return self._ids.setdefault(raw, f"<id{len(self._ids) + 1}>") if self._stable else "<id>"
