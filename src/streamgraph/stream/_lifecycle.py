"""Transformers that find nested graphs, and how they end, in the `tasks` events of a run."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set, Tuple

from typing_extensions import Literal, NotRequired, TypedDict

from streamgraph.errors import GraphBubbleUp, GraphDrained
from streamgraph.stream._types import Payload, Projection, ProtocolEvent, Scope, StreamTransformer
from streamgraph.stream.stream_channel import StreamChannel

__all__ = ["LifecyclePayload", "LifecycleTransformer", "SubgraphStatus", "_TasksLifecycleBase"]

SubgraphStatus = Literal["started", "completed", "failed", "interrupted", "drained"]
"""Whether a nested graph runs, or how it has ended."""

Cause = Dict[str, str]
"""Why a nested graph was started: `{"type": "toolCall", "tool_call_id": ...}`."""

Ending = Tuple[Scope, SubgraphStatus, Optional[str]]
"""The namespace of a nested graph, how it has ended, and the error."""


class LifecyclePayload(TypedDict, total=False):
    """The start or the end of a nested graph.

    Attributes:
        event: What has happened.
        namespace: The namespace of the nested graph.
        graph_name: The name of its node, or of the agent that it is.
        trigger_call_id: The id of the task that it runs in.
        cause: The tool call that has started it.
        error: The error with which it has ended.
    """

    event: SubgraphStatus
    namespace: List[str]
    graph_name: NotRequired[str]
    trigger_call_id: NotRequired[str]
    cause: NotRequired[Cause]
    error: NotRequired[str]


class _TasksLifecycleBase(StreamTransformer):
    """Base of transformers that follow nested graphs.

    A nested graph starts with the first task event in its namespace, whose last part names the task that it runs in. It
    ends with the result of that task, or with the run. Task events are held back: the projection says the same.

    A subclass has three methods: `_should_track` chooses the nested graphs, `_on_started` and `_on_terminal` are called
    once for each. The names are LangGraph's, since others subclass this too.

    Args:
        scope: The namespace whose nested graphs it is for.
    """

    required_stream_modes = ("tasks",)

    def __init__(self, scope: Scope = ()) -> None:
        super().__init__(scope)
        self._seen: Set[Scope] = set()
        # Namespaces of nested graphs that have not ended, with the ids of the tasks that they run in.
        self._open: Dict[Scope, str] = {}
        # The names of agents, for subclasses that follow those; and the tool calls that tasks answer.
        self._lc_by_ns: Dict[Scope, Optional[str]] = {}
        self._pending_tool_calls: Dict[str, str] = {}
        # The metadata of the tasks that run.
        self._metadata: Dict[str, Dict[str, Any]] = {}
        # Why the nested graph was started for which `_on_started` is being called. No argument, because there are
        # subclasses whose method does not take it.
        self._pending_cause: Optional[Cause] = None

    def _should_track(self, ns: Scope) -> bool:
        """Return whether the graph at this namespace is followed."""
        raise NotImplementedError(f"{type(self).__name__} must override _should_track()")

    def _on_started(self, ns: Scope, graph_name: Optional[str], trigger_call_id: Optional[str]) -> None:
        """Take note of a nested graph that has started."""
        raise NotImplementedError(f"{type(self).__name__} must override _on_started()")

    def _on_terminal(self, ns: Scope, status: SubgraphStatus, error: Optional[str]) -> None:
        """Take note of a nested graph that has ended."""
        raise NotImplementedError(f"{type(self).__name__} must override _on_terminal()")

    def process(self, event: ProtocolEvent) -> bool:
        """Follow a task event, and hold it back."""
        if event["method"] != "tasks":
            return True
        ns, data = tuple(event["params"]["namespace"]), event["params"]["data"]
        if "result" in data:
            self._handle_task_result(ns, data)
        else:
            if data.get("metadata"):
                self._metadata[str(data.get("id"))] = dict(data["metadata"])
            self._record_identity(ns, data)
            self._record_pending_tool_calls(data)
            self._handle_task_start(ns, data)
        return False

    def _record_identity(self, ns: Scope, data: Payload) -> None:
        """Note the agent's name in the metadata of the first task of a graph."""
        self._lc_by_ns.setdefault(ns, _agent_name(data))

    def _record_pending_tool_calls(self, data: Payload) -> None:
        """Note the tool call that a task answers: its input is that call, alone or with the state, or several."""
        task_id, given = data.get("id"), data.get("input")
        calls: Any = given.get("tool_call") if isinstance(given, dict) else given
        for call in calls if isinstance(calls, list) else (calls,):
            call_id = call.get("id") if isinstance(call, dict) else None
            if isinstance(task_id, str) and isinstance(call_id, str):
                self._pending_tool_calls[task_id] = call_id
                return

    def _handle_task_start(self, ns: Scope, data: Payload) -> None:
        """Report a nested graph with the first of its tasks."""
        if ns in self._seen or not self._should_track(ns):
            return
        self._seen.add(ns)
        node, _, task_id = ns[-1].partition(":")
        agent = _agent_name(data)
        call_id = None if agent is None else self._pending_tool_calls.get(task_id)
        self._pending_cause = None if call_id is None else {"type": "toolCall", "tool_call_id": call_id}
        self._on_started(ns, (node if agent is None else agent) or None, task_id or None)
        if task_id:
            self._open[ns] = task_id

    def _pop_terminal_transitions(self, ns: Scope, data: Payload) -> List[Ending]:
        """Return the nested graphs that end with the result of a task; they are not open any more."""
        self._metadata.pop(str(data.get("id")), None)
        ended = [child for child, task_id in self._open.items() if child[:-1] == ns and task_id == data.get("id")]
        for child in ended:
            del self._open[child]
        if data.get("interrupts"):
            return [(child, "interrupted", None) for child in ended]
        error = data.get("error")
        return [(child, "failed", str(error)) if error else (child, "completed", None) for child in ended]

    def _handle_task_result(self, ns: Scope, data: Payload) -> None:
        for child, status, error in self._pop_terminal_transitions(ns, data):
            self._on_terminal(child, status, error)

    def finalize(self) -> None:
        """Report the nested graphs whose task has not ended as completed."""
        self._end_all("completed", None)

    def fail(self, err: BaseException) -> None:
        """Report the nested graphs whose task has not ended as ended as the run has."""
        self._end_all(*status_of(err))

    def _end_all(self, status: SubgraphStatus, error: Optional[str]) -> None:
        still_open, self._open = list(self._open), {}
        for ns in still_open:
            self._on_terminal(ns, status, error)


def _agent_name(data: Payload) -> Optional[str]:
    name: Optional[str] = (data.get("metadata") or {}).get("lc_agent_name")
    return name


def status_of(err: BaseException) -> Tuple[SubgraphStatus, Optional[str]]:
    """Return how a run has ended that raised this error, and the error's text if it is a failure."""
    if isinstance(err, GraphDrained):
        return "drained", None
    if isinstance(err, GraphBubbleUp):
        return "interrupted", None
    return "failed", str(err)


class LifecycleTransformer(_TasksLifecycleBase):
    """Shows the start and the end of nested graphs, at every depth: `run.lifecycle`, and events of that method."""

    _native = True

    def __init__(self, scope: Scope = ()) -> None:
        super().__init__(scope)
        self._channel: StreamChannel[LifecyclePayload] = StreamChannel("lifecycle")

    def init(self) -> Projection:
        """Return the channel of starts and ends."""
        return {"lifecycle": self._channel}

    def _should_track(self, ns: Scope) -> bool:
        depth = len(self.scope)
        return len(ns) > depth and ns[:depth] == self.scope

    def _on_started(self, ns: Scope, graph_name: Optional[str], trigger_call_id: Optional[str]) -> None:
        if trigger_call_id is None:
            return  # nothing would tell its end
        payload = LifecyclePayload(event="started", namespace=list(ns))
        if graph_name:
            payload["graph_name"] = graph_name
        payload["trigger_call_id"] = trigger_call_id
        if self._pending_cause is not None:
            payload["cause"] = self._pending_cause
        self._channel.push(payload)

    def _on_terminal(self, ns: Scope, status: SubgraphStatus, error: Optional[str]) -> None:
        payload = LifecyclePayload(event=status, namespace=list(ns))
        if error is not None:
            payload["error"] = error
        self._channel.push(payload)
