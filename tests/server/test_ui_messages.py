"""The UI message stream: what `useChat` gets, by the rules by which its parser refuses streams."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Set

import httpx
import pytest

from server.graphs import TEXT, WORDS, agent, asking, failing, full_of_events, speaking
from server.loopback import Loopback, events_in
from server.retracting import retrying, thinking
from streamgraph.testing import Gate
from support.waiting import eventually

Serving = Callable[..., Loopback]
KNOWN = {
    "start", "finish", "abort", "error", "start-step", "finish-step", "reset-step", "message-metadata",
    "text-start", "text-delta", "text-end", "reasoning-start", "reasoning-delta", "reasoning-end",
    "tool-input-start", "tool-input-delta", "tool-input-available", "tool-input-error",
    "tool-output-available", "tool-output-error",
}  # fmt: skip


def user(text: str = "hi", key: str = "u1") -> Dict[str, Any]:
    """A message of the user."""
    return {"id": key, "role": "user", "parts": [{"type": "text", "text": text}]}


def chunks_of(answer: httpx.Response) -> List[Dict[str, Any]]:
    """The chunks of a stream that the client's parser would take."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    *chunks, done = [event.data for event in events_in(answer.text)]
    assert done == "[DONE]"
    check(chunks)
    return chunks


def check(chunks: List[Dict[str, Any]]) -> None:
    """Raise if the client's parser would refuse a chunk."""
    opened: Set[str] = set()
    calls: Set[str] = set()
    for chunk in chunks:
        kind = chunk["type"]
        assert kind in KNOWN or kind.startswith("data-"), chunk
        assert None not in chunk.values(), chunk
        if kind in ("text-start", "reasoning-start"):
            opened.add(chunk["id"])
        elif kind.startswith(("text-", "reasoning-")):
            assert chunk["id"] in opened, chunk
            opened -= {chunk["id"]} if kind.endswith("-end") else set()
        elif kind == "reset-step":
            opened.clear()
        elif kind == "tool-input-start":
            calls.add(chunk["toolCallId"])
        elif kind.startswith("tool-"):
            assert chunk["toolCallId"] in calls, chunk
    assert opened == set() or chunks[-1]["type"] in ("error", "abort")


def names(chunks: List[Dict[str, Any]]) -> List[str]:
    """The types of chunks, each once in a row."""
    found = [chunk["type"] for chunk in chunks]
    return [name for place, name in enumerate(found) if place == 0 or found[place - 1] != name]


def text_of(chunks: List[Dict[str, Any]], kind: str = "text") -> str:
    """The text that is on the screen in the end."""
    texts: Dict[str, str] = {}
    for chunk in chunks:
        if chunk["type"] == "reset-step":
            texts.clear()
        elif chunk["type"] == f"{kind}-delta":
            texts[chunk["id"]] = texts.get(chunk["id"], "") + chunk["delta"]
    return "|".join(texts.values())


def test_a_text(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    for path in ("/chat/agent", "/api/chat"):
        chunks = chunks_of(server.post(path, {"id": path[1:4], "messages": [user()]}))
        assert names(chunks) == [
            "start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish",
        ]  # fmt: skip
        assert text_of(chunks) == TEXT


def test_tool_calls_have_a_step_of_their_own(serving: Serving) -> None:
    chunks = chunks_of(serving({"agent": agent()}).post("/chat/agent", {"id": "c", "messages": [user()]}))
    assert names(chunks) == [
        "start", "start-step", "tool-input-start", "tool-input-delta", "tool-input-available", "finish-step",
        "tool-output-available", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish",
    ]  # fmt: skip
    given = next(chunk for chunk in chunks if chunk["type"] == "tool-input-available")
    assert (given["input"], given["providerExecuted"], given["toolName"]) == ({"word": "ice"}, True, "look_up")
    assert next(chunk for chunk in chunks if chunk["type"] == "tool-output-available")["output"] == "ice is a word"


def test_reasoning_ends_before_the_text(serving: Serving) -> None:
    chunks = chunks_of(serving({"agent": thinking()}).post("/chat/agent", {"id": "c", "messages": [user()]}))
    assert names(chunks)[2:8] == [
        "reasoning-start", "reasoning-delta", "reasoning-end", "text-start", "text-delta", "text-end",
    ]  # fmt: skip
    assert (text_of(chunks, "reasoning"), text_of(chunks)) == ("hm so", "it is")


def test_nested_graphs_and_custom_data(serving: Serving) -> None:
    chunks = chunks_of(serving({"agent": full_of_events()}).post("/chat/agent", {"id": "c", "messages": [user()]}))
    assert next(chunk["data"] for chunk in chunks if chunk["type"] == "data-custom") == {"at": 1}
    assert text_of(chunks) == f"{TEXT}|the end"


@pytest.mark.parametrize("version", ["6", "7"])
def test_a_retraction_leaves_what_is_right(serving: Serving, version: str) -> None:
    server = serving({"agent": retrying()})
    chunks = chunks_of(server.post(f"/chat/agent?ai_sdk={version}", {"id": "c", "messages": [user()]}))
    shown = names(chunks)
    assert ("reset-step" in shown, "data-retracted" in shown) == (version == "7", version == "6")
    assert text_of(chunks) == ("right words" if version == "7" else "wrong words|right words")


def test_a_failure_keeps_the_text(serving: Serving) -> None:
    server = serving({"agent": failing(ValueError("no"))})
    chunks = chunks_of(server.post("/chat/agent", {"id": "c", "messages": [user()]}))
    assert text_of(chunks) == "well " and chunks[-1] == {"type": "error", "errorText": "no"}
    assert "finish" not in names(chunks)


def test_a_conversation_goes_on_and_an_answer_is_made_again(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    first = user()
    chunks_of(server.post("/chat/agent", {"id": "c", "messages": [first]}))
    answer = {"id": "a1", "role": "assistant", "parts": [{"type": "text", "text": TEXT}]}
    sent = [first, answer, user("more", "u2")]
    chunks_of(server.post("/chat/agent", {"id": "c", "messages": sent}))

    def contents() -> List[str]:
        return [message["content"] for message in server.get("/threads/c/state").json()["values"]["messages"]]

    assert contents() == ["hi", TEXT, "more", TEXT]
    again = {"id": "c", "messages": sent, "trigger": "regenerate-message", "messageId": "a2"}
    assert text_of(chunks_of(server.post("/chat/agent", again))) == TEXT
    assert contents() == ["hi", TEXT, "more", TEXT]


def test_a_question_is_answered_by_the_next_request(serving: Serving) -> None:
    server = serving({"agent": asking()})
    chunks = chunks_of(server.post("/chat/agent", {"id": "c", "messages": [user()]}))
    asked = next(chunk for chunk in chunks if chunk["type"] == "data-interrupt")
    assert asked["data"]["value"] == "may I?" and chunks[-1]["type"] == "finish"
    body = {"id": "c", "messages": [user()], "resume": {"interruptId": asked["id"], "value": "yes"}}
    assert text_of(chunks_of(server.post("/chat/agent", body))) == "you said yes"


def test_a_reload_reads_the_whole_message_again(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    assert server.get("/chat/agent/c/stream").status_code == 204
    path = "/chat/agent?on_disconnect=continue"
    with server._client.stream("POST", path, json={"id": "c", "messages": [user()]}) as answer:
        gate.open(2)
        for line in answer.iter_lines():
            if WORDS[1] in line:
                break
    gate.open_all()
    found = server.get("/chat/agent/c/stream")
    if found.status_code != 204:  # the run may have ended meanwhile
        assert text_of(chunks_of(found)) == TEXT
    eventually(lambda: server.runs.going_on() == [])
    assert server.get("/chat/agent/c/stream").status_code == 204
    assert server.get("/threads/c/state").json()["values"]["messages"][-1]["content"] == TEXT


def test_leaving_and_stopping_end_the_run(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    for query in ("", "?on_disconnect=continue"):
        with server._client.stream("POST", f"/chat/agent{query}", json={"id": "c", "messages": [user()]}) as answer:
            next(answer.iter_lines())
        if query:
            assert server.runs.going_on() != []
            assert server.post("/chat/agent/c/stop").json() == {"stopped": True}
        eventually(lambda: server.runs.going_on() == [])


def test_filters_in_the_query(serving: Serving) -> None:
    server = serving({"agent": full_of_events()})
    chunks = chunks_of(server.post("/chat/agent?include_nodes=end", {"id": "c", "messages": [user()]}))
    assert text_of(chunks) == "the end"
    answer = server.post("/chat/agent?include_nodes=ned", {"id": "c", "messages": [user()]})
    assert answer.status_code == 422 and "ned" in answer.json()["detail"]
