"""A workflow as a plain function: its steps run side by side, and the stream shows each of them.

    python cookbook/03_workflow_as_a_function.py [topic]

Without a key a small server on this machine answers, over real HTTP, through the same `ChatOpenAI`. Set
`OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real model does.
"""

import asyncio
import sys
from typing import Dict, List

from streamgraph.func import entrypoint, task
from streamgraph_integrations.openai import chat_model

model = chat_model("gpt-4o-mini")


@task
def draft(kind: str, topic: str) -> str:
    return model.invoke(f"Write a {kind} about {topic}").content


@task
async def shorten(text: str) -> str:
    return (await model.ainvoke(f"Shorten this to one line: {text}")).content


@entrypoint()
def magazine(topic: str) -> Dict[str, str]:
    futures = {kind: draft(kind, topic) for kind in ("joke", "short poem")}  # they run at once
    return {kind: shorten(future.result()).result() for kind, future in futures.items()}


@entrypoint()
async def async_magazine(topics: List[str]) -> List[str]:
    drafts = await asyncio.gather(*(draft("haiku", topic) for topic in topics))
    return await asyncio.gather(*map(shorten, drafts))


def watch(topic: str) -> None:
    """Print how many tokens each step makes, and what it returns, as it happens."""
    tokens: Dict[str, int] = {}
    for mode, data in magazine.stream(topic, stream_mode=["messages", "updates"]):
        if mode == "messages":
            _, metadata = data
            tokens[metadata["langgraph_node"]] = tokens.get(metadata["langgraph_node"], 0) + 1
        else:
            for name, result in data.items():
                print(f"{name:>10} | after {sum(tokens.values()):3} tokens | {result}")


if __name__ == "__main__":
    topic = " ".join(sys.argv[1:]) or "cats"
    watch(topic)
    print(asyncio.run(async_magazine.ainvoke([topic, "rain"])))
