"""A view in a notebook: everything is there, and everything from outside is escaped."""

from __future__ import annotations

from typing import Any

from streamgraph.watching import Read, ViewFold
from streamgraph.watching._html import view_html

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> & \x1b[2J"


def token(text: str, **more: Any) -> Read:
    message = {"type": "AIMessageChunk", "content": text, "id": "m", **more}
    where = {"langgraph_checkpoint_ns": "say:1", "tags": [HOSTILE]}
    return Read((), "messages", (message, where))


def test_everything_from_outside_is_escaped() -> None:
    fold = ViewFold([(HOSTILE,)])
    fold.take(token(HOSTILE), 0.0)
    fold.take(Read((), "values", {HOSTILE: HOSTILE, "messages": [{"type": HOSTILE, "content": HOSTILE}]}), 1.0)
    fold.take(Read((), "updates", {"__interrupt__": [{"id": "q", "value": HOSTILE}]}), 1.0)
    fold.end("failed", 2.0, ValueError(HOSTILE))
    html = view_html(fold.view, 2.0, graph=HOSTILE)
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_the_tree_and_the_texts() -> None:
    fold = ViewFold([("sub",), ("sub", "inner"), ("last",)])
    fold.take(Read((), "tasks", {"id": "1", "name": "sub", "input": 1, "triggers": ()}), 0.0)
    fold.take(token("Hello\nyou"), 0.0)
    fold.take(Read((), "messages", ({"type": "remove", "content": "", "id": "m"}, {})), 1.0)
    html = view_html(fold.view, 3.0, graph="joker", whole=False)
    assert html.count("<ul>") == html.count("</ul>") == 2
    assert html.count("<li") == html.count("</li>") == 3
    assert "joker running" in html
    assert '<li class="running"><b role="img" aria-label="running">●</b> sub <small>3.0 s</small><ul>' in html
    assert "say #&lt;script" in html
    assert "retracted</small><blockquote><del>Hello\nyou</del>" in html


def test_a_long_text_is_cut_while_it_grows() -> None:
    fold = ViewFold()
    for _ in range(1_000):
        fold.take(token("word "), 0.0)
    assert len(view_html(fold.view, 1.0, whole=False)) < 5_000
    assert "word " * 1_000 in view_html(fold.view, 1.0)
