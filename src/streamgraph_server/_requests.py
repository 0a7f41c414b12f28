"""Reading requests: bodies within limits, JSON without surprises, and of configs only what a client may say."""

from __future__ import annotations

import asyncio
import json
from typing import Dict, FrozenSet, List, Mapping, NoReturn, Optional, cast

from langchain_core.messages import BaseMessage, convert_to_messages
from starlette.requests import Request

from streamgraph_server._refusals import refusal, refused_input

Fields = Dict[str, object]
"""An object of JSON."""

BODY_TIMEOUT = "streamgraph.body_timeout"
"""The key of a request's scope under which the seconds are within which its body must come."""

CHECK = "streamgraph.check"
"""The key of a request's scope under which the check of its body is; see `operation`."""

_OF_THE_ENGINE = frozenset(
    ("thread_id", "checkpoint_ns", "checkpoint_map", "run_id", "graph_id", "assistant_id", "durability")
)
"""Keys of `configurable` that the server decides itself: clients that pass on a config of theirs send them."""

_NOT_OF_CLIENTS = ("__", "langgraph_", "x-")


async def body_of(request: Request, limit: int) -> Fields:
    """Return the JSON object in the body of a request.

    Args:
        request: The request.
        limit: The most bytes of a body.

    Raises:
        HTTPException: It is too large or too slow, of another type, or no JSON object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refusal(415, "Send the body as application/json.")
    try:
        body = read_object(await asyncio.wait_for(_received(request, limit), request.scope.get(BODY_TIMEOUT)))
    except asyncio.TimeoutError:
        raise refusal(408, "The body has not come in time.", {"connection": "close"}) from None
    check = request.scope.get(CHECK)
    if check is not None:
        check(body)
    return body


async def body_if_any(request: Request, limit: int) -> Fields:
    """Return the JSON object in the body of a request, or an empty one if there is no body; see `body_of`."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return {}
    return await body_of(request, limit)


async def _received(request: Request, limit: int) -> bytes:
    too_large = refusal(413, f"The body has more than {limit} bytes.", {"connection": "close"})
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_large
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise too_large
    return bytes(received)


def read_object(body: bytes) -> Fields:
    """Return the object that a text stands for.

    Raises:
        HTTPException: It is no JSON, no object, nested too deeply, or has numbers that JSON does not know.
    """
    try:
        given = json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise refusal(422, "The body is nested too deeply.") from None
    except ValueError as error:
        raise refusal(422, f"The body is no valid JSON: {error}"[:300]) from None
    if not isinstance(given, dict):
        raise refusal(422, f"The body must be a JSON object, not {type(given).__name__}.")
    return given


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def text_in(body: Mapping[str, object], key: str, default: str = "") -> str:
    """Return the text under a key of a body."""
    given = body.get(key)
    if given is None:
        return default
    if not isinstance(given, str):
        raise refusal(422, f"{key} must be a text.")
    return given


def object_in(body: Mapping[str, object], key: str) -> Fields:
    """Return the object under a key of a body; an empty one if there is none."""
    given = body.get(key)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise refusal(422, f"{key} must be an object.")
    return cast("Fields", given)


def texts_in(body: Mapping[str, object], key: str) -> List[str]:
    """Return the texts under a key of a body: one, or a list of them."""
    given = body.get(key)
    texts = [] if given is None else given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise refusal(422, f"{key} must be a text or a list of texts.")
    return cast("List[str]", texts)


def number_in(body: Mapping[str, object], key: str, default: int, most: int) -> int:
    """Return the number under a key of a body, from 0 to `most`."""
    given = body.get(key)
    if given is None:
        return default
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < _DIGITS:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= most:
        raise refusal(422, f"{key} must be a number from 0 to {most}.")
    return given


_DIGITS = 12


def read_config(given: Mapping[str, object], *, allowed: FrozenSet[str], max_recursion: int) -> Fields:
    """Return what a client may say in the config of a run.

    That is `tags`, `metadata`, `recursion_limit` within a limit, and of `configurable` the keys that the graph declares
    or the server allows. Callbacks, stores and the engine's own keys are never taken.

    Args:
        given: The config of a request.
        allowed: The keys of `configurable` that are passed on.
        max_recursion: The highest limit of steps.

    Raises:
        HTTPException: A value is of another type, or a key of `configurable` is not allowed.
    """
    config: Fields = {}
    tags = texts_in(given, "tags")
    if tags:
        config["tags"] = tags
    config["metadata"] = own_metadata(object_in(given, "metadata"))
    if given.get("recursion_limit") is not None:
        config["recursion_limit"] = number_in(given, "recursion_limit", 0, max_recursion)
    chosen: Fields = {}
    for key, value in object_in(given, "configurable").items():
        if key in allowed or key == "checkpoint_id":
            chosen[key] = value
        elif key not in _OF_THE_ENGINE and not key.startswith(_NOT_OF_CLIENTS):
            raise refusal(
                422,
                f"configurable[{key[:80]!r}] is not open to requests. The graph must declare it in its context_schema,"
                f" or the server allow it: serve(..., configurable=[{key[:80]!r}]).",
            )
    config["configurable"] = chosen
    return config


def own_metadata(given: Mapping[str, object]) -> Fields:
    """Return the metadata of a client without the keys of the engine."""
    return {key: value for key, value in given.items() if not key.startswith(_NOT_OF_CLIENTS)}


def read_messages(given: object) -> List[BaseMessage]:
    """Return the messages that a list of JSON objects stands for.

    Nothing is loaded, made of a class by its name, or fetched.

    Raises:
        HTTPException: It is no list, or an element is no message.
    """
    if not isinstance(given, list):
        raise refusal(422, "messages must be a list.")
    for item in given:
        if not isinstance(item, dict) or "lc" in item:
            raise refusal(422, "Each message must be an object with a role or type, and content.")
    try:
        return convert_to_messages(given)
    except Exception as error:
        raise refused_input(error if isinstance(error, ValueError) else ValueError("No valid messages.")) from None


def read_input(given: object) -> object:
    """Return the input of a run: its messages are checked, everything else is passed on as it is."""
    if isinstance(given, dict) and isinstance(given.get("messages"), list):
        items = given["messages"]
        if items and all(isinstance(item, dict) and ("role" in item or "type" in item) for item in items):
            return {**given, "messages": read_messages(items)}
    return given


def wanted_after(request: Request) -> Optional[str]:
    """Return the id of the last frame that a client has seen."""
    return request.headers.get("last-event-id") or request.query_params.get("last_event_id")
