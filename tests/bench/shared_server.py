"""A server process that shares its runs: `python shared_server.py PORT REDIS_URL SQLITE_FILE`."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parent))

from serving_graph import graphs

from streamgraph.named import saver_named
from streamgraph_integrations.redis_events import RedisEvents
from streamgraph_server import serve
from streamgraph_server.cli import GraphServer


def main(port: str, url: str, file: str) -> None:
    """Serve until the process is ended."""
    app = serve(graphs, checkpointer=saver_named(f"sqlite:{file}"), events=RedisEvents(url))
    gc.freeze()
    GraphServer(uvicorn.Config(app, port=int(port), log_level="warning")).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
