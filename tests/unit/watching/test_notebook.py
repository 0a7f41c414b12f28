"""The output of a cell, with a notebook that a test plays; `scenarios/test_notebook.py` has a real kernel."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, List

import pytest

from streamgraph.watching import Watcher, reader_of, watch
from streamgraph.watching._notebook import in_notebook, notebook_display


class Handle:
    """What `display(display_id=True)` returns."""

    def __init__(self, shown: List[Any]) -> None:
        self._shown = shown

    def update(self, data: Any, raw: bool) -> None:
        assert raw
        self._shown.append(data)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """The pictures that were shown in a cell, one after the other."""
    pictures: List[Any] = []

    def display(data: Any, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        pictures.append(data)
        return Handle(pictures)

    class Shell:
        kernel = object()

    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython = Shell  # type: ignore[attr-defined]
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return pictures


def test_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)  # type: ignore[arg-type]
    assert not in_notebook()
    package = ModuleType("IPython")
    package.get_ipython = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    assert not in_notebook()


def test_pictures_are_not_sent_for_every_token(shown: List[Any]) -> None:
    """Each is a message to the browser: five in a second, and one at the end."""
    now = [0.0]
    watcher = Watcher(reader_of(()), notebook_display(graph="joker"), clock=lambda: now[0])
    for _ in range(1_000):
        now[0] += 0.001
        watcher.take(("messages", ({"type": "AIMessageChunk", "content": "word ", "id": "1"}, {})))
    assert 4 <= len(shown) <= 7
    assert len(shown[-1]["text/html"]) < 8_000
    watcher.end("done")
    assert len(shown) <= 8
    assert "</b> joker done" in shown[-1]["text/html"]
    assert shown[-1]["text/plain"].startswith("the graph: word word")
    assert "word " * 1_000 in shown[-1]["text/html"]
    assert in_notebook()


def test_a_watched_stream_is_read_where_it_stands_last_in_a_cell(shown: List[Any]) -> None:
    taken: List[int] = []

    def chunks() -> Any:
        for number in range(3):
            taken.append(number)
            yield "custom", number
        raise ValueError("no <b>")

    watched = watch(chunks(), name="<i>")
    assert (taken, shown) == ([], [])
    watched._ipython_display_()
    assert taken == [0, 1, 2]
    assert "</b> &lt;i&gt; failed" in shown[-1]["text/html"]
    assert "ValueError: no &lt;b&gt;" in shown[-1]["text/html"]
    assert "the graph: custom 2\n[error] ValueError: no <b>" in shown[-1]["text/plain"]


def test_a_question_leaves_the_picture_up_to_date(shown: List[Any]) -> None:
    asked = ("updates", {"__interrupt__": [{"id": "q", "value": "May I?"}]})
    for _ in watch([("custom", 1), asked]):
        pass
    assert any("<b>?</b> May I?" in picture["text/html"] for picture in shown)
