"""Keys that the state does not have, in what a node or a caller gives."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Collection, List, Mapping, Optional, Tuple
from warnings import warn

from streamgraph.errors import InvalidUpdateError, UnknownKeyWarning, closest

_NEAR = 0.8
"""How much alike two names are of which one is probably meant to be the other, from 0 to 1."""


def check_keys(
    given: Mapping[Any, Any], known: Collection[str], computed: Collection[str], *, closed: bool, node: Optional[str]
) -> None:
    """Say something of keys that the state does not have and that are lost.

    Where the schema does not say that there are no others, they may be meant for somebody else: a node may pass on what
    another graph has returned. Then only what looks like a mistake is worth a warning: a key that is much like one that
    was not given, or if nothing of all that was given is of any use.

    Args:
        given: What was given.
        known: The keys of the state.
        computed: Those that are computed for each step, which are not lost if they are given.
        closed: Whether the schema says that there are no others.
        node: The node that it comes from; `None` for the input of a run.

    Raises:
        InvalidUpdateError: There is such a key, and the schema says so.
    """
    unknown: List[Any] = [key for key in given if key not in known and key not in computed]
    if not unknown:
        return
    what = "The input" if node is None else "The update"
    if closed:
        key = unknown[0]
        raise InvalidUpdateError(
            f"{what} has the key {key!r}, which the state does not have, and its schema allows no others",
            node=node,
            name=key,
            known=known,
        )
    names = tuple(known)
    by = "" if node is None else f" of node {node!r}"
    for key in unknown:
        near = _nearest(str(key), names)
        if near is not None and near not in given:
            text = f"{what}{by} has the key {key!r}, which the state does not have; it is lost. Did you mean {near!r}?"
            warn(text, UnknownKeyWarning, stacklevel=2)
            return
    if len(unknown) == len(given):
        lost, some = ", ".join(map(repr, unknown)), ", ".join(map(repr, names[:20]))
        text = f"{what}{by} has no key of the state, only {lost}; it is lost. Known: {some}."
        warn(text, UnknownKeyWarning, stacklevel=2)


@lru_cache(maxsize=1024)
def _nearest(key: str, known: Tuple[str, ...]) -> Optional[str]:
    return closest(key, known, cutoff=_NEAR)
