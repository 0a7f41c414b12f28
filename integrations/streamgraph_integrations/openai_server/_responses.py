"""Convert a `Reply` to the JSON of OpenAI's Responses API; no socket I/O."""

from __future__ import annotations

import json
from typing import Dict, Iterator, List, Literal, Optional, Sequence, TypedDict, Union

from streamgraph_integrations.openai_server._conversation import conversation
from streamgraph_integrations.openai_server._ids import Ids
from streamgraph_integrations.openai_server._json import Body, JsonObject
from streamgraph_integrations.openai_server._reply import Reply
from streamgraph_integrations.openai_server._wire import (
    arguments_of,
    call_id,
    fragments_of,
    split_words,
    token_counts,
    tokens_of,
)

_PREFIX = "resp_"

# Settings that OpenAI copies from the request to the response, with their defaults.
_SETTINGS: JsonObject = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}

# Prefixes of item ids, and the initial fields of an empty item.
_ITEM_PREFIXES = {"reasoning": "rs_", "message": "msg_", "function_call": "fc_"}
_BEFORE: Dict[str, JsonObject] = {
    "reasoning": {"summary": []},
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
}


class _SummaryPart(TypedDict):
    """A paragraph of the reasoning summary."""

    type: Literal["summary_text"]
    text: str


class _TextPart(TypedDict):
    """A text in a message."""

    type: Literal["output_text"]
    annotations: List[object]
    logprobs: List[object]
    text: str


class _Reasoning(TypedDict):
    """The item with the reasoning."""

    type: Literal["reasoning"]
    summary: List[_SummaryPart]


class _Message(TypedDict):
    """The item with the text."""

    type: Literal["message"]
    status: str
    role: str
    content: List[_TextPart]


class _FunctionCall(TypedDict):
    """The item of one call of a tool."""

    type: Literal["function_call"]
    status: str
    call_id: str
    name: str
    arguments: str


_Item = Union[_Reasoning, _Message, _FunctionCall]
"""An item of an answer, without its id."""


class Responses:
    """`POST /v1/responses`."""

    end = b""

    def problem(self, body: JsonObject) -> Optional[str]:
        """Return OpenAI's error message for an invalid body, or `None`."""
        return None if isinstance(body.get("input"), (str, list)) else "Missing required parameter: 'input'."

    def messages(self, body: Body) -> Sequence[object]:
        """Return the conversation in the format of chat completions."""
        return conversation(body)

    def whole(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> JsonObject:
        """Return the `response` object of a request without streaming."""
        return _Answer(reply, body, ids, created).response(0, last=True)

    def chunks(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> List[JsonObject]:
        """Return the events of a stream, in order."""
        return list(_Answer(reply, body, ids, created).events())

    def framed(self, chunk: JsonObject) -> bytes:
        """Return a server-sent event named after its type."""
        return f"event: {chunk['type']}\ndata: {json.dumps(chunk)}\n\n".encode()

    def failed(self, problem: JsonObject, index: int) -> JsonObject:
        """Return an `error` event.

        The API sends the problem as an object in the event, although its reference documents the problem's fields
        directly in the event.
        """
        return {"type": "error", "sequence_number": index, **problem}


class _Answer:
    """One answer: its items and events.

    Args:
        reply: The reply.
        body: The request body.
        ids: The ids of the answer.
        created: Unix time in seconds.
    """

    def __init__(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> None:
        self._reply = reply
        self._body = body
        self._ids = ids
        self._created = created
        self._items = _items(reply, body, ids)
        self._sent = 0  # events so far

    def events(self) -> Iterator[JsonObject]:
        """Yield the events: start of the answer, each item, and the complete answer."""
        yield self._event("created", response=self.response(0))
        yield self._event("in_progress", response=self.response(1))
        for index, item in enumerate(self._items):
            fresh = {**self._named(item, index), **_BEFORE[item["type"]]}
            yield self._event("output_item.added", output_index=index, item=fresh)
            if item["type"] == "reasoning":
                yield from self._summary(item, index)
            elif item["type"] == "message":
                yield from self._text(item, index)
            else:
                yield from self._arguments(item, index)
            yield self._event("output_item.done", output_index=index, item=self._named(item, index))
        yield self._event("completed", response=self.response(2, last=True))

    def response(self, index: int, *, last: bool = False) -> JsonObject:
        """Return the `response` object.

        Args:
            index: The number of times it has been sent before.
            last: True if the answer is complete.
        """
        return {
            **self._ids.field(_PREFIX, index, last=last),
            "object": "response",
            "created_at": self._created,
            "status": "completed" if last else "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": self._body.get("model"),
            "output": [self._named(item, place) for place, item in enumerate(self._items)] if last else [],
            "usage": _usage(self._reply, self._body) if last else None,
            **_settings(self._body),
        }

    def _summary(self, item: _Reasoning, index: int) -> Iterator[JsonObject]:
        for place, part in enumerate(item["summary"]):
            where = {"summary_index": place}
            yield self._inside(item, index, "reasoning_summary_part.added", **where, part={**part, "text": ""})
            for token in split_words(part["text"]):
                yield self._inside(item, index, "reasoning_summary_text.delta", **where, delta=token)
            yield self._inside(item, index, "reasoning_summary_text.done", **where, text=part["text"])
            yield self._inside(item, index, "reasoning_summary_part.done", **where, part=part)

    def _text(self, item: _Message, index: int) -> Iterator[JsonObject]:
        (part,) = item["content"]
        where = {"content_index": 0}
        yield self._inside(item, index, "content_part.added", **where, part={**part, "text": ""})
        for token in tokens_of(self._reply):
            yield self._inside(item, index, "output_text.delta", **where, delta=token, logprobs=[])
        yield self._inside(item, index, "output_text.done", **where, text=part["text"], logprobs=[])
        yield self._inside(item, index, "content_part.done", **where, part=part)

    def _arguments(self, item: _FunctionCall, index: int) -> Iterator[JsonObject]:
        for fragment in fragments_of(item["arguments"]):
            yield self._inside(item, index, "function_call_arguments.delta", delta=fragment)
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield self._inside(item, index, "function_call_arguments.done", **done)

    def _inside(self, item: _Item, index: int, kind: str, **fields: object) -> JsonObject:
        return self._event(kind, item_id=self._named(item, index)["id"], output_index=index, **fields)

    def _event(self, kind: str, **fields: object) -> JsonObject:
        self._sent += 1
        return {"type": f"response.{kind}", "sequence_number": self._sent - 1, **fields}

    def _named(self, item: _Item, index: int) -> JsonObject:
        return {"id": f"{self._ids.of(_ITEM_PREFIXES[item['type']], self._sent)}{index:02x}", **item}


def _items(reply: Reply, body: JsonObject, ids: Ids) -> List[_Item]:
    """Return the items of an answer, without ids."""
    items: List[_Item] = []
    if reply.reasoning:
        asked = body.get("reasoning")
        parts = reply.reasoning.split("\n\n") if isinstance(asked, dict) and asked.get("summary") else []
        items.append({"type": "reasoning", "summary": [{"type": "summary_text", "text": part} for part in parts]})
    if reply.text or not reply.tool_calls:
        part: _TextPart = {"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}
        items.append({"type": "message", "status": "completed", "role": "assistant", "content": [part]})
    for index, call in enumerate(reply.tool_calls):
        made: _FunctionCall = {
            "type": "function_call",
            "status": "completed",
            "call_id": call_id(call, ids, index),
            "name": call.name,
            "arguments": arguments_of(call),
        }
        items.append(made)
    return items


def _settings(body: JsonObject) -> JsonObject:
    made = dict(_SETTINGS)
    for name, value in _SETTINGS.items():
        asked = body.get(name)
        if isinstance(value, dict) and isinstance(asked, dict):
            made[name] = {**value, **asked}
        elif asked is not None:
            made[name] = asked
    return made


def _usage(reply: Reply, body: JsonObject) -> Optional[JsonObject]:
    """Return the token counts of a reply under the names of the Responses API, or `None`."""
    counted = token_counts(reply, body)
    if counted is None:
        return None
    return {
        "input_tokens": counted[0],
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": counted[1],
        "output_tokens_details": {"reasoning_tokens": len(reply.reasoning.split())},
        "total_tokens": sum(counted),
    }
