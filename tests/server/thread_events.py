"""A client of the thread stream that shows what is on the wire."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import httpx

from server.graphs import HI
from server.loopback import Loopback
from support.waiting import PATIENCE

ALL = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"]
ENDINGS = ("completed", "failed", "interrupted")


def command(server: Loopback, method: str, thread: str = "t", **params: Any) -> Dict[str, Any]:
    """Send a command, and return the answer."""
    answer = server.post(f"/threads/{thread}/commands", {"id": 7, "method": method, "params": params})
    assert answer.status_code == 200
    return answer.json()


def start(server: Loopback, thread: str = "t", graph: str = "agent", **params: Any) -> str:
    """Start a run, and return its id."""
    answer = command(server, "run.start", thread, assistant_id=graph, **{"input": HI, **params})
    assert answer["type"] == "success", answer
    return str(answer["result"]["run_id"])


def lines(server: Loopback, thread: str, query: str, body: Dict[str, Any]) -> Iterator[str]:
    """The lines of a stream as they come."""
    with (
        httpx.Client(base_url=server.url, timeout=PATIENCE) as client,
        client.stream("POST", f"/threads/{thread}/stream/events{query}", json=body) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield from answer.iter_lines()


def events(
    server: Loopback, channels: Sequence[str] = ALL, *, thread: str = "t", query: str = "", runs: int = 1, **body: Any
) -> List[Dict[str, Any]]:
    """The events of a thread up to the end of so many runs."""
    found: List[Dict[str, Any]] = []
    asked = [*channels, *(["lifecycle"] if "lifecycle" not in channels else [])]
    for line in lines(server, thread, query, {"channels": asked, **body}):
        if line.startswith("data: "):
            event = json.loads(line[6:])
            if event["type"] != "event":
                found.append(event)
                continue
            if event["method"] != "lifecycle" or "lifecycle" in channels:
                found.append(event)
            runs -= ending(event) is not None
            if not runs:
                return found
    return found


def ending(event: Dict[str, Any]) -> Optional[str]:
    """How the run has ended, if an event says that."""
    if event["method"] != "lifecycle" or event["params"]["namespace"]:
        return None
    said = event["params"]["data"]["event"]
    return said if said in ENDINGS else None


def data_of(found: List[Dict[str, Any]], method: str) -> List[Any]:
    """What the events of a method say."""
    return [event["params"]["data"] for event in found if event["method"] == method]


def texts(found: List[Dict[str, Any]]) -> Dict[Tuple[str, str], str]:
    """The text of each message by its id and how it has ended, put together from its deltas."""
    open_texts: Dict[str, str] = {}
    done: Dict[Tuple[str, str], str] = {}
    for said in data_of(found, "messages"):
        id, kind = said["id"], said["event"]  # noqa: A001
        assert said["run_id"] == id
        if kind == "message-start":
            open_texts[id] = ""
        elif kind == "content-block-delta":
            open_texts[id] += said["delta"].get("text", "")
        elif kind in ("message-finish", "error"):
            done[id, said.get("code", kind)] = open_texts.pop(id)
    assert not open_texts
    return done
