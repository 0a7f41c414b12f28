"""Transformers of the v3 protocol take the same events by hand, and show the same, in both libraries."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from differential.harness import REFERENCE, SUBJECT
from support.protocol_events import as_parts, event, nested_run, tool_events

# LangGraph has them from 1.2 on, on Python 3.10 and later.
pytest.importorskip(f"{REFERENCE}.stream")

# LangGraph says so of the classes themselves; ours only promise what they do.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol on Pregel is experimental")

ENDINGS = {"ended": None, "failed": KeyError("run")}
TIMES = ("timestamp",)


class Names:
    """What both libraries have of it."""

    def __init__(self, root: str) -> None:
        self.stream: Any = importlib.import_module(f"{root}.stream")
        self.transformers: Any = importlib.import_module(f"{root}.stream.transformers")
        self.mux: Any = importlib.import_module(f"{root}.stream._mux").StreamMux
        self.tools: Any = importlib.import_module(f"{root}.prebuilt").ToolCallTransformer

    def factories(self) -> list:
        """All transformers whose projections are plain data, and that of nested graphs."""
        return [
            self.transformers.ValuesTransformer,
            *(getattr(self.stream, f"{name}Transformer") for name in ("Custom", "Updates", "Lifecycle", "Subgraph")),
        ]

    def run(self, events: list, error: Any, factories: list) -> Any:
        """A sync run stream of these events."""

        def parts() -> Any:
            yield from as_parts(events)
            if error is not None:
                raise error

        return self.stream.GraphRunStream(parts(), self.mux(factories=factories))

    def arun(self, events: list, error: Any, factories: list) -> Any:
        """An async run stream of these events."""

        async def parts() -> Any:
            for part in as_parts(events):
                await asyncio.sleep(0)
                yield part
            if error is not None:
                raise error

        return self.stream.AsyncGraphRunStream(parts(), self.mux(factories=factories, is_async=True))


def timeless(item: Any) -> Any:
    """An event without the time at which it was made."""
    if isinstance(item, dict) and "params" in item:
        return {**item, "params": {key: value for key, value in item["params"].items() if key not in TIMES}}
    return item


def seen(read: Any) -> list:
    """What a reader gets, and the type of the error that ends it."""
    got: list = []
    try:
        for item in read:
            got.append(timeless(item))
    except Exception as error:
        got.append(type(error).__name__)
    return got


def told(lib: Names, events: list, error: Any) -> dict:
    """Everything that a sync run shows, each projection read in a run of its own."""
    shown: dict = {}
    for name in ("values", "custom", "updates", "lifecycle"):
        shown[name] = seen(getattr(lib.run(events, error, lib.factories()), name))
    shown["events"] = seen(lib.run(events, error, lib.factories()))
    shown["both"] = seen(lib.run(events, error, lib.factories()).interleave("custom", "values"))
    nested, handles = lib.run(events, error, lib.factories()).subgraphs, []
    for handle in seen(nested):
        facts = ("path", "graph_name", "trigger_call_id", "status", "error")
        handles.append(handle if isinstance(handle, str) else [getattr(handle, name) for name in facts])
    shown["nested"] = handles
    for name in ("output", "interrupted", "interrupts"):
        shown[name] = seen(getattr(lib.run(events, error, lib.factories()), name) for _ in range(1))
    return shown


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("taken", [None, 8, 13])
def test_sync_runs(ending: str, taken: Any) -> None:
    """All projections, the events, the nested graphs and the result; also of a run that breaks off."""
    events = [*nested_run()[:taken], event("values", {"x": 9}, interrupts=("q",))]
    theirs, ours = (told(Names(root), events, ENDINGS[ending]) for root in (REFERENCE, SUBJECT))
    assert ours == theirs


@pytest.mark.parametrize("ending", ENDINGS)
def test_async_runs(ending: str) -> None:
    """The same in async code, with several readers at once."""

    async def read(channel: Any) -> list:
        got: list = []
        try:
            async for item in channel:
                got.append(timeless(item))
        except Exception as error:
            got.append(type(error).__name__)
        return [item if isinstance(item, (dict, str)) else (item.path, item.status) for item in got]

    async def main(lib: Names) -> Any:
        run = lib.arun(nested_run(), ENDINGS[ending], lib.factories())
        names = ("values", "custom", "lifecycle", "subgraphs")
        return await asyncio.gather(*(read(getattr(run, name)) for name in names), read(run))

    theirs, ours = (asyncio.run(main(Names(root))) for root in (REFERENCE, SUBJECT))
    assert ours == theirs


@pytest.mark.parametrize("ending", ENDINGS)
def test_tool_calls(ending: str) -> None:
    """Tool calls as streams of their own."""
    message = {"type": "constructor", "id": ["langchain_core", "ToolMessage"], "kwargs": {"content": "made"}}
    events = [
        *tool_events("1", deltas=["a", "b"], output="ab"),
        *tool_events("2", error="no"),
        *tool_events("3", output=message),
        *tool_events("4", deltas=["open"]),
        event("tools", {"event": "tool-finished", "tool_call_id": "unknown", "output": 1}),
        event("tools", {"event": "tool-started", "tool_call_id": "5"}, "inner:1"),
    ]

    def read(lib: Names) -> list:
        got: list = []
        try:
            for call in lib.run(events, ENDINGS[ending], [lib.tools]).tool_calls:
                got.append((call.tool_call_id, call.tool_name, call.input, seen(call), call.output, call.error))
                got.append((call.completed, repr(call)))
        except KeyError:
            got.append("KeyError")
        return got

    theirs, ours = (read(Names(root)) for root in (REFERENCE, SUBJECT))
    assert ours == theirs
