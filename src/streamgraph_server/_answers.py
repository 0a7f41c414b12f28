"""Answers in JSON."""

from __future__ import annotations

from typing import Mapping, Optional

from starlette.responses import Response

from streamgraph.serialization import to_json


def answer(value: object, status: int = 200, headers: Optional[Mapping[str, str]] = None) -> Response:
    """Return an answer in JSON; values that JSON does not know are written as in a stream.

    Args:
        value: What is answered.
        status: The HTTP status.
        headers: Further headers.
    """
    return Response(to_json(value), status, {"cache-control": "no-store", **(headers or {})}, "application/json")


def nothing() -> Response:
    """Return the answer that says only that it is done."""
    return Response(None, 204)
