"""Rules: order of tokens, updates and states, without the `tasks` mode."""

from __future__ import annotations

from collections import defaultdict
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

from streamgraph.constants import START
from streamgraph.testing._facts import HANDLER, Fact, Namespace, Rules, TaskRef, is_question, updated_nodes


class UpdateRules(Rules):
    """The parts of a node come before its update, and the parts of a step before the state after it.

    Args:
        facts: All facts of the stream.
    """

    def __init__(self, facts: Sequence[Fact]) -> None:
        # If several tasks of a node run concurrently, an update cannot be attributed to one of them.
        self._parallel = {(fact.own.ns, fact.own.name) for fact in facts if fact.own is not None and fact.parallel}
        self._failed = {fact.own for fact in facts if fact.kind == "result" and fact.data.get("error") is not None}
        self._speaking: Dict[Tuple[Namespace, str], Set[TaskRef]] = defaultdict(set)
        self._closed: Set[TaskRef] = set()
        self._spoken: Dict[TaskRef, Fact] = {}
        self._updates: Dict[str, List[int]] = defaultdict(list)
        self._steps: Dict[Namespace, int] = {}
        self._steps_over: Dict[Namespace, int] = {}
        self._written: Optional[Tuple[Fact, Set[str]]] = None
        self._keys: Set[str] = set()

    def take(self, fact: Fact) -> None:
        if fact.kind == "updates":
            self._update(fact)
        elif fact.kind in ("values", "patches") and not is_question(fact):
            if fact.ns in self._steps:
                self._steps_over[fact.ns] = self._steps[fact.ns]
            if not fact.ns and fact.kind == "values":
                self._written = None
                self._keys.update(_keys(fact.data))
        elif fact.kind in ("messages", "objects"):
            for ref in fact.tasks:
                self._speak(fact, ref)
            self._step(fact)
        elif fact.kind == "custom":
            for ref in fact.around if fact.own is None else (*fact.around, fact.own):
                self._spoken[ref] = fact

    def end(self) -> None:
        self._each_has_its_update()
        if self._written is not None and self._written[1] & self._keys:
            fact, keys = self._written
            shown = ", ".join(sorted(keys & self._keys))
            fact.breaks("step-order", f"It writes {shown}, and the stream ends without the state after it.")

    def _update(self, fact: Fact) -> None:
        for name in updated_nodes(fact.data):
            key = (fact.ns, name)
            if key not in self._parallel:
                self._closed |= self._speaking[key]
            if not fact.ns:
                self._updates[name].append(fact.index)
                keys = _keys(fact.data[name])
                self._written = (fact, keys) if keys else self._written

    def _speak(self, fact: Fact, ref: TaskRef) -> None:
        if ref in self._closed:
            fact.breaks("update-last", f"It comes after the update of its task of {ref.name!r}.", ref.id)
        if ref == fact.own:
            self._speaking[ref.ns, ref.name].add(ref)
        self._spoken[ref] = fact

    def _step(self, fact: Fact) -> None:
        step = fact.step
        if step is None or fact.own is None:
            return
        if step < self._steps.get(fact.ns, step):
            fact.breaks(
                "step-order", f"It belongs to step {step}, and step {self._steps[fact.ns]} has begun.", fact.own.id
            )
        if step <= self._steps_over.get(fact.ns, step - 1):
            fact.breaks("step-order", f"It belongs to step {step}, and the state after it has been shown.", fact.own.id)
        self._steps[fact.ns] = step

    def _each_has_its_update(self) -> None:
        """Check for each position in the stream that enough updates follow for the tasks that have emitted parts."""
        last: Dict[str, List[Tuple[int, TaskRef]]] = defaultdict(list)
        for ref, fact in self._spoken.items():
            # Updates of the node that runs a nested graph may be filtered out although those inside are not.
            shown = ref.name in self._updates or ref == fact.own
            if not ref.ns and shown and ref not in self._failed and ref.name != START:
                last[ref.name].append((fact.index, ref))
        if not self._updates:
            return
        for name, places in last.items():
            # The error handler of a failed task shows an update in its place.
            updates = sorted(self._updates.get(name, []) + self._updates.get(HANDLER + name, []), reverse=True)
            for number, (index, ref) in enumerate(sorted(places, reverse=True)):
                if number >= len(updates) or updates[number] < index:
                    self._spoken[ref].breaks("update-last", f"No update of its task of {name!r} follows.", ref.id)


def _keys(data: object) -> Set[str]:
    """Return the keys of a state, of an update, or of a list of updates."""
    if isinstance(data, Mapping):
        return {str(key) for key in data}
    if isinstance(data, list):
        return {key for item in data if isinstance(item, Mapping) for key in _keys(item)}
    return set()
