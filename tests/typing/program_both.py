"""A program for the peer; with the other package's name it is one for ours, which is to be known as well."""

from __future__ import annotations

from typing import List

from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, GraphOutput, Overwrite, Send, StreamPart
from typing_extensions import Literal, TypedDict, reveal_type


class State(TypedDict):
    topic: str
    joke: str


class Context(TypedDict):
    user: str


class Answer(TypedDict):
    joke: str


def write(state: State, runtime: Runtime[Context]) -> Command[Literal["write"]]:
    reveal_type(runtime)
    reveal_type(runtime.context)
    reveal_type(runtime.context["user"])
    reveal_type(runtime.stream_writer)
    reveal_type(Command(goto="write"))
    return Command(update={"joke": state["topic"]}, goto="write")


builder = StateGraph(State, Context, output_schema=Answer)
reveal_type(builder)
graph = builder.add_node(write).add_edge(START, "write").compile()
reveal_type(graph)
given = State(topic="ice", joke="")
reveal_type(graph.stream(given, stream_mode="updates"))
reveal_type(graph.astream(given, stream_mode="updates"))
reveal_type(graph.stream(given, stream_mode=["updates", "messages"], subgraphs=True))
reveal_type(graph.stream(given, version="v2"))
reveal_type(graph.astream(given, version="v2"))
reveal_type(graph.invoke(given))
reveal_type(graph.invoke(given, version="v2"))
reveal_type(graph.invoke(given, version="v2").value)
reveal_type(graph.invoke(given, version="v2").interrupts)
reveal_type(graph.invoke(given, stream_mode="updates", version="v2"))
reveal_type(graph.with_config(tags=["a"]))
reveal_type(graph.batch([given]))
reveal_type(graph.get_graph())
reveal_type(graph.name)
reveal_type(Send("write", given))
reveal_type(Send("write", given).node)
reveal_type(Overwrite(1))
output: GraphOutput[Answer] = graph.invoke(given, version="v2")
reveal_type(output.value["joke"])


def tell(part: StreamPart[State, Answer]) -> None:
    reveal_type(part["ns"])
    if part["type"] == "values":
        reveal_type(part)
        reveal_type(part["data"])
    elif part["type"] == "messages":
        reveal_type(part["data"])
        reveal_type(part["data"][0])
        reveal_type(part["data"][1])
    elif part["type"] == "updates":
        reveal_type(part["data"])
    elif part["type"] == "tasks":
        reveal_type(part["data"])
    elif part["type"] == "debug":
        reveal_type(part["data"])


@task
def count(text: str) -> int:
    return len(text)


@task(name="fetching")
async def fetch(url: str) -> bytes:
    return url.encode()


@entrypoint()
def essay(topics: List[str]) -> int:
    reveal_type(count("a"))
    reveal_type(count("a").result())
    return 1


@entrypoint()
async def aessay(topics: List[str]) -> entrypoint.final[int, str]:
    reveal_type(await count("a"))
    reveal_type(fetch("a"))
    reveal_type(await fetch("a"))
    return entrypoint.final(value=1, save="")


reveal_type(entrypoint.final(value=1, save=""))
reveal_type(essay)
reveal_type(essay.invoke(["cats"]))
reveal_type(aessay.stream(["cats"]))
