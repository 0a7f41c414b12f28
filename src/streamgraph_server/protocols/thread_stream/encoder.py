"""Parts of a run as the events of langchain-protocol's thread stream."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple, cast

from langchain_core.messages import RemoveMessage

from streamgraph.runs import Part
from streamgraph.types import StreamPart
from streamgraph_server.frames import RunEnd, RunFacts
from streamgraph_server.protocols.thread_stream.blocks import MessageBlocks
from streamgraph_server.protocols.thread_stream.events import GAP, Event, Namespace
from streamgraph_server.tokens import OBJECT

_ENDINGS = {"done": "completed", "failed": "failed", "interrupted": "interrupted", "cancelled": "interrupted"}
_NAMED = {"name", "payload"}
_QUESTIONS = "__interrupt__"


class ThreadEncoder:
    """Makes the events of one run: a fold without I/O, so the same parts give the same events.

    It needs all parts of nested graphs as well, in the modes that the server records; `checkpoints` and `objects` may
    be among them.

    Args:
        describe: Returns what clients may read of the error of a task.
        answered: The ids of the questions that the run has answers to.
    """

    def __init__(self, describe: Callable[[BaseException], str], answered: Sequence[str] = ()) -> None:
        self._describe = describe
        self._answered = list(answered)
        self._name = ""
        self._messages = MessageBlocks()
        self._graphs: Dict[Namespace, bool] = {}
        self._calls: Dict[str, str] = {}
        self._asked: Dict[str, Tuple[Namespace, object]] = {}
        self._inputs: Set[Namespace] = set()
        self._has_checkpoints = False
        self._held: Optional[Event] = None

    def begin(self, run: RunFacts) -> Iterator[Event]:
        """Yield the events before anything has happened."""
        self._name = run.graph
        yield Event("lifecycle", (), {"event": "running", "graph_name": run.graph})
        if self._answered:
            yield Event("input.answered", (), {"interrupt_ids": self._answered})

    def part(self, part: Part) -> Iterator[Event]:
        """Yield the events of a part."""
        mode, ns, data = part.mode, part.ns, part.data
        if mode == "gap":
            yield from self.gap(data.dropped)
            return
        if mode == "checkpoints":
            yield from self._checkpoint(ns, data)
            return
        yield from self._released()
        if mode not in _PARTS:
            return
        yield from self._entered(ns)
        if mode == "messages" and OBJECT in data[1] and isinstance(data[0], RemoveMessage):
            yield _object(ns, None, data[1], part.source)
        if mode in ("messages", "tasks"):
            yield from self._messages.part(cast("StreamPart", {"type": mode, "ns": ns, "data": data}))
        if mode == "values":
            yield from self._values(ns, data)
        elif mode == "updates":
            for node, values in data.items():
                if node != _QUESTIONS:
                    yield Event("updates", ns, {"node": node, "values": {} if values is None else values}, node)
        elif mode == "custom":
            named = isinstance(data, dict) and data.keys() == _NAMED and isinstance(data["name"], str)
            yield Event("custom", ns, data if named else {"payload": data}, part.source)
        elif mode == "objects":
            yield _object(ns, data[0], data[1], part.source)
        elif mode == "tools":
            if data["event"] == "tool-error":
                data = {**data, "message": self._describe(RuntimeError(data["message"]))}
            yield Event("tools", ns, data, part.source)
        elif mode == "tasks":
            yield from self._task(ns, data)

    def grow(self, id: str, text: str) -> Optional[int]:
        """Take the part of a token that only adds text to a block that is open.

        Returns:
            The index of the block. `None` if the token does more, and `part` has to be called for it.
        """
        return self._messages.grow(id, text) if self._held is None and text else None

    def gap(self, count: int) -> Iterator[Event]:
        """Yield the event in the place of parts that the server does not keep any more."""
        yield Event(GAP, (), {"message": f"{count} parts of the run before this are not kept any more."})

    def abandoned(self, why: str) -> Iterator[Event]:
        """Yield the events at the end of an attempt with which another process goes on.

        Args:
            why: What clients read of messages that are not whole.
        """
        yield from self._released()
        yield from self._messages.end(why)
        yield from self._left((), "failed")

    def end(self, end: RunEnd) -> Iterator[Event]:
        """Yield the events at the end of the run. The last one is about the run itself."""
        yield from self._released()
        ending, why = _ENDINGS[end.status], None
        if end.status == "failed":
            why = end.message or end.error
        elif end.status == "cancelled":
            why = "The run was cancelled."
        yield from self._messages.end(why)
        yield from self._left((), ending)
        if end.status == "interrupted":
            for id, (ns, value) in self._asked.items():
                # Clients read the one or the other.
                yield Event("input.requested", ns, {"interrupt_id": id, "payload": value, "value": value})
        data: Dict[str, object] = {"event": ending, "graph_name": self._name}
        if end.status == "failed":
            data["error"] = why
        yield Event("lifecycle", (), data)

    def _values(self, ns: Namespace, data: object) -> Iterator[Event]:
        if isinstance(data, dict) and _QUESTIONS in data:
            for question in data[_QUESTIONS]:
                self._asked.setdefault(question.id, (ns, question.value))
            data = {key: value for key, value in data.items() if key != _QUESTIONS}
        event = Event("values", ns, cast("Mapping[str, object]", data))
        if self._has_checkpoints and ns not in self._inputs:
            # Its checkpoint is the next part, and clients want that first.
            self._held = event
        else:
            self._inputs.discard(ns)
            yield event

    def _checkpoint(self, ns: Namespace, data: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[Event]:
        self._has_checkpoints = True
        about: Mapping[str, object] = data.get("metadata") or {}
        shape: Dict[str, object] = {"id": data["config"]["configurable"].get("checkpoint_id")}
        before = data.get("parent_config")
        if before:
            shape["parent_id"] = before["configurable"].get("checkpoint_id")
        shape.update(step=about.get("step"), source=about.get("source"))
        if about.get("source") == "input":  # whose state follows it
            self._inputs.add(ns)
        held = self._held
        if held is not None and held.ns != ns:
            yield from self._released()
        yield from self._entered(ns)
        yield Event("checkpoints", ns, shape)
        yield from self._released()

    def _released(self) -> Iterator[Event]:
        held, self._held = self._held, None
        if held is not None:
            yield held

    def _task(self, ns: Namespace, data: Mapping[str, object]) -> Iterator[Event]:
        id, name = str(data["id"]), str(data["name"])
        if "result" not in data:
            call = _call_of(data.get("input"))
            if call is not None:
                self._calls[id] = call
            yield Event("tasks", ns, data, name)
            return
        error, questions = data.get("error"), cast("List[Mapping[str, object]]", data.get("interrupts") or [])
        if isinstance(error, BaseException):
            data = {**data, "error": self._describe(error)}
        for question in questions:
            self._asked.setdefault(str(question["id"]), (ns, question["value"]))
        yield Event("tasks", ns, data, name)
        yield from self._left((*ns, f"{name}:{id}"), "failed" if error else "interrupted" if questions else "completed")

    def _entered(self, ns: Namespace) -> Iterator[Event]:
        """Yield that nested graphs have started whose first part has come."""
        if ns in self._graphs:
            return
        for depth in range(1, len(ns) + 1):
            inner = ns[:depth]
            if inner not in self._graphs:
                self._graphs[inner] = True
                name, _, task = inner[-1].partition(":")
                data: Dict[str, object] = {"event": "started", "graph_name": name, "namespace": list(inner)}
                if task:
                    data["trigger_call_id"] = task
                if task in self._calls:
                    data["cause"] = {"type": "toolCall", "tool_call_id": self._calls[task]}
                yield Event("lifecycle", inner, data)

    def _left(self, ns: Namespace, ending: str) -> Iterator[Event]:
        """Yield that a nested graph and those in it have ended, the innermost first."""
        ended = [inner for inner, is_open in self._graphs.items() if is_open and inner[: len(ns)] == ns]
        for inner in sorted(ended, key=len, reverse=True):
            self._graphs[inner] = False
            data = {"event": ending, "graph_name": inner[-1].partition(":")[0], "namespace": list(inner)}
            yield Event("lifecycle", inner, data)


def _call_of(given: object) -> Optional[str]:
    """Return the id of the tool call that is the input of a task, if it is one."""
    call = given.get("tool_call") if isinstance(given, dict) else None
    id = call.get("id") if isinstance(call, dict) else None
    return id if isinstance(id, str) else None


def _object(ns: Namespace, found: object, metadata: Mapping[str, object], node: Optional[str]) -> Event:
    """Return the event of an object as far as a model has made it; `None` takes it back."""
    payload = {"run_id": metadata.get("run_id"), "complete": bool(metadata.get("complete")), "data": found}
    return Event("custom", ns, {"name": "object", "payload": payload}, node)


_PARTS = ("objects", "values", "updates", "custom", "messages", "tools", "tasks")
