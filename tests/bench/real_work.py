"""Work as applications have it: large states, long conversations, growing lists, nested graphs, tracers and agents.

Each workload makes the same graph with either library, and returns what runs it once.
"""

from __future__ import annotations

import asyncio
import importlib
import operator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, TypedDict

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.tracers import BaseTracer
from pydantic import BaseModel
from typing_extensions import Annotated

STEPS = 20
CONFIG: Dict[str, Any] = {"recursion_limit": 10_000}


class Library:
    """One of the two libraries."""

    def __init__(self, name: str) -> None:
        graph = importlib.import_module(f"{name}.graph")
        types = importlib.import_module(f"{name}.types")
        self.StateGraph, self.START, self.add_messages = graph.StateGraph, graph.START, graph.add_messages
        self.Send, self.Command = types.Send, types.Command
        self.create_react_agent = importlib.import_module(f"{name}.prebuilt").create_react_agent
        self.get_stream_writer = importlib.import_module(f"{name}.config").get_stream_writer


class RealWork(NamedTuple):
    """A workload.

    Attributes:
        name: What it is.
        target: How long it may take, as a share of LangGraph's time.
        make: Returns what runs it once.
    """

    name: str
    target: float
    make: Callable[[Any], Callable[[], Any]]


def records(count: int) -> List[Dict[str, Any]]:
    """Nested dicts, as a search or a database returns them."""
    return [
        {"id": index, "text": f"text {index}", "meta": {"source": "web", "score": index / 7, "tags": ["a", "b"]}}
        for index in range(count)
    ]


class Loaded(TypedDict, total=False):
    """A state with data that no node writes."""

    n: int
    data: List[Any]


class PydanticLoaded(BaseModel):
    """The same, validated."""

    n: int = 0
    data: List[Any] = []


class Growing(TypedDict):
    """A state with a list that each step adds to."""

    items: Annotated[List[Any], operator.add]


def line(lib: Any, schema: Any, node: Any, steps: int = STEPS) -> Any:
    """A chain of one node, so many times."""
    builder, before = lib.StateGraph(schema), lib.START
    for index in range(steps):
        builder.add_node(f"n{index}", node)
        builder.add_edge(before, f"n{index}")
        before = f"n{index}"
    return builder.compile()


def count(state: Any) -> Any:
    """Write one key, and look at no other."""
    return {"n": state["n"] + 1}


def count_field(state: PydanticLoaded) -> Any:
    """Write one field."""
    return {"n": state.n + 1}


def read(graph: Any, given: Any, config: Any = None, **options: Any) -> Callable[[], int]:
    """Read a stream to its end."""
    return lambda: sum(1 for _ in graph.stream(given, {**CONFIG, **(config or {})}, **options))


def invoke(graph: Any, given: Any) -> Callable[[], None]:
    """Run a graph to its end."""
    return lambda: graph.invoke(given, CONFIG) and None


def aread(graph: Any, given: Any, **options: Any) -> Callable[[], int]:
    """Read a stream to its end, on a loop."""

    async def run() -> int:
        chunks = 0
        async for _ in graph.astream(given, CONFIG, **options):
            chunks += 1
        return chunks

    return lambda: asyncio.run(run())


def loaded(data: Sequence[Any], mode: str = "updates", schema: Any = Loaded) -> Callable[[Any], Callable[[], Any]]:
    """A chain over a state with data that it does not touch."""
    given, node = {"n": 0, "data": [*data]}, count if schema is Loaded else count_field
    if mode == "invoke":
        return lambda lib: invoke(line(lib, schema, node), given)
    return lambda lib: read(line(lib, schema, node), given, stream_mode=mode)


def conversation(mode: str) -> Callable[[Any], Callable[[], Any]]:
    """A history of 2,000 messages, to which each step adds one."""
    history: List[BaseMessage] = [HumanMessage(f"message {index}", id=f"m{index}") for index in range(2000)]

    def make(lib: Any) -> Callable[[], Any]:
        class Chat(TypedDict):
            messages: Annotated[List[BaseMessage], lib.add_messages]

        Chat.__annotations__["messages"] = Annotated[List[BaseMessage], lib.add_messages]
        return read(
            line(lib, Chat, lambda state: {"messages": AIMessage("yes")}), {"messages": history}, stream_mode=mode
        )

    return make


def growing(lib: Any) -> Callable[[], Any]:
    """A list that grows by 50 dicts in each of 100 steps."""
    batch = records(50)
    return read(line(lib, Growing, lambda state: {"items": batch}, 100), {"items": []})


def sending(lib: Any) -> Callable[[], Any]:
    """50 tasks that each get 300 search hits."""
    hits = records(300)

    class Sent(TypedDict, total=False):
        hits: List[Any]
        out: Annotated[List[int], operator.add]

    Sent.__annotations__.update(hits=List[Any], out=Annotated[List[int], operator.add])
    builder = lib.StateGraph(Sent).add_node("work", lambda state: {"out": [len(state["hits"])]})
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("work", {"hits": state["hits"]})] * 50, ["work"])
    return read(builder.compile(), {"hits": hits, "out": []})


def nested(lib: Any) -> Callable[[], Any]:
    """Five graphs of five steps in a graph, each of which is handed the hits."""
    return read(line(lib, Loaded, line(lib, Loaded, count, 5), 5), {"n": 0, "data": records(300)})


class Handler(BaseCallbackHandler):
    """Hears of every run."""

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def on_chain_end(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class Tracer(BaseTracer):
    """Builds the tree of runs, and keeps none."""

    def _persist_run(self, run: Any) -> None:
        pass


def watched(handler: Any) -> Callable[[Any], Callable[[], Any]]:
    """A chain that somebody listens to."""
    return lambda lib: read(line(lib, Loaded, count), {"n": 0}, {"callbacks": [handler()]})


def lambdas(lib: Any) -> Callable[[], Any]:
    """Nodes that are Runnables."""
    return read(line(lib, Loaded, RunnableLambda(count)), {"n": 0})


def chains(lib: Any) -> Callable[[], Any]:
    """Nodes that are a prompt, a model and a parser."""
    model = GenericFakeChatModel(messages=iter(lambda: AIMessage("one two three four"), None))
    chain = ChatPromptTemplate.from_messages([("human", "count {n}")]) | model | StrOutputParser()
    return read(line(lib, Loaded, chain | (lambda text: {"n": len(text)})), {"n": 0}, stream_mode="messages")


class Rounds(BaseChatModel):
    """Asks for a tool so many times, and then answers."""

    rounds: int = 20

    @property
    def _llm_type(self) -> str:
        return "rounds"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Know the tools already."""
        return self

    def _generate(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = sum(isinstance(message, AIMessage) for message in messages)
        calls = [{"name": "look", "args": {"at": str(done)}, "id": f"call{done}"}] if done < self.rounds else []
        return ChatResult(generations=[ChatGeneration(message=AIMessage("ok", tool_calls=calls))])


@tool
def look(at: str) -> str:
    """Look at something."""
    return at


def agent(mode: str, asynchronous: bool = False) -> Callable[[Any], Callable[[], Any]]:
    """An agent of 20 tool rounds."""
    given = {"messages": [HumanMessage("go")]}

    def make(lib: Any) -> Callable[[], Any]:
        made = lib.create_react_agent(Rounds(), [look])
        return aread(made, given, stream_mode=mode) if asynchronous else read(made, given, stream_mode=mode)

    return make


def in_threads(lib: Any) -> Callable[[], Any]:
    """100 runs in 16 threads."""
    graph, pool = line(lib, Loaded, count), ThreadPoolExecutor(16)
    return lambda: list(pool.map(lambda _: graph.invoke({"n": 0}, CONFIG), range(100))) and None


def at_once(node: Any) -> Callable[[Any], Callable[[], Any]]:
    """100 runs at once on a loop."""

    def make(lib: Any) -> Callable[[], Any]:
        graph = line(lib, Loaded, node)

        async def run() -> None:
            await asyncio.gather(*(graph.ainvoke({"n": 0}, CONFIG) for _ in range(100)))

        return lambda: asyncio.run(run())

    return make


async def acount(state: Any) -> Any:
    """Write one key, on a loop."""
    return {"n": state["n"] + 1}


REAL_WORK: List[RealWork] = [
    RealWork("20,000 nested dicts that no node writes, updates", 0.33, loaded(records(20_000))),
    RealWork("the same, invoke", 0.33, loaded(records(20_000), "invoke")),
    RealWork("the same, values", 0.5, loaded(records(20_000), "values")),
    RealWork("20,000 Documents, updates", 0.33, loaded([Document(f"page {i}") for i in range(20_000)])),
    RealWork("300 search hits, updates", 0.33, loaded(records(300))),
    RealWork("300 search hits, values", 0.5, loaded(records(300), "values")),
    RealWork("300 search hits in a pydantic state", 0.5, loaded(records(300), schema=PydanticLoaded)),
    RealWork("a history of 2,000 messages, one more per step, updates", 0.5, conversation("updates")),
    RealWork("the same, values", 0.5, conversation("values")),
    RealWork("the same, messages", 0.5, conversation("messages")),
    RealWork("a list that grows by 50 dicts in 100 steps", 0.5, growing),
    RealWork("50 Sends of 300 search hits", 0.33, sending),
    RealWork("graphs in graphs, 5 x 5, 300 search hits", 0.33, nested),
    RealWork("a callback handler on the run", 0.4, watched(Handler)),
    RealWork("a tracer on the run", 0.4, watched(Tracer)),
    RealWork("RunnableLambdas as nodes", 0.29, lambdas),
    RealWork("chains of prompt, model and parser as nodes, messages", 0.6, chains),
    RealWork("an agent of 20 tool rounds, updates", 0.5, agent("updates")),
    RealWork("the same, messages", 0.5, agent("messages")),
    RealWork("the same, updates, async", 0.5, agent("updates", True)),
    RealWork("the same, messages, async", 0.5, agent("messages", True)),
    RealWork("100 invokes in 16 threads", 0.11, in_threads),
    RealWork("100 ainvokes of sync nodes at once", 0.2, at_once(count)),
    RealWork("100 ainvokes of async nodes at once", 0.1, at_once(acount)),
]
