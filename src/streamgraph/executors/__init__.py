"""Nodes that run in other processes or on other machines, and stream as if they ran here.

::

    builder.add_node("embed", remote("my_app.embedding:embed", executor))

An `Executor` brings tasks to workers, where a `TaskHost` runs them. This module knows no transport;
`streamgraph_integrations.ray_nodes` has an executor on Ray.

What travels is plain data: the task with the reference of its node, never a pickled function or Runnable. A worker
imports the module of the reference, and makes what it names once.
"""

from __future__ import annotations

from streamgraph.executors._failures import RemoteTraceback
from streamgraph.executors._host import TaskHost
from streamgraph.executors._node import RemoteNode, remote
from streamgraph.executors._protocol import Executor, Item, TaskHandle

__all__ = ["Executor", "Item", "RemoteNode", "RemoteTraceback", "TaskHandle", "TaskHost", "remote"]
