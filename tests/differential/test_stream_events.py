"""Runs in the v3 protocol give the same events and projections in both libraries."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from differential.harness import REFERENCE, SUBJECT

# LangGraph has them from 1.2 on, on Python 3.10 and later.
pytest.importorskip(f"{REFERENCE}.stream")

# LangGraph says so of its runs; ours only promise what they do.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol on Pregel is experimental")

GIVEN: Dict[str, Any] = {"messages": [HumanMessage("go", id="given")]}

# Differences that are meant: the metadata is that of the `messages` mode, where all have tags, a model's also the name
# of its run, and `checkpoint_ns` is that of the task; LangGraph's is another one in nested graphs, in this protocol.
OURS = ("tags", "run_name", "checkpoint_ns")

IDS = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


class Programs:
    """The same graphs in one of the libraries."""

    def __init__(self, root: str) -> None:
        self.graph: Any = importlib.import_module(f"{root}.graph")
        self.types: Any = importlib.import_module(f"{root}.types")
        self.stream: Any = importlib.import_module(f"{root}.stream")

    def chain(self, **nodes: Any) -> Any:
        builder = self.graph.StateGraph(self.graph.MessagesState)
        before = self.graph.START
        for name, node in nodes.items():
            builder.add_node(name, node)
            builder.add_edge(before, name)
            before = name
        return builder.compile()

    def spoken(self) -> Any:
        """A model, a whole message, and a model in a nested graph in a nested graph."""
        return self.chain(
            model=says,
            whole=lambda state: {"messages": [AIMessage("whole", id="w")]},
            outer=self.chain(inner=self.chain(deep=says)),
        )

    def asked(self) -> Any:
        return self.chain(model=says, ask=lambda state: {"messages": [AIMessage(self.types.interrupt("why?"))]})

    def failed(self) -> Any:
        return self.chain(model=says, bad=bad)

    def failed_inside(self) -> Any:
        return self.chain(outer=self.chain(model=says, bad=bad))


def says(state: Any) -> Any:
    return {"messages": [GenericFakeChatModel(messages=iter([AIMessage("hello wide world")])).invoke("?")]}


def bad(state: Any) -> Any:
    raise ValueError("boom")


def plain(value: Any) -> Any:
    """A value without ids, times and what only ours says."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key not in (*OURS, "timestamp")}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "content"):
        return type(value).__name__, value.text if isinstance(value.text, str) else value.text()
    return IDS.sub("<id>", repr(value))


def of_message(message: Any, texts: List[str]) -> Any:
    return message.node, texts, plain(message.output_message), message.done


def caught(read: Callable[[], Any]) -> Any:
    """What a reader gets, and the error that ends it."""
    found: List[Any] = []
    try:
        found.extend(read())
    except (ValueError, RuntimeError) as error:
        found.append(repr(error))
    return found


def of_nested(run: Any) -> Any:
    """What a projection of nested graphs gives, at each depth; LangGraph loses what the others would give after it."""
    for inner in run.subgraphs:
        yield inner.graph_name, len(inner.path)
        yield caught(lambda inner=inner: of_nested(inner))
        yield inner.status, inner.error


def of_nested_messages(run: Any) -> Any:
    for inner in run.subgraphs:
        yield caught(lambda inner=inner: (of_message(message, list(message.text)) for message in inner.messages))


READ: Dict[str, Callable[[Any], Any]] = {
    "events": lambda run: map(plain, run),
    "values": lambda run: map(plain, run.values),
    "messages": lambda run: (of_message(message, list(message.text)) for message in run.messages),
    "lifecycle": lambda run: map(plain, run.lifecycle),
    "subgraphs": of_nested,
    "nested messages": of_nested_messages,
    "output": lambda run: [plain(run.output)],
    "interrupts": lambda run: [run.interrupted, [question.value for question in run.interrupts]],
    "both": lambda run: (
        (name, plain(item) if name == "values" else item.node) for name, item in run.interleave("values", "messages")
    ),
    "extensions": lambda run: [sorted(run.extensions), sorted(run._mux.native_keys)],
}


@pytest.mark.parametrize("how", READ)
@pytest.mark.parametrize("program", ["spoken", "asked", "failed", "failed_inside"])
def test_a_run(program: str, how: str) -> None:
    theirs, ours = (
        caught(lambda root=root: READ[how](getattr(Programs(root), program)().stream_events(GIVEN, version="v3")))
        for root in (REFERENCE, SUBJECT)
    )
    assert ours == theirs


async def aread(run: Any, how: str) -> List[Any]:
    if how == "messages":
        return [of_message(message, [text async for text in message.text]) async for message in run.messages]
    if how == "output":
        return [plain(await run.output())]
    if how == "interrupts":
        return [await run.interrupted(), [question.value for question in await run.interrupts()]]
    return [plain(item) async for item in (run if how == "events" else getattr(run, how))]


@pytest.mark.parametrize("how", ["events", "values", "messages", "lifecycle", "output", "interrupts"])
@pytest.mark.parametrize("program", ["spoken", "asked", "failed", "failed_inside"])
def test_a_run_on_a_loop(program: str, how: str) -> None:
    async def main(root: str) -> List[Any]:
        run = await getattr(Programs(root), program)().astream_events(GIVEN, version="v3")
        try:
            return await aread(run, how)
        except ValueError as error:
            return [repr(error)]

    def on_a_thread(root: str) -> List[Any]:
        try:
            return list(READ[how](getattr(Programs(root), program)().stream_events(GIVEN, version="v3")))
        except ValueError as error:
            return [repr(error)]

    # LangGraph cannot hand its context to async nodes before Python 3.11.
    theirs = asyncio.run(main(REFERENCE)) if sys.version_info >= (3, 11) else on_a_thread(REFERENCE)
    assert asyncio.run(main(SUBJECT)) == theirs
