"""What requests to the API of LangGraph's server hold."""

from __future__ import annotations

from typing import Dict, List, Optional, Union

from pydantic import Field
from typing_extensions import Annotated, Literal, Required, TypedDict

from streamgraph_server.protocols.bodies import FilterQuery
from streamgraph_server.protocols.langgraph.encoder import WireMode

Object = Dict[str, object]
MOST = 1000
"""The most threads, states, runs or items in one answer."""

Limit = Annotated[int, Field(ge=0, le=MOST)]
Offset = Annotated[int, Field(ge=0, le=10**9)]
Flag = Literal["true", "false", "True", "False", "1", "0", ""]
"""True or false in a query, as clients write it; some send a key with nothing behind it."""

Texts = Union[str, List[str]]
Modes = Union[WireMode, List[WireMode]]

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
ThreadOrder = Literal["updated_at", "created_at", "thread_id", "status"]
ThreadField = Literal["thread_id", "created_at", "updated_at", "metadata", "status", "config", "values", "interrupts"]
Direction = Literal["desc", "asc"]


class Command(TypedDict, total=False):
    """A command instead of an input."""

    resume: object
    update: object
    goto: Optional[Texts]


class Config(TypedDict, total=False):
    """What a client may say in the config of a run."""

    tags: Optional[Texts]
    metadata: Optional[Object]
    recursion_limit: Annotated[Optional[int], Field(ge=0)]
    configurable: Optional[Object]


class Checkpoint(TypedDict, total=False):
    """Where a state is."""

    checkpoint_id: Optional[str]
    checkpoint_ns: Optional[str]


class RunBody(TypedDict, total=False):
    """What is to run, and how."""

    assistant_id: Required[str]
    input: object
    command: Optional[Command]
    config: Optional[Config]
    context: Optional[Object]
    metadata: Optional[Object]
    stream_mode: Optional[Modes]
    stream_subgraphs: Optional[bool]
    stream_resumable: Optional[bool]
    interrupt_before: Optional[Texts]
    interrupt_after: Optional[Texts]
    interrupts: Optional[Literal["pause", "live"]]
    checkpoint: Optional[Checkpoint]
    checkpoint_id: Optional[str]
    multitask_strategy: Optional[Literal["enqueue", "reject", "interrupt", "rollback"]]
    if_not_exists: Optional[Literal["create", "reject"]]
    on_disconnect: Optional[Literal["cancel", "continue"]]
    durability: Optional[Literal["sync", "async", "exit"]]


class CancelBody(TypedDict, total=False):
    """Which runs to cancel."""

    thread_id: Optional[str]
    run_ids: Optional[Texts]
    status: Optional[Literal["all", "pending", "running"]]


class StreamQuery(FilterQuery, total=False):
    """How to read a run from its start, and whether the prompts of its models are kept."""

    times: Flag
    prompts: Flag


class JoinQuery(FilterQuery, total=False):
    """How to read a run that has been started."""

    times: Flag
    stream_subgraphs: Flag
    stream_mode: List[Union[WireMode, Literal[""]]]
    cancel_on_disconnect: Flag
    last_event_id: str


class WaitQuery(TypedDict, total=False):
    """How to wait for a run."""

    cancel_on_disconnect: Flag


class CancelQuery(TypedDict, total=False):
    """How to cancel a run."""

    wait: Flag
    action: Literal["interrupt", "rollback"]


class AnswerBody(TypedDict, total=False):
    """The answer to a question for which a run waits."""

    id: Required[str]
    value: object


class RunsQuery(TypedDict, total=False):
    """Which runs of a thread."""

    limit: Limit
    offset: Offset
    status: Literal["pending", "running", "success", "error", "interrupted", "timeout"]


class ThreadBody(TypedDict, total=False):
    """A new thread."""

    thread_id: Optional[str]
    metadata: Optional[Object]
    if_exists: Optional[Literal["raise", "do_nothing"]]


class ThreadChange(TypedDict, total=False):
    """What to note about a thread."""

    metadata: Optional[Object]


class ThreadCount(TypedDict, total=False):
    """Which threads to count."""

    metadata: Optional[Object]
    values: Optional[Object]
    ids: Optional[Texts]
    status: Optional[ThreadStatus]


class ThreadSearchBody(ThreadCount, total=False):
    """Which threads, in which order, and what of them."""

    limit: Optional[Limit]
    offset: Optional[Offset]
    sort_by: Optional[ThreadOrder]
    sort_order: Optional[Direction]
    select: Optional[List[ThreadField]]


class StateQuery(TypedDict, total=False):
    """How much of a state."""

    subgraphs: Flag


class StateBody(TypedDict, total=False):
    """Which state."""

    checkpoint: Optional[Checkpoint]
    subgraphs: Optional[bool]


class StateChange(TypedDict, total=False):
    """A change of a state, as if a node had made it."""

    values: object
    as_node: Optional[str]
    checkpoint: Optional[Checkpoint]
    checkpoint_id: Optional[str]


class HistoryQuery(TypedDict, total=False):
    """Which states of a thread."""

    limit: Limit
    before: str


class HistoryBody(TypedDict, total=False):
    """Which states of a thread."""

    limit: Optional[Limit]
    before: Union[str, Object, None]
    metadata: Optional[Object]
    checkpoint: Optional[Checkpoint]


class AssistantSearch(TypedDict, total=False):
    """Which graphs."""

    graph_id: Optional[str]
    name: Optional[str]
    limit: Optional[Limit]
    offset: Optional[Offset]


class GraphQuery(TypedDict, total=False):
    """How deep graphs in nodes are drawn."""

    xray: Union[Flag, Annotated[int, Field(ge=0, le=999)]]


class SubgraphsQuery(TypedDict, total=False):
    """Whether graphs in graphs in nodes count."""

    recurse: Flag


class ItemBody(TypedDict, total=False):
    """A value to store."""

    namespace: Required[Texts]
    key: Required[str]
    value: Optional[Object]


class ItemQuery(TypedDict, total=False):
    """Which value; the parts of the namespace are divided by full stops."""

    namespace: str
    key: str


class ItemKey(TypedDict, total=False):
    """Which value."""

    namespace: Required[Texts]
    key: Required[str]


class ItemSearch(TypedDict, total=False):
    """Which values."""

    namespace_prefix: Optional[Texts]
    query: Optional[str]
    filter: Optional[Object]
    limit: Optional[Limit]
    offset: Optional[Offset]


class NamespaceSearch(TypedDict, total=False):
    """Which namespaces."""

    prefix: Optional[Texts]
    suffix: Optional[Texts]
    max_depth: Annotated[Optional[int], Field(ge=0, le=100)]
    limit: Optional[Limit]
    offset: Optional[Offset]
