"""The fold of the parts of a stream into a view: no I/O, no clock of its own, and constant time for a token."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from streamgraph.accumulate import PatchError, StateAccumulator
from streamgraph.types import Gap
from streamgraph.watching._chunks import Namespace, Read
from streamgraph.watching._messages import MessageFacts, facts_of_message
from streamgraph.watching._model import Event, NodePath, QuestionView, RunView, RunViewStatus, TextView, ToolView
from streamgraph.watching._safe import safe_line, safe_text
from streamgraph.watching._values import error_text

Events = Sequence[Event]

_NO_NODES = ("__metadata__", "__interrupt__")


class ViewFold:
    """Makes a view of the parts of a run, one part after the other.

    Each mode tells something: `tasks` and `debug` when nodes start and end, `messages` their texts, `values` the state.
    What a stream does not have is taken from the others as far as that goes: a token shows that its node runs, an
    update that it has ended.

    Args:
        nodes: The paths of nodes that are shown from the beginning, before they run.

    Attributes:
        view: What was made so far.
    """

    def __init__(self, nodes: Iterable[NodePath] = ()) -> None:
        self.view = RunView()
        for path in nodes:
            self.view.node(tuple(map(safe_line, path)))
        self._knows_tasks = self._knows_retries = False
        self._texts: Dict[str, TextView] = {}
        self._open: Dict[NodePath, Dict[str, TextView]] = {}
        self._patched: Optional[StateAccumulator] = None
        self._takes: Dict[str, Callable[[Read, float], Events]] = {
            "tasks": self._task,
            "debug": self._debug,
            "messages": self._message,
            "values": self._values,
            "updates": self._updates,
            "patches": self._patch,
            "custom": self._custom,
            "objects": self._object,
            "tools": self._tool,
            "retries": self._retry,
            "checkpoints": lambda read, at: [Event("checkpoint", path_of(read.ns))],
            "heartbeat": lambda read, at: [Event("heartbeat", (), read.data)],
            "gap": self._gap,
            "error": self._failure,
        }

    def take(self, read: Read, at: float) -> Events:
        """Add a part.

        Args:
            read: The part, as `reader_of` gives it.
            at: When it came, in seconds of any clock that does not go back.

        Returns:
            What it has changed.
        """
        view = self.view
        view.parts += 1
        if view.began is None:
            view.began = at
        take = self._takes.get(read.mode)
        return [Event("data", path_of(read.ns), read.data)] if take is None else take(read, at)

    def end(self, status: RunViewStatus, at: float, error: object = None) -> Events:
        """Record that the run is over: no timer goes on.

        Args:
            status: How it has ended.
            at: When.
            error: What it has failed with.
        """
        view = self.view
        if view.ended is not None:
            return ()
        view.began = at if view.began is None else view.began
        view.status, view.ended = status, at
        if error is not None:
            view.error = error_text(error)
        for node in view.nodes.values():
            if node.running:
                # Without task events a node whose texts are over has no other end than this.
                node.stopped = (self._knows_tasks or status != "done") and not node.asks
                node.done += 0 if node.stopped or node.asks else len(node.running)
                node.seconds = node.elapsed(at)
                node.running.clear()
        events = [Event("ended", text.path, None, text) for text in view.texts if not text.over]
        for text in view.texts:
            text.over = True
        if status == "failed":
            events.append(Event("error", (), view.error))
        return events

    def answered(self, id: str) -> None:  # noqa: A002
        """Record that a question does not wait any more."""
        self.view.questions.pop(id, None)

    def asked(self, id: str, value: object, schema: object = None) -> Events:  # noqa: A002
        """Record a question."""
        if id in self.view.questions:
            return ()
        question = self.view.questions[id] = QuestionView(id, value, schema)
        return [Event("question", (), question)]

    # Tasks

    def _task(self, read: Read, at: float) -> Events:
        data = read.data
        if not isinstance(data, Mapping) or "name" not in data:
            return [Event("data", path_of(read.ns), data)]
        self._knows_tasks = True
        path, id_ = (*path_of(read.ns), safe_line(str(data["name"]))), str(data.get("id"))
        return self._ends(path, id_, data, at) if "result" in data or "error" in data else self._starts(path, id_, at)

    def _debug(self, read: Read, at: float) -> Events:
        data = read.data
        payload = data.get("payload") if isinstance(data, Mapping) else None
        if isinstance(data, Mapping) and data.get("type") in ("task", "task_result"):
            return self._task(Read(read.ns, "tasks", payload), at)
        return [Event("checkpoint", path_of(read.ns))]

    def _starts(self, path: NodePath, id_: str, at: float) -> Events:
        node = self.view.node(path)
        if id_ in node.running:
            return ()
        node.start(id_, at)
        return [Event("started", path)]

    def _ends(self, path: NodePath, id_: str, data: Mapping[str, object], at: float) -> Events:
        node = self.view.node(path)
        if data.get("interrupts"):
            # Its task ends with the run, or goes on with the answer: where it stands, or as a task of another run.
            node.asks = True
            return [Event("asking", path)]
        seconds = node.finish(id_, at)
        node.asks = False
        events = [Event("ended", path, None, text) for text in self._over(path, id_)]
        if data.get("error") is not None:
            node.failed += 1
            node.error = error_text(data["error"])
            return [*events, Event("failed", path, node.error)]
        node.done += 1
        return [*events, Event("finished", path, seconds)]

    def _retry(self, read: Read, at: float) -> Events:
        data = read.data
        if not isinstance(data, Mapping) or "name" not in data:
            return [Event("data", path_of(read.ns), data)]
        self._knows_retries = True
        node = self.view.node((*path_of(read.ns), safe_line(str(data["name"]))))
        node.retries += 1
        return [Event("retried", node.path, error_text(data.get("error")))]

    def _over(self, path: NodePath, id_: str) -> List[TextView]:
        if len(self.view.nodes[path].running):
            return []  # other tasks of the node go on, and a text does not tell its task
        found = [text for text in self._open.pop(path, {}).values() if not text.over]
        for text in found:
            text.over = True
        return found

    # Messages

    def _message(self, read: Read, at: float) -> Events:
        data = read.data
        pair = data if isinstance(data, (tuple, list)) and len(data) == 2 else (data, {})
        facts = facts_of_message(pair[0])
        if facts is None:
            return [Event("data", path_of(read.ns), data)]
        metadata = pair[1] if isinstance(pair[1], Mapping) else {}
        text = None if facts.id is None else self._texts.get(facts.id)
        if facts.is_removed:
            return self._retract(text)
        if text is None:
            if facts.is_last and not facts.text and not facts.calls:
                return ()  # the end of nothing
            path, task_id = _made_in(read.ns, metadata)
            tags = tuple(safe_line(str(tag)) for tag in metadata.get("tags") or ())
            text = TextView(facts.id or f"unnamed-{len(self.view.texts)}", path, safe_line(facts.role), tags)
            self._texts[text.id] = self._open.setdefault(path, {})[text.id] = text
            self.view.texts.append(text)
            starts = () if self._knows_tasks or not path else self._starts(path, task_id, at)
            return [*starts, *_grown(text, facts)]
        return _grown(text, facts)

    def _retract(self, text: Optional[TextView]) -> Events:
        if text is None:
            return ()
        del self._texts[text.id]  # the next attempt has texts of its own
        self._open.get(text.path, {}).pop(text.id, None)
        text.retracted = text.over = True
        node = self.view.nodes.get(text.path)
        if node is not None and not self._knows_retries:
            node.retries += 1
        return [Event("retracted", text.path, None, text)]

    # States

    def _values(self, read: Read, at: float) -> Events:
        view = self.view
        if read.ns:
            return [Event("state", path_of(read.ns), read.data)]
        view.state, view.has_state = read.data, True
        if not read.interrupts:
            view.questions.clear()
            return [Event("state", (), read.data)]
        return [Event("state", (), read.data), *self._questions(read.interrupts)]

    def _updates(self, read: Read, at: float) -> Events:
        data = read.data
        if not isinstance(data, Mapping):
            return [Event("data", path_of(read.ns), data)]
        events: List[Event] = []
        around = path_of(read.ns)
        for name, update in data.items():
            if name not in _NO_NODES:
                path = (*around, safe_line(str(name)))
                if not self._knows_tasks:
                    node = self.view.node(path)
                    id_ = next(iter(node.running), "")
                    events += self._ends(path, id_, {}, at)
                events.append(Event("update", path, update))
        asked = data.get("__interrupt__")
        return [*events, *self._questions(asked)] if asked else events

    def _patch(self, read: Read, at: float) -> Events:
        if not read.ns:
            self._patched = self._patched or StateAccumulator()
            try:
                known = self._patched.add(read.data)
            except (PatchError, TypeError):
                return [Event("data", (), read.data)]  # one before it is missing: no state until a whole one comes
            if known:
                self.view.state, self.view.has_state = self._patched.value, True
        return [Event("patch", path_of(read.ns), read.data)]

    def _questions(self, asked: object) -> Events:
        events: List[Event] = []
        for question in asked if isinstance(asked, (tuple, list)) else ():
            get = question.get if isinstance(question, Mapping) else vars(question).get
            id_ = get("id")
            if id_ is not None:
                events += self.asked(str(id_), get("value"), get("response_schema"))
        return events

    # Others

    def _custom(self, read: Read, at: float) -> Events:
        path = path_of(read.ns)
        self.view.custom.append((path, read.data))
        return [Event("custom", path, read.data)]

    def _object(self, read: Read, at: float) -> Events:
        data = read.data
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            return [Event("data", path_of(read.ns), data)]
        path, _ = _made_in(read.ns, data[1] if isinstance(data[1], Mapping) else {})
        return [Event("object", path, data[0])]

    def _tool(self, read: Read, at: float) -> Events:
        data = read.data
        if not isinstance(data, Mapping):
            return [Event("data", path_of(read.ns), data)]
        path, id_, event = path_of(read.ns), str(data.get("tool_call_id")), data.get("event")
        known = self.view.tools.get(id_)
        name = safe_line(str(data.get("tool_name") or (known.name if known else "tool")))
        if event == "tool-output-delta":
            return [Event("tool", path, ToolView(name, path, "running", data.get("delta")))]
        made = ToolView(name, path, "running", data.get("input"))
        if event == "tool-finished":
            made = ToolView(name, path, "done", data.get("output"))
        elif event == "tool-error":
            made = ToolView(name, path, "failed", data.get("message"))
        self.view.tools[id_] = made
        return [Event("tool", path, made)]

    def _gap(self, read: Read, at: float) -> Events:
        self.view.missing += read.data.dropped if isinstance(read.data, Gap) else 1
        return [Event("gap", (), read.data)]

    def _failure(self, read: Read, at: float) -> Events:
        self.view.error = error_text(getattr(read.data, "error", read.data))
        return ()  # the stream raises it next, and `end` shows it


def path_of(levels: Iterable[str]) -> NodePath:
    """Return the names of the nodes in a namespace, without the ids of their tasks."""
    found = []
    for level in levels:
        name, colon, _ = level.rpartition(":")
        if colon:
            found.append(safe_line(name))
        elif not level.isdigit():  # several graphs that one task calls are told apart by numbers
            found.append(safe_line(level))
    return tuple(found)


def _made_in(ns: Namespace, metadata: Mapping[str, object]) -> Tuple[NodePath, str]:
    """Return the node that a message comes from, and the id of the task."""
    where = metadata.get("langgraph_checkpoint_ns") or metadata.get("checkpoint_ns")
    if isinstance(where, str) and where:
        levels = where.split("|")
        return path_of(levels), levels[-1].rpartition(":")[2]
    node = metadata.get("langgraph_node")
    return (path_of(ns) if node is None else (*path_of(ns), safe_line(str(node)))), ""


def _grown(text: TextView, facts: MessageFacts) -> Events:
    added = safe_text(facts.text)
    calls = safe_text("".join(_call_text(name, args, facts.is_chunk) for name, args in facts.calls))
    if facts.is_chunk:
        added += calls
        if added:
            text.add(added)
    else:
        whole = added + calls
        # A whole message after its tokens shows nothing new.
        added = "" if text.length == len(whole) and text.text == whole else whole
        if added:
            if text.length:
                added = f"\n{added}"
            text.replace(whole)
    events = [Event("text", text.path, added, text)] if added else []
    if facts.is_last and not text.over:
        text.over = True
        events.append(Event("ended", text.path, None, text))
    return events


def _call_text(name: str, args: str, is_chunk: bool) -> str:
    """Return what is shown of a tool call, or of a piece of one, whose first piece has the name."""
    if not is_chunk:
        return f" → {name}({args})"
    return f" → {name} {args}" if name else args
