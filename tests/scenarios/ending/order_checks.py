"""Checks the order of a stream of all modes and all graphs while it is read."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

Namespace = Tuple[str, ...]


class Disorder(AssertionError):
    """A part came when it should not have."""


def _is_end(part: Dict[str, Any]) -> bool:
    """Return whether a part is the end of a message, and nothing else."""
    if part["type"] != "messages":
        return False
    chunk = part["data"][0]
    return not chunk.content and getattr(chunk, "chunk_position", None) == "last"


class _Task:
    """A task that has been started and has not ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.updated = False
        self.written = 0
        self.spoken = 0


class _Level:
    """One graph run: what of its current step has been seen."""

    def __init__(self) -> None:
        self.open: Dict[str, _Task] = {}
        self.ended = 0
        self.steps = 0


class Order:
    """Takes the parts of a stream with `version="v2"`, `subgraphs=True` and all modes.

    Per task: start, then tokens and custom data, then its update, then its result. Per step: all that, then values,
    then the next step's starts. Whatever a nested graph shows comes while the task around it is open.

    Only the ends of messages that were cut off with the run may come after that, and nothing but the error after them.
    """

    def __init__(self) -> None:
        self.parts = 0
        self._failed = False
        self._cut_off = False
        self._levels: Dict[Namespace, _Level] = {}

    def take(self, part: Dict[str, Any]) -> None:
        """Check the next part.

        Raises:
            Disorder: It came too early, too late, or twice.
        """
        self.parts += 1
        self._must(not self._failed, "after the failure that ends the stream", part)
        if part["type"] == "error":
            self._failed = True
            return
        self._cut_off = self._cut_off or self._is_late_end(part)
        if self._cut_off:
            self._must(_is_end(part), "after the ends of messages that were cut off with the run", part)
            return
        ns, data = tuple(part["ns"]), part["data"]
        level = self._levels.setdefault(ns, _Level())
        if ns:
            around = self._levels.get(ns[:-1])
            name, _, task_id = ns[-1].partition(":")
            outer = around.open.get(task_id) if around is not None else None
            self._must(outer is not None and outer.name == name and not outer.updated, "outside of its task", part)
        kind = part["type"]
        if kind == "tasks":
            (self._start if "input" in data else self._result)(level, data, part)
        elif kind == "updates":
            ((name, _),) = data.items()
            task = self._task(level, name, part)
            task.updated = True
        elif kind == "custom":
            name, index = data
            task = self._task(level, name, part)
            self._must(index == task.written, f"not number {task.written}", part)
            task.written += 1
        elif kind == "messages":
            self._task(level, data[1]["langgraph_node"], part).spoken += 1
            self._must(data[1]["langgraph_checkpoint_ns"].split("|")[:-1] == list(ns), "of another graph", part)
        elif kind == "values":
            self._must(not level.open, "while tasks are open", part)
            level.ended = 0
            level.steps += 1

    def _is_late_end(self, part: Dict[str, Any]) -> bool:
        ns = tuple(part["ns"])
        if not _is_end(part):
            return False
        level, around = self._levels.get(ns, _Level()), self._levels.get(ns[:-1], _Level())
        if ns and ns[-1].partition(":")[2] not in around.open:
            return True
        return part["data"][1]["langgraph_node"] not in [task.name for task in level.open.values()]

    def finished(self) -> None:
        """Check that nothing is missing, when the run has come to its end by itself.

        Raises:
            Disorder: Something is.
        """
        self._must(bool(self._levels) and not self._cut_off, "never", {})
        for ns, level in self._levels.items():
            self._must(not level.open and not level.ended and level.steps > 1, f"missing at the end of {ns}", {})

    def _start(self, level: _Level, data: Any, part: Any) -> None:
        self._must(level.ended == 0, "before the values of the step before", part)
        self._must(data["id"] not in level.open, "twice", part)
        level.open[data["id"]] = _Task(data["name"])

    def _result(self, level: _Level, data: Any, part: Any) -> None:
        task = level.open.pop(data["id"], None)
        self._must(task is not None, "without a start", part)
        self._must(task is not None and (task.updated or data["error"] is not None), "before its update", part)
        level.ended += 1

    def _task(self, level: _Level, name: str, part: Any) -> _Task:
        found: List[_Task] = [task for task in level.open.values() if task.name == name]
        self._must(len(found) == 1 and not found[0].updated, "while its task is not open", part)
        return found[0]

    def _must(self, holds: bool, what: str, part: Any) -> None:
        if not holds:
            raise Disorder(f"{part.get('type')} of {part.get('ns')} came {what}: {str(part.get('data'))[:200]}")
