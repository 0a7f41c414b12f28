"""See a run: in a terminal, in a notebook, or as plain lines.

`watch(stream)` shows any stream to a person while a program reads it. Under it is one fold, `ViewFold`, which makes a
`RunView` of the parts of a stream: nodes, their states and times, texts, tools, questions and the state. Whoever shows
runs in another way may use it.
"""

from streamgraph.watching._chunks import Read, reader_of
from streamgraph.watching._display import Display, Watcher, terminal_display
from streamgraph.watching._fold import ViewFold
from streamgraph.watching._layout import Edge
from streamgraph.watching._model import Event, NodeView, QuestionView, RunView, TextView, ToolView
from streamgraph.watching._safe import safe_line, safe_text
from streamgraph.watching._svg import GraphShape, graph_svg
from streamgraph.watching._watch import AsyncWatched, Watched, watch

__all__ = [
    "AsyncWatched",
    "Display",
    "Edge",
    "Event",
    "GraphShape",
    "NodeView",
    "QuestionView",
    "Read",
    "RunView",
    "TextView",
    "ToolView",
    "ViewFold",
    "Watched",
    "Watcher",
    "graph_svg",
    "reader_of",
    "safe_line",
    "safe_text",
    "terminal_display",
    "watch",
]
