"""The page on which people watch their runs: files that use the public paths of the server, and nothing else."""

from __future__ import annotations

from streamgraph_server.page.routes import routes

__all__ = ["routes"]
