"""The options of `stream` and `invoke`: checked when the call is made, not when the first chunk is pulled."""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Optional, Sequence, Union

from streamgraph._core.control import RunControl
from streamgraph._core.plan import Plan
from streamgraph._streams.filters import Filter
from streamgraph._streams.modes import MODES, NESTED_MODES
from streamgraph._types import StreamMode
from streamgraph.errors import UnknownOptionError

STREAM_MODES = tuple(mode.name for mode in MODES)
VERSIONS = ("v1", "v2")

Modes = Union[None, StreamMode, Sequence[StreamMode]]
Keys = Union[None, str, Sequence[str]]


class Subscription(NamedTuple):
    """What a consumer wants to see of a run.

    Attributes:
        modes: The modes of the graph itself, those to be printed included.
        nested: The modes of graphs below it, likewise.
        shown: The modes whose chunks the consumer gets.
        printed: The modes whose chunks are printed.
        several: Whether the modes were given as a list, so that chunks name theirs.
        namespace: Whether chunks carry the namespace.
        version: The shape of the chunks.
        keys: The state keys to show, if not all.
        control: Through which the run can be asked to end.
        filter: What is left out.
    """

    modes: FrozenSet[str] = frozenset()
    nested: FrozenSet[str] = frozenset()
    shown: FrozenSet[str] = frozenset()
    printed: FrozenSet[str] = frozenset()
    several: bool = False
    namespace: bool = False
    version: str = "v1"
    keys: Keys = None
    control: Optional[RunControl] = None
    filter: Optional[Filter] = None


def check_version(version: str) -> str:
    """Return `version` if there is such a one, else raise UnknownOptionError."""
    if version not in VERSIONS:
        raise UnknownOptionError(f"Unknown version {version!r}", name=version, known=VERSIONS)
    return version


def subscription(
    plan: Plan,
    *,
    stream_mode: Modes,
    print_mode: Modes = (),
    subgraphs: Optional[bool],
    version: str,
    output_keys: Keys,
    control: Optional[RunControl] = None,
    filter_: Optional[Filter] = None,
) -> Subscription:
    """Check what a consumer asked for.

    Raises:
        UnknownOptionError: A mode, a version or an output key does not exist.
    """
    shown = _checked_modes("updates" if stream_mode is None else stream_mode)
    if not shown:
        raise UnknownOptionError("The list of stream modes is empty", hint=f"Choose from {', '.join(STREAM_MODES)}.")
    printed = _checked_modes(print_mode or ())
    if subgraphs not in (None, True, False):
        raise UnknownOptionError(f"subgraphs must be True, False or None, got {subgraphs!r}")
    modes = shown | printed
    return Subscription(
        modes=modes,
        nested=modes if subgraphs else frozenset() if subgraphs is False else modes & NESTED_MODES,
        shown=shown,
        printed=printed,
        several=stream_mode is not None and not isinstance(stream_mode, str),
        namespace=bool(subgraphs),
        version=check_version(version),
        keys=check_keys(plan, output_keys),
        control=control,
        filter=filter_,
    )


def output_only(
    plan: Plan, *, print_mode: Modes, version: str, output_keys: Keys, control: Optional[RunControl]
) -> Subscription:
    """Return what a caller wants to see that only waits for the output: nothing, unless something is to be printed."""
    if not print_mode:
        return Subscription(version=check_version(version), keys=output_keys, control=control)
    return subscription(
        plan,
        stream_mode="values",
        print_mode=print_mode,
        subgraphs=False,
        version=version,
        output_keys=output_keys,
        control=control,
    )._replace(shown=frozenset())


def _checked_modes(modes: Union[str, Sequence[str]]) -> FrozenSet[str]:
    names = (modes,) if isinstance(modes, str) else tuple(modes)
    for name in names:
        if name not in STREAM_MODES:
            raise UnknownOptionError(f"Unknown stream mode {name!r}", name=name, known=STREAM_MODES)
    return frozenset(names)


def check_keys(plan: Plan, keys: Keys) -> Keys:
    """Return `keys` if the state has them all, else raise UnknownOptionError."""
    for key in () if keys is None else (keys,) if isinstance(keys, str) else keys:
        if key not in plan.channels:
            raise UnknownOptionError(f"Unknown output key {key!r}", name=key, known=plan.channels)
    return keys if keys is None or isinstance(keys, str) else tuple(keys)
