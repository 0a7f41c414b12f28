"""Rules: order of task events and of all other parts relative to them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Counter as CounterType
from typing import Dict, List, Sequence, Set, Tuple

from streamgraph.testing._facts import HANDLER, Fact, Namespace, Rules, TaskRef, is_question, updated_nodes


class TaskRules(Rules):
    """A task starts, emits its parts, shows its update, and has its result; nested graphs lie inside.

    Tasks without an event in the stream, because the events of nested graphs or of some nodes were not requested, are
    not checked.

    Args:
        facts: All facts of the stream.
    """

    def __init__(self, facts: Sequence[Fact]) -> None:
        # The error handler of a failed task has a result but no start: it continues a task that has started.
        events = [fact.own for fact in facts if fact.own is not None and fact.kind in ("start", "result")]
        self._known = {ref for ref in events if not ref.name.startswith(HANDLER)}
        self._names = {(ref.ns, ref.name) for ref in self._known}
        self._updates = {fact.ns for fact in facts if fact.kind == "updates"}
        self._failed = any(fact.kind == "result" and fact.data.get("error") is not None for fact in facts)
        self._open: Dict[Namespace, List[TaskRef]] = defaultdict(list)
        self._started: Set[TaskRef] = set()
        self._ended: Set[TaskRef] = set()
        # Tasks whose last result is a question. If the stream is answered while it goes on, they go on as well.
        self._asking: Set[TaskRef] = set()
        self._levels: Set[Namespace] = set()
        self._updated: CounterType[Tuple[Namespace, str]] = Counter()
        self._step_ends: Dict[Namespace, bool] = {}
        self._last = facts[-1] if facts else None

    def take(self, fact: Fact) -> None:
        if self._asking:
            self._go_on(fact)
        for ref in fact.around:
            if ref in self._known and (ref not in self._open[ref.ns] or self._all_updated(ref.ns, ref.name)):
                when = "after its update or its result" if ref in self._started else "before its start"
                fact.breaks(
                    "nested-inside", f"It belongs to a graph inside a task of {ref.name!r}, and comes {when}.", ref.id
                )
        if fact.kind == "start":
            self._start(fact)
        elif fact.kind == "result":
            self._result(fact)
        elif fact.kind == "updates":
            for name in updated_nodes(fact.data):
                self._update(fact, name)
        elif fact.kind in ("values", "patches") and not is_question(fact):
            opened = self._open[fact.ns]
            if opened:
                names = ", ".join(repr(ref.name) for ref in opened)
                fact.breaks(
                    "step-order",
                    f"The state after a step is shown while tasks of {names} have no result.",
                    *(ref.id for ref in opened),
                )
        elif fact.kind in ("messages", "objects"):
            for ref in fact.tasks:
                if ref in self._known:
                    self._inside(fact, ref)
        elif fact.kind in ("custom", "tools"):
            self._unnamed(fact)

    def end(self) -> None:
        # A nested task that ends with a command for the parent graph has neither update nor result.
        opened = self._open[()]
        if opened and not self._failed and self._last is not None:
            self._last.breaks(
                "task-result",
                f"The stream ends, and tasks of {', '.join(repr(ref.name) for ref in opened)} have no result.",
                *(ref.id for ref in opened),
            )

    def _start(self, fact: Fact) -> None:
        ref, opened = fact.own, self._open[fact.ns]
        if ref is None or ref not in self._known:
            return
        if ref in self._started:
            fact.breaks("task-start", f"A task of {ref.name!r} starts for the second time.", ref.id)
        elif opened and self._step_ends.get(fact.ns) and not fact.parallel:
            fact.breaks(
                "step-order",
                f"A task of {ref.name!r} starts while another one of the step before has no result.",
                ref.id,
                *(other.id for other in opened),
            )
        if not opened:
            self._step_ends[fact.ns] = False
        opened.append(ref)
        self._started.add(ref)
        self._levels.add(fact.ns)

    def _result(self, fact: Fact) -> None:
        ref, opened = fact.own, self._open[fact.ns]
        if ref is None or ref not in self._known:
            return
        if ref not in self._started:
            fact.breaks("task-start", f"A task of {ref.name!r} has a result, and has not started.", ref.id)
        elif ref in self._ended:
            fact.breaks("task-result", f"A task of {ref.name!r} has a second result.", ref.id)
        key = (ref.ns, ref.name)
        if self._updated[key]:
            self._updated[key] -= 1
        elif self._shows_updates(ref.ns) and fact.data.get("error") is None and not fact.data.get("interrupts"):
            fact.breaks("update-before-result", f"A task of {ref.name!r} has a result and no update yet.", ref.id)
        if ref in opened:
            opened.remove(ref)
        self._ended.add(ref)
        if fact.data.get("interrupts"):
            self._asking.add(ref)
        else:
            self._step_ends[fact.ns] = True

    def _go_on(self, fact: Fact) -> None:
        """Open the tasks again that a fact shows to have gone on after a question."""
        named = updated_nodes(fact.data) if fact.kind == "updates" else ()
        for ref in tuple(self._asking):
            shown = (
                ref == fact.own
                or ref in fact.around
                or ref in fact.tasks
                or (ref.ns, ref.name) in [(fact.ns, name) for name in named]
            )
            if shown and fact.kind != "start":
                self._asking.discard(ref)
                self._ended.discard(ref)
                self._open[ref.ns].append(ref)

    def _update(self, fact: Fact, name: str) -> None:
        if (fact.ns, name) not in self._names:
            return
        opened = self._opened(fact.ns, name)
        if len(opened) > self._updated[fact.ns, name]:
            self._updated[fact.ns, name] += 1
            return
        if not any((ref.ns, ref.name) == (fact.ns, name) for ref in self._started):
            fact.breaks("task-start", f"{name!r} shows an update, and no task of it has started.")
        else:
            fact.breaks(
                "update-before-result",
                f"{name!r} shows an update while no task of it is without one: after its result, or a second one.",
                *(ref.id for ref in opened),
            )

    def _inside(self, fact: Fact, ref: TaskRef) -> None:
        if ref not in self._started:
            fact.breaks("task-start", f"It comes before the start of its task of {ref.name!r}.", ref.id)
        elif ref in self._ended:
            fact.breaks("task-result", f"It comes after the result of its task of {ref.name!r}.", ref.id)
        elif self._all_updated(ref.ns, ref.name):
            fact.breaks("update-last", f"It comes after the update of its task of {ref.name!r}.", ref.id)

    def _unnamed(self, fact: Fact) -> None:
        ns, name = fact.ns, fact.own.name if fact.own is not None else None
        if name is None:
            # The branch that chooses the first task may emit data before it.
            if ns not in self._levels:
                return
        elif (ns, name) not in self._names:
            return
        opened = [ref for ref in self._open[ns] if name is None or ref.name == name]
        if not opened:
            started = [ref for ref in self._started if ref.ns == ns and name in (None, ref.name)]
            rule, when = ("task-result", "after the result") if started else ("task-start", "before the start")
            fact.breaks(rule, f"It comes {when} of every task that it may belong to.", *(ref.id for ref in started))
        elif all(self._all_updated(ref.ns, ref.name) for ref in opened):
            fact.breaks(
                "update-last",
                "It comes after the update of every task that it may belong to.",
                *(ref.id for ref in opened),
            )

    def _opened(self, ns: Namespace, name: str) -> List[TaskRef]:
        return [ref for ref in self._open[ns] if ref.name == name]

    def _all_updated(self, ns: Namespace, name: str) -> bool:
        return 0 < len(self._opened(ns, name)) <= self._updated[ns, name]

    def _shows_updates(self, ns: Namespace) -> bool:
        return bool(self._updates if not ns else self._updates - {()})
