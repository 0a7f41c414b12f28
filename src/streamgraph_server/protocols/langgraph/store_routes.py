"""The paths about the store: what graphs remember beyond a thread."""

from __future__ import annotations

from typing import Awaitable, List, Optional, Protocol, Sequence, Tuple, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from streamgraph_server._answers import answer, nothing
from streamgraph_server._guard import user_of
from streamgraph_server._refusals import refusal, refused_input, unknown
from streamgraph_server._requests import Fields, body_of, number_in, object_in, text_in, texts_in
from streamgraph_server.protocols.langgraph.bodies import MOST
from streamgraph_server.service import Service

T = TypeVar("T")
Namespace = Tuple[str, ...]


class _Item(Protocol):
    namespace: Namespace
    key: str
    value: Fields
    created_at: object
    updated_at: object


class _Store(Protocol):
    """What is used of a store of the `langgraph-checkpoint` kind."""

    async def aput(self, namespace: Namespace, key: str, value: Fields) -> None: ...

    async def aget(self, namespace: Namespace, key: str) -> Optional[_Item]: ...

    async def adelete(self, namespace: Namespace, key: str) -> None: ...

    async def asearch(
        self, prefix: Namespace, *, query: Optional[str], filter: Optional[Fields], limit: int, offset: int
    ) -> Sequence[_Item]: ...

    async def alist_namespaces(
        self,
        *,
        prefix: Optional[Namespace],
        suffix: Optional[Namespace],
        max_depth: Optional[int],
        limit: int,
        offset: int,
    ) -> List[Namespace]: ...


class StoreRoutes:
    """The paths about the store. Where users log in, each has the namespaces that begin with the user's id.

    Args:
        service: The server, with its store.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def put(self, request: Request) -> Response:
        """Store a value."""
        body = await self._body(request)
        namespace, value = self._namespace(texts_in(body, "namespace"), request), object_in(body, "value")
        await _asked(self._store().aput(namespace, self._key(text_in(body, "key")), value))
        return nothing()

    async def get(self, request: Request) -> Response:
        """Answer with a value."""
        asked = request.query_params
        namespace = self._namespace([part for part in asked.get("namespace", "").split(".") if part], request)
        item = await _asked(self._store().aget(namespace, self._key(asked.get("key", ""))))
        if item is None:
            raise unknown("item", asked.get("key", ""))
        return answer(_shape(item))

    async def delete(self, request: Request) -> Response:
        """Delete a value."""
        body = await self._body(request)
        namespace = self._namespace(texts_in(body, "namespace"), request)
        await _asked(self._store().adelete(namespace, self._key(text_in(body, "key"))))
        return nothing()

    async def search(self, request: Request) -> Response:
        """Answer with the values in a namespace and below it that fit."""
        body = await self._body(request)
        search = self._store().asearch(
            self._namespace(texts_in(body, "namespace_prefix"), request, empty=True),
            query=text_in(body, "query") or None,
            filter=object_in(body, "filter") or None,
            limit=number_in(body, "limit", 10, MOST),
            offset=number_in(body, "offset", 0, 10**9),
        )
        found = await _asked(search)
        return answer({"items": [_shape(item) for item in found]})

    async def namespaces(self, request: Request) -> Response:
        """Answer with the namespaces that fit."""
        body = await self._body(request)
        search = self._store().alist_namespaces(
            prefix=self._namespace(texts_in(body, "prefix"), request, empty=True) or None,
            suffix=_labels(texts_in(body, "suffix")) or None,
            max_depth=number_in(body, "max_depth", 0, 100) or None,
            limit=number_in(body, "limit", 100, MOST),
            offset=number_in(body, "offset", 0, 10**9),
        )
        return answer({"namespaces": await _asked(search)})

    def _store(self) -> _Store:
        store = self._service.store
        if store is None:
            raise refusal(422, "The server has no store. Give it one: serve(..., store=...).")
        return cast("_Store", store)

    async def _body(self, request: Request) -> Fields:
        return await body_of(request, self._service.settings.max_body)

    def _namespace(self, given: Sequence[str], request: Request, empty: bool = False) -> Namespace:
        user = user_of(request)
        if user is not None and (not given or given[0] != user):
            raise refusal(403, "The first part of a namespace must be the id of the user.")
        if not given and not empty:
            raise refusal(422, "namespace must not be empty.")
        return _labels(given)

    @staticmethod
    def _key(given: str) -> str:
        if not given or _NUL in given:
            raise refusal(422, "key must not be empty, and have no NUL character.")
        return given


_NUL = chr(0)


def _labels(given: Sequence[str]) -> Namespace:
    for label in given:
        if not label or "." in label or _NUL in label:
            raise refusal(422, "The parts of a namespace must not be empty, and have no full stop or NUL character.")
    return tuple(given)


async def _asked(answer: Awaitable[T]) -> T:
    """Return what a store answers.

    Raises:
        HTTPException: It refuses the namespace or a filter.
    """
    try:
        return await answer
    except ValueError as error:
        raise refused_input(error) from error


def _shape(item: _Item) -> Fields:
    shape: Fields = {
        "namespace": list(item.namespace),
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
    score = getattr(item, "score", None)
    return shape if score is None else {**shape, "score": score}
