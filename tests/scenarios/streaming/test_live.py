"""Chunks arrive while they are made: the model goes on only when the consumer has what came before."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter, defaultdict
from typing import Any, Callable, Dict, Iterator, List

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from scenarios.streaming.model_call_graphs import QUESTION, SHAPES, State, graph_of
from scenarios.streaming.provider import DRIVERS, JOKE, PATIENCE, POEM, ServerProvider, answer
from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph_integrations.openai_server import Reply, Request, ToolCall


class Pace:
    """An `on_chunk` under which the model makes a token only when the consumer has taken all tokens before it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: Dict[str, int] = Counter()
        self.texts: Dict[str, str] = defaultdict(str)

    def __call__(self, request: Request, index: int) -> None:
        text = answer(request.body)
        before = min(index, len(text.split()))
        with self._changed:
            assert self._changed.wait_for(lambda: self._taken[text] >= before, PATIENCE)

    def took(self, message: Any) -> None:
        """The consumer has this chunk."""
        if message.content:
            self.texts[message.id] += message.content
            (text,) = (text for text in (JOKE, POEM) if text.startswith(self.texts[message.id]))
            with self._changed:
                self._taken[text] += 1
                self._changed.notify_all()


def consume(graph: Any, given: Any, driver: str, take: Callable[[Any], None], **options: Any) -> None:
    """Run a graph and hand each chunk on at once."""
    if driver == "stream":
        for chunk in graph.stream(given, **options):
            take(chunk)
        return

    async def read() -> None:
        async for chunk in graph.astream(given, **options):
            take(chunk)

    asyncio.run(read())


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "astream"])
@pytest.mark.parametrize("name", SHAPES)
def test_tokens_arrive_one_by_one(name: str, call: str, driver: str) -> None:
    """From every place, each token is with the consumer before the model makes the next."""
    pace = Pace()
    build, asked = SHAPES[name]
    with ServerProvider(on_chunk=pace) as provider:
        graph = build(provider.model(), call)
        consume(graph, {"question": QUESTION}, driver, lambda chunk: pace.took(chunk[0]), stream_mode="messages")

    assert sorted(pace.texts.values()) == sorted(call.text for call in asked)


@pytest.mark.parametrize("driver", DRIVERS)
def test_tokens_arrive_one_by_one_among_all_modes(driver: str) -> None:
    """Asking for other modes as well delays no token."""
    pace = Pace()

    def take(chunk: Any) -> None:
        if chunk["type"] == "messages":
            pace.took(chunk["data"][0])

    with ServerProvider(on_chunk=pace) as provider:
        graph = SHAPES["graph_as_node_twice"][0](provider.model(), "invoke")
        modes = ["values", "updates", "messages", "custom", "tasks", "debug"]
        consume(graph, {}, driver, take, stream_mode=modes, subgraphs=True, version="v2")

    assert list(pace.texts.values()) == [JOKE]


def agent(model: Any, look_up: Any) -> Any:
    """A model that calls a tool, the tool, and the model again."""
    bound = model.bind_tools([look_up])

    async def talk(state: Any) -> Any:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    def tools(state: Any) -> Any:
        calls = state["messages"][-1].tool_calls
        return {"messages": [ToolMessage(look_up.invoke(call["args"]), tool_call_id=call["id"]) for call in calls]}

    builder = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_node("tools", tools)
    builder.add_edge(START, "talk")
    builder.add_conditional_edges("talk", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    builder.add_edge("tools", "talk")
    return builder.compile()


@pytest.mark.parametrize("driver", DRIVERS)
def test_tool_starts_after_the_last_token_before_it(driver: str) -> None:
    """When a tool starts, the consumer has all of the message that called it; its words arrive before its result."""
    chunks: List[Any] = []
    seen: List[Any] = []
    heard = threading.Event()

    @tool
    def look_up(topic: str) -> str:
        """Look something up."""
        seen.append(list(chunks))
        get_stream_writer()("looking")
        assert heard.wait(PATIENCE)
        return f"all about {topic}"

    def take(chunk: Any) -> None:
        chunks.append(chunk)
        if chunk == ("custom", "looking"):
            heard.set()

    calling = Reply("Let me look that up.", tool_calls=[ToolCall("look_up", {"topic": "cats and dogs"})])
    with ServerProvider([calling, JOKE]) as provider:
        graph = agent(provider.model(), look_up)
        modes = ["messages", "custom", "updates"]
        consume(graph, {"messages": [HumanMessage("?")]}, driver, take, stream_mode=modes)

    (before,) = seen
    tokens = [data[0] for mode, data in before if mode == "messages"]
    whole = sum(tokens[1:], tokens[0])
    assert whole.content == calling.text
    assert [call["args"] for call in whole.tool_calls] == [{"topic": "cats and dogs"}]
    assert before[-1][0] == "updates"
    after = chunks[len(before) :]
    assert after[0] == ("custom", "looking")
    assert after[1][1][0].content == "all about cats and dogs"
    assert "".join(data[0].content for mode, data in after[3:] if mode == "messages") == JOKE


def writing_nodes(heard: threading.Event) -> Dict[str, Any]:
    """Nodes that write and then wait until the consumer has what they wrote."""

    def wait() -> None:
        assert heard.wait(PATIENCE)

    def write_and_wait(state: Any) -> Any:
        get_stream_writer()("written")
        wait()
        return {}

    async def awrite_and_wait(state: Any) -> Any:
        get_stream_writer()("written")
        await asyncio.get_running_loop().run_in_executor(None, wait)
        return {}

    def injected(state: Any, writer: Any) -> Any:
        writer("written")
        wait()

    @tool
    def tell(question: str) -> str:
        """Write from within a tool."""
        write_and_wait(None)
        return question

    async def in_thread(state: Any) -> Any:
        return await asyncio.to_thread(write_and_wait, state)

    async def in_gather(state: Any) -> Any:
        await asyncio.gather(awrite_and_wait(state), asyncio.sleep(0))

    def in_bare_thread(state: Any) -> Any:
        writer = get_stream_writer()
        thread = threading.Thread(target=lambda: writer("written"))
        thread.start()
        wait()
        thread.join()

    def generator(state: Any) -> Any:
        yield {"answer": "written"}
        wait()

    return {
        "sync": write_and_wait,
        "async": awrite_and_wait,
        "injected": injected,
        "tool": lambda state: tell.invoke({"question": "?"}) and None,
        "thread": in_thread,
        "gather": in_gather,
        "bare thread": in_bare_thread,
        "chain": RunnableLambda(lambda state: state) | RunnableLambda(write_and_wait),
        "async chain": RunnableLambda(lambda state: state) | RunnableLambda(awrite_and_wait),
        "graph": graph_of(inner=write_and_wait),
        "async graph": graph_of(inner=awrite_and_wait),
        "generator": generator,
    }


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("place", writing_nodes(threading.Event()))
def test_custom_data_arrives_while_the_node_runs(place: str, driver: str) -> None:
    """What a writer is given is with the consumer while its node still waits, wherever it was written."""
    heard = threading.Event()
    chunks: List[Any] = []

    def take(chunk: Any) -> None:
        chunks.append(chunk)
        heard.set()

    consume(graph_of(talk=writing_nodes(heard)[place]), {"question": "?"}, driver, take, stream_mode="custom")

    assert chunks == [{"answer": "written"} if place == "generator" else "written"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["updates", "tasks", "debug"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_sibling_does_not_hold_back_an_update(mode: str, driver: str, asynchronous: bool) -> None:
    """The end of one task is with the consumer while another of its step still waits."""
    heard = threading.Event()

    def slow(state: Any) -> Any:
        assert heard.wait(PATIENCE)

    async def aslow(state: Any) -> Any:
        await asyncio.get_running_loop().run_in_executor(None, slow, state)

    def fast(state: Any) -> Any:
        return {"answer": "done"}

    def take(chunk: Any) -> None:
        if "'answer': 'done'" in repr(chunk):
            heard.set()

    consume(graph_of(slow=aslow if asynchronous else slow, fast=fast), {}, driver, take, stream_mode=mode)

    assert heard.is_set()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["values", "updates", "tasks"])
def test_next_step_waits_for_the_consumer(mode: str, driver: str) -> None:
    """A step starts only when the consumer has come back from the last chunk of the step before."""
    log: List[Any] = []
    builder = StateGraph(State)
    for name in ("one", "two", "three"):
        builder.add_node(name, lambda state, name=name: log.append(f"run {name}") or {"answer": name})
    builder.add_edge(START, "one")
    builder.add_edge("one", "two")
    builder.add_edge("two", "three")
    consume(builder.compile(), {"question": "?"}, driver, lambda chunk: log.append("chunk"), stream_mode=mode)

    between = "".join("c" if item == "chunk" else "r" for item in log)
    assert between == {"values": "crcrcrc", "updates": "rcrcrc", "tasks": "crccrccrc"}[mode]


class Burst(BaseChatModel):
    """Makes all its tokens without ever waiting, as if they had come at one go."""

    made: int = 0

    @property
    def _llm_type(self) -> str:
        return "burst"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise AssertionError("it is to be streamed")

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for self.made in range(1, 301):
            yield ChatGenerationChunk(message=AIMessageChunk("x"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_first_token_of_a_burst(driver: str) -> None:
    """A model that never waits does not keep its first token from a reader in another thread.

    The interpreter is told not to change threads by itself; which thread goes on when one gives way is up to the
    system, so it need not be the reader's each time.
    """
    model, made = Burst(), []

    def node(state: Any) -> Dict[str, Any]:
        return {"messages": model.invoke("?")}

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        for _ in range(50):
            seen: List[int] = []
            consume(graph, {"messages": []}, driver, lambda chunk: seen.append(model.made), stream_mode="messages")  # noqa: B023
            assert len(seen) >= 300
            made.append(seen[0])
    finally:
        sys.setswitchinterval(before)
    assert min(made) < 300
