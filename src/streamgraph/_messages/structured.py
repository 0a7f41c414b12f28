"""Partial structured output: the object parsed so far after each token."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

from langchain_core.messages import AIMessageChunk, BaseMessage

from streamgraph._messages.matching import text_of
from streamgraph._messages.partial_json import MISSING, PartialJson
from streamgraph._messages.partial_schema import Json, PartialSchema, Schema


class Format(NamedTuple):
    """Output format of a model call made by `with_structured_output`.

    Attributes:
        name: The name of the schema.
        schema: The JSON schema; empty if unknown.
        by_tool: True if the object is the arguments of a tool call; the model's text is then ignored.
    """

    name: str
    schema: Schema
    by_tool: bool


def format_of(options: Optional[Mapping[str, Any]]) -> Optional[Format]:
    """Return the output format of a model call, or `None` for prose.

    Args:
        options: The call's options, as langchain-core passes them to callbacks.
    """
    given = (options or {}).get("ls_structured_output_format")
    if not isinstance(given, Mapping):
        return None
    schema = given.get("schema")
    schema = schema if isinstance(schema, Mapping) else {}
    method = (given.get("kwargs") or {}).get("method")
    return Format(str(schema.get("title") or schema.get("name") or "object"), schema, method == "function_calling")


class PartialObject:
    """Structured output of a model call in progress.

    Args:
        format_: The output format of the call.
    """

    __slots__ = ("_by_tool", "_fitting", "_index", "_json", "_last", "_read")

    def __init__(self, format_: Format) -> None:
        self._by_tool = format_.by_tool
        self._fitting = PartialSchema(format_.schema)
        self._json = PartialJson()
        self._index: object = MISSING
        self._read: Json = MISSING
        self._last: Json = MISSING

    def add(self, chunk: BaseMessage) -> Json:
        """Add a token; return the object if it has grown, else `MISSING`."""
        text = self._text(chunk)
        if not text:
            return MISSING
        self._json.add(text)
        value = self._json.value
        if value is self._read:
            return MISSING  # long answers are not parsed after each token
        self._read = value
        fitted = MISSING if value is MISSING else self._fitting.of(value, self._json.open_text)
        if fitted is MISSING or fitted == self._last or not isinstance(fitted, (dict, list)):
            return MISSING
        self._last = fitted
        return fitted

    def _text(self, chunk: BaseMessage) -> str:
        calls = chunk.tool_call_chunks if isinstance(chunk, AIMessageChunk) else ()
        if calls:
            # The first of several calls is the answer, as in the parsers of langchain-core.
            if self._index is MISSING:
                self._index = calls[0].get("index")
            return "".join(call.get("args") or "" for call in calls if call.get("index") == self._index)
        return "" if self._by_tool or self._index is not MISSING else text_of(chunk)
