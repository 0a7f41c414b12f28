"""What one part of a stream says about tasks, steps and messages, whatever its mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Collection, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from typing_extensions import TypedDict

from streamgraph.types import MessageMetadata, StreamPart

Namespace = Tuple[str, ...]

HANDLER = "__error_handler__"
"""What the name of the error handler of a node begins with."""

_NO_NODES = ("__metadata__", "__interrupt__")


class StreamRuleError(AssertionError):
    """A stream has broken one of the `RULES` of order and of showing things exactly once.

    Args:
        rule: The name of the rule.
        message: What has happened.
        index: The place of the part that breaks the rule, from 0 on.
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
    """A task as parts name it: the graph it belongs to, its node and its id."""

    ns: Namespace
    name: str
    id: str


@dataclass(frozen=True)
class Fact:
    """One part, taken apart.

    Attributes:
        index: Its place in the stream.
        part: The part.
        kind: Its mode; `start` and `result` for events of tasks.
        ns: The namespace of its graph.
        data: Its payload; of `start` and `result` the event of the task.
        around: The tasks around its graph, the outermost one first.
        tasks: The tasks in which it was made, as far as it says so: those around it, and its own.
        own: The task that it comes from, if it says so.
        step: The step of its task, if it says so.
        parallel: Whether its task may have others of the same node beside it, because it was sent or called.
        ignored: The rules that need not hold.
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
        """Say that this part breaks a rule.

        Args:
            rule: The rule.
            message: What has happened.
            *ids: The ids of the tasks, messages or tool calls involved.

        Raises:
            StreamRuleError: It is none of the rules that are ignored.
        """
        if rule not in self.ignored:
            raise StreamRuleError(rule, message, self.index, self.part, [id_ for id_ in ids if id_])


class _Known(TypedDict, total=False):
    """What a part says of the task that it comes from; see `Fact`."""

    tasks: Tuple[TaskRef, ...]
    own: Optional[TaskRef]
    step: Optional[int]
    parallel: bool


class Rules:
    """Some rules that are checked together: of each part, and of the whole stream."""

    def take(self, fact: Fact) -> None:
        """Check the next part.

        Raises:
            StreamRuleError: It breaks a rule.
        """

    def end(self) -> None:
        """Check that nothing is missing in a stream that was read to its end.

        Raises:
            StreamRuleError: Something is.
        """


def facts_of(
    parts: Sequence[StreamPart],
    custom_node: Optional[Callable[[Any], Optional[str]]] = None,
    ignored: Collection[str] = (),
) -> List[Fact]:
    """Take the parts of a stream apart.

    Args:
        parts: All parts.
        custom_node: Returns the name of the node that `custom` data comes from, if somebody can tell.
        ignored: The rules that need not hold.
    """
    # Both modes show the same events; of two of them one is enough.
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


def updated_nodes(data: object) -> List[str]:
    """Return the nodes whose updates a part of `updates` shows; none if they come from a cache, and no task has run."""
    if not isinstance(data, Mapping) or (data.get("__metadata__") or {}).get("cached"):
        return []
    return [name for name in data if name not in _NO_NODES]


def _made_in(ns: Namespace, metadata: MessageMetadata) -> _Known:
    path = metadata.get("langgraph_checkpoint_ns")
    if not isinstance(path, str) or not path:
        return {}
    tasks = _refs(path.split("|"), ns)
    if len(tasks) > 1 and tasks[-1].name.startswith(HANDLER):
        del tasks[-2]  # the task that has failed, which is over
    triggers = metadata.get("langgraph_path") or ("",)
    return {
        "tasks": tuple(tasks),
        "own": tasks[-1] if tasks else None,
        "step": metadata.get("langgraph_step"),
        "parallel": triggers[0] != "__pregel_pull",
    }


def _refs(path: Sequence[str], ns: Namespace) -> List[TaskRef]:
    # Where several graphs were called by one task, numbers without a name tell them apart. What a functional workflow
    # calls belongs to its own graph.
    found = []
    for place, segment in enumerate(path):
        name, colon, task_id = segment.rpartition(":")
        if colon:
            found.append(TaskRef(tuple(path[:place]) if place < len(ns) else ns, name, task_id))
    return found
