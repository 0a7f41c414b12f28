"""An agent that asks before it spends money: while it waits in the terminal, and after a restart.

    python cookbook/09_asks_before_it_spends.py wallet.sqlite

The tool that pays waits where it stands, and goes on with your answer. Leave it at its question (Ctrl-C, or pull the
plug) and start it again: it asks the same question. Without a file, a first process dies at the question, a second one
answers "yes". Needs `pip install langgraph-checkpoint-sqlite`; without a key a small server plays the model.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver

from streamgraph.prebuilt import create_react_agent
from streamgraph.types import interrupt
from streamgraph_integrations.openai import chat_model
from streamgraph_integrations.openai_server import Reply, ToolCall

CONFIG: Any = {"configurable": {"thread_id": "Ada"}}


@tool
def pay(euros: int, to: str) -> str:
    """Pay somebody."""
    answer = interrupt(f"Pay {euros} euros to {to}?")
    return f"Paid {euros} euros to {to}." if answer == "yes" else f"You said {answer!r}, so nothing was paid."


def reply(body: Any) -> Reply:
    """Play the model: pay once, then say what has come of it."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return Reply(f"I asked you first. {last['content']}")
    return Reply("That is easy. ", tool_calls=[ToolCall("pay", {"euros": 20, "to": "the hatter"})])


def person(question: str) -> str:
    """Return what the person at the terminal answers."""
    print(f"\n  {question} ", end="", flush=True)
    if os.environ.get("CRASH"):
        print("(the process dies)", flush=True)
        os._exit(1)
    if sys.stdin.isatty():
        return input("[yes/no] ")
    print("yes")
    return "yes"


def main(path: str) -> None:
    with SqliteSaver.from_conn_string(path) as saver:
        agent = create_react_agent(chat_model(reply=reply), [pay], checkpointer=saver)
        waits = bool(agent.get_state(CONFIG).next)
        print("It goes on where it was:" if waits else "You: buy me a hat.", end=" ", flush=True)
        given: Any = None if waits else {"messages": [("user", "Buy me a hat.")]}
        options: Any = {"version": "v2", "stream_mode": ["messages", "updates"], "interrupts": "live"}
        with agent.stream(given, CONFIG, durability="sync", **options) as stream:
            for part in stream:
                if part["type"] == "messages" and part["data"][1]["langgraph_node"] == "agent":
                    print(part["data"][0].content, end="", flush=True)
                for question in part["data"].get("__interrupt__", ()) if part["type"] == "updates" else ():
                    stream.answer(question.id, person(question.value))
        print()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "wallet.sqlite")
            subprocess.run([sys.executable, __file__, file], env={**os.environ, "CRASH": "1"}, check=False)
            main(file)
