"""The API of LangGraph's server: its SDKs, `RemoteGraph`, and what is built on them."""

from __future__ import annotations

from streamgraph_server.protocols.langgraph.routes import routes

__all__ = ["routes"]
