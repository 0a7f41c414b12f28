"""What a command line names: the graphs of a program, and savers.

`streamgraph serve`, `streamgraph run` and whoever writes a command of their own find them here.
"""

from streamgraph.named._events import events_named
from streamgraph.named._graphs import load_graphs, load_object, split_target
from streamgraph.named._savers import in_memory, open_saver, readable_saver, saver_named
from streamgraph.named._stores import store_named

__all__ = [
    "events_named",
    "in_memory",
    "load_graphs",
    "load_object",
    "open_saver",
    "readable_saver",
    "saver_named",
    "split_target",
    "store_named",
]
