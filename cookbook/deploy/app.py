"""What every server process serves. With the same database and the same Redis each serves the runs of all."""

import os

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.named import saver_named
from streamgraph.testing import ScriptedModel
from streamgraph_integrations.redis_events import RedisEvents
from streamgraph_server import serve

words = " ".join(map(str, range(int(os.environ.get("WORDS", "20")))))
model = ScriptedModel([words], cycle=True, delay=0.1)  # yours is here; slow, so that there is time to stop a process


async def answer(state: MessagesState):
    get_stream_writer()({"process": os.getpid()})
    return {"messages": await model.ainvoke(state["messages"])}


graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile()

app = serve(
    {"agent": graph},
    checkpointer=saver_named(os.environ["DATABASE_URL"]),
    events=RedisEvents(os.environ["REDIS_URL"]),
)
