"""The JavaScript clients of the vendors, at fixed versions, read the graphs as a person would see them.

They come from npm, as does the Node that they need; a machine without npm skips this, one of CI does not.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest

from server.graphs import TEXT, agent, asking, failing, full_of_events, speaking
from server.loopback import Loopback
from server.retracting import retrying, thinking

SCREENS: Dict[str, Dict[str, Any]] = {
    "speaking": {"ai": [f"text: {TEXT}"], "agui": [f"assistant: {TEXT}"], "sdk": [TEXT, "", 2, []]},
    "agent": {
        "ai": ["dynamic-tool: output-available", "text: It is."],
        "agui": ["assistant: ", "tool: ice is a word", "assistant: It is."],
        "sdk": ["It is.", "", 4, []],
    },
    "nested": {
        "ai": ["data-custom: -", f"text: {TEXT}", "text: the end"],
        "agui": [f"assistant: {TEXT}", "assistant: the end"],
        "sdk": [TEXT, "", 3, []],
    },
    "thinking": {
        "ai": ["reasoning: hm so", "text: it is"],
        "agui": ["reasoning: hm so", "assistant: it is"],
        "sdk": ["it is", "", 2, []],
    },
    "asking": {"ai": ["data-interrupt: may I?"], "agui": [], "sdk": ["", "", 1, ["ask"]]},
}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_on_the_screen(serving: Callable[..., Loopback], node: Callable[..., Any]) -> None:
    graphs = {
        "speaking": speaking(),
        "agent": agent(),
        "nested": full_of_events(),
        "thinking": thinking(),
        "asking": asking(),
    }
    found = node("clients.mjs", serving(graphs).url, ",".join(graphs))
    for name, screen in SCREENS.items():
        assert found[name]["ai6"] == found[name]["ai7"] == screen["ai"]
        assert found[name]["agui"] == ["user: hi", *screen["agui"]]
        assert found[name]["sdk"] == screen["sdk"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_failures(serving: Callable[..., Loopback], node: Callable[..., Any]) -> None:
    found = node("clients.mjs", serving({"failing": failing(ValueError("no"))}).url, "failing")["failing"]
    assert found["ai6"] == found["ai7"] == ["text: well ", "error: no"]
    assert found["agui"] == ["user: hi", "assistant: well "]
    assert found["sdk"][:2] == ["well ", "no"]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("client", ["ai6", "ai7", "agui"])
def test_what_a_failed_attempt_has_shown(
    serving: Callable[..., Loopback], node: Callable[..., Any], client: str
) -> None:
    found = node("clients.mjs", serving({"retrying": retrying()}).url, "retrying", client)["retrying"]
    shown = {
        "ai6": ["text: wrong words", "data-retracted: -", "text: right words"],
        "ai7": ["text: right words"],
        "agui": ["user: hi", "assistant: right words"],
    }
    assert found[client] == shown[client]
