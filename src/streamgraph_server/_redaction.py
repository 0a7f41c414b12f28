"""What clients get to read of errors that are parts of a stream or of a state, by what whoever serves has chosen."""

from __future__ import annotations

import json
from typing import Dict, FrozenSet, List, Mapping, Optional, cast

from streamgraph.serialization import to_json
from streamgraph.types import StreamPart
from streamgraph_server._refusals import shown_message, shown_text
from streamgraph_server._settings import Errors

_TOOL_FAILED = "The tool has failed."
_RUN_FAILED = "The run has failed."
_WITH_ERRORS: FrozenSet[str] = frozenset(("tasks", "debug", "checkpoints", "tools", "retries"))


def shown_part(part: StreamPart, errors: Errors) -> StreamPart:
    """Return a part of a stream as clients may read it.

    Args:
        part: The part; it is not changed.
        errors: What clients get to read of errors.
    """
    if part["type"] not in _WITH_ERRORS:
        return part
    data: object = part["data"]
    if not isinstance(data, dict):
        return part
    if data.get("event") == "tool-error":
        shown: Mapping[str, object] = {**data, "message": _text(str(data.get("message")), errors, _TOOL_FAILED)}
    elif isinstance(data.get("payload"), dict):  # of debug
        shown = {**data, "payload": _payload(data["payload"], errors)}
    else:
        shown = _payload(data, errors)
    return cast("StreamPart", {**part, "data": shown})


def shown_error(error: object, errors: Errors) -> Optional[str]:
    """Return what clients may read of the error of a task in a state: an exception, or its `repr`."""
    if error is None:
        return None
    if errors == "type":
        return type(error).__name__ if isinstance(error, BaseException) else str(error).partition("(")[0][:100]
    return shown_text(repr(error) if isinstance(error, BaseException) else str(error))


def _payload(payload: Mapping[str, object], errors: Errors) -> Mapping[str, object]:
    shown: Dict[str, object] = dict(payload)
    if payload.get("error") is not None:
        shown["error"] = _shape(payload["error"], errors)
    tasks = payload.get("tasks")
    if isinstance(tasks, (list, tuple)):
        found: List[object] = [_payload(task, errors) if isinstance(task, dict) else task for task in tasks]
        shown["tasks"] = found
    return shown


def _shape(error: object, errors: Errors) -> object:
    if not isinstance(error, BaseException):
        return shown_error(error, errors)
    message = _RUN_FAILED if errors == "type" else shown_message(error)
    written = json.loads(to_json(error))
    return {**written, "message": message} if isinstance(written, dict) else message


def _text(text: str, errors: Errors, instead: str) -> str:
    return instead if errors == "type" else shown_text(text)
