"""From a `Reply` to the JSON of OpenAI's chat completions; nothing here reads or writes a socket."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ._composer import content_text
from ._reply import Reply, ToolCall

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini")
FINGERPRINT = "fp_streamgraph"

# Longest piece of a tool call's JSON arguments in one delta: short enough that even small arguments come in pieces.
_FRAGMENT = 8

_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 404: "invalid_request_error"}


def completion(reply: Reply, body: Dict[str, Any], *, id: str, created: int) -> Dict[str, Any]:  # noqa: A002
    """The `chat.completion` object of a request without streaming.

    Args:
        reply: What to answer.
        body: The request body, for the model's name and the prompt's word count.
        id: Id of the completion.
        created: Unix time in seconds.

    Returns:
        The response as a dict, ready for JSON.
    """
    message: Dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if not reply.text and not reply.tool_calls:
        message["content"] = ""
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [
            {
                "id": _call_id(call, id, index),
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call)},
            }
            for index, call in enumerate(reply.tool_calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    response = _envelope("chat.completion", body, id, created, [choice])
    counts = usage(reply, body)
    if counts is not None:
        response["usage"] = counts
    return response


def chunks(reply: Reply, body: Dict[str, Any], *, id: str, created: int) -> Iterator[Dict[str, Any]]:  # noqa: A002
    """The `chat.completion.chunk` objects of a stream, in order.

    One chunk for each token of the reasoning and of the text, the deltas of the tool calls, one chunk with the finish
    reason, and one with the usage when the request asks for it. The first one carries the role.

    Args:
        reply: What to answer.
        body: The request body.
        id: Id of the completion, the same on all chunks.
        created: Unix time in seconds.

    Yields:
        Each chunk as a dict, ready for JSON.
    """
    options = body.get("stream_options")
    counts = usage(reply, body) if isinstance(options, dict) and options.get("include_usage") else None

    def chunk(choices: List[Dict[str, Any]], used: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        made = _envelope("chat.completion.chunk", body, id, created, choices)
        if counts is not None:
            made["usage"] = used  # null on all chunks but the last, as OpenAI sends it
        return made

    for index, delta in enumerate(_deltas(reply, id)):
        role = {"role": "assistant"} if index == 0 else {}
        yield chunk([{"index": 0, "delta": {**role, **delta}, "logprobs": None, "finish_reason": None}])
    yield chunk([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": reply.finish_reason}])
    if counts is not None:
        yield chunk([], counts)


def usage(reply: Reply, body: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Token counts of a reply: those it gives, else its words and those of the request's messages."""
    if reply.usage is False:
        return None
    prompt, done = _count(reply, body) if reply.usage is True else reply.usage
    counts: Dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": done, "total_tokens": prompt + done}
    if reply.reasoning:
        counts["completion_tokens_details"] = {"reasoning_tokens": len(reply.reasoning.split())}
    return counts


def models(created: int) -> Dict[str, Any]:
    """The list of models, of which any other name works as well."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "streamgraph"} for name in MODELS]
    return {"object": "list", "data": data}


def error(status: int, message: str, code: Optional[str] = None) -> Dict[str, Any]:
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


def _envelope(
    kind: str, body: Dict[str, Any], completion_id: str, created: int, choices: List[Dict[str, Any]]
) -> Dict[str, Any]:
    return {
        "id": completion_id,
        "object": kind,
        "created": created,
        "model": body.get("model"),
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
    }


def _deltas(reply: Reply, completion_id: str) -> Iterator[Dict[str, Any]]:
    for token in split_words(reply.reasoning):
        yield {"reasoning_content": token}
    tokens = split_words(reply.text) if reply.chunks is None else reply.chunks
    for token in tokens:
        yield {"content": token}
    if not reply.reasoning and not tokens and not reply.tool_calls:
        yield {"content": ""}  # an empty answer still says who gave it
    for index, call in enumerate(reply.tool_calls):
        head = {"name": call.name, "arguments": ""}
        start = {"index": index, "id": _call_id(call, completion_id, index), "type": "function", "function": head}
        yield {"tool_calls": [start]} if index or tokens else {"content": None, "tool_calls": [start]}
        arguments = _arguments(call)
        for offset in range(0, len(arguments), _FRAGMENT):
            fragment = {"arguments": arguments[offset : offset + _FRAGMENT]}
            yield {"tool_calls": [{"index": index, "function": fragment}]}


def _arguments(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def _call_id(call: ToolCall, completion_id: str, index: int) -> str:
    return call.id if call.id is not None else f"call_{completion_id.split('-')[-1]}_{index}"


def _count(reply: Reply, body: Dict[str, Any]) -> Tuple[int, int]:
    messages = body.get("messages")
    prompt = " ".join(
        content_text(message.get("content"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict)
    )
    answer = " ".join([reply.reasoning, reply.text, *(f"{call.name} {_arguments(call)}" for call in reply.tool_calls)])
    return len(prompt.split()), len(answer.split())
