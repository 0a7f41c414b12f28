"""The files of the page: what is sent, to whom, how large they are, and that what others wrote is unchanged."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from typing import Any, Callable

import pytest

from server.graphs import speaking
from server.loopback import Loopback
from streamgraph_server.page.files import FOLDER, INDEX, page_files

RAW, COMPRESSED = 200_000, 70_000
"""The most bytes that a browser loads for the page."""


def sent() -> Any:
    """The files that a browser loads: not the licences, and what says where files are from."""
    return {name: file for name, file in page_files().items() if not name.endswith((".txt", ".json"))}


def test_the_page_is_small() -> None:
    assert sum(len(file.body) for file in sent().values()) <= RAW
    assert sum(len(gzip.compress(file.body, 9)) for file in sent().values()) <= COMPRESSED


def test_what_others_wrote_is_unchanged_and_has_its_licence() -> None:
    sources = json.loads((FOLDER / "vendor" / "sources.json").read_text(encoding="utf-8"))
    licences = (FOLDER / "vendor" / "LICENSES.txt").read_text(encoding="utf-8")
    found = {path.name: path.read_bytes() for path in (FOLDER / "vendor").glob("*.mjs")}
    assert set(sources) == set(found)
    for name, source in sources.items():
        assert sha256(found[name]).hexdigest() == source["sha256"]
        assert f" {source['package']}\n" in licences


def test_modules_of_our_own_say_what_they_are_for_and_are_no_longer_than_others() -> None:
    for name, file in page_files().items():
        if name.endswith((".js", ".css")):
            lines = file.body.decode().splitlines()
            assert lines[0].startswith(("// ", "/* ")), name
            assert len(lines) <= 400, name


def test_texts_are_never_made_to_elements() -> None:
    for name, file in page_files().items():
        if name.endswith(".js"):
            for word in (b"innerHTML", b"insertAdjacentHTML", b"document.write", b"eval(", b"new Function"):
                assert word not in file.body, (name, word)


def test_every_module_that_is_imported_is_there() -> None:
    index = page_files()[INDEX].body.decode()
    for name in ("app.js", "base.css", "panels.css", "icon.svg"):
        assert f'"live/{name}"' in index and name in page_files()


def test_files_are_sent_with_a_policy_and_known_by_their_tags(serving: Callable[..., Loopback]) -> None:
    server = serving({"agent": speaking()})
    page = server.get("/")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for name, file in page_files().items():
        if name == INDEX:
            continue
        answer = server.get(f"/live/{name}")
        assert answer.content == file.body and answer.headers["content-type"] == file.type
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = server.get(f"/live/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304 and again.content == b""


@pytest.mark.parametrize(
    "path", ["/live/", "/live/nothing.js", "/live/../app.py", "/live/%2e%2e/app.py", "/live/index.html"]
)
def test_nothing_else_is_sent(serving: Callable[..., Loopback], path: str) -> None:
    assert serving({"agent": speaking()}).get(path).status_code == 404


async def somebody(request: Any) -> str:
    return "me"


@pytest.mark.parametrize(
    ("options", "host", "status"),
    [
        ({}, "127.0.0.1", 200),
        ({}, "10.0.0.7", 404),
        ({"auth": somebody}, "10.0.0.7", 200),
        ({"live": True}, "10.0.0.7", 200),
        ({"live": False}, "127.0.0.1", 404),
    ],
)
def test_it_is_off_where_others_can_reach_it_and_nobody_logs_in(options: Any, host: str, status: int) -> None:
    import asyncio

    import httpx

    from streamgraph_server import serve

    app = serve({"agent": speaking()}, allowed_hosts=["graphs.example"], **options)
    name = "localhost" if host == "127.0.0.1" else "graphs.example"

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "server": (host, 80)}, receive, send)

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=asgi), base_url=f"http://{name}") as client:
            return (await client.get("/")).status_code

    assert asyncio.run(ask()) == status


@pytest.mark.parametrize(("given", "live"), [([], None), (["--live"], True), (["--no-live"], False)])
def test_the_command_line_says_whether_it_is_there(monkeypatch: pytest.MonkeyPatch, given: Any, live: Any) -> None:
    from click.testing import CliRunner

    from streamgraph.errors import GraphError
    from streamgraph_server import cli

    asked = {}

    def serve(graphs: Any, **options: Any) -> Any:
        asked.update(options)
        raise GraphError("enough")

    monkeypatch.setattr(cli, "serve", serve)
    found = CliRunner().invoke(cli.serve_command, ["server.graphs:agent", *given])
    assert found.exit_code == 1 and "enough" in found.output
    assert asked["live"] is live
