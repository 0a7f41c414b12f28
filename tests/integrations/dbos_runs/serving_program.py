"""A server whose runs are queued: `python serving_program.py` prints its port; see `queued_program`."""

from __future__ import annotations

import os
import socket

import queued_program
import uvicorn

from streamgraph.named import saver_named
from streamgraph_server import serve
from streamgraph_server.cli import GraphServer


def main() -> None:
    """Serve until the process is ended."""
    runs = queued_program.runs()
    app = serve(
        queued_program.graphs(),
        checkpointer=saver_named(os.environ["TEST_DATABASE"]),
        events=runs.events,
        dispatcher=runs.dispatcher(),
        drain=0.1,
    )
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    print(listening.getsockname()[1], flush=True)
    GraphServer(uvicorn.Config(app, log_level="error")).run([listening])


if __name__ == "__main__":
    main()
