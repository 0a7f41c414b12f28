"""Two nodes run in processes of their own, side by side, and stream as if they ran here; one process dies on the way.

It needs the extra `ray`. On a cluster nothing changes but `ray.init(address=...)` before the first run.
"""

import asyncio
import os
from pathlib import Path
from typing import Annotated, TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph.runtime import Runtime
from streamgraph.testing import ScriptedModel
from streamgraph.types import RetryPolicy
from streamgraph_integrations.ray_nodes import RayPool, remote


class State(TypedDict, total=False):
    topic: str
    log: Annotated[list, lambda known, more: known + more]


async def joke(state: State):
    said = await ScriptedModel([f"Why did the {state['topic']} cross the road?"]).ainvoke(state["topic"])
    return {"log": [(said.content, os.getpid())]}


async def poem(state: State, runtime: Runtime):
    model = ScriptedModel([f"O {state['topic']}, thou art slow."])
    async for token in model.astream(state["topic"]):
        if "thou" in token.content and runtime.execution_info.node_attempt == 1:
            await asyncio.sleep(0.5)  # what it has said so far is on its way
            os.kill(os.getpid(), 9)  # as when a machine breaks down
    return {"log": [("a poem", os.getpid())]}


def main() -> None:
    this_file = Path(__file__).stem  # the actors import what a reference names; a program would name its module
    with RayPool(actors=2, num_cpus=0.1) as pool:
        builder = StateGraph(State)
        builder.add_node("joke", remote(f"{this_file}:joke", pool))
        builder.add_node("poem", remote(f"{this_file}:poem", pool), retry_policy=RetryPolicy(initial_interval=0.1))
        builder.add_edge(START, "joke")
        builder.add_edge("joke", "poem")
        stream = builder.compile().stream({"topic": "snail"}, stream_mode="messages")
        for token, metadata in stream:
            if token.type == "remove":
                print(f"\n{metadata['langgraph_node']}: the process was lost, and what it has said is taken back")
            else:
                print(token.content, end="|", flush=True)
    here, elsewhere = os.getpid(), [process for _, process in stream.output["log"]]
    print(f"\nThis process: {here in elsewhere}. Others: {len({*elsewhere})}")


if __name__ == "__main__":
    main()
