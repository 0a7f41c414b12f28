"""Nested graphs and nodes as AG-UI knows them: subagents and steps, each begun before what is in it and ended after."""

from __future__ import annotations

from collections import Counter
from typing import Counter as CounterOf
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from streamgraph_server._requests import Fields

Namespace = Tuple[str, ...]
Told = Tuple[str, Fields]
"""The type of an event, and its fields."""


def subagent_id(ns: Namespace) -> Optional[str]:
    """Return the id of the subagent that a nested graph is; `None` for the root."""
    return "|".join(ns) or None


def tagged(fields: Fields, subagent: Optional[str]) -> Fields:
    """Return the fields of an event with the subagent that it belongs to; that of the root is not named."""
    return fields if subagent is None else {**fields, "subagentRunId": subagent}


class Subagents:
    """Which nested graphs and nodes are at work.

    A nested graph begins with the first part of it, and ends with the task that it is called in. The client refuses a
    name of a step that is open twice, so copies of a node that run at the same time are one step.
    """

    def __init__(self) -> None:
        self._open: Dict[Namespace, CounterOf[str]] = {(): Counter()}
        self._known: Set[Namespace] = {()}
        self._calls: Dict[str, str] = {}

    def enter(self, ns: Namespace) -> Iterator[Told]:
        """Yield the events before something that happens in a nested graph."""
        if ns in self._known:
            return
        parent: Namespace = ()
        for level in _levels(ns):
            if level not in self._known:
                self._known.add(level)
                self._open[level] = Counter()
                name, task = _named(level)
                about: Fields = {"subagentRunId": subagent_id(level), "name": name}
                if parent:
                    about["parentSubagentRunId"] = subagent_id(parent)
                if task in self._calls:
                    about["parentToolCallId"] = self._calls[task]
                yield "SUBAGENT_STARTED", about
            parent = level

    def task(self, ns: Namespace, data: Mapping[str, object]) -> Iterator[Told]:
        """Yield the events at the start or end of a task.

        Args:
            ns: The graph that it belongs to.
            data: The payload of mode `tasks`.
        """
        name, id = str(data["name"]), str(data["id"])
        steps = self._open.get(ns)
        if "result" not in data:
            call = _call_in(data.get("input"))
            if call is not None:
                self._calls[id] = call
            if steps is not None:
                steps[name] += 1
                if steps[name] == 1:
                    yield "STEP_STARTED", tagged({"stepName": name}, subagent_id(ns))
            return
        yield from self._leave([level for level in self._open if id in _tasks(level)], data)
        if steps and steps[name]:
            steps[name] -= 1
            if not steps[name]:
                del steps[name]
                yield "STEP_FINISHED", tagged({"stepName": name}, subagent_id(ns))

    def end(self) -> Iterator[Told]:
        """Yield the events that end what is open."""
        yield from self._leave([level for level in self._open if level], {})
        yield from self._end_steps(())

    def _leave(self, levels: Sequence[Namespace], data: Mapping[str, object]) -> Iterator[Told]:
        for level in sorted(levels, key=len, reverse=True):
            yield from self._end_steps(level)
            del self._open[level]
            about: Fields = {"subagentRunId": subagent_id(level)}
            asked = data.get("interrupts")
            if data.get("error") is not None:
                yield "SUBAGENT_ERROR", {**about, "message": f"{_named(level)[0]} has failed."}
            elif isinstance(asked, (list, tuple)) and asked:
                ids = [str(question["id"]) for question in asked if isinstance(question, dict) and "id" in question]
                yield "SUBAGENT_FINISHED", {**about, "outcome": {"type": "suspended", "interruptIds": ids}}
            else:
                yield "SUBAGENT_FINISHED", about

    def _end_steps(self, ns: Namespace) -> Iterator[Told]:
        steps = self._open[ns]
        for name in list(steps):
            del steps[name]
            yield "STEP_FINISHED", tagged({"stepName": name}, subagent_id(ns))


def _levels(ns: Namespace) -> List[Namespace]:
    """Return the graphs around something, from the outside: a graph that a task calls has a number if not the first."""
    ends = [place for place in range(1, len(ns) + 1) if place == len(ns) or ":" in ns[place]]
    return [ns[:place] for place in ends]


def _tasks(level: Namespace) -> List[str]:
    return [segment.partition(":")[2] for segment in level if ":" in segment]


def _named(level: Namespace) -> Tuple[str, str]:
    """Return the node in which a graph is called, and its task."""
    segment = next((segment for segment in reversed(level) if ":" in segment), "")
    name, _, task = segment.partition(":")
    return name, task


def _call_in(given: object) -> Optional[str]:
    """Return the id of the tool call that a task of a `ToolNode` makes."""
    call = given.get("tool_call") if isinstance(given, dict) else None
    id = call.get("id") if isinstance(call, dict) else None
    return id if isinstance(id, str) else None
