"""Applies the patches of a stream, so that a consumer has the state after each step."""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping, Tuple, Union

from streamgraph._signals import Gap
from streamgraph._streams.copying import own, plain_input

_UNKNOWN: Any = object()


class PatchError(ValueError):
    """An operation of a patch does not fit the state that it is applied to."""


class StateAccumulator:
    """Applies chunks of the `patches` mode, one after another, and has the state after the last one.

    ::

        state = StateAccumulator()
        for patch in graph.stream(given, stream_mode="patches"):
            state.add(patch)
            print(state.value)

    A patch of a stream says what has changed since the patch before. After a gap, or for a reader that begins in the
    middle of a run, the state is not known until a patch comes that has the whole of it. The chunks stay as they are.

    Args:
        items: Chunks to start with.
        ns: The namespace of the graph whose state it is, for parts of `version="v2"`; by default the root graph.

    Attributes:
        known: True if the state is known.
    """

    def __init__(self, items: Iterable[object] = (), *, ns: Tuple[str, ...] = ()) -> None:
        self._ns = tuple(ns)
        self._document: Any = _UNKNOWN
        for item in items:
            self.add(item)

    @property
    def known(self) -> bool:
        return self._document is not _UNKNOWN

    @property
    def value(self) -> Any:
        """The state after the last patch, in containers of the receiver's own; `None` if it is not known."""
        return plain_input(self._document) if self.known else None

    def add(self, item: object) -> bool:
        """Apply a chunk.

        Args:
            item: A chunk of the `patches` mode, which is a list of operations; a part of `version="v2"`, of which those
                of other modes and namespaces are ignored; or a `Gap`, after which the state is not known.

        Returns:
            True if the state is known and the chunk was a patch of it.

        Raises:
            PatchError: An operation does not fit the state, because a patch was lost for example. After that the state
                is not known.
            TypeError: The chunk is none of these.
        """
        if isinstance(item, Mapping) and "type" in item:
            if item["type"] not in ("patches", "gap") or (item["type"] == "patches" and tuple(item["ns"]) != self._ns):
                return False
            item = item["data"] if item["type"] == "patches" else Gap(0, {})
        if isinstance(item, Gap):
            self._document = _UNKNOWN
            return False
        if not isinstance(item, (list, tuple)) or not all(isinstance(one, Mapping) for one in item):
            raise TypeError(
                f'A chunk of the "patches" mode is a list of operations, and this is {item!r:.100}. '
                'With several modes, pass its data on: if mode == "patches": state.add(data)'
            )
        for operation in item:
            if operation.get("path") != "" and not self.known:
                continue
            try:
                self._apply(operation)
            except (KeyError, IndexError, ValueError, TypeError) as error:
                self._document = _UNKNOWN
                raise PatchError(
                    f"The operation {operation!r:.200} does not fit the state: {type(error).__name__}: {error}. "
                    "A patch before it may be missing."
                ) from error
        return self.known

    def _apply(self, operation: Mapping[str, Any]) -> None:
        kind, path = operation["op"], operation["path"]
        if kind not in ("add", "replace", "remove"):
            raise ValueError(f"There is no operation {kind!r} in the patches of a stream")
        if path == "":
            if kind == "remove":
                raise ValueError("The whole state cannot be removed")
            self._document = plain_input(operation["value"])
            return
        steps = _steps(path)
        at = self._document
        for depth, step in enumerate(steps[:-1]):
            place = _place(at, step)
            if depth:
                at[place] = own(at[place])  # from here on, what lies inside is shared with the chunks
            at = at[place]
        _change(at, steps[-1], kind, operation)


def _steps(path: str) -> List[str]:
    """Return the steps of a JSON pointer (RFC 6901)."""
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is no JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _place(container: Any, step: str) -> Union[str, int]:
    """Return the key or the index of an element that is there."""
    place: Union[str, int] = step if isinstance(container, dict) else _index(step)
    container[place]
    return place


def _index(step: str) -> int:
    if not (step.isascii() and step.isdigit()) or (step[0] == "0" and step != "0"):
        raise ValueError(f"{step!r} is no index of a list")
    return int(step)


def _change(container: Any, step: str, kind: str, operation: Mapping[str, Any]) -> None:
    if kind == "remove":
        del container[_place(container, step)]
    elif kind == "replace":
        container[_place(container, step)] = own(operation["value"])
    elif isinstance(container, dict):
        container[step] = own(operation["value"])
    else:
        place = len(container) if step == "-" else _index(step)
        if place > len(container):
            raise IndexError(f"the list has {len(container)} elements")
        container.insert(place, own(operation["value"]))
