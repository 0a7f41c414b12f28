"""Filters at the source: what a consumer leaves out is never made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional, Sequence, Tuple, Union

from typing_extensions import Protocol

from streamgraph._streams.filters import Filter, fits
from streamgraph.errors import UnknownOptionError, closest

Names = Union[None, str, Sequence[str]]

_WILDCARDS = frozenset("*?[")


class Known(Protocol):
    """The names in a graph, and in what runs inside it as far as that is known."""

    @property
    def nodes(self) -> Sequence[str]:
        """Those of nodes and tasks."""

    @property
    def keys(self) -> Sequence[str]:
        """Those of the keys of states."""


def make_filter(known: Known, *, include_raw: bool = True, **given: Names) -> Filter:
    """Return the filter that the arguments of a stream ask for.

    Args:
        known: The names that are known.
        include_raw: The argument of `Filter` of that name.
        **given: The arguments of `Filter`: a name, names, or `None`.

    Raises:
        UnknownOptionError: A name is no text, or is not known but much like one that is; or no node that is known is
            included.
    """
    rules = {option: _checked(option, names) for option, names in given.items()}
    for option, names in rules.items():
        right = known.nodes if option.endswith("nodes") else known.keys if option.endswith("keys") else ()
        for name in names or ():
            _check_known(option, name, right)
    _check_included(rules.get("include_nodes"), known.nodes)
    return Filter(**rules, include_raw=include_raw)


def _checked(option: str, names: Names) -> Optional[Tuple[str, ...]]:
    if names is None:
        return None
    several: object = (names,) if isinstance(names, str) else names
    if isinstance(several, bytes) or not isinstance(several, Iterable):
        raise UnknownOptionError(f"{option} takes names, got {names!r} of type {type(names).__name__}")
    several = tuple(several)
    for name in several:
        if not isinstance(name, str):
            raise UnknownOptionError(f"{option} takes names, got {name!r} of type {type(name).__name__}")
    return several


def _check_known(option: str, name: str, known: Sequence[str]) -> None:
    # A name that is like no other may be that of a graph that is called inside a node, of which nothing is known here.
    if name not in known and _WILDCARDS.isdisjoint(name) and closest(name, known, cutoff=0.8) is not None:
        raise UnknownOptionError(
            f"{option} names {name!r}, which is not there", name=name, known=known, hint=_hint(name)
        )


def _check_included(names: Optional[Tuple[str, ...]], known: Sequence[str]) -> None:
    """Check that something is included, unless a name is written as one that cannot be known here."""
    if names and not any("[" in name or fits(node, name) for name in names for node in known):
        raise UnknownOptionError(
            f"include_nodes fits no node: {', '.join(map(repr, names))}",
            name=names[0],
            known=known,
            hint=_hint(names[0]),
        )


def _hint(name: str) -> str:
    """Say how a name is written that is right though it is not known: as a pattern that fits nothing else."""
    plain = name.rstrip("*?") or "name"
    written = f"{plain[:-1]}[{plain[-1]}]{name[len(plain) :]}"
    return f"If it is a task, or in a graph that is called inside a node, write {written}."
