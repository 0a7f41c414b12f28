"""Checks for keys that the state does not have, in the input of a run and the updates of nodes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Collection, List, Mapping, Optional, Tuple
from warnings import warn

from streamgraph.errors import InvalidUpdateError, UnknownKeyWarning, closest

_NEAR = 0.8
"""The similarity, from 0 to 1, above which a name is suggested for an unknown one."""


def check_keys(
    given: Mapping[Any, Any],
    known: Collection[str],
    computed: Collection[str],
    *,
    closed: bool,
    node: Optional[str],
    fixed: bool = False,
) -> None:
    """Raise or warn for keys that the state does not have and that are lost.

    If the schema allows other keys, an unknown key may be intended: a node may pass on the result of another graph.
    Then there is a warning only for a likely mistake: a key similar to a known one that was not given, or an update
    without any known key.

    Args:
        given: The mapping to check.
        known: The keys of the state.
        computed: The keys that are computed for each step; they are not reported.
        closed: The schema allows no other keys.
        node: The node that it comes from; `None` for the input of a run.
        fixed: The schema has a fixed set of keys, and does not say whether updates may have others: a likely mistake is
            an error instead of a warning.

    Raises:
        InvalidUpdateError: There is an unknown key, and the schema allows no others; or it is a likely mistake, and the
            keys are fixed.
    """
    unknown: List[Any] = [key for key in given if key not in known and key not in computed]
    if not unknown:
        return
    what = "The input" if node is None else "The update"
    names = tuple(known)
    near_ones = [(key, _nearest(str(key), names)) for key in unknown]
    mistaken = [key for key, near in near_ones if near is not None and near not in given]
    if closed or (fixed and (mistaken or len(unknown) == len(given))):
        key = (mistaken or unknown)[0]
        raise InvalidUpdateError(
            f"{what} has the key {key!r}, which the state does not have, and its schema allows no others",
            node=node,
            name=key,
            known=known,
        )
    by = "" if node is None else f" of node {node!r}"
    for key, near in near_ones:
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
