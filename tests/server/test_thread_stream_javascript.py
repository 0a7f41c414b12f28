"""The JavaScript clients of the thread stream: the SDK, and the hook of @langchain/react with an SDK of its own."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict

import pytest

from server.graphs import TEXT, agent, asking, failing, full_of_events, one_node, speaking
from server.loopback import Loopback
from server.retracting import retrying, thinking
from streamgraph.testing import ScriptedModel
from support.waiting import eventually

Node = Callable[..., Any]

USER = "human: hi"
CALL = ["ai: ", "tool: ice is a word", "ai: It is."]
ON_SCREEN: Dict[str, Any] = {
    "speaking": [USER, f"ai: {TEXT}"],
    "agent": [USER, *CALL],
    "nested": [USER, f"ai: {TEXT}", "ai: the end"],
    "thinking": [USER, "ai: it is"],
}
READ: Dict[str, Any] = {
    "speaking": [[TEXT, ""]],
    "agent": [["", ""], ["It is.", ""]],
    "nested": [[TEXT, ""], ["the end", ""]],
    "thinking": [["it is", "hm so"]],
    "asking": [],
    "failing": [["well ", ""]],
}


def endless(told: Dict[str, Any]) -> Any:
    """A graph that speaks until it is cancelled."""
    model = ScriptedModel([[f"{count} " for count in range(20_000)]], cycle=True)

    async def say(state: Any) -> Any:
        try:
            async for _ in model.astream("?"):
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            told["cancelled"] = True
            raise

    return one_node(say)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_read_and_what_is_on_the_screen(serving: Callable[..., Loopback], node: Node) -> None:
    told: Dict[str, Any] = {}
    graphs = {
        "speaking": speaking(),
        "agent": agent(),
        "nested": full_of_events(),
        "thinking": thinking(),
        "asking": asking(),
        "failing": failing(ValueError("no")),
        "retrying": retrying(),
        "retrying_again": retrying(cycle=True),
        "endless": endless(told),
    }
    server = serving(graphs)
    found = node("thread_stream.mjs", server.url, *(name for name in graphs if name != "retrying_again"))

    for name, read in READ.items():
        assert found[name]["sdk"]["texts"] == read
    for name, messages in ON_SCREEN.items():
        react = found[name]["react"]
        assert react["first"]["messages"] == messages
        assert react["second"]["messages"] == react["again"]["messages"] == [*messages, *messages]
        assert react["first"]["error"] is react["second"]["error"] is None
    assert found["agent"]["sdk"]["calls"] == ["look_up"]
    assert found["agent"]["react"]["first"]["calls"] == ["look_up: finished"]
    assert found["nested"]["sdk"]["inner"] == ["inner"]
    assert found["nested"]["sdk"]["events"] == ["running", "started", "completed", "completed"]

    asked = found["asking"]
    assert asked["sdk"]["asked"] == asked["react"]["first"]["asked"] == ["may I?"]
    assert asked["react"]["answered"] == {
        "messages": [USER, "ai: you said yes"],
        "calls": [],
        "error": None,
        "asked": [],
    }
    assert asked["react"]["again"]["asked"] == ["may I?"]

    assert found["failing"]["sdk"]["events"] == ["running", "failed"]
    assert found["failing"]["react"]["first"]["error"] == "no"

    assert [text for text, _ in found["retrying"]["sdk"]["texts"]] == ["wrong words", "", "right words"]
    # What was whole when it was taken back is empty, and gone with the next run.
    shown = found["retrying"]["react"]
    assert [text for text in shown["first"]["messages"] if text != "ai: "] == [USER, "ai: right words"]
    assert shown["again"]["messages"] == [USER, "ai: right words"] * 2

    assert found["endless"] == {"error": None}
    eventually(lambda: server.runs.going_on() == [])
    assert told == {"cancelled": True}
