"""`streamgraph dev`: graphs in the browser while they are written. It serves them, and again when a file changes."""

from __future__ import annotations

from streamgraph_server.dev.command import dev_command, main

__all__ = ["dev_command", "main"]
