"""The options of `stream` and `invoke`: each is declared once, for the calls themselves and for type checkers.

The classes whose name ends in `Keywords` are parts of `StreamOptions` and `InvokeOptions`, with which a type checker
knows what a chunk is.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, Generic, List, Mapping, Optional, Tuple, Union

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel
from typing_extensions import Literal, Protocol, Required, TypedDict, TypeVar

from streamgraph._core.control import RunControl
from streamgraph._policies import Seconds
from streamgraph._runnable.filter_options import Names
from streamgraph._runnable.options import Keys, Modes
from streamgraph._streams.flow import Overflow
from streamgraph._types import Durability, StreamMode
from streamgraph.types import DebugPayload, MessageMetadata, TaskPayload, ToolPayload


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[Any]


GivenT = TypeVar("GivenT", default=Any)
ContextT = TypeVar("ContextT", default=Any)
StateT = TypeVar("StateT", covariant=True, default=Any)
OutputT = TypeVar("OutputT", covariant=True, default=Any)
KeyedT = TypeVar("KeyedT", default=Any)
"""`Literal[True]` if the state has keys, so that `version="v1"` shows it as a dict whatever class it is of."""

Record = Union[BaseModel, _Dataclass]
"""A state whose class is a dataclass or a pydantic model. (mypy ignores the bound of a type variable in `self`.)"""

Config = Optional[RunnableConfig]
SeveralModes = Union[List[StreamMode], Tuple[StreamMode, ...]]
"""Not `Sequence`: a `str` is one, so that type checkers could not tell several modes from one."""

OtherMode = Union[
    Literal["updates", "custom", "messages", "objects", "tools", "tasks", "debug", "checkpoints"], SeveralModes
]
Namespace = Tuple[str, ...]
Updates = Dict[str, Any]
Values = Dict[str, Any]
Message = Tuple[BaseMessage, MessageMetadata]
Object = Tuple[Any, MessageMetadata]

ModePair = Union[
    Tuple[Literal["values"], StateT],
    Tuple[Literal["updates"], Updates],
    Tuple[Literal["custom"], Any],
    Tuple[Literal["messages"], Message],
    Tuple[Literal["objects"], Object],
    Tuple[Literal["tools"], ToolPayload],
    Tuple[Literal["tasks"], TaskPayload],
    Tuple[Literal["debug"], DebugPayload],
]
"""A chunk of several modes; tell them apart by `chunk[0]`."""

NamespacedPair = Union[
    Tuple[Namespace, Literal["values"], StateT],
    Tuple[Namespace, Literal["updates"], Updates],
    Tuple[Namespace, Literal["custom"], Any],
    Tuple[Namespace, Literal["messages"], Message],
    Tuple[Namespace, Literal["objects"], Object],
    Tuple[Namespace, Literal["tools"], ToolPayload],
    Tuple[Namespace, Literal["tasks"], TaskPayload],
    Tuple[Namespace, Literal["debug"], DebugPayload],
]
"""A chunk of several modes with `subgraphs=True`; tell them apart by `chunk[1]`."""


class RunKeywords(TypedDict, Generic[ContextT], total=False):
    """The options of every call that runs a graph."""

    context: Union[ContextT, Mapping[str, object], None]
    """An object that nodes find in `Runtime.context`, or a mapping of its fields."""
    print_mode: Modes
    """Modes to print, besides what is yielded."""
    debug: Optional[bool]
    """`True` prints `updates` and `values`; by default what `compile` was told."""
    interrupt_before: None
    """`None`: runs cannot be interrupted yet."""
    interrupt_after: None
    """`None`, likewise."""
    durability: Optional[Durability]
    """When runs are saved; without a checkpointer they are not."""
    control: Optional[RunControl]
    """Through which the run can be asked to end after a step."""
    timeout: Optional[Seconds]
    """Seconds, or a `timedelta`, that the whole run may take before it fails with `RunTimeoutError`."""


class StreamKeywords(RunKeywords[ContextT], Generic[ContextT], total=False):
    """The options of every call that streams."""

    include_nodes: Names
    """Only what comes from these nodes, in every mode but `values`."""
    exclude_nodes: Names
    """Not what comes from these nodes."""
    include_tags: Names
    """Only messages of models with one of these tags."""
    exclude_tags: Names
    """No messages of models with one of these tags."""
    include_keys: Names
    """Of the messages that nodes write to the state, only those of these keys."""
    exclude_keys: Names
    """No messages that nodes write to these keys."""
    include_raw: bool
    """`False` leaves the JSON of models that answer with structured output out of `messages`."""
    max_buffer: Optional[int]
    """How many chunks may wait for a slow consumer; `None` for any number."""


class ChunkKeywords(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """The options with which a chunk is the payload, or the payload with its mode."""

    output_keys: None
    """`None` for all state keys."""
    subgraphs: Optional[Literal[False]]
    """`False`: nothing of nested graphs. `None`: tokens and custom data of nested graphs."""
    overflow: Literal["block", "coalesce", "raise"]
    """What happens when more than `max_buffer` chunks wait."""
    heartbeat: None
    """`None`: chunks are of the modes asked for only."""
    version: Literal["v1"]
    """The shape of the chunks."""


class NamespacedKeywords(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """The options with which a chunk has the namespace in front."""

    output_keys: None
    """`None` for all state keys."""
    subgraphs: Required[Literal[True]]
    """`True`: every mode also for nested graphs."""
    overflow: Literal["block", "coalesce", "raise"]
    """What happens when more than `max_buffer` chunks wait."""
    heartbeat: None
    """`None`: chunks are of the modes asked for only."""
    version: Literal["v1"]
    """The shape of the chunks."""


class PartKeywords(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """The options with which a chunk is a `StreamPart`."""

    stream_mode: Modes
    """What to yield, a mode or a list of modes."""
    subgraphs: Optional[bool]
    """Whether to show nested graphs."""
    overflow: Overflow
    """What happens when more than `max_buffer` chunks wait."""
    heartbeat: Optional[Seconds]
    """Seconds without a chunk after which a `Heartbeat` says what is running."""
    version: Required[Literal["v2"]]
    """The shape of the chunks."""


class StreamOptions(StreamKeywords[ContextT], Generic[ContextT], total=False):
    """All options of `stream` and `astream`. With them alone a type checker does not know what a chunk is."""

    stream_mode: Modes
    """What to yield, a mode or a list of modes."""
    output_keys: Keys
    """The state keys that `values` and `updates` show; with a single one its bare value."""
    subgraphs: Optional[bool]
    """Whether to show nested graphs."""
    overflow: Overflow
    """What happens when more than `max_buffer` chunks wait."""
    heartbeat: Optional[Seconds]
    """Seconds without a chunk after which a `Heartbeat` says what is running."""
    version: Literal["v1", "v2"]
    """The shape of the chunks."""


class InvokeKeywords(RunKeywords[ContextT], Generic[ContextT], total=False):
    """The options with which `invoke` returns all of the output."""

    output_keys: None
    """`None` for all of the output schema."""
    subgraphs: Optional[Literal[False]]
    """See `ChunkKeywords`; only for a list of chunks."""
    version: Literal["v1"]
    """The shape of what is returned."""


class OutputKeywords(RunKeywords[ContextT], Generic[ContextT], total=False):
    """The options with which `invoke` returns a `GraphOutput`, or a list of `StreamPart`s."""

    output_keys: None
    """`None` for all of the output schema."""
    subgraphs: Optional[bool]
    """Whether to show nested graphs; only for a list of chunks."""
    version: Required[Literal["v2"]]
    """The shape of what is returned."""


class InvokeOptions(RunKeywords[ContextT], Generic[ContextT], total=False):
    """All options of `invoke` and `ainvoke`."""

    stream_mode: Modes
    """`"values"` for the final state; any other for a list of the chunks of that stream."""
    output_keys: Keys
    """The keys to return, if not all of the output schema; with a single one its bare value."""
    subgraphs: Optional[bool]
    """Whether to show nested graphs; only for a list of chunks."""
    version: Literal["v1", "v2"]
    """The shape of what is returned."""


DEFAULTS: Dict[str, object] = {"print_mode": (), "include_raw": True, "overflow": "block", "version": "v1"}
"""The defaults of the options whose default is not `None`."""
