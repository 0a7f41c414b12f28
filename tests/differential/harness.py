"""Runs one program on `langgraph` and on `streamgraph` and returns what it streamed, in comparable form."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import os
import sys
import threading
from typing import Any, Callable, Optional, Union

from differential.normalise import Normaliser

REFERENCE = "langgraph"
SELF = os.environ.get("STREAMGRAPH_DIFF_SELF") == "1"
SUBJECT = REFERENCE if SELF else "streamgraph"

# LangGraph cannot hand its context to an asyncio task before 3.11: its sync run is the expectation there.
ASYNC_REFERENCE = sys.version_info >= (3, 11)

TOGETHER = ("values", "updates", "custom", "messages", "tasks")
QUIET = ("values", "updates", "tasks", "debug", TOGETHER)  # for programs that neither write nor call a model
SPOKEN = ("custom", *QUIET)

Mode = Union[str, "tuple[str, ...]", None]

_HOMES = {
    "graph": ("StateGraph", "START", "END", "MessagesState", "add_messages"),
    "graph.message": ("REMOVE_ALL_MESSAGES",),
    "types": ("Send", "Command", "Overwrite", "StreamWriter", "interrupt"),
    "config": ("get_stream_writer", "get_config"),
    "errors": ("InvalidUpdateError", "GraphRecursionError", "EmptyInputError"),
    "managed": ("RemainingSteps", "IsLastStep"),
    "utils.runnable": ("RunnableCallable",),
}


class Lib:
    """The names of one library, and the means to fix the order in which parallel nodes finish."""

    def __init__(self, root: str, *, twins: bool = False, counted: str = "") -> None:
        self.root = root
        self._twins = twins
        self._counted = counted
        self._done = 0
        self._changed = threading.Condition()

    def __getattr__(self, name: str) -> Any:
        for module, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(f"{self.root}.{module}"), name)
        raise AttributeError(name)

    def pick(self, asynchronous: Callable[..., Any], sync: Callable[..., Any]) -> Callable[..., Any]:
        """The async node, or its sync twin where the reference cannot stream from async nodes."""
        return sync if self._twins else asynchronous

    def after(self, results: int) -> None:
        """Wait until so many node results have reached the consumer (no wait in modes that show none)."""
        if not self._counted:
            return
        with self._changed:
            if not self._changed.wait_for(lambda: self._done >= results, timeout=10):
                raise TimeoutError(f"only {self._done} of {results} results were delivered")

    def delivered(self, mode: str, payload: Any) -> None:
        """Tell waiting nodes what has reached the consumer."""
        if mode != self._counted:
            return
        if (mode == "tasks" and "result" not in payload) or (mode == "debug" and payload["type"] != "task_result"):
            return
        with self._changed:
            self._done += 1
            self._changed.notify_all()


@dataclasses.dataclass(frozen=True)
class Case:
    """What to run: a Runnable, its input, config and further keyword arguments of the call."""

    graph: Any
    input: Any = None
    config: Optional[dict[str, Any]] = None
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Setup:
    """One way of calling a program."""

    mode: Mode = None
    subgraphs: Optional[bool] = False
    version: str = "v1"

    def __str__(self) -> str:
        mode = "default" if self.mode is None else self.mode if isinstance(self.mode, str) else "+".join(self.mode)
        if isinstance(self.mode, tuple) and len(self.mode) == 1:
            mode = f"list-of-{mode}"
        mode = "together" if self.mode == TOGETHER else mode
        return (
            mode
            + ("-nested" if self.subgraphs else "-unset" if self.subgraphs is None else "")
            + ("" if self.version == "v1" else f"-{self.version}")
        )


@dataclasses.dataclass(frozen=True)
class Program:
    """A program and the ways of calling it that make sense."""

    name: str
    build: Callable[[Lib], Case]
    modes: tuple[Mode, ...]
    subgraphs: tuple[Optional[bool], ...]
    versions: tuple[str, ...]
    call: str
    differs: tuple[str, ...]
    ordered: bool
    async_nodes: bool

    def setups(self) -> list[Setup]:
        """Every combination of modes, nesting and version."""
        return [Setup(m, s, v) for v in self.versions for s in self.subgraphs for m in self.modes]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The normalised chunks, and the exception that ended the run (with the names of its base classes)."""

    chunks: tuple[Any, ...]
    error: Optional[tuple[str, str]] = None
    text: str = dataclasses.field(default="", compare=False)
    kinds: tuple[str, ...] = dataclasses.field(default=(), compare=False)


PROGRAMS: dict[str, Program] = {}


def program(
    *,
    modes: tuple[Mode, ...] = QUIET,
    subgraphs: tuple[Optional[bool], ...] = (False,),
    versions: tuple[str, ...] = ("v1",),
    call: str = "stream",
    differs: tuple[str, ...] = (),
    ordered: bool = True,
    async_nodes: bool = False,
) -> Callable[[Callable[[Lib], Case]], Callable[[Lib], Case]]:
    """Register a program.

    Args:
        modes: the stream modes to run it with; a tuple is passed as a list, `None` leaves the argument out.
        subgraphs: the values of `subgraphs` to run it with; `None` leaves the argument out.
        versions: the values of `version` to run it with.
        call: `stream`, `invoke` or `batch`.
        differs: names in `differences.DIFFERENCES` of what this program touches.
        ordered: false if parallel nodes may finish in any order.
        async_nodes: true if some node has no sync form, which LangGraph's sync run refuses.
    """

    def register(build: Callable[[Lib], Case]) -> Callable[[Lib], Case]:
        name = build.__name__
        assert name not in PROGRAMS, name
        PROGRAMS[name] = Program(name, build, modes, subgraphs, versions, call, differs, ordered, async_nodes)
        return build

    return register


def run(prog: Program, root: str, setup: Setup, *, asynchronous: bool, twins: bool = False) -> Outcome:
    """Run a program once and return its normalised outcome."""
    lib = Lib(root, twins=twins, counted=_counted(setup.mode))
    seen = Normaliser(stable_ids=prog.ordered)
    chunks: list[Any] = []

    def take(raw: Any) -> None:
        chunks.append(seen.chunk(raw, setup.mode, subgraphs=bool(setup.subgraphs), version=setup.version))
        _tell(lib, raw, setup)

    try:
        case = prog.build(lib)
        kwargs = {**case.kwargs, **_arguments(prog, setup)}
        if prog.call == "stream" and asynchronous:
            asyncio.run(_drain(case.graph.astream(case.input, case.config, **kwargs), take))
        elif prog.call == "stream":
            for raw in case.graph.stream(case.input, case.config, **kwargs):
                take(raw)
        elif asynchronous:
            chunks.append(seen.value(asyncio.run(_await(case, "a" + prog.call, kwargs))))
        else:
            chunks.append(seen.value(getattr(case.graph, prog.call)(case.input, case.config, **kwargs)))
    except Exception as error:
        kinds = tuple(kind.__name__ for kind in type(error).__mro__)
        return Outcome(tuple(chunks), seen.error(error), str(error), kinds)
    return Outcome(tuple(chunks))


def reference(prog: Program, setup: Setup, *, asynchronous: bool) -> Outcome:
    """LangGraph's outcome, from the sync run where it cannot stream from async ones, and the reverse."""
    if not ASYNC_REFERENCE:
        return run(prog, REFERENCE, setup, asynchronous=False, twins=True)
    return run(prog, REFERENCE, setup, asynchronous=asynchronous or prog.async_nodes)


def subject(prog: Program, setup: Setup, *, asynchronous: bool) -> Outcome:
    """Our outcome (LangGraph's own, called where it can, if `STREAMGRAPH_DIFF_SELF=1`)."""
    if SELF:
        return reference(prog, setup, asynchronous=asynchronous)
    return run(prog, SUBJECT, setup, asynchronous=asynchronous)


def by_step(prog: Program, setup: Setup, outcome: Any) -> Any:
    """The outcome with chunks between two `values` of the root sorted, if parallel nodes may finish in any order."""
    if prog.ordered or not isinstance(outcome, Outcome) or prog.call != "stream":
        return outcome
    steps: list[list[str]] = [[]]
    for chunk in outcome.chunks:
        text = repr(_sorted(chunk))
        if setup.mode == "values" or "values" in (setup.mode or ()):
            root = not setup.subgraphs or chunk[0] == ()
            is_values = setup.mode == "values" or chunk[-2] == "values"
            if root and is_values:
                steps.extend([[text], []])
                continue
        steps[-1].append(text)
    return [sorted(step) for step in steps], outcome.error


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=repr)}
    return tuple(_sorted(item) for item in value) if isinstance(value, tuple) else value


def _arguments(prog: Program, setup: Setup) -> dict[str, Any]:
    kwargs: dict[str, Any] = {}
    if setup.mode is not None:
        kwargs["stream_mode"] = setup.mode if isinstance(setup.mode, str) else list(setup.mode)
    if prog.call == "stream" and setup.subgraphs is not None:
        kwargs["subgraphs"] = setup.subgraphs
    if setup.version != "v1":
        kwargs["version"] = setup.version
    return kwargs


def _counted(mode: Mode) -> str:
    modes = (mode,) if isinstance(mode, str) else mode or ("updates",)
    return next((m for m in ("debug", "tasks", "updates") if m in modes), "")


def _tell(lib: Lib, raw: Any, setup: Setup) -> None:
    if setup.version == "v2":
        lib.delivered(raw["type"], raw["data"])
        return
    parts = raw if setup.subgraphs or isinstance(setup.mode, tuple) else (raw,)
    if isinstance(setup.mode, tuple):
        lib.delivered(parts[-2], parts[-1])
    else:
        lib.delivered(setup.mode or "updates", parts[-1])


async def _drain(stream: Any, take: Callable[[Any], None]) -> None:
    async for raw in stream:
        take(raw)


async def _await(case: Case, method: str, kwargs: dict[str, Any]) -> Any:
    return await getattr(case.graph, method)(case.input, case.config, **kwargs)
