"""Runs a program whose outer and inner graphs come from different libraries, and returns what it streamed."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import re
from collections.abc import Mapping
from typing import Any, Callable

from langchain_core.messages import AIMessage

from differential.adapting import OLD
from differential.harness import ASYNC_REFERENCE, Lib
from differential.normalise import Normaliser
from streamgraph.testing import ScriptedModel

MODES = ["values", "updates", "custom", "messages", "tasks"]

_HOMES = {
    "config": ("get_store",),
    "func": ("entrypoint", "task"),
    "prebuilt": ("ToolNode",),
    "runtime": ("get_runtime", "Runtime"),
    "types": ("RetryPolicy", "CachePolicy"),
    "errors": ("ParentCommand", "GraphBubbleUp"),
}


class MixedLib(Lib):
    """One of the two libraries."""

    def __getattr__(self, name: str) -> Any:
        for module, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(f"{self.root}.{module}"), name)
        return super().__getattr__(name)


OURS, THEIRS = MixedLib("streamgraph"), MixedLib("langgraph")


@dataclasses.dataclass
class Call:
    """A graph, and how it is called."""

    graph: Any
    input: Any
    config: Any = dataclasses.field(default_factory=dict)
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)


Build = Callable[..., Call]


@dataclasses.dataclass(frozen=True)
class Mixed:
    """A program.

    Args:
        build: Makes it of the library of its outer graph, that of its inner one, and whether it is run asynchronously.
        outside: It makes sense with this package outside and LangGraph inside.
        inside: It makes sense the other way round.
        ordered: The order of its chunks is fixed.
        dropped: Tells of a message chunk that this package alone has, as the contract says.
    """

    build: Build
    outside: bool = True
    inside: bool = True
    ordered: bool = True
    dropped: Callable[[Any], bool] = lambda chunk: False


PROGRAMS: dict[str, Mixed] = {}


def mixed(**options: Any) -> Callable[[Build], Build]:
    """Register a program."""

    def register(build: Build) -> Build:
        PROGRAMS[build.__name__] = Mixed(build, **options)
        return build

    return register


class _Normaliser(Normaliser):
    """Makes equal what differs if a model is streamed or not, and what the contract decides."""

    def metadata(self, data: Mapping[str, Any]) -> dict[str, Any]:
        kept = super().metadata(data)
        kept.pop("tool_call_id", None)
        if OLD:
            kept.pop("ls_integration", None)
        if not kept.get("tags"):
            kept.pop("tags", None)
        return kept

    def payload(self, mode: str, data: Any) -> Any:
        found = super().payload(mode, data)
        if OLD and mode == "tasks":
            found.pop("metadata", None)
        return found

    def _message_id(self, text: Any) -> Any:
        return super()._message_id(re.sub(r"-0$", "", text) if isinstance(text, str) else text)


def run(program: Mixed, outer: MixedLib, inner: MixedLib, *, subgraphs: bool, asynchronous: bool) -> list[Any]:
    """Return the chunks of a program, and the error with which it ended."""
    call = program.build(outer, inner, asynchronous and ASYNC_REFERENCE)
    normaliser = _Normaliser(stable_ids=program.ordered)
    found: list[Any] = []
    config = {"recursion_limit": 25, **call.config}  # the defaults of the libraries differ before 1.0
    options: dict[str, Any] = {"stream_mode": MODES, "subgraphs": subgraphs, **call.kwargs}

    def take(chunk: Any) -> None:
        if not (outer is OURS or inner is OURS) or not program.dropped(chunk):
            found.append(normaliser.chunk(chunk, MODES, subgraphs=subgraphs, version="v1"))

    async def read() -> None:
        async for chunk in call.graph.astream(call.input, config, **options):
            take(chunk)

    try:
        if asynchronous:
            asyncio.run(read())
        else:
            for chunk in call.graph.stream(call.input, config, **options):
                take(chunk)
    except Exception as error:
        found.append(("failed", type(error).__name__, str(error) if _is_users(error) else ""))
    return found if program.ordered else sorted(found, key=repr)


def _is_users(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] not in ("langgraph", "streamgraph")


def model(*answers: Any) -> ScriptedModel:
    """A model that gives these answers again and again."""
    return ScriptedModel(list(answers), cycle=True)


def calls(name: str, **args: Any) -> AIMessage:
    """An answer that calls a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call-{name}"}])


def agent(tools: list[Any], *answers: Any, **options: Any) -> Any:
    """An agent of langchain, which is a graph of LangGraph; where langchain has none, LangGraph's own."""
    try:
        from langchain.agents import create_agent as create
    except ImportError:
        from langgraph.prebuilt import create_react_agent as create
    return create(model(*answers), tools, **options)
