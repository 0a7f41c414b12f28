"""What the two APIs of OpenAI have in common: the shape of errors, and how they name tokens."""

from __future__ import annotations

from functools import wraps
from typing import Awaitable, Callable, Mapping, Optional

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from streamgraph_server._answers import answer
from streamgraph_server._requests import Fields

Endpoint = Callable[[Request], Awaitable[Response]]


def usage_shape(usage: Mapping[str, int]) -> Fields:
    """Return how many tokens were used, in OpenAI's words."""
    given, made = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": usage.get("total_tokens", given + made)}


def error_shape(message: str, kind: str, code: Optional[str]) -> Fields:
    """Return an error in OpenAI's words."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def in_openais_words(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose refusals have OpenAI's shape."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException as error:
            code = "model_not_found" if error.status_code == _NOT_FOUND else None
            status = 400 if error.status_code == _UNPROCESSABLE else error.status_code
            return answer(error_shape(str(error.detail), "invalid_request_error", code), status, error.headers)

    return answered


_NOT_FOUND, _UNPROCESSABLE = 404, 422
