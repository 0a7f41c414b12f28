"""Wherever a run asks, it is answered where it stands, in every mode, with and without a saver."""

from __future__ import annotations

from typing import Any, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from scenarios.live.answering import CONFIG, play, questions_of
from scenarios.live.asking_graphs import PLACES, PLAIN
from streamgraph.testing import check_stream

MODES = ["values", "updates", "tasks", "debug", "messages", "custom"]


@pytest.mark.parametrize("saved", [False, True], ids=["unsaved", "saved"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", PLACES)
def test_it_goes_on_where_it_stands(name: str, asynchronous: bool, saved: bool) -> None:
    """Each question is shown once, each gets its own answer, and what came before runs again only on a loop."""
    place, tops = PLACES[name], []  # type: ignore[var-annotated]
    saver = InMemorySaver() if saved else None
    graph = place.build(lambda: tops.append(1), saver)
    parts, output = play(graph, place.given, asynchronous, stream_mode=MODES, subgraphs=True)
    assert place.read(output) == place.wanted
    assert sorted(question.value for part in parts for question in questions_of(part)) == place.asked
    assert len(tops) == place.tops
    check_stream(parts)
    if saver is not None:
        state = graph.get_state(CONFIG)
        assert (state.next, state.interrupts) == ((), ())


@pytest.mark.parametrize("mode", ["values", "tasks", "debug", "updates"])
@pytest.mark.parametrize("name", ["nodes", "nested", "tools", "plain nodes", "async tools", "workflow"])
def test_each_mode_shows_it(name: str, mode: str) -> None:
    """One mode alone is enough to find a question, at the level of the graph that is streamed."""
    place = PLACES[name]
    graph = place.build(lambda: None, None)
    stream = graph.stream(place.given, version="v2", stream_mode=mode, interrupts="live")
    found: List[Any] = []
    for part in stream:
        asked = part.get("interrupts", ()) if mode == "values" else part["data"].get("__interrupt__", ())
        if mode in ("tasks", "debug"):
            event = part["data"].get("payload", part["data"])
            asked = event.get("interrupts", ()) if "result" in event else ()
        for question in asked:
            id_ = question["id"] if isinstance(question, dict) else question.id
            if id_ not in found:
                found.append(id_)
                value = question["value"] if isinstance(question, dict) else question.value
                stream.answer(id_, f"<{value}>")
    assert place.read(stream.output) == place.wanted
    assert len(found) == len(place.asked)


@pytest.mark.parametrize("name", sorted(set(PLACES) - set(PLAIN)))
def test_the_drivers_do_not_matter(name: str) -> None:
    """What is shown of a question, and the result, are the same in sync and async runs."""
    place = PLACES[name]
    shown = []
    for asynchronous in (False, True):
        parts, output = play(place.build(lambda: None, None), place.given, asynchronous, stream_mode=["updates"])
        shown.append((sorted(str(part["data"])[:30] for part in parts), place.read(output)))
    assert shown[0] == shown[1]
