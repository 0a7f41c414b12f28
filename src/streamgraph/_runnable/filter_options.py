"""Filters at the source: what a consumer leaves out is never made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional, Sequence, Tuple, Union

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


def make_filter(known: Callable[[], Known], *, include_raw: bool = True, **given: Names) -> Optional[Filter]:
    """Return the filter that the options of a stream ask for, or `None` if they leave nothing out.

    Args:
        known: Returns the names that are known.
        include_raw: The argument of `Filter` of that name.
        **given: The other arguments of `Filter`: a name, names, or `None`.

    Raises:
        UnknownOptionError: A name is no text, or is not known but much like one that is; or no node that is known is
            included.
    """
    if not isinstance(include_raw, bool):
        raise UnknownOptionError(f"include_raw must be True or False, got {include_raw!r:.80}")
    if include_raw and not any(names is not None for names in given.values()):
        return None
    rules = {option: _checked(option, names) for option, names in given.items()}
    names_there = known()
    for option, names in rules.items():
        nodes, keys = option.endswith("nodes"), option.endswith("keys")
        right = names_there.nodes if nodes else names_there.keys if keys else ()
        for name in names or ():
            _check_known(option, name, right)
    _check_included(rules.get("include_nodes"), names_there.nodes)
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
