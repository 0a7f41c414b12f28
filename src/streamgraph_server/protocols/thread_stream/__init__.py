"""langchain-protocol's thread stream (v3): `threads.stream()` of LangGraph's SDKs, `useStream` of @langchain/react."""

from __future__ import annotations

from streamgraph_server.protocols.thread_stream.routes import routes

__all__ = ["routes"]
