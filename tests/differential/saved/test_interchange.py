"""A thread that one library has begun is continued by the other, from every checkpoint, with the same result."""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from differential.saved.graphs import FAILING, GRAPHS, Library, Nodes

Make = Callable[[Library], Any]
SIDES = ("theirs", "ours")


def _config(thread: str, checkpoint: Any = None) -> Dict[str, Any]:
    return {"configurable": {"thread_id": thread, **({"checkpoint_id": checkpoint} if checkpoint else {})}}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("begins", "continues"), [("theirs", "ours"), ("ours", "theirs"), ("ours", "ours")])
def test_from_every_checkpoint(name: str, begins: str, continues: str) -> None:
    nodes = Nodes()
    saver = InMemorySaver()
    first = GRAPHS[name](getattr(nodes, begins)()).compile(checkpointer=saver)
    second = GRAPHS[name](getattr(nodes, continues)()).compile(checkpointer=saver)
    want = first.invoke({"seen": ["i"]}, _config("1"), durability="sync")
    stored = [item for item in saver.list(_config("1")) if not item.config["configurable"]["checkpoint_ns"]]
    assert len(stored) > 2
    for item in stored:
        got = second.invoke(None, _config("1", item.checkpoint["id"]), durability="sync")
        assert got == want, item.metadata


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize(("begins", "continues"), [("theirs", "ours"), ("ours", "theirs"), ("ours", "ours")])
def test_finished_siblings_do_not_run_again(name: str, durability: str, begins: str, continues: str) -> None:
    def outcome(first: str, second: str) -> Tuple[Any, Any]:
        nodes, saver = Nodes("late"), InMemorySaver()
        nodes.broken = True
        begun = FAILING[name](getattr(nodes, first)()).compile(checkpointer=saver)
        with pytest.raises(ValueError, match="late is broken"):
            begun.invoke({"seen": ["i"]}, {**_config("1"), "max_concurrency": 1}, durability=durability)
        nodes.broken = False
        nodes.ran.clear()
        continued = FAILING[name](getattr(nodes, second)()).compile(checkpointer=saver)
        return continued.invoke(None, _config("1"), durability=durability), sorted(nodes.ran)

    assert outcome(begins, continues) == outcome("theirs", "theirs")


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_turns_in_turn(name: str, durability: str) -> None:
    """Two libraries that take turns on one thread remember what one of them would."""
    nodes = Nodes()
    finals = []
    for sides in (("theirs", "theirs", "theirs"), ("ours", "theirs", "ours"), ("theirs", "ours", "ours")):
        saver = InMemorySaver()
        for turn, side in enumerate(sides):
            graph = GRAPHS[name](getattr(nodes, side)()).compile(checkpointer=saver)
            final = graph.invoke({"seen": [f"turn {turn}"]}, _config("1"), durability=durability)
        finals.append(final)
    assert finals[1] == finals[0]
    assert finals[2] == finals[0]
