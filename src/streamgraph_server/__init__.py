"""Graphs as a web server: `serve(graphs)` is an ASGI application that existing front ends and SDKs understand.

It needs the extra `server`: `pip install "streamgraph[server]"`. From the command line::

    streamgraph serve my_module:graph --port 2024
"""

from __future__ import annotations

from streamgraph_server.app import serve
from streamgraph_server.frames import Encoder, Frame, RunEnd, RunFacts

__all__ = ["Encoder", "Frame", "RunEnd", "RunFacts", "serve"]
