"""What both APIs put on the wire in the same way: errors, the list of models, tokens and how they are counted."""

from __future__ import annotations

import json
import re
from typing import List, Optional, Protocol, Sequence, Tuple

from streamgraph_integrations.openai_server._composer import content_text
from streamgraph_integrations.openai_server._ids import Ids
from streamgraph_integrations.openai_server._json import Body, JsonObject
from streamgraph_integrations.openai_server._reply import Reply, ToolCall

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini")

# Longest piece of a tool call's JSON arguments in one delta: short enough that even small arguments come in pieces.
_FRAGMENT = 8

_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 404: "invalid_request_error"}


class Api(Protocol):
    """One of OpenAI's APIs: what a request has to be, and how a reply to it is written."""

    end: bytes
    """What a stream has after its last chunk."""

    def problem(self, body: JsonObject) -> Optional[str]:
        """What OpenAI would refuse the body for, if anything."""

    def messages(self, body: Body) -> Sequence[object]:
        """The conversation of a body without a `problem`, in the form that chat completions have for it."""

    def whole(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> JsonObject:
        """The answer to a request without streaming.

        Args:
            reply: What to answer.
            body: The request body; its `messages` are those that are counted.
            ids: The ids of the answer.
            created: Unix time in seconds.
        """

    def chunks(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> Sequence[JsonObject]:
        """The chunks of a stream, in order; with the arguments of `whole`."""

    def framed(self, chunk: JsonObject) -> bytes:
        """A chunk as a server-sent event."""

    def failed(self, problem: JsonObject, index: int) -> JsonObject:
        """The chunk which says, in place of chunk `index`, that the answer ends with an error."""


def models(created: int) -> JsonObject:
    """The list of models, of which any other name works as well."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "streamgraph"} for name in MODELS]
    return {"object": "list", "data": data}


def error(status: int, message: str, code: Optional[str] = None) -> JsonObject:
    """An error in OpenAI's shape.

    Args:
        status: The HTTP status it travels with, which decides its type.
        message: What went wrong.
        code: OpenAI's short name of the error, if it has one.

    Returns:
        The response as a dict, ready for JSON.
    """
    if status == 429:
        kind, code = "rate_limit_error", code or "rate_limit_exceeded"
    else:
        kind = _ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def split_words(text: str) -> List[str]:
    """Cut a text into words, each with the spaces before it; they join to the text again."""
    return re.findall(r"\s*\S+|\s+", text)


def tokens_of(reply: Reply) -> Sequence[str]:
    """The tokens in which a reply's text is streamed."""
    return split_words(reply.text) if reply.chunks is None else reply.chunks


def arguments_of(call: ToolCall) -> str:
    """The arguments of a tool call as they are sent."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def fragments_of(arguments: str) -> List[str]:
    """The pieces in which the arguments of a tool call are streamed."""
    return [arguments[offset : offset + _FRAGMENT] for offset in range(0, len(arguments), _FRAGMENT)]


def call_id(call: ToolCall, ids: Ids, index: int) -> str:
    """The id of a tool call, made up where the reply gives none."""
    return call.id if call.id is not None else f"call_{ids.own}_{index}"


def token_counts(reply: Reply, body: JsonObject) -> Optional[Tuple[int, int]]:
    """Tokens of the prompt and of the answer: those the reply gives, else the words of both."""
    if isinstance(reply.usage, tuple):
        return reply.usage
    if not reply.usage:
        return None
    messages = body.get("messages")
    prompt = " ".join(
        content_text(message.get("content"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict)
    )
    calls = (f"{call.name} {arguments_of(call)}" for call in reply.tool_calls)
    return len(prompt.split()), len(" ".join([reply.reasoning, reply.text, *calls]).split())
