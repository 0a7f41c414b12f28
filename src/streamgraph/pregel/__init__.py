"""Graphs as nodes and channels, the level below `StateGraph`, and the common class of all graphs that can run."""

from __future__ import annotations

from streamgraph.pregel._builder import NodeBuilder
from streamgraph.pregel._write import ChannelWriteEntry
from streamgraph.pregel.main import Pregel

__all__ = ["ChannelWriteEntry", "NodeBuilder", "Pregel"]
