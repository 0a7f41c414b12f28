"""The view model of a run: its nodes, texts, tools and questions, as a person wants to see them."""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Iterator, List, NamedTuple, Optional, Tuple

from typing_extensions import Literal

NodePath = Tuple[str, ...]
"""The names of the nodes from the root graph to a node."""

NodeStatus = Literal["idle", "running", "done", "failed", "asking", "stopped"]

RunViewStatus = Literal["running", "done", "failed", "interrupted", "cancelled", "left"]
"""What a run is doing, how it has ended, or that it was left and goes on."""

EventKind = Literal[
    "started",
    "finished",
    "failed",
    "asking",
    "retried",
    "text",
    "ended",
    "retracted",
    "tool",
    "custom",
    "object",
    "update",
    "state",
    "patch",
    "checkpoint",
    "question",
    "gap",
    "heartbeat",
    "error",
    "data",
]


class Event(NamedTuple):
    """What a part has changed in a view, for renderers that write one line after the other.

    Attributes:
        kind: What has happened.
        path: The node, or `()` for the run or where it is not known.
        value: The new text, the data, the error, …
        text: The text that has grown, ended or been taken back.
    """

    kind: EventKind
    path: NodePath = ()
    value: object = None
    text: Optional[TextView] = None


class NodeView:
    """A node, with all its tasks together.

    Attributes:
        path: The names of the nodes around it, and its own.
        running: The ids of its tasks that run, with their starts.
        since: Since when a task of it runs without a pause, in seconds of the view's clock.
        done: How many of its tasks have ended well.
        failed: How many have failed.
        retries: How often it was tried again, as far as the stream has shown it.
        seconds: For how long a task of it has run before; `None` if no start was seen.
        asks: A task of it waits for an answer.
        stopped: A task of it ran when the run ended.
        error: What its last failure said.
    """

    __slots__ = ("asks", "done", "error", "failed", "path", "retries", "running", "seconds", "since", "stopped")

    def __init__(self, path: NodePath) -> None:
        self.path = path
        self.running: Dict[str, float] = {}
        self.since = 0.0
        self.done = self.failed = self.retries = 0
        self.seconds: Optional[float] = None
        self.asks = self.stopped = False
        self.error = ""

    @property
    def status(self) -> NodeStatus:
        """What it is doing."""
        if self.asks:
            return "asking"
        if self.running:
            return "running"
        if self.error:
            return "failed"
        if self.stopped:
            return "stopped"
        return "done" if self.done else "idle"

    def elapsed(self, now: float) -> Optional[float]:
        """Return for how many seconds a task of it has run until now, or `None` if that is not known.

        Tasks at the same time count once.

        Args:
            now: The time of the view's clock.
        """
        if not self.running:
            return self.seconds
        return (self.seconds or 0.0) + now - self.since

    def start(self, id: str, at: float) -> None:  # noqa: A002
        """Record that a task of it starts."""
        if not self.running:
            self.since = at
        self.running[id] = at
        self.asks, self.error = False, ""

    def finish(self, id: str, at: float) -> Optional[float]:  # noqa: A002
        """Record that a task of it is over; return how long it has taken, or `None` if its start was not seen."""
        began = self.running.pop(id, None)
        if began is None:
            return None
        if not self.running:
            self.seconds = (self.seconds or 0.0) + at - self.since
        return at - began


class TextView:
    """A message that grows.

    Attributes:
        id: The id of the message.
        path: The node that it comes from.
        role: `"ai"`, `"human"`, `"tool"`, …
        tags: The tags of the model call.
        length: The number of characters so far.
        over: It will not grow any more.
        retracted: It was taken back, since what had written it was tried again.
    """

    __slots__ = ("_pieces", "id", "length", "over", "path", "retracted", "role", "tags")

    def __init__(self, id: str, path: NodePath, role: str, tags: Tuple[str, ...]) -> None:  # noqa: A002
        self.id = id
        self.path = path
        self.role = role
        self.tags = tags
        self.length = 0
        self.over = self.retracted = False
        self._pieces: List[str] = []

    @property
    def text(self) -> str:
        """The whole text so far."""
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def tail(self, characters: int) -> str:
        """Return the end of the text, at a cost that does not depend on what is before it.

        Args:
            characters: How many characters at most.
        """
        found: List[str] = []
        left = characters
        for piece in reversed(self._pieces):
            found.append(piece[-left:])
            left -= len(piece)
            if left <= 0:
                break
        return "".join(reversed(found))

    def add(self, text: str) -> None:
        """Append a token."""
        self._pieces.append(text)
        self.length += len(text)

    def replace(self, text: str) -> None:
        """Set the whole text."""
        self._pieces[:] = [text] if text else []
        self.length = len(text)


class ToolView(NamedTuple):
    """A tool call that runs or has ended.

    Attributes:
        name: The name of the tool.
        path: The node that has called it.
        status: What has become of it.
        value: Its input while it runs, then its output or what its failure said.
    """

    name: str
    path: NodePath
    status: Literal["running", "done", "failed"]
    value: object


class QuestionView(NamedTuple):
    """A question that waits for an answer.

    Attributes:
        id: Its id, under which it is answered.
        value: What is asked.
        response_schema: The JSON schema of the answer; `None` if every answer fits.
    """

    id: str
    value: object
    response_schema: object = None


class RunView:
    """What a person sees of a run; `streamgraph.watching.ViewFold` makes it of the parts of a stream.

    Attributes:
        nodes: The nodes by path, in the order in which they stand in a tree.
        texts: The messages, in the order of their first tokens.
        tools: The tool calls by id.
        questions: The questions that wait for an answer, by id.
        custom: The last custom data, each with its node.
        state: The last state of the root graph.
        has_state: A state was seen.
        status: What the run is doing, or how it has ended.
        error: What it has failed with.
        began: When the first part came, in seconds of the view's clock; `None` before.
        ended: When it ended; `None` before.
        missing: How many chunks were dropped.
        parts: How many parts were read.
    """

    def __init__(self) -> None:
        self.nodes: Dict[NodePath, NodeView] = {}
        self.texts: List[TextView] = []
        self.tools: Dict[str, ToolView] = {}
        self.questions: Dict[str, QuestionView] = {}
        self.custom: Deque[Tuple[NodePath, object]] = deque(maxlen=_CUSTOM)
        self.state: object = None
        self.has_state = False
        self.status: RunViewStatus = "running"
        self.error = ""
        self.began: Optional[float] = None
        self.ended: Optional[float] = None
        self.missing = 0
        self.parts = 0

    def node(self, path: NodePath) -> NodeView:
        """Return a node, which is added together with those around it if it is new."""
        found = self.nodes.get(path)
        if found is None:
            if len(path) > 1:
                self.node(path[:-1])
            found = self.nodes[path] = NodeView(path)
        return found

    def tree(self) -> Iterator[NodeView]:
        """Yield the nodes as they stand in a tree: each before those inside it."""
        below: Dict[NodePath, List[NodeView]] = {}
        for node in self.nodes.values():
            below.setdefault(node.path[:-1], []).append(node)
        left = list(reversed(below.get((), ())))
        while left:
            node = left.pop()
            yield node
            left.extend(reversed(below.get(node.path, ())))

    def elapsed(self, now: float) -> float:
        """Return the seconds since the first part, until the end of the run."""
        return 0.0 if self.began is None else (now if self.ended is None else self.ended) - self.began


_CUSTOM = 20
