"""Filters at the source: what a consumer leaves out is never made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, Sequence, Tuple, Union

from streamgraph._core._audience import Filter
from streamgraph.errors import UnknownOptionError, closest

Names = Union[None, str, Sequence[str]]

_WILDCARDS = frozenset("*?[")


def make_filter(nodes: Sequence[str], keys: Sequence[str], *, include_raw: bool = True, **given: Names) -> Filter:
    """Return the filter that the arguments of a stream ask for.

    Args:
        nodes: The names of the nodes that are known, those of nested graphs included.
        keys: The keys of their states.
        include_raw: The argument of `Filter` of that name.
        **given: The arguments of `Filter`: a name, names, or `None`.

    Raises:
        UnknownOptionError: A name is no text, or is not known but much like one that is.
    """
    rules = {option: _checked(option, names) for option, names in given.items()}
    for option, names in rules.items():
        known = nodes if option.endswith("nodes") else keys if option.endswith("keys") else ()
        for name in names or ():
            _check_known(option, name, tuple(known))
    return Filter(**rules, include_raw=include_raw)


def _checked(option: str, names: Names) -> Optional[Tuple[str, ...]]:
    if names is None:
        return None
    several: Any = (names,) if isinstance(names, str) else names
    if isinstance(several, bytes) or not isinstance(several, Iterable):
        raise UnknownOptionError(f"{option} takes names, got {names!r} of type {type(names).__name__}")
    several = tuple(several)
    for name in several:
        if not isinstance(name, str):
            raise UnknownOptionError(f"{option} takes names, got {name!r} of type {type(name).__name__}")
    return several  # type: ignore[no-any-return]


def _check_known(option: str, name: str, known: Tuple[str, ...]) -> None:
    # A name that is like no other may be that of a graph that is called inside a node, of which nothing is known here.
    if name not in known and _WILDCARDS.isdisjoint(name) and closest(name, known, cutoff=0.8) is not None:
        raise UnknownOptionError(
            f"{option} names {name!r}, which is not there",
            name=name,
            known=known,
            hint=f"If it is a task, or in a graph that is called inside a node, write {name[:-1]}[{name[-1]}].",
        )
