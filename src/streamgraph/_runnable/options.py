"""Validation of the options of `stream` and `invoke`, at the call and not at the first pull."""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Optional, Sequence, Union

from typing_extensions import Literal, get_args

from streamgraph._core.breakpoints import Breakpoints
from streamgraph._core.control import RunControl
from streamgraph._core.plan import Plan
from streamgraph._streams.filters import Filter
from streamgraph._streams.modes import MODES, NESTED_MODES
from streamgraph._types import All, Durability, MultitaskStrategy, StreamMode
from streamgraph.constants import TAG_HIDDEN
from streamgraph.errors import UnknownOptionError

STREAM_MODES = tuple(mode.name for mode in MODES)
VERSIONS = ("v1", "v2")
DURABILITIES = get_args(Durability)
STRATEGIES = get_args(MultitaskStrategy)

Modes = Union[None, StreamMode, Sequence[StreamMode]]
Keys = Union[None, str, Sequence[str]]


Nodes = Union[All, Sequence[str], None]

Interrupts = Literal["pause", "live"]
"""What a question does: it ends the run with a pause, or waits until it is answered while the run goes on."""


class SavingOptions(NamedTuple):
    """The options of a run that is saved.

    Attributes:
        durability: When it is stored; `None` for what its parent run does, by default `"async"`.
        strategy: What to do if its thread has a run already; `None` for `"reject"`.
        before: The nodes before which it pauses; `None` for those that the graph was compiled with.
        after: The nodes after which it pauses, likewise.
    """

    durability: Optional[Durability] = None
    strategy: Optional[MultitaskStrategy] = None
    before: Nodes = None
    after: Nodes = None


INTERRUPTS = get_args(Interrupts)

NO_SAVING_OPTIONS = SavingOptions()


class Subscription(NamedTuple):
    """The parts that a consumer wants from a run.

    Attributes:
        modes: The modes of the graph itself, including those to be printed.
        nested: The modes of nested graphs, including those to be printed.
        shown: The modes whose chunks the consumer gets.
        printed: The modes whose parts are printed.
        several: True if the modes were given as a list, so that chunks carry their mode.
        namespace: True if chunks carry the namespace.
        version: The format of the chunks.
        keys: The state keys to show; `None` for all.
        output: The state keys of the output; `None` for those of the output schema.
        control: The handle to request an early end of the run.
        filter: The filter; `None` if nothing is excluded.
        saving: The options of a run that is saved.
        interrupts: What a question does; `None` for what it does in the run around this one.
    """

    modes: FrozenSet[str] = frozenset()
    nested: FrozenSet[str] = frozenset()
    shown: FrozenSet[str] = frozenset()
    printed: FrozenSet[str] = frozenset()
    several: bool = False
    namespace: bool = False
    version: str = "v1"
    keys: Keys = None
    output: Keys = None
    control: Optional[RunControl] = None
    filter: Optional[Filter] = None
    saving: SavingOptions = NO_SAVING_OPTIONS
    interrupts: Optional[Interrupts] = None


def saving_options(
    durability: Optional[Durability], strategy: Optional[MultitaskStrategy], before: Nodes, after: Nodes, plan: Plan
) -> SavingOptions:
    """Return the options of a run that is saved, or pauses.

    Raises:
        UnknownOptionError: One of them does not exist.
    """
    if durability is None and strategy is None and before is None and after is None:
        return NO_SAVING_OPTIONS
    for name, value, known in (("durability", durability, DURABILITIES), ("multitask_strategy", strategy, STRATEGIES)):
        if value is not None and value not in known:
            raise UnknownOptionError(f"Unknown {name} {value!r}", name=value, known=known)
    return SavingOptions(durability, strategy, checked_nodes(plan, before), checked_nodes(plan, after))


def checked_nodes(plan: Plan, nodes: Nodes) -> Nodes:
    """Return the names of nodes if all of them exist.

    Args:
        plan: The graph.
        nodes: The names, or `"*"`.

    Raises:
        UnknownOptionError: A node does not exist.
    """
    if nodes is None or nodes == "*":
        return nodes
    names = [nodes] if isinstance(nodes, str) else list(nodes)
    for name in names:
        if name not in plan.nodes:
            raise UnknownOptionError(f"There is no node {name!r} to pause at", name=name, known=plan.nodes)
    return names


def breakpoints(plan: Plan, before: Nodes, after: Nodes) -> Optional[Breakpoints]:
    """Return the breakpoints of a run, or `None` if it has none.

    Args:
        plan: The graph.
        before: The nodes before which it pauses; `"*"` for all that are not tagged as hidden.
        after: The nodes after which it pauses, likewise.
    """
    if not before and not after:
        return None
    return Breakpoints(_named(plan, before), _named(plan, after))


def _named(plan: Plan, nodes: Nodes) -> FrozenSet[str]:
    if nodes == "*":
        return frozenset(name for name, node in plan.nodes.items() if TAG_HIDDEN not in node.tags)
    return frozenset(nodes or ())


def check_version(version: str) -> str:
    """Return `version` if it exists, else raise UnknownOptionError."""
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
    output: Keys = None,
    control: Optional[RunControl] = None,
    filter_: Optional[Filter] = None,
    saving: SavingOptions = NO_SAVING_OPTIONS,
    interrupts: Optional[Interrupts] = None,
) -> Subscription:
    """Validate the options of a stream.

    Raises:
        UnknownOptionError: A mode, a version or an output key does not exist.
    """
    assert stream_mode is not None
    shown = checked_modes(stream_mode)
    if not shown:
        raise UnknownOptionError("The list of stream modes is empty", hint=f"Choose from {', '.join(STREAM_MODES)}.")
    printed = checked_modes(print_mode or ())
    if subgraphs not in (None, True, False):
        raise UnknownOptionError(f"subgraphs must be True, False or None, got {subgraphs!r}")
    if interrupts not in (None, *INTERRUPTS):
        raise UnknownOptionError(f"Unknown interrupts {interrupts!r}", name=interrupts, known=INTERRUPTS)
    modes = shown | printed
    return Subscription(
        modes=modes,
        nested=modes if subgraphs else frozenset() if subgraphs is False else modes & NESTED_MODES,
        shown=shown,
        printed=printed,
        several=not isinstance(stream_mode, str),
        namespace=bool(subgraphs),
        version=check_version(version),
        keys=check_keys(plan, output_keys),
        output=output,
        control=control,
        filter=filter_,
        saving=saving,
        interrupts=interrupts,
    )


def output_only(
    plan: Plan,
    *,
    print_mode: Modes,
    version: str,
    output_keys: Keys,
    control: Optional[RunControl],
    saving: SavingOptions = NO_SAVING_OPTIONS,
) -> Subscription:
    """Return the subscription of a call that only waits for the output: no modes except those to be printed."""
    if not print_mode:
        return Subscription(
            version=check_version(version), keys=output_keys, output=output_keys, control=control, saving=saving
        )
    return subscription(
        plan,
        stream_mode="values",
        print_mode=print_mode,
        subgraphs=False,
        version=version,
        output_keys=output_keys,
        output=output_keys,
        control=control,
        saving=saving,
    )._replace(shown=frozenset())


def checked_modes(modes: Union[str, Sequence[str]]) -> FrozenSet[str]:
    """Return the modes as a set, else raise UnknownOptionError."""
    names = (modes,) if isinstance(modes, str) else tuple(modes)
    for name in names:
        if name not in STREAM_MODES:
            raise UnknownOptionError(f"Unknown stream mode {name!r}", name=name, known=STREAM_MODES)
    return frozenset(names)


def check_keys(plan: Plan, keys: Keys) -> Keys:
    """Return `keys` if the state has all of them, else raise UnknownOptionError."""
    for key in () if keys is None else (keys,) if isinstance(keys, str) else keys:
        if key not in plan.channels:
            raise UnknownOptionError(f"Unknown output key {key!r}", name=key, known=plan.channels)
    return keys if keys is None or isinstance(keys, str) else tuple(keys)
