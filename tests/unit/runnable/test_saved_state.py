"""The methods about saved runs: they exist, and say that no run is saved."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Tuple

import pytest

from streamgraph.errors import NoCheckpointerError, UnknownKeywordError
from streamgraph.func import entrypoint
from support.value_graphs import line_of

THREAD = {"configurable": {"thread_id": "1"}}

CALLS: Tuple[Tuple[str, Tuple[Any, ...]], ...] = (
    ("get_state", ()),
    ("get_state_history", ()),
    ("update_state", ({},)),
    ("bulk_update_state", ([],)),
)


def called(graph: Any, name: str, arguments: Tuple[Any, ...]) -> None:
    """Call a method, and await what it returns if it is async."""
    found = getattr(graph, name)(THREAD, *arguments)
    if inspect.isawaitable(found):
        asyncio.run(_awaited(found))


async def _awaited(found: Any) -> None:
    await found


@pytest.mark.parametrize("prefix", ["", "a"])
@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_no_run_is_saved(prefix: str, name: str, arguments: Tuple[Any, ...]) -> None:
    """As in LangGraph without a checkpointer it is a `ValueError`; the message says what there is instead."""
    workflow = entrypoint()(lambda value: value)
    for graph in (line_of(a=dict), workflow):
        with pytest.raises(NoCheckpointerError, match="No checkpointer set") as raised:
            called(graph, prefix + name, arguments)
        assert isinstance(raised.value, ValueError)
        assert prefix + name in str(raised.value)


def test_keywords_are_checked() -> None:
    """A misspelt argument is reported first."""
    with pytest.raises(UnknownKeywordError, match="Did you mean 'as_node'"):
        line_of(a=dict).update_state(THREAD, {}, asnode="a")
