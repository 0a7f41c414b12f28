"""JSON shared by both APIs: errors, the list of models, tokens and token counts."""

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
    """One of OpenAI's APIs: validation of requests, and formatting of replies."""

    end: bytes
    """Bytes after the last chunk of a stream."""

    def problem(self, body: JsonObject) -> Optional[str]:
        """Return OpenAI's error message for an invalid body, or `None`."""

    def messages(self, body: Body) -> Sequence[object]:
        """Return the conversation of a valid body in the format of chat completions."""

    def whole(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> JsonObject:
        """Return the answer to a request without streaming.

        Args:
            reply: The reply.
            body: The request body; its `messages` are counted for the usage.
            ids: The ids of the answer.
            created: Unix time in seconds.
        """

    def chunks(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> Sequence[JsonObject]:
        """Return the chunks of a stream, in order; the arguments are those of `whole`."""

    def framed(self, chunk: JsonObject) -> bytes:
        """Return a chunk as a server-sent event."""

    def failed(self, problem: JsonObject, index: int) -> JsonObject:
        """Return the chunk that replaces chunk `index` if the answer ends with an error."""


def models(created: int) -> JsonObject:
    """Return the list of models; requests may use any other name as well."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "streamgraph"} for name in MODELS]
    return {"object": "list", "data": data}


def error(status: int, message: str, code: Optional[str] = None) -> JsonObject:
    """Return an error in OpenAI's format.

    Args:
        status: The HTTP status of the response, which determines the error's type.
        message: The description of the error.
        code: OpenAI's error code, if there is one.

    Returns:
        The response as a dict, ready for JSON.
    """
    if status == 429:
        kind, code = "rate_limit_error", code or "rate_limit_exceeded"
    else:
        kind = _ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def split_words(text: str) -> List[str]:
    """Split a text into words with their leading spaces; joined, they are the text again."""
    return re.findall(r"\s*\S+|\s+", text)


def tokens_of(reply: Reply) -> Sequence[str]:
    """Return the tokens in which a reply's text is streamed."""
    return split_words(reply.text) if reply.chunks is None else reply.chunks


def arguments_of(call: ToolCall) -> str:
    """Return the arguments of a tool call as a string."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def fragments_of(arguments: str) -> List[str]:
    """Return the pieces in which the arguments of a tool call are streamed."""
    return [arguments[offset : offset + _FRAGMENT] for offset in range(0, len(arguments), _FRAGMENT)]


def call_id(call: ToolCall, ids: Ids, index: int) -> str:
    """Return the id of a tool call; generated if the reply has none."""
    return call.id if call.id is not None else f"call_{ids.own}_{index}"


def token_counts(reply: Reply, body: JsonObject) -> Optional[Tuple[int, int]]:
    """Return the tokens of the prompt and of the answer: the reply's `usage`, else the word counts, or `None`."""
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
