"""Counts what costs time, in all threads of a process: so that speed can be guarded without a clock."""

from __future__ import annotations

import dis
import sys
import threading
from asyncio import BaseEventLoop
from collections import Counter
from typing import Any, Callable, Dict

from langchain_core.callbacks import BaseCallbackManager

import streamgraph
from support.waiting import eventually, threads

_HOME = str(streamgraph.__path__[0])

_BY_CODE = {
    BaseCallbackManager.__init__.__code__: "managers",
    threading.Thread.start.__code__: "threads",
    BaseEventLoop.create_task.__code__: "tasks",
}


def _kind_of(function: Any) -> str:
    """What a call of a function in C counts as."""
    name, owner = function.__name__, getattr(function, "__self__", None)
    if name == "copy_context":
        return "contexts"
    if name == "copy" and isinstance(owner, dict):
        return "dicts"
    return "sent" if name == "put" else ""


def _alone() -> None:
    """Wait until the threads have ended that wait for another run: they count only what began with them."""
    eventually(lambda: not threads())


class Counting:
    """A context manager that counts what is done inside it, in this thread and in those that are started there.

    Attributes:
        counts: How many `managers` were made, `threads` and `tasks` started, `contexts` and `dicts` copied, items
            `sent` to a queue, Python functions of streamgraph `called`; those of other packages do not count.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Counting:
        _alone()
        threading.setprofile(self._profile)
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *error: object) -> None:
        _alone()
        sys.setprofile(None)
        sys.settrace(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        threading.settrace(None)  # type: ignore[arg-type]

    def _profile(self, frame: Any, event: str, given: Any) -> None:
        if event == "call":
            kind = _BY_CODE.get(frame.f_code, "")
            if kind:
                self.counts[kind] += 1
            if frame.f_code.co_filename.startswith(_HOME) and not frame.f_code.co_name.startswith("<"):
                self.counts["called"] += 1
        elif event == "c_call" and frame.f_code.co_filename.startswith(_HOME):
            kind = _kind_of(given)
            if kind:
                self.counts[kind] += 1

    def _trace(self, frame: Any, event: str, given: Any) -> Any:
        """Count the dicts that are copied by `{**one, **other}`, which is no call."""
        if not frame.f_code.co_filename.startswith(_HOME):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == "opcode" and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "DICT_UPDATE":
            self.counts["dicts"] += 1
        return self._trace


def per_unit(make: Callable[[int], Callable[[], Any]], size: int = 20) -> Dict[str, float]:
    """What each further unit of some work costs.

    Args:
        make: Returns a function that does so many units of the work.
        size: How many to begin with; as many again are done for comparison.
    """
    found = []
    for count in (size, 2 * size):
        work = make(count)
        with Counting():  # what is done once only is done, and Python 3.12 has prepared the code for being traced
            work()
        with Counting() as counting:
            work()
        found.append(counting.counts)
    once, twice = found
    return {kind: (twice[kind] - once[kind]) / size for kind in sorted({*once, *twice})}


def lines_of(work: Callable[[], Any]) -> int:
    """Return how many lines of streamgraph some work executes in this thread; the same on every Python."""
    lines = 0

    def trace(frame: Any, event: str, given: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(_HOME):
            return None
        lines += event == "line"
        return trace

    _alone()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return lines
