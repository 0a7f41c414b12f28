"""An agent that calls two tools at once, and everything you can watch: tokens, tool calls, progress, updates.

    python cookbook/02_agent_with_tools.py

Without a key a small server on this machine plays the model, over real HTTP, through the same `ChatOpenAI`. Set
`OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real model does.
"""

from typing import Annotated

from langchain_core.tools import tool

from streamgraph.prebuilt import InjectedState, create_react_agent
from streamgraph.types import StreamWriter
from streamgraph_integrations.openai import chat_model
from streamgraph_integrations.openai_server import Reply, ToolCall


@tool
def weather(city: str, writer: StreamWriter) -> str:
    """Tell the weather of a city."""
    writer(f"looking out of the window in {city}")  # the model never sees this parameter
    return {"Oslo": "snow", "Rome": "sun"}.get(city, "fog")


@tool
def questions_so_far(state: Annotated[dict, InjectedState]) -> int:
    """Count the questions that the user has asked."""
    return sum(message.type == "human" for message in state["messages"])


model = chat_model(
    reply=[
        Reply(tool_calls=[ToolCall("weather", {"city": "Oslo"}), ToolCall("weather", {"city": "Rome"})]),
        Reply(tool_calls=[ToolCall("questions_so_far", {})]),
        Reply("Oslo has snow, Rome has sun; and that was your first question."),
    ]
)

agent = create_react_agent(model, [weather, questions_so_far], prompt="You answer briefly.")

if __name__ == "__main__":
    question = "How is the weather in Oslo and in Rome? And how many questions have I asked?"
    modes = ["messages", "tools", "custom", "updates"]
    with agent.stream({"messages": [("user", question)]}, stream_mode=modes) as stream:
        for mode, data in stream:
            if mode == "messages":
                chunk, metadata = data
                if metadata["langgraph_node"] == "agent":
                    print(chunk.content, end="", flush=True)
            elif mode == "tools":
                print(f"\n  {data['event']:>14} | {data.get('tool_name') or data['output'].content}", end="")
            elif mode == "custom":
                print(f"\n  {'progress':>14} | {data}", end="")
            else:
                print(f"\n  {'node finished':>14} | {', '.join(data)}\n", end="")
    print(f"\n{len(stream.output['messages'])} messages in the end")
