"""A chat whose memory is a SQLite file. It is killed in the middle of an answer, goes on, and asks before it buys.

Needs `pip install langgraph-checkpoint-sqlite`. LangGraph itself is not needed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.types import Command, interrupt

CONFIG: Any = {"configurable": {"thread_id": "Ada"}}


def look_up(state: MessagesState) -> Any:
    """Takes long, so it should not be done twice."""
    print("  looking the price up")
    return {"messages": [AIMessage("It costs 20 coins.")]}


def buy(state: MessagesState) -> Any:
    """Ends the process the first time, as a crash would."""
    if os.environ.get("CRASH"):
        print("  (the process dies)", flush=True)
        os._exit(1)
    answer = interrupt("Spend 20 coins?")
    return {"messages": [AIMessage("Bought." if answer == "yes" else "I left it.")]}


def chat(saver: SqliteSaver) -> Any:
    builder = StateGraph(MessagesState).add_node(look_up).add_node(buy)
    return builder.add_edge(START, "look_up").add_edge("look_up", "buy").compile(checkpointer=saver)


def main(path: str) -> None:
    with SqliteSaver.from_conn_string(path) as saver:
        graph = chat(saver)
        if not graph.get_state(CONFIG).next:
            print("You: Buy me a hat.")
            graph.invoke({"messages": "Buy me a hat."}, CONFIG, durability="sync")
        print("going on; still to do:", graph.get_state(CONFIG).next)
        question = graph.invoke(None, CONFIG)["__interrupt__"][0]
        print("It asks:", question.value)
        print("It says:", graph.invoke(Command(resume="yes"), CONFIG)["messages"][-1].content)
        print("You: Buy another.")
        graph.invoke({"messages": "Buy another."}, CONFIG)
        final = graph.invoke(Command(resume="no"), CONFIG)
        print("It remembers:", [message.content for message in final["messages"]])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "chat.sqlite")
            subprocess.run([sys.executable, __file__, file], env={**os.environ, "CRASH": "1"}, check=False)
            main(file)
