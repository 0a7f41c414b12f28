"""Makes the parts of the `patches` mode: JSON patches (RFC 6902) of what a step has changed in the state."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Sized, Tuple, cast

from streamgraph._core.changes import Appended, Changes, Edit, Merged
from streamgraph._core.channel_objects import touches
from streamgraph._core.parts import PartBuilder, with_interrupts
from streamgraph._core.state import State
from streamgraph._interrupts import Interrupt
from streamgraph._reserved import INTERRUPT
from streamgraph._streams.copying import own
from streamgraph._streams.part import Part
from streamgraph._streams.recorded import Recorded, fingerprint
from streamgraph._types import StateOperation

SNAPSHOT_EVERY = 100
"""After how many patches the whole state is shown again."""


class PatchingPartBuilder(PartBuilder):
    """Makes the parts of a run of which somebody wants the `patches`.

    A part of this mode is made wherever one of `values` would be. Its patch, applied to what the patches before have
    made, makes the data of that part. The first one, and each hundredth after it, replaces the whole document.

    What a step has changed is read off its writes: elements that a reducer has appended, keys of a dict that it has
    merged, messages that were added, replaced or removed. A message that is written again, because a node returns all
    of them, is looked at: it may have been changed in place. A key with another reducer, or without one, is replaced as
    a whole. No two states are compared.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._state: Optional[State] = None
        self._changes: Optional[Changes] = None
        self._lengths: Dict[str, int] = {}
        # Of each list that records its changes: its elements as they were shown, with their fingerprints.
        self._shown: Dict[str, List[Tuple[object, Optional[int]]]] = {}
        self._since = object()
        self._patches = 0
        self._asked = False

    def values(self, state: State, fresh: Mapping[str, object], interrupts: Sequence[Interrupt] = ()) -> List[Part]:
        """Return the `values` and the patch after a step that wrote `fresh`."""
        parts = super().values(state, fresh, interrupts)
        if interrupts or touches(fresh, self._keys):
            parts.append(Part(self._ns, "patches", self._patch(state, interrupts)))
        return parts

    def loaded(self, state: State) -> List[Part]:
        """Return the parts with which a run continues."""
        parts = super().loaded(state)
        if state.bare_key is not None and not state.values:
            parts.append(Part(self._ns, "patches", self._patch(state, ())))
        return parts

    def _patch(self, state: State, interrupts: Sequence[Interrupt]) -> List[StateOperation]:
        bare = self._keys if isinstance(self._keys, str) else state.bare_key
        if interrupts and bare is not None:
            self._state = None  # there is no place for them beside the value: afterwards it is shown again
            return [_replaced("", with_interrupts(None, tuple(interrupts)))]
        operations: List[StateOperation] = []
        if self._state is not state or self._patches >= SNAPSHOT_EVERY:
            operations = self._snapshot(state, bare)
        else:
            assert self._changes is not None
            self._patches += 1
            if self._asked and not interrupts:
                operations.append({"op": "remove", "path": f"/{INTERRUPT}"})
            for key, edit in self._changes.take().items():
                if self._is_shown(key, bare):
                    operations += self._operations(state, key, edit, "" if key == bare else f"/{_escaped(key)}")
        self._asked = bool(interrupts)
        if interrupts:
            operations.append({"op": "add", "path": f"/{INTERRUPT}", "value": tuple(interrupts)})
        return operations

    def _is_shown(self, key: str, bare: Optional[str]) -> bool:
        return key == bare if bare is not None else self._keys is None or key in self._keys

    def _snapshot(self, state: State, bare: Optional[str]) -> List[StateOperation]:
        """Return a patch that makes the whole state, and begin to follow what changes in it."""
        if state.changes is None:
            state.changes = Changes(state.channels)
        state.changes.take()
        self._shown.clear()
        self._state, self._changes, self._patches = state, state.changes, 0
        for key in tuple(state.values):
            if self._is_shown(key, bare):
                self._follow(state, key)
        if bare is not None:
            return [_replaced("", own(state.values.get(bare)))]
        assert not isinstance(self._keys, str)
        return [_replaced("", state.chunk(self._keys))]

    def _follow(self, state: State, key: str) -> None:
        """Take what a key has now as what is known of it."""
        value = state.recorded(key)
        if isinstance(value, Recorded):
            value.follow(self._since)
            if key not in self._shown:
                self._shown[key] = [(one, fingerprint(one)) for one in cast("Iterable[object]", value)]
        else:
            self._shown.pop(key, None)
        self._lengths[key] = len(value) if type(value) is list else -1

    def _operations(self, state: State, key: str, edit: Edit, path: str) -> List[StateOperation]:
        """Return the operations that change one key.

        Args:
            state: The state.
            key: The key.
            edit: How it has changed, as far as that is known.
            path: Its place in the document.
        """
        if key not in state.values:
            known = self._lengths.pop(key, None) is not None
            self._shown.pop(key, None)
            if not path:
                return [_replaced("", None)]
            return [{"op": "remove", "path": path}] if known else []
        value: Any = state.values[key]
        length = self._lengths.get(key)
        made: Optional[List[StateOperation]] = None
        if length is None and path:
            made = [{"op": "add", "path": path, "value": own(value)}]
        elif isinstance(value, Recorded):
            made = self._recorded(value, key, path)
        elif isinstance(edit, Appended) and type(value) is list and length == len(value) - edit.elements:
            made = [{"op": "add", "path": f"{path}/-", "value": element} for element in value[length:]]
        elif isinstance(edit, Merged) and type(value) is dict:
            # It sets an entry that is there already as well.
            made = [
                {"op": "add", "path": f"{path}/{_escaped(name)}", "value": value[name]}
                for name in edit.keys
                if name in value
            ]
        self._follow(state, key)
        return [_replaced(path, own(value))] if made is None else made

    def _recorded(self, value: Recorded, key: str, path: str) -> Optional[List[StateOperation]]:
        """Return the operations for the changes of a list, or `None` if it is to be replaced as a whole."""
        changes = value.changes(self._since)
        shown = self._shown.get(key)
        if changes is None or shown is None:
            self._shown.pop(key, None)
            return None
        made: List[StateOperation] = []
        for kind, place, element in changes:
            if kind == "clear":
                shown.clear()
                made.append(_replaced(path, []))
            elif kind == "remove":
                del shown[place]
                made.append({"op": "remove", "path": f"{path}/{place}"})
            else:
                now = (element, fingerprint(element))
                if kind == "add":
                    shown.append(now)
                    made.append({"op": "add", "path": f"{path}/-", "value": element})
                elif shown[place][0] is not element or now[1] is None or shown[place][1] != now[1]:
                    made.append(_replaced(f"{path}/{place}", element))
                    shown[place] = now
        # If it takes as many operations as there are elements, it is shorter to say it all.
        return made if len(made) < max(len(cast("Sized", value)), 2) else None


def _replaced(path: str, value: object) -> StateOperation:
    return {"op": "replace", "path": path, "value": value}


def _escaped(name: str) -> str:
    """Return a key as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
