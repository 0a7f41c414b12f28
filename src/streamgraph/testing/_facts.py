"""Parts of a stream, parsed to the tasks, steps and messages that they belong to, for all modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Collection, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from typing_extensions import TypedDict

from streamgraph.types import MessageMetadata, StreamPart

Namespace = Tuple[str, ...]

HANDLER = "__error_handler__"
"""Prefix of the name of a node's error handler."""

_NO_NODES = ("__metadata__", "__interrupt__")


class StreamRuleError(AssertionError):
    """A stream has broken one of the `RULES`.

    Args:
        rule: The name of the rule.
        message: The description of the violation.
        index: The position of the part that breaks the rule, from 0.
        part: This part.
        ids: The ids of the tasks, messages or tool calls involved.
    """

    def __init__(self, rule: str, message: str, index: int, part: StreamPart, ids: Sequence[str] = ()) -> None:
        self.rule = rule
        self.index = index
        self.part = part
        self.ids = tuple(ids)
        named = f" Ids: {', '.join(self.ids)}." if self.ids else ""
        super().__init__(
            f"Rule {rule!r} is broken by part {index} ({part['type']} of {'/'.join(part['ns']) or 'the graph'}):"
            f" {message}{named} The part is {str(part['data'])[:200]}"
        )


class TaskRef(NamedTuple):
    """Reference to a task in a part: its graph, node and id."""

    ns: Namespace
    name: str
    id: str


@dataclass(frozen=True)
class Fact:
    """A parsed part.

    Attributes:
        index: The position in the stream.
        part: The part.
        kind: The mode; `start` and `result` for task events.
        ns: The namespace of the graph.
        data: The payload; for `start` and `result`, the task event.
        around: The enclosing tasks of the graph, outermost first.
        tasks: The tasks that emitted the part, as far as it identifies them: the enclosing tasks and its own.
        own: The part's own task, if the part identifies it.
        step: The step of the own task, if the part identifies it.
        parallel: True if other tasks of the same node may run concurrently, because the task was sent or called.
        ignored: The rules that are not checked.
    """

    index: int
    part: StreamPart
    kind: str
    ns: Namespace
    data: Any
    around: Tuple[TaskRef, ...]
    tasks: Tuple[TaskRef, ...]
    own: Optional[TaskRef] = None
    step: Optional[int] = None
    parallel: bool = False
    ignored: Collection[str] = ()

    def breaks(self, rule: str, message: str, *ids: Optional[str]) -> None:
        """Report that this part breaks a rule.

        Args:
            rule: The rule.
            message: The description of the violation.
            *ids: The ids of the tasks, messages or tool calls involved.

        Raises:
            StreamRuleError: The rule is not ignored.
        """
        if rule not in self.ignored:
            raise StreamRuleError(rule, message, self.index, self.part, [id_ for id_ in ids if id_])


class _Known(TypedDict, total=False):
    """Attributes of a `Fact` about the task that emitted the part."""

    tasks: Tuple[TaskRef, ...]
    own: Optional[TaskRef]
    step: Optional[int]
    parallel: bool


class Rules:
    """Rules that are checked together, per part and for the whole stream."""

    def take(self, fact: Fact) -> None:
        """Check the next part.

        Raises:
            StreamRuleError: The part breaks a rule.
        """

    def over(self) -> None:
        """Check that nothing is left open in a stream that was read to its end or to its failure.

        Raises:
            StreamRuleError: Something is.
        """

    def end(self) -> None:
        """Check that nothing is missing in a stream that was read to its end.

        Raises:
            StreamRuleError: A part is missing.
        """


def facts_of(
    parts: Sequence[StreamPart],
    custom_node: Optional[Callable[[Any], Optional[str]]] = None,
    ignored: Collection[str] = (),
) -> List[Fact]:
    """Parse the parts of a stream.

    Args:
        parts: All parts.
        custom_node: Returns the name of the node that `custom` data comes from, or `None` if unknown.
        ignored: The rules that are not checked.
    """
    # `tasks` and `debug` show the same events; one of them is enough.
    events = "tasks" if any(part["type"] == "tasks" for part in parts) else "debug"
    facts = []
    for index, part in enumerate(parts):
        kind: str = part["type"]
        data: Any = part["data"]
        ns: Namespace = tuple(part["ns"])
        around = tuple(_refs(ns, ns))
        fields: _Known = {}
        if kind in ("messages", "objects"):
            fields = _made_in(ns, data[1])
        elif kind == "custom" and custom_node is not None:
            name = custom_node(data)
            fields = {"own": TaskRef(ns, name, "")} if name is not None else {}
        elif kind == events:
            event = data if kind == "tasks" else data.get("payload", {})
            if "id" in event and ("input" in event or "result" in event or "error" in event):
                kind, data = ("start" if "input" in event else "result"), event
                fields = {
                    "own": TaskRef(ns, event["name"], event["id"]),
                    "parallel": "__pregel_push" in event.get("triggers", ()),
                }
        fields.setdefault("tasks", around)
        facts.append(
            Fact(index=index, part=part, kind=kind, ns=ns, data=data, around=around, ignored=ignored, **fields)
        )
    return facts


def is_question(fact: Fact) -> bool:
    """Return whether a part shows a question that waits for an answer, and not what a node or step has come to."""
    if fact.kind == "patches":
        return any("__interrupt__" in _set_names(operation) for operation in fact.data)
    asked = fact.part.get("interrupts") or (isinstance(fact.data, Mapping) and "__interrupt__" in fact.data)
    return fact.kind in ("values", "updates") and bool(asked)


def _set_names(operation: Mapping[str, Any]) -> Collection[str]:
    """Return the keys of the state that an operation of a patch sets."""
    if operation["op"] == "remove":
        return ()
    if operation["path"]:
        return (operation["path"][1:],)
    return operation["value"] if isinstance(operation["value"], Mapping) else ()


def updated_nodes(data: object) -> List[str]:
    """Return the nodes in a part of `updates`; none for cached updates, for which no task has run."""
    if not isinstance(data, Mapping) or (data.get("__metadata__") or {}).get("cached"):
        return []
    return [name for name in data if name not in _NO_NODES]


def _made_in(ns: Namespace, metadata: MessageMetadata) -> _Known:
    path = metadata.get("langgraph_checkpoint_ns")
    if not isinstance(path, str) or not path:
        return {}
    tasks = _refs(path.split("|"), ns)
    if len(tasks) > 1 and tasks[-1].name.startswith(HANDLER):
        del tasks[-2]  # the failed task, which has ended
    triggers = metadata.get("langgraph_path") or ("",)
    return {
        "tasks": tuple(tasks),
        "own": tasks[-1] if tasks else None,
        "step": metadata.get("langgraph_step"),
        "parallel": triggers[0] != "__pregel_pull",
    }


def _refs(path: Sequence[str], ns: Namespace) -> List[TaskRef]:
    # Several graphs called by one task are distinguished by numbers without a name. Subtasks of a functional workflow
    # belong to the workflow's own graph.
    found = []
    for place, segment in enumerate(path):
        name, colon, task_id = segment.rpartition(":")
        if colon:
            found.append(TaskRef(tuple(path[:place]) if place < len(ns) else ns, name, task_id))
    return found
