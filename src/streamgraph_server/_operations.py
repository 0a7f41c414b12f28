"""What an endpoint takes and gives: checked for each request, and written down in the description of the API.

Both are made of the same types, so that the description says what is enforced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, Awaitable, Callable, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple, cast

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import Literal

from streamgraph_server._refusals import refusal
from streamgraph_server._requests import CHECK, Fields

Endpoint = Callable[[Request], Awaitable[Response]]
Gives = Literal["json", "stream", "nothing"]

_WORDS = {
    "string_type": "must be a text",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "missing": "is missing",
}


@dataclass(frozen=True)
class Operation:
    """What is known of an endpoint.

    Attributes:
        does: What it does, in a sentence.
        body: The check of its body; `None` if it takes none.
        needs_body: Whether there must be a body.
        query: The check of its query.
        gives: What it answers with.
        result: The type of an answer in JSON.
        refuses: The statuses with which it refuses requests, beside those of every endpoint.
        bad: The status of requests that are not as described.
    """

    does: str
    body: Optional[TypeAdapter[Any]]
    needs_body: bool
    query: Optional[TypeAdapter[Any]]
    gives: Tuple[Gives, ...]
    result: TypeAdapter[Any]
    refuses: FrozenSet[int]
    bad: int


def operation(
    endpoint: Endpoint,
    *,
    body: object = None,
    needs_body: bool = True,
    query: object = None,
    gives: Sequence[Gives] = ("json",),
    result: object = Dict[str, object],
    refuses: Iterable[int] = (),
    bad: int = 422,
) -> Endpoint:
    """Return an endpoint that checks its requests, and can be described.

    Args:
        endpoint: The endpoint; the first line of its docstring says what it does.
        body: The type of its body: a `TypedDict`. Further keys are ignored, since newer clients may send them.
        needs_body: Whether there must be a body.
        query: The type of its query, in the same way.
        gives: What it answers with.
        result: The type of an answer in JSON.
        refuses: The statuses with which it refuses requests, beside those that follow from the rest.
        bad: The status of requests that are not as described; what comes around the endpoint may change it.
    """
    lists = _lists_in(query)
    about = Operation(
        does=(endpoint.__doc__ or "").strip().partition("\n")[0].rstrip("."),
        body=None if body is None else _adapter(body),
        needs_body=needs_body,
        query=None if query is None else _adapter(query),
        gives=tuple(gives),
        result=_adapter(result),
        refuses=frozenset(refuses),
        bad=bad,
    )

    @wraps(endpoint)
    async def checked(request: Request) -> Response:
        if about.query is not None:
            _check(about.query, _query_of(request, lists), strict=False)
        if about.body is not None:
            adapter = about.body
            request.scope[CHECK] = lambda given: _check(adapter, given, strict=True)
        return await endpoint(request)

    checked.operation = about  # type: ignore[attr-defined]
    return checked


def operation_of(endpoint: object) -> Optional[Operation]:
    """Return what is known of an endpoint, or `None`."""
    return getattr(endpoint, "operation", None)


@cache
def _adapter(of: object) -> TypeAdapter[Any]:
    return TypeAdapter(of)


@cache
def _lists_in(query: object) -> FrozenSet[str]:
    """Return the keys of a query that may be given several times."""
    properties = {} if query is None else _adapter(query).json_schema().get("properties", {})
    return frozenset(key for key, schema in properties.items() if schema.get("type") == "array")


def _query_of(request: Request, lists: FrozenSet[str]) -> Fields:
    asked = request.query_params
    return {key: asked.getlist(key) if key in lists else value for key, value in asked.items()}


def _check(adapter: TypeAdapter[Any], given: Mapping[str, object], *, strict: bool) -> None:
    try:
        adapter.validate_python(given, strict=strict)
    except ValidationError as error:
        raise refusal(422, " ".join(_explained(error))) from None


_MOST_ERRORS = 3


def _explained(error: ValidationError) -> List[str]:
    """Return what is wrong with each key; of the alternatives of a union, the one that fits best."""
    by_key: Dict[object, Mapping[str, Any]] = {}
    for found in error.errors(include_url=False):
        key = found["loc"][0] if found["loc"] else ""
        if key not in by_key or (by_key[key]["type"] in _WORDS and found["type"] not in _WORDS):
            by_key[key] = cast("Mapping[str, Any]", found)
    return [_one_explained(found) for found in list(by_key.values())[:_MOST_ERRORS]]


def _one_explained(found: Mapping[str, Any]) -> str:
    # The path has the names of the alternatives of a union in it as well; the key of the body is the first.
    key = str(found["loc"][0])[:80] if found["loc"] else "It"
    kind, given = found["type"], found["input"]
    if kind == "literal_error":
        choices = str(found["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        return f"{key} must be one of {choices}, not {given!r:.80}."
    said = _WORDS.get(kind)
    return f"{key} {said}." if said is not None else f"{key}: {found['msg']}."
