"""Nodes that run on Ray: in a pool of actors on this machine or others, and stream as if they ran here.

::

    pool = RayPool(actors=4, num_gpus=1)

    builder.add_node("embed", remote("my_app.embedding:embed", pool))    # a function, a Runnable or a graph
    builder.add_node("write", remote("my_app.writing:make_graph()", pool))    # made once in each actor

    for token, metadata in builder.compile().stream(given, stream_mode="messages"):
        print(token.content, end="")

It needs the extra `ray`. Without `ray.init()` a Ray is started on this machine when the first task runs.
"""

from __future__ import annotations

from streamgraph.executors import RemoteNode, remote
from streamgraph_integrations.ray_nodes._pool import RayPool

__all__ = ["RayPool", "RemoteNode", "remote"]
