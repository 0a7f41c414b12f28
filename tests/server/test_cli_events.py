"""`streamgraph serve --events`: processes of their own, with PostgreSQL and Redis, are one server."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from server.test_cli import PROGRAM, Served, said
from streamgraph_server.cli import serve_command
from support.redis_servers import Server
from support.savers import new_database
from support.waiting import PATIENCE


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file with graphs."""
    path = tmp_path / "served_program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.slow
def test_two_processes_are_one_server(program: Path, tmp_path: Path) -> None:
    """A run of the first is read at the second from its start, where its thread is busy, and the next one waits."""
    with Server(tmp_path) as redis:
        arguments = [f"{program}:several", "--checkpointer", new_database(), "--events", redis.url]
        both = [Served(*arguments), Served(*arguments)]
        one, two = (httpx.Client(base_url=server.url, timeout=PATIENCE) for server in both)
        try:
            body = {"assistant_id": "work", "input": said("0.5"), "if_not_exists": "create", "stream_mode": ["custom"]}
            run = one.post("/threads/t/runs", json=body).json()["run_id"]
            assert two.get("/threads/t").json()["status"] == "busy"
            after = two.post("/threads/t/runs", json={**body, "input": said("0")}).json()
            seen = []
            for client in (two, one):
                path = f"/threads/t/runs/{run}/stream?stream_mode=custom"
                text = client.get(path, headers={"last-event-id": "-1"}).text
                seen.append([json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")])
            assert seen[0] == seen[1] == [{"run_id": run, "attempt": 1}, "at work", None]
            result = one.get(f"/threads/t/runs/{after['run_id']}/join").json()
            assert [message["content"] for message in result["messages"]] == ["0.5", "worked", "0", "worked"]
        finally:
            for server, client in zip(both, (one, two)):
                client.close()
                server.end()


def test_events_that_are_none_are_refused(program: Path) -> None:
    result = CliRunner().invoke(serve_command, [f"{program}:several", "--events", "memory"])
    assert result.exit_code != 0
    assert "redis://HOST" in result.output
