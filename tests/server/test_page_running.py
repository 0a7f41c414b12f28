"""The page in a real browser: a graph is drawn, run and watched."""

from __future__ import annotations

import re
from typing import Any, Callable, List

import pytest

from server.driving import expect, give
from server.graphs import TEXT, WORDS, speaking
from server.loopback import Loopback
from streamgraph.testing import Gate

pytestmark = pytest.mark.slow


def test_a_node_is_lit_while_it_runs_and_its_text_grows(
    serving: Callable[..., Loopback], visit: Callable[..., Any]
) -> None:
    with Gate() as gate:
        page = visit(serving({"agent": speaking(gate=gate)}))
        node, text = page.locator("[data-node=say].node"), page.locator(".message .text .pre")
        expect(node).to_have_class(re.compile("is-idle"))
        give(page)
        expect(node).to_have_class(re.compile("is-running"))
        seen: List[str] = []
        for count in range(1, len(WORDS) + 1):
            gate.open()
            expect(text).to_have_text("".join(WORDS[:count]).strip())
            seen.append(text.inner_text())
        assert len(set(seen)) == len(WORDS) and seen[-1] == TEXT
    expect(node).to_have_class(re.compile("is-done"))
    expect(page.locator(".state-now")).to_have_text("✓done")
    expect(page.locator("[data-edge='__start__>say']")).to_have_class(re.compile("taken"))
    expect(page.locator("[data-edge='say>__end__']")).to_have_class(re.compile("taken"))
    expect(page.locator("[data-task=say]")).to_contain_text("first token after")
