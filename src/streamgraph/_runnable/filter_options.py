"""Filter options of a stream. Parts that are filtered out are never created."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional, Sequence, Tuple, Union

from typing_extensions import Protocol

from streamgraph._streams.filters import Filter, fits
from streamgraph.errors import UnknownOptionError, closest

Names = Union[None, str, Sequence[str]]

_WILDCARDS = frozenset("*?[")


class Known(Protocol):
    """Names in a graph and in its nested graphs, as far as they are known."""

    @property
    def nodes(self) -> Sequence[str]:
        """Names of nodes and tasks."""

    @property
    def keys(self) -> Sequence[str]:
        """Names of state keys."""


def make_filter(known: Callable[[], Known], *, include_raw: bool = True, **given: Names) -> Optional[Filter]:
    """Return the filter for the options of a stream, or `None` if they exclude nothing.

    Args:
        known: Returns the known names.
        include_raw: The argument of `Filter` of that name.
        **given: The other arguments of `Filter`: a name, several names, or `None`.

    Raises:
        UnknownOptionError: A name is not a string, an unknown name resembles a known one, or `include_nodes` matches no
            known node.
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
    # A name that resembles no known one may belong to a graph called inside a node, which is not known here.
    if name not in known and _WILDCARDS.isdisjoint(name) and closest(name, known, cutoff=0.8) is not None:
        raise UnknownOptionError(
            f"{option} names {name!r}, which is not there", name=name, known=known, hint=_hint(name)
        )


def _check_included(names: Optional[Tuple[str, ...]], known: Sequence[str]) -> None:
    """Check that `include_nodes` matches a known node, unless a name is a pattern with brackets."""
    if names and not any("[" in name or fits(node, name) for name in names for node in known):
        raise UnknownOptionError(
            f"include_nodes fits no node: {', '.join(map(repr, names))}",
            name=names[0],
            known=known,
            hint=_hint(names[0]),
        )


def _hint(name: str) -> str:
    """Return advice on writing a name that is correct but unknown: as a pattern that matches nothing else."""
    plain = name.rstrip("*?") or "name"
    written = f"{plain[:-1]}[{plain[-1]}]{name[len(plain) :]}"
    return f"If it is a task, or in a graph that is called inside a node, write {written}."
