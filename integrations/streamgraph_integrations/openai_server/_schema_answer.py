"""Default reply to a request for structured output: an object that fits the JSON schema of the request."""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional

from streamgraph_integrations.openai_server._json import Body, JsonObject
from streamgraph_integrations.openai_server._reply import Reply, ToolCall

_DEPTH = 6

_Schema = Mapping[str, Any]
"""A JSON schema, or the description of a tool, in a request."""

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def object_answer(body: Body, topic: str) -> Optional[Reply]:
    """Return a reply with the requested object, or `None` if the request asks for prose.

    Args:
        body: The request body: a `response_format` (or `text.format`) with a JSON schema, or a required tool call.
        topic: The topic of the texts in the object.
    """
    schema = _wanted_schema(body)
    if schema is not None:
        return Reply(text=json.dumps(_Example(schema, topic).value, ensure_ascii=False))
    tool = _forced_tool(body)
    if tool is None:
        return None
    return Reply(tool_calls=[ToolCall(str(tool["name"]), _Example(tool.get("parameters") or {}, topic).value)])


def _wanted_schema(body: Body) -> Optional[_Schema]:
    given = body.get("response_format") or (body.get("text") or {}).get("format")
    if not isinstance(given, Mapping) or given.get("type") != "json_schema":
        return None
    inner = given.get("json_schema", given)
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _forced_tool(body: Body) -> Optional[_Schema]:
    """Return the tool that must be called, in either API's format, or `None` if the model may choose."""
    choice = body.get("tool_choice")
    given = [tool for tool in body.get("tools") or () if isinstance(tool, Mapping)]
    tools = [tool.get("function", tool) for tool in given]
    if isinstance(choice, Mapping):
        name = (choice.get("function") or choice).get("name")
        return next((tool for tool in tools if tool.get("name") == name), None)
    return tools[0] if tools and choice in ("required", "any") else None


class _Example:
    """A value that fits a JSON schema.

    Args:
        schema: The schema.
        topic: The topic of its texts.
    """

    def __init__(self, schema: _Schema, topic: str) -> None:
        self._root = schema
        self._topic = topic
        self.value: Any = self._of(schema, "answer", 0)

    def _of(self, given: object, name: str, depth: int) -> object:
        schema = self._resolved(given)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][0]
        options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if options:
            # `Optional[...]` is expressed as a union with null.
            named = [option for option in options if option.get("type") != "null"]
            return None if depth >= _DEPTH or not named else self._of(named[0], name, depth)
        kind = schema.get("type")
        kind = next((item for item in kind if item != "null"), None) if isinstance(kind, list) else kind
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array":
            count, items = schema.get("minItems", 2 if depth < _DEPTH else 0), schema.get("items") or {}
            return [self._of(items, f"{name} {number}", depth + 1) for number in range(1, count + 1)]
        return self._scalar(kind, schema, name)

    def _object(self, schema: _Schema, depth: int) -> JsonObject:
        properties = schema.get("properties") or {}
        required = schema.get("required") or ()
        return {
            key: self._of(item, key.replace("_", " "), depth + 1)
            for key, item in properties.items()
            if depth < _DEPTH or key in required
        }

    def _scalar(self, kind: object, schema: _Schema, name: str) -> object:
        if kind in ("integer", "number"):
            return schema.get("minimum", 3 if kind == "integer" else 2.5)
        if kind == "boolean":
            return True
        if kind == "null":
            return None
        return _FORMATS.get(schema.get("format", "")) or f"{name.capitalize()} about {self._topic}"

    def _resolved(self, schema: object) -> _Schema:
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if reference is None:
            return schema if isinstance(schema, Mapping) else {}
        target: object = self._root
        for part in str(reference).lstrip("#/").split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        return target if isinstance(target, Mapping) else {}
