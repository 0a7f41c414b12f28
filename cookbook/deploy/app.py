"""The graph that every server process serves."""

import os

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import ScriptedModel

words = " ".join(map(str, range(int(os.environ.get("WORDS", "20")))))
model = ScriptedModel([words], cycle=True, delay=0.1)  # yours is here; slow, so that there is time to stop a process


async def answer(state: MessagesState):
    get_stream_writer()({"process": os.getpid()})
    return {"messages": await model.ainvoke(state["messages"])}


graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile()
