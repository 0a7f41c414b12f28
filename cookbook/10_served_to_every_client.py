"""A graph behind `streamgraph serve`, which answers in four protocols: what front ends send, and the texts they get.

    python cookbook/10_served_to_every_client.py

Another process serves the graph of this file, as `streamgraph serve cookbook/10_served_to_every_client.py:graph` does.
Without a key a small server on this machine plays the model; set `OPENAI_API_KEY` and the real one answers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, Callable, Iterator
from urllib.request import Request, urlopen

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph_integrations.openai import chat_model

model = chat_model("gpt-4o-mini")


async def say(state: MessagesState) -> Any:
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node(say).add_edge(START, "say").compile()

WHAT = "Tell me a joke about pelicans"
ASKED = {"role": "user", "content": WHAT}
PART = {"type": "text", "text": WHAT}

# For each protocol: where it asks, what it sends, and the text in an event that it gets.
PROTOCOLS: dict[str, tuple[str, dict[str, Any], Callable[[Any], str]]] = {
    "LangGraph's SDK and useStream": (
        "/runs/stream",
        {"assistant_id": "graph", "input": {"messages": [ASKED]}, "stream_mode": "messages-tuple"},
        lambda event: event[0]["content"] if isinstance(event, list) else "",
    ),
    "useChat of the AI SDK": (
        "/chat/graph",
        {"id": "chat-1", "messages": [{"id": "1", "role": "user", "parts": [PART]}]},
        lambda event: event["delta"] if event["type"] == "text-delta" else "",
    ),
    "AG-UI": (
        "/agui/graph",
        {"threadId": "thread-1", "runId": "run-1", "messages": [{"id": "1", **ASKED}]},
        lambda event: event["delta"] if event["type"] == "TEXT_MESSAGE_CONTENT" else "",
    ),
    "OpenAI's clients": (
        "/v1/chat/completions",
        {"model": "graph", "messages": [ASKED], "stream": True},
        lambda event: event["choices"][0]["delta"].get("content", ""),
    ),
}


def events(url: str, body: Any) -> Iterator[Any]:
    """Yield what the server sends, while it sends it."""
    with urlopen(Request(url, json.dumps(body).encode(), {"content-type": "application/json"})) as answer:
        for line in answer:
            if line.startswith(b"data:") and b"[DONE]" not in line:
                yield json.loads(line[len(b"data:") :])


if __name__ == "__main__":
    command = [sys.executable, "-m", "streamgraph", "serve", f"{__file__}:graph", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        address = re.findall(r"http://\S+", server.stdout.readline())[0]  # type: ignore[union-attr]
        for name, (path, body, text_in) in PROTOCOLS.items():
            print(f"\n{name}: POST {address}{path}\n  ", end="", flush=True)
            for event in events(address + path, body):
                print(text_in(event), end="", flush=True)
            print()
        server.terminate()
