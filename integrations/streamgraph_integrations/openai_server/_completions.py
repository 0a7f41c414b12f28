"""Convert a `Reply` to the JSON of OpenAI's chat completions; no socket I/O."""

from __future__ import annotations

import json
from itertools import chain, zip_longest
from typing import Iterator, List, Optional, Sequence

from streamgraph_integrations.openai_server._ids import Ids
from streamgraph_integrations.openai_server._json import Body, JsonObject
from streamgraph_integrations.openai_server._reply import Reply, ToolCall
from streamgraph_integrations.openai_server._wire import (
    arguments_of,
    call_id,
    fragments_of,
    split_words,
    token_counts,
    tokens_of,
)

FINGERPRINT = "fp_streamgraph"
_PREFIX = "chatcmpl-"


class Completions:
    """`POST /v1/chat/completions`."""

    end = b"data: [DONE]\n\n"

    def problem(self, body: JsonObject) -> Optional[str]:
        """Return OpenAI's error message for an invalid body, or `None`."""
        return None if isinstance(body.get("messages"), list) else "Missing required parameter: 'messages'."

    def messages(self, body: Body) -> Sequence[object]:
        """Return the messages of the body."""
        return list(body["messages"])

    def whole(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> JsonObject:
        """Return the `chat.completion` object of a request without streaming."""
        message: JsonObject = {"role": "assistant", "content": reply.text or None, "refusal": None}
        if not reply.text and not reply.tool_calls:
            message["content"] = ""
        if ids.in_messages:
            message.update(ids.field(_PREFIX))
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call_id(call, ids, index),
                    "type": "function",
                    "function": {"name": call.name, "arguments": arguments_of(call)},
                }
                for index, call in enumerate(reply.tool_calls)
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        made = {**ids.field(_PREFIX), **_envelope("chat.completion", body, created), "choices": [choice]}
        counts = usage(reply, body)
        if counts is not None:
            made["usage"] = counts
        return made

    def chunks(self, reply: Reply, body: JsonObject, ids: Ids, created: int) -> List[JsonObject]:
        """Return the `chat.completion.chunk` objects of a stream, in order.

        There is one chunk per token of the reasoning and the text, then the deltas of the tool calls, one chunk with
        the finish reason, and one with the usage if the request asks for it. The first chunk carries the role.
        """
        options = body.get("stream_options")
        counts = usage(reply, body) if isinstance(options, dict) and options.get("include_usage") else None
        deltas = [*_deltas(reply, ids), {}]
        deltas[0] = {"role": "assistant", **deltas[0]}
        made = []
        for index, delta in enumerate(deltas):
            last = index == len(deltas) - 1
            if ids.in_messages:
                delta = {**ids.field(_PREFIX, index, last=last), **delta}
            reason = reply.finish_reason if last else None
            made.append([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}])
        if counts is not None:
            made.append([])
        # As in OpenAI's streams, the usage is null in all chunks except the last.
        return [
            {
                **ids.field(_PREFIX, index, last=index == len(made) - 1),
                **_envelope("chat.completion.chunk", body, created),
                "choices": choices,
                **({} if counts is None else {"usage": None if choices else counts}),
            }
            for index, choices in enumerate(made)
        ]

    def framed(self, chunk: JsonObject) -> bytes:
        """Return a chunk as a server-sent event without a name."""
        return f"data: {json.dumps(chunk)}\n\n".encode()

    def failed(self, problem: JsonObject, index: int) -> JsonObject:
        """Return the error unchanged, as without streaming."""
        return problem


def usage(reply: Reply, body: JsonObject) -> Optional[JsonObject]:
    """Return the token counts of a reply under the names of chat completions, or `None`."""
    counted = token_counts(reply, body)
    if counted is None:
        return None
    prompt, done = counted
    counts: JsonObject = {"prompt_tokens": prompt, "completion_tokens": done, "total_tokens": prompt + done}
    if reply.reasoning:
        counts["completion_tokens_details"] = {"reasoning_tokens": len(reply.reasoning.split())}
    return counts


def _envelope(kind: str, body: JsonObject, created: int) -> JsonObject:
    return {"object": kind, "created": created, "model": body.get("model"), "system_fingerprint": FINGERPRINT}


def _deltas(reply: Reply, ids: Ids) -> Iterator[JsonObject]:
    for token in split_words(reply.reasoning):
        yield {"reasoning_content": token}
    tokens = tokens_of(reply)
    for token in tokens:
        yield {"content": token}
    if not reply.reasoning and not tokens and not reply.tool_calls:
        yield {"content": ""}  # an empty answer still needs a chunk that carries the role
    calls = [_call_deltas(call, ids, index) for index, call in enumerate(reply.tool_calls)]
    turns = chain.from_iterable(zip_longest(*calls)) if reply.interleaved else chain.from_iterable(calls)
    for number, delta in enumerate(delta for delta in turns if delta is not None):
        yield {"tool_calls": [delta]} if number or tokens else {"content": None, "tool_calls": [delta]}


def _call_deltas(call: ToolCall, ids: Ids, index: int) -> List[JsonObject]:
    head = {"name": call.name, "arguments": ""}
    start = {"index": index, "id": call_id(call, ids, index), "type": "function", "function": head}
    return [
        start,
        *({"index": index, "function": {"arguments": fragment}} for fragment in fragments_of(arguments_of(call))),
    ]
