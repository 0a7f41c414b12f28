"""What the fake models say, and the Anthropic API as far as the page needs it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOKE = "Why did the cat sit on the ice cream? It wanted a purrfait!"
POEM = "Soft paws at dawn, a whiskered yawn, the sun is drawn across the lawn."
ITEMS = "Bed: for sleeping, Lamp: gives light, Desk: to work at."
PLAIN = "One answer in one piece."


def answer(body: dict[str, Any]) -> str:
    """What the fake model says depends on what it was asked, as the prompts of the page are all different."""
    question = body["messages"][-1]["content"]
    for word, text in (("joke", JOKE), ("poem", POEM), ("bedroom", ITEMS)):
        if word in question:
            return text
    return PLAIN


class AnthropicServer:
    """Just enough of Anthropic's `/v1/messages` to answer in one piece; `bodies` are the requests it got."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def __enter__(self) -> AnthropicServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _AnthropicHandler)
        self._server.bodies = self.bodies
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _AnthropicHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        reply = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": PLAIN}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 7},
        }
        data = json.dumps(reply).encode()
        self.send_response(200 if self.path.endswith("/v1/messages") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Requests are asserted on, not logged."""
