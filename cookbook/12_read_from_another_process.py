"""One process drives a run; another one reads it from the first event on, answers its question, and gets its result.

It needs a Redis or Valkey server, at REDIS_URL or on this machine, and the extra `redis`.
"""

import os
import subprocess
import sys
from typing import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph.testing import ScriptedModel
from streamgraph.types import interrupt
from streamgraph_integrations.redis_events import RedisEvents

model = ScriptedModel(["Snow is warm, for ice."])


class State(TypedDict, total=False):
    topic: str
    fact: str


def look_up(state: State):
    get_stream_writer()({"looking up": state["topic"]})
    fact = model.invoke(state["topic"]).content
    return {"fact": fact if interrupt(f"Publish this? {fact}") == "yes" else "nothing"}


graph = StateGraph(State).add_node("look_up", look_up).add_edge(START, "look_up").compile()


def drive(url: str) -> None:
    with RedisEvents(url) as events:
        run = graph.start({"topic": "ice"}, log=events.open(), interrupts="live")
        print(run.id, flush=True)
        run.result()


def read(url: str) -> None:
    command = [sys.executable, __file__, "drive", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver, RedisEvents(url) as events:
        run = graph.attach(events.log(driver.stdout.readline().strip()))
        for mode, chunk in run.stream(["custom", "messages", "updates"]):
            if mode == "updates" and "__interrupt__" in chunk:
                (question,) = chunk["__interrupt__"]
                print(f"\n{question.value} yes")
                run.answer(question.id, "yes")
            elif mode == "messages":
                print(chunk[0].content, end="", flush=True)
            else:
                print(chunk)
        print(run.status, run.result())


if __name__ == "__main__":
    if sys.argv[1:2] == ["drive"]:
        drive(sys.argv[2])
    else:
        read(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
