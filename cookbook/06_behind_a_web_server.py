"""A graph behind a web server: server-sent events, a sign of life while it thinks, and an end when the client leaves.

    python cookbook/06_behind_a_web_server.py

The server and its clients run in this process. Without a key a small server on this machine plays the model; set
`OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real one answers.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypedDict
from urllib.request import urlopen

from streamgraph.graph import START, StateGraph
from streamgraph_integrations.openai import chat_model


class State(TypedDict, total=False):
    topic: str
    found: str
    joke: str


model = chat_model("gpt-4o-mini", tags=["joke"])
left = threading.Event()


def search(state: State):
    time.sleep(0.5)  # a service that takes its time
    return {"found": f"three facts about {state['topic']}"}


def tell(state: State):
    return {"joke": model.invoke(f"A joke about {state['topic']}, with {state['found']}").content}


graph = StateGraph(State).add_sequence([search, tell]).add_edge(START, "search").compile()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        # At most 32 chunks wait for a slow client; then the model is held back. After a minute the run is given up.
        options = {"max_buffer": 32, "heartbeat": 0.2, "timeout": 60}
        given = {"topic": self.path.strip("/")}
        stream = graph.stream(given, stream_mode=["messages", "updates"], version="v2", **options)
        try:
            with stream:
                for part in stream:
                    self.wfile.write(event(part, stream.seq).encode())
        except ConnectionError:  # the client has left, and the stream with it: nothing goes on for nobody
            left.set()

    def log_message(self, *args):
        pass


def event(part, number):
    if part["type"] == "heartbeat":
        return f": {', '.join(task.node for task in part['data'].running)} is at work\n\n"
    data = part["data"][0].content if part["type"] == "messages" else part["data"]
    return f"id: {number}\nevent: {part['type']}\ndata: {json.dumps(data, default=str)}\n\n"


with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with urlopen(f"{url}/pelicans") as response:
        print("".join(line.decode() for line in response if line.strip()))
    with urlopen(f"{url}/penguins") as response:
        response.readline()
    print("A client that leaves at once ends the run:", left.wait(10))
    server.shutdown()
