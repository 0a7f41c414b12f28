"""Options of `start`, and of reading a started run, each declared once."""

from __future__ import annotations

from typing import Dict, FrozenSet, Generic, Optional

from typing_extensions import Literal, Required, TypedDict

from streamgraph._drivers.started import OnDisconnect
from streamgraph._policies import Seconds
from streamgraph._runnable.filter_options import Names
from streamgraph._runnable.options import Interrupts, Keys, Modes, Subscription
from streamgraph._runnable.stream_options import ContextT, RunKeywords
from streamgraph._streams.event_log import EventLog
from streamgraph._streams.flow import Overflow
from streamgraph.errors import UnknownOptionError

RECORDED = ("values", "updates", "custom", "messages", "tools")
"""The modes that a started run records by default."""


class StartOptions(RunKeywords[ContextT], Generic[ContextT], total=False):
    """The options of `start` and `astart`."""

    record: Modes
    """The mode or modes that readers may ask for."""
    subgraphs: Optional[bool]
    """Record nested graphs; see `stream`."""
    output_keys: Keys
    """The state keys that `values`, `updates` and the result show; a single key shows its bare value."""
    include_nodes: Names
    """Record only parts from these nodes, in every mode except `values` and `patches`."""
    exclude_nodes: Names
    """Do not record parts from these nodes."""
    include_tags: Names
    """Record only messages of models with one of these tags."""
    exclude_tags: Names
    """Do not record messages of models with one of these tags."""
    include_keys: Names
    """Of the messages that nodes write to the state, record only those under these keys."""
    exclude_keys: Names
    """Do not record messages that nodes write to these keys."""
    include_raw: bool
    """`False` leaves out the JSON of models with structured output in `messages`."""
    interrupts: Optional[Interrupts]
    """What a question does: it ends the run (`"pause"`, the default), or waits for `run.answer()` (`"live"`)."""
    log: Optional[EventLog]
    """Where the parts are kept; by default in a `MemoryLog`."""
    on_disconnect: OnDisconnect
    """What becomes of the run when its last reader leaves: it goes on, or it is cancelled."""
    version: Literal["v1", "v2"]
    """The format of the result."""


class ReadKeywords(TypedDict, total=False):
    """The options of reading a started run, except for the format."""

    after: Optional[str]
    """The id of the event after which to begin; `None` for the first event."""
    subgraphs: Optional[bool]
    """Show nested graphs; see `stream`."""
    include_nodes: Names
    """Show only parts from these nodes, in every mode except `values` and `patches`."""
    exclude_nodes: Names
    """Hide parts from these nodes."""
    include_tags: Names
    """Show only messages of models with one of these tags."""
    exclude_tags: Names
    """Hide messages of models with one of these tags."""
    include_keys: Names
    """Of the messages that nodes write to the state, show only those under these keys."""
    exclude_keys: Names
    """Hide messages that nodes write to these keys."""
    include_raw: bool
    """`False` hides the JSON of models with structured output in `messages`."""
    max_buffer: Optional[int]
    """Number of chunks that may wait for this reader; `None` for no limit but that of the log."""
    overflow: Overflow
    """The policy when more than `max_buffer` chunks wait."""
    heartbeat: Optional[Seconds]
    """Seconds without a chunk after which a `Heartbeat` lists the running tasks."""


class PartReadKeywords(ReadKeywords, total=False):
    """Options for chunks that are a `StreamPart`."""

    version: Required[Literal["v2"]]
    """The format of the chunks."""


class ReadOptions(ReadKeywords, total=False):
    """All options of reading; with them alone the type of a chunk is unknown to type checkers.

    Even one mode alone has no type of its own with `version="v1"`: each chunk may be a `Gap` or a `Heartbeat`.
    """

    version: Literal["v1", "v2"]
    """The format of the chunks."""


START_DEFAULTS: Dict[str, object] = {
    "record": RECORDED,
    "subgraphs": True,
    "include_raw": True,
    "print_mode": (),
    "interrupts": "pause",
    "on_disconnect": "continue",
    "version": "v1",
}
"""The defaults of the options of `start` whose default is not `None`."""

READ_DEFAULTS: Dict[str, object] = {"include_raw": True, "overflow": "drop_oldest", "version": "v1"}
"""The defaults of the options of reading whose default is not `None`."""

_ON_DISCONNECT = ("continue", "cancel")


def check_on_disconnect(given: OnDisconnect) -> OnDisconnect:
    """Return `given` if it is one of the two, else raise UnknownOptionError."""
    if given not in _ON_DISCONNECT:
        raise UnknownOptionError(f"Unknown on_disconnect {given!r}", name=given, known=_ON_DISCONNECT)
    return given


def check_recorded(wanted: Subscription, recorded: Subscription) -> None:
    """Check that a run records what a reader asks for.

    Raises:
        UnknownOptionError: A mode is not recorded, for the graph itself or for nested graphs.
    """
    _check(wanted.modes, recorded.modes, "", "Name it when you start the run: start(..., record=[...]).")
    _check(
        wanted.nested,
        recorded.nested,
        " of nested graphs",
        "Start the run with subgraphs=True, or read it with subgraphs=False.",
    )


def _check(wanted: FrozenSet[str], recorded: FrozenSet[str], where: str, hint: str) -> None:
    for mode in sorted(wanted - recorded):
        known = ", ".join(map(repr, sorted(recorded))) or "no mode"
        raise UnknownOptionError(f"This run does not record {mode!r}{where}, but {known}", hint=hint)
