"""Options of `stream` and `invoke`, each declared once, for the calls and for type checkers.

Classes whose name ends in `Keywords` are subsets of `StreamOptions` and `InvokeOptions` for which a type checker knows
the type of a chunk.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, Generic, List, Mapping, Optional, Sequence, Tuple, Union

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel
from typing_extensions import Literal, Protocol, Required, TypedDict, TypeVar

from streamgraph._core.control import RunControl
from streamgraph._policies import Seconds
from streamgraph._runnable.filter_options import Names
from streamgraph._runnable.options import Interrupts, Keys, Modes
from streamgraph._streams.flow import Overflow
from streamgraph._types import All, Durability, MultitaskStrategy, StreamMode
from streamgraph.types import DebugPayload, MessageMetadata, RetryPayload, StateOperation, TaskPayload, ToolPayload


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[Any]


GivenT = TypeVar("GivenT", default=Any)
ContextT = TypeVar("ContextT", default=Any)
StateT = TypeVar("StateT", covariant=True, default=Any)
OutputT = TypeVar("OutputT", covariant=True, default=Any)
KeyedT = TypeVar("KeyedT", default=Any)
"""`Literal[True]` if the state has keys, so that `version="v1"` shows it as a dict regardless of its class."""

Record = Union[BaseModel, _Dataclass]
"""A state whose class is a dataclass or a pydantic model. (mypy ignores the bound of a type variable in `self`.)"""

Config = Optional[RunnableConfig]
SeveralModes = Union[List[StreamMode], Tuple[StreamMode, ...]]
"""Not `Sequence`: `str` is a `Sequence`, so type checkers could not distinguish one mode from several."""

OtherMode = Union[
    Literal["patches", "updates", "custom", "messages", "objects", "tools", "retries", "tasks", "debug", "checkpoints"],
    SeveralModes,
]
Namespace = Tuple[str, ...]
Updates = Dict[str, Any]
Patch = List[StateOperation]
Values = Dict[str, Any]
Message = Tuple[BaseMessage, MessageMetadata]
Object = Tuple[Any, MessageMetadata]

ModePair = Union[
    Tuple[Literal["values"], StateT],
    Tuple[Literal["patches"], Patch],
    Tuple[Literal["updates"], Updates],
    Tuple[Literal["custom"], Any],
    Tuple[Literal["messages"], Message],
    Tuple[Literal["objects"], Object],
    Tuple[Literal["tools"], ToolPayload],
    Tuple[Literal["retries"], RetryPayload],
    Tuple[Literal["tasks"], TaskPayload],
    Tuple[Literal["debug"], DebugPayload],
]
"""A chunk of several modes; `chunk[0]` is the mode."""

NamespacedPair = Union[
    Tuple[Namespace, Literal["values"], StateT],
    Tuple[Namespace, Literal["patches"], Patch],
    Tuple[Namespace, Literal["updates"], Updates],
    Tuple[Namespace, Literal["custom"], Any],
    Tuple[Namespace, Literal["messages"], Message],
    Tuple[Namespace, Literal["objects"], Object],
    Tuple[Namespace, Literal["tools"], ToolPayload],
    Tuple[Namespace, Literal["retries"], RetryPayload],
    Tuple[Namespace, Literal["tasks"], TaskPayload],
    Tuple[Namespace, Literal["debug"], DebugPayload],
]
"""A chunk of several modes with `subgraphs=True`; `chunk[1]` is the mode."""


class RunKeywords(TypedDict, Generic[ContextT], total=False):
    """The options of every call that runs a graph."""

    context: Union[ContextT, Mapping[str, object], None]
    """An object that nodes get as `Runtime.context`, or a mapping of its fields."""
    print_mode: Modes
    """Modes to print, in addition to the chunks that are yielded."""
    debug: Optional[bool]
    """`True` prints `updates` and `values`; by default the setting given to `compile`."""
    interrupt_before: Union[All, Sequence[str], None]
    """Nodes before which the run pauses, or `"*"` for all; by default those of the graph."""
    interrupt_after: Union[All, Sequence[str], None]
    """Nodes after which the run pauses, likewise."""
    durability: Optional[Durability]
    """When to save the run; ignored without a checkpointer."""
    multitask_strategy: Optional[MultitaskStrategy]
    """What to do if its thread has a run already: `"reject"` it with an error (the default), or `"enqueue"` it."""
    control: Optional[RunControl]
    """A handle to request that the run ends after a step."""
    timeout: Optional[Seconds]
    """Limit of the whole run in seconds or as a `timedelta`; at the limit it fails with `RunTimeoutError`."""


class StreamKeywords(RunKeywords[ContextT], Generic[ContextT], total=False):
    """The options of every call that streams."""

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
    interrupts: Optional[Interrupts]
    """What a question does: it ends the run (`"pause"`, the default), or waits for `stream.answer()` (`"live"`)."""
    max_buffer: Optional[int]
    """Number of chunks that may wait for a slow consumer; `None` for no limit."""


class ChunkKeywords(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """Options for chunks that are the payload, or a pair of mode and payload."""

    output_keys: None
    """`None` for all state keys."""
    subgraphs: Optional[Literal[False]]
    """`False`: no parts of nested graphs. `None`: tokens and custom data of nested graphs."""
    overflow: Literal["block", "coalesce", "raise"]
    """The policy when more than `max_buffer` chunks wait."""
    heartbeat: None
    """`None`: no `Heartbeat` chunks."""
    version: Literal["v1"]
    """The format of the chunks."""


class NamespacedKeywords(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """Options for chunks that begin with the namespace."""

    output_keys: None
    """`None` for all state keys."""
    subgraphs: Required[Literal[True]]
    """`True`: every mode also for nested graphs."""
    overflow: Literal["block", "coalesce", "raise"]
    """The policy when more than `max_buffer` chunks wait."""
    heartbeat: None
    """`None`: no `Heartbeat` chunks."""
    version: Literal["v1"]
    """The format of the chunks."""


class PartKeywords(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """Options for chunks that are a `StreamPart`."""

    stream_mode: Modes
    """The mode or modes to yield."""
    subgraphs: Optional[bool]
    """Show nested graphs; see `stream`."""
    overflow: Overflow
    """The policy when more than `max_buffer` chunks wait."""
    heartbeat: Optional[Seconds]
    """Seconds without a chunk after which a `Heartbeat` lists the running tasks."""
    version: Required[Literal["v2"]]
    """The format of the chunks."""


class StreamOptions(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """All options of `stream` and `astream`; with them alone the type of a chunk is unknown to type checkers."""

    stream_mode: Modes
    """The mode or modes to yield."""
    output_keys: Keys
    """The state keys that `values` and `updates` show; a single key yields its bare value."""
    subgraphs: Optional[bool]
    """Show nested graphs; see `stream`."""
    overflow: Overflow
    """The policy when more than `max_buffer` chunks wait."""
    heartbeat: Optional[Seconds]
    """Seconds without a chunk after which a `Heartbeat` lists the running tasks."""
    version: Literal["v1", "v2"]
    """The format of the chunks."""


class InvokeKeywords(RunKeywords[ContextT], Generic[ContextT], total=False):
    """Options with which `invoke` returns the whole output."""

    output_keys: None
    """`None` for all keys of the output schema."""
    subgraphs: Optional[Literal[False]]
    """See `ChunkKeywords`; only for a list of chunks."""
    version: Literal["v1"]
    """The format of the result."""


class OutputKeywords(RunKeywords[ContextT], Generic[ContextT], total=False):
    """Options with which `invoke` returns a `GraphOutput`, or a list of `StreamPart`s."""

    output_keys: None
    """`None` for all keys of the output schema."""
    subgraphs: Optional[bool]
    """Show nested graphs; only for a list of chunks."""
    version: Required[Literal["v2"]]
    """The format of the result."""


class InvokeOptions(RunKeywords[ContextT], Generic[ContextT], total=False):
    """All options of `invoke` and `ainvoke`."""

    stream_mode: Modes
    """`"values"` returns the final state; any other mode, a list of the chunks of that stream."""
    output_keys: Keys
    """The keys to return, by default those of the output schema; a single key returns its bare value."""
    subgraphs: Optional[bool]
    """Show nested graphs; only for a list of chunks."""
    version: Literal["v1", "v2"]
    """The format of the result."""


DEFAULTS: Dict[str, object] = {"print_mode": (), "include_raw": True, "overflow": "block", "version": "v1"}
"""The defaults of the options whose default is not `None`."""
