"""The server describes itself, and the description is what it checks requests with."""

from __future__ import annotations

from typing import Any, Callable

from starlette.routing import Route

from server.graphs import speaking
from server.loopback import Loopback

Serving = Callable[..., Loopback]


def test_every_path_is_described(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    document = server.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    served = {
        (route.path, method.lower())
        for route in server.app.routes
        if isinstance(route, Route) and "page" not in route.endpoint.__module__
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert served == described and len(described) > 50
    about = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert all(operation["summary"] for operation in about)
    assert len({operation["operationId"] for operation in about}) == len(about)


def test_what_is_described_is_what_is_checked(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    document = server.get("/openapi.json").json()
    schema = document["paths"]["/threads/search"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    found = schema["properties"]["status"]["anyOf"][0]
    assert found["enum"] == ["idle", "busy", "interrupted", "error"]
    for status, answers in ((found["enum"][0], 200), ("other", 422)):
        assert server.post("/threads/search", {"status": status}).status_code == answers
    query = {
        item["name"]: item["schema"] for item in document["paths"]["/threads/{thread_id}/runs"]["get"]["parameters"]
    }
    assert query["limit"] == {"maximum": 1000, "minimum": 0, "title": "Limit", "type": "integer"}
    assert "401" not in document["paths"]["/info"]["get"]["responses"]


def test_the_description_can_be_left_out_and_needs_the_login(serving: Serving) -> None:
    async def nobody(request: Any) -> None:
        return None

    assert serving({"agent": speaking()}, docs=False).get("/openapi.json").status_code == 404
    assert serving({"agent": speaking()}, auth=nobody).get("/openapi.json").status_code == 401
