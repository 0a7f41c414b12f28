"""A view as the output of a notebook cell, which is replaced while the run goes on."""

from __future__ import annotations

import sys
from threading import RLock
from typing import Any, Callable, Dict, List, Optional

from streamgraph.watching._display import Clock, Display
from streamgraph.watching._fold import Events
from streamgraph.watching._html import view_html
from streamgraph.watching._lines import LineWriter
from streamgraph.watching._model import RunView

_SECONDS = 0.2
"""The least time between two pictures: each is a message to the browser."""


def in_notebook() -> bool:
    """Return whether this code runs in the kernel of a notebook, which shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookDisplay:
    """Shows a view in the output of the cell that is running.

    Args:
        view: The view.
        clock: Returns the time of the view's clock.
        graph: The name of the graph.
        with_state: Show the state at the end.
    """

    def __init__(self, view: RunView, clock: Clock, *, graph: str = "", with_state: bool = True) -> None:
        self._view = view
        self._clock = clock
        self._graph = graph
        self._with_state = with_state
        self._handle: Optional[Any] = None
        self._due = 0.0
        # The same as text, for programs that read notebooks without showing HTML.
        self._writer = LineWriter()
        self._lines: List[str] = []

    def start(self) -> None:
        """Show it for the first time; in the cell that is running then."""
        if self._handle is None:
            from IPython.display import display

            show: Callable[..., Any] = display  # some versions of IPython have no types
            self._handle = show(self._picture(whole=False), raw=True, display_id=True)
            self._due = self._clock() + _SECONDS

    def changed(self, events: Events) -> None:
        """Show what has changed, unless the last picture is too fresh."""
        self._lines.append(self._writer.write(events))
        now = self._clock()
        if now >= self._due:
            self._due = now + _SECONDS
            self._update(whole=False)

    def pause(self) -> None:
        """Show everything so far: it may stay like that for a while."""
        self._update(whole=False)

    def end(self) -> None:
        """Show what stays."""
        self._lines.append(self._writer.end(self._view, self._clock(), with_state=self._with_state))
        self._update(whole=True)

    def _update(self, *, whole: bool) -> None:
        if self._handle is not None:
            self._handle.update(self._picture(whole=whole), raw=True)

    def _picture(self, *, whole: bool) -> Dict[str, str]:
        html = view_html(
            self._view, self._clock(), graph=self._graph, whole=whole, with_state=self._with_state and whole
        )
        plain = "".join(self._lines if whole else self._lines[-_PLAIN:])
        return {"text/html": html, "text/plain": plain or "…"}


def notebook_display(*, graph: str = "", with_state: bool = True) -> Callable[[RunView, Clock, RLock], Display]:
    """Return what makes the display for a notebook."""

    def make(view: RunView, clock: Clock, lock: RLock) -> Display:
        return NotebookDisplay(view, clock, graph=graph, with_state=with_state)

    return make


_PLAIN = 200
"""How many changes the text of a run that goes on shows."""
