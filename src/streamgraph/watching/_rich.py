"""A run in a terminal with Rich: a tree of the nodes, their texts while they grow, and the state at the end.

Only this module imports Rich. No text of a model is taken for Rich's markup: texts are `Text` objects, whose control
characters the fold has made visible.
"""

from __future__ import annotations

from itertools import islice
from typing import IO, Callable, ContextManager, List, Optional

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from streamgraph.watching._fold import Events
from streamgraph.watching._lines import again, name_of
from streamgraph.watching._model import NodeView, RunView, TextView
from streamgraph.watching._safe import folded, safe_line
from streamgraph.watching._values import question_text, state_rows, value_text

_FRAMES_PER_SECOND = 8

_SIGNS = {
    "idle": ("·", "dim"),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "asking": ("?", "bold yellow"),
    "stopped": ("■", "yellow"),
}


class Screen:
    """Shows a view in a terminal while it changes, and whole when it is over.

    Args:
        console: Rich's console.
        view: The view.
        clock: Returns the time of the view's clock.
        lock: Held while the view is changed, since another thread draws it.
        graph: The name of the graph.
        with_state: Show the state at the end.
    """

    def __init__(
        self,
        console: Console,
        view: RunView,
        clock: Callable[[], float],
        lock: ContextManager[object],
        *,
        graph: str = "",
        with_state: bool = True,
    ) -> None:
        self._console = console
        self._view = view
        self._clock = clock
        self._graph = safe_line(graph)
        self._with_state = with_state
        self._live: Optional[Live] = None
        self._lock = lock
        self._spinner = Spinner("dots")

    def start(self) -> None:
        """Begin to show it, or go on after a pause."""
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._drawn,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
                vertical_overflow="crop",
            )
            self._live.start()

    def changed(self, events: Events) -> None:
        """Do nothing: what has changed is in the next frame."""

    def pause(self) -> None:
        """Take it off the screen, so that something else can be written."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def end(self) -> None:
        """Show the whole of it, to stay."""
        self.pause()
        self._console.print(self.report())

    def report(self) -> RenderableType:
        """Return what stays: all nodes, all texts as a whole, and the state."""
        view, rows = self._view, [self._head()]
        rows += [self._row(node) for node in view.tree()]
        for text in view.texts:
            if text.length:
                rows += [_title(text), _body(text.text, text.retracted)]
        if self._with_state and view.has_state:
            rows += [Text("state", style="bold"), _table(view.state)]
        if view.error:
            rows.append(Text(view.error, style="bold red"))
        return Group(*rows)

    def _drawn(self) -> RenderableType:
        with self._lock:
            return self.frame()

    def frame(self) -> RenderableType:
        """Return the picture of this moment, which fits the height of the terminal."""
        width, height = self._console.size
        view = self._view
        asked = [
            Text(f"? {question_text(question.value)}", style="bold yellow") for question in view.questions.values()
        ]
        del asked[_ASKED:]
        nodes = list(view.tree())
        texts = [text for text in islice(reversed(view.texts), _RECENT) if text.length and not text.over][::-1]
        texts = texts or [text for text in view.texts[-1:] if text.length]
        left = height - 2 - len(asked)  # the head has one row, and one below all keeps the terminal from scrolling
        count = max(min(len(nodes), left - min(2 * len(texts), 4, (left + 1) // 2)), 0)
        rows = [self._head(), *map(self._row, _fitting(nodes, count if count == len(nodes) else count - 1))]
        if count < len(nodes):
            rows.append(Text(f"  … {len(nodes) - max(count - 1, 0)} nodes more", style="dim"))
        room = left - count
        shown = texts[-(room // 2) :] if room > 1 else []
        for text in shown:
            rows += [_title(text), _tail(text, width, room // len(shown) - 1)]
        rows = [*rows, *asked][: height - 1]
        for row in rows:
            if isinstance(row, Text):
                row.no_wrap, row.overflow = True, row.overflow or "ellipsis"
        return Group(*rows)

    def _head(self) -> RenderableType:
        view, now = self._view, self._clock()
        words = {"done": ("✓", "green"), "failed": ("✗", "bold red"), "cancelled": ("■", "yellow")}
        sign, style = words.get(view.status, ("?" if view.status == "interrupted" else "●", "bold yellow"))
        said = {"interrupted": "waits for an answer", "left": "goes on"}.get(view.status, view.status)
        if view.status == "running" and view.questions:
            sign, said = "?", "waits for an answer"
        head = Text.assemble((f"{sign} ", style), (self._graph or "run", "bold"), (f"  {said}", style))
        head.append(f"  {view.elapsed(now):.1f} s", style="dim")
        if view.missing:
            head.append(f"  {view.missing} chunks are missing", style="yellow")
        return head

    def _row(self, node: NodeView) -> RenderableType:
        now, status = self._clock(), node.status
        row = Text("  " * len(node.path), no_wrap=True, overflow="ellipsis")
        if status == "running":
            sign = self._spinner.render(now)
            row.append_text(sign if isinstance(sign, Text) else Text("*"))
        else:
            sign_, style = _SIGNS[status]
            row.append(sign_, style=style)
        row.append(f" {node.path[-1]}", style="dim" if status == "idle" else "bold" if status == "running" else "")
        seconds = node.elapsed(now)
        if seconds is not None:
            row.append(f"  {seconds:.1f} s", style="dim")
        runs = node.done + node.failed + len(node.running)
        if runs > 1:
            row.append(f"  {runs} times", style="dim")
        if node.retries:
            row.append(f"  {again(node.retries)}", style="yellow")
        if node.error:
            row.append(f"  {value_text(node.error, _ERROR)}", style="red")
        return row


def screen_on(
    file: IO[str],
    view: RunView,
    clock: Callable[[], float],
    lock: ContextManager[object],
    *,
    graph: str,
    with_state: bool,
) -> Screen:
    """Return a screen on a terminal; see `Screen`."""
    return Screen(Console(file=file, highlight=False), view, clock, lock, graph=graph, with_state=with_state)


def _fitting(nodes: List[NodeView], count: int) -> List[NodeView]:
    """Return the nodes that are shown if not all of them fit: those that run, and then the others, in their order."""
    if len(nodes) <= count:
        return nodes
    if count <= 0:
        return []
    ranked = sorted(range(len(nodes)), key=lambda place: (nodes[place].status not in _URGENT, -place))
    return [nodes[place] for place in sorted(ranked[:count])]


def _title(text: TextView) -> Text:
    role = "" if text.role in ("ai", "assistant") else f" ({text.role})"
    title = Text(f"{name_of(text.path)}{role}", style="bold cyan")
    for tag in text.tags:
        title.append(f" #{tag}", style="magenta")
    if text.retracted:
        title.append("  retracted", style="yellow")
    return title


def _body(text: str, retracted: bool) -> RenderableType:
    return Padding(Text(text, style="dim strike" if retracted else "", overflow="fold"), (0, 0, 0, 2))


def _tail(text: TextView, width: int, rows: int) -> RenderableType:
    """Return the last rows of a text; the cost depends on the screen and not on the text."""
    columns = max(width - 2, 10)
    shown = text.tail(columns * rows)
    lines: List[str] = []
    for line in shown.split("\n"):
        lines += folded(line, columns)
    return Text("\n".join(f"  {line}" for line in lines[-rows:]), no_wrap=True, overflow="crop")


def _table(state: object) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in state_rows(state):
        table.add_row(Text(key), Text(value))
    return Padding(table, (0, 0, 0, 2))


_URGENT = ("running", "failed", "asking")
_RECENT = 50
_ASKED = 3
_ERROR = 160
