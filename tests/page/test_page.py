"""Every example of LangGraph's streaming page, run as it stands there, against fake answers behind the real clients."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from typing_extensions import TypedDict

from page.runner import EXAMPLES, PACKAGE, SUFFIX, RenamePackage, engine, parse, read_example
from page.servers import ITEMS, JOKE, PLAIN, POEM, answer

if PACKAGE == "langgraph":
    # langgraph 0.6, the last one for Python 3.9, makes langchain-core warn about a default.
    pytestmark = pytest.mark.filterwarnings("ignore:The default value of `allowed_objects` will change")

MANIFEST = (
    "01_basic_usage",
    "02_updates_full",
    "03_multiple_modes",
    "04_state_graph",
    "05_state_updates",
    "06_state_values",
    "07_subgraphs",
    "08_subgraphs_full",
    "09_debug",
    "10_messages",
    "11_tags",
    "12_tags_full",
    "13_nodes",
    "14_nodes_full",
    "15_writer_in_node",
    "16_writer_in_tool",
    "17_any_llm",
    "18_any_llm_full",
    "19_any_llm_full_run",
    "20_no_streaming_init_chat_model",
    "21_no_streaming_chat_openai",
    "22_async_config",
    "23_async_writer",
)

REFINED = {"refine_topic": {"topic": "ice cream and cats"}}
JOKED = {"generate_joke": {"joke": "This is a joke about ice cream and cats"}}
PROGRESS = [
    {"data": "已检索 0/100 条记录", "type": "progress"},
    {"data": "已检索 100/100 条记录", "type": "progress"},
]


class State(TypedDict, total=False):
    """The state of the graphs that the tests put where the page leaves the graph to the reader."""

    topic: str
    joke: str
    poem: str
    result: str
    answer: str


def langgraph_fails(reason: str, raises: Any, *, below_311: bool = False) -> pytest.MarkDecorator:
    """Marks what streamgraph promises beyond LangGraph; strict, so it also shows that LangGraph does fail there."""
    condition = PACKAGE == "langgraph" and (not below_311 or sys.version_info < (3, 11))
    return pytest.mark.xfail(condition, reason=reason, raises=raises, strict=True)


needs_context_in_async_runs = langgraph_fails(
    "below Python 3.11 `astream` loses the context: no writer, no tokens",
    (RuntimeError, KeyError, AssertionError),
    below_311=True,
)


def graph_of(*nodes: Any, state: Any = State) -> Any:
    """A graph that runs all nodes in one step, each under the name of its function."""
    graph = engine()
    builder = graph.StateGraph(state)
    for node in nodes:
        builder.add_node(node)
        builder.add_edge(graph.START, node.__name__)
    return builder.compile()


def chunks(graph: Any, inputs: Any, **options: Any) -> list[Any]:
    """All chunks of `stream`."""
    return list(graph.stream(inputs, **options))


def achunks(graph: Any, inputs: Any, **options: Any) -> list[Any]:
    """All chunks of `astream`."""

    async def collect() -> list[Any]:
        return [chunk async for chunk in graph.astream(inputs, **options)]

    return asyncio.run(collect())


def texts(messages: list[Any], **metadata: Any) -> list[str]:
    """The non-empty tokens of a `messages` stream whose metadata has these values."""
    return [
        message.content
        for message, found in messages
        if message.content and all(found[key] == value for key, value in metadata.items())
    ]


def assert_streamed(tokens: list[str], text: str) -> None:
    """The tokens are the text, and they are really several."""
    assert "".join(tokens) == text
    assert len(tokens) > 3


def without_timestamps(events: list[Any]) -> list[Any]:
    """`debug` chunks without what differs from run to run: the time and the task ids."""
    return [
        {**event, "timestamp": None, "payload": {**event["payload"], "id": None}, "step": event["step"]}
        for event in events
    ]


# Graph state


def test_01_basic_usage(run_example):
    """The basic loop prints one update per node, and `astream` gives the same chunks."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("01_basic_usage", graph=graph, inputs={"topic": "ice cream"})

    assert run.printed == [REFINED, JOKED]
    assert achunks(graph, {"topic": "ice cream"}, stream_mode="updates") == run.printed


def test_02_updates_full(run_example):
    """The full example prints the updates under the names of the node functions, character for character."""
    run = run_example("02_updates_full")

    assert run.lines == [
        "{'refine_topic': {'topic': 'ice cream and cats'}}",
        "{'generate_joke': {'joke': 'This is a joke about ice cream and cats'}}",
    ]
    assert achunks(run["graph"], {"topic": "ice cream"}, stream_mode="updates") == run.printed


@needs_context_in_async_runs
def test_03_multiple_modes(run_example):
    """With a list of modes each chunk comes with its mode, custom data before the update of its node."""

    def generate_joke(state: State) -> State:
        writer = engine("config").get_stream_writer()
        writer({"progress": "half"})
        writer({"progress": "done"})
        return {"joke": f"about {state['topic']}"}

    graph = graph_of(generate_joke)
    inputs = {"topic": "cats"}

    run = run_example("03_multiple_modes", graph=graph, inputs=inputs)

    assert run.printed == [{"progress": "half"}, {"progress": "done"}, {"generate_joke": {"joke": "about cats"}}]
    assert run["mode"] == "updates"
    pairs = list(zip(["custom", "custom", "updates"], run.printed))
    assert chunks(graph, inputs, stream_mode=["updates", "custom"]) == pairs
    assert achunks(graph, inputs, stream_mode=["updates", "custom"]) == pairs


def test_04_state_graph(run_example):
    """The graph of the section runs both nodes one after the other."""
    run = run_example("04_state_graph")

    final = {"topic": "ice cream and cats", "joke": "This is a joke about ice cream and cats"}
    assert run.output == ""
    assert run["graph"].invoke({"topic": "ice cream"}) == final


def test_05_state_updates(run_example):
    """`updates` streams what each node returned."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("05_state_updates", graph=graph)

    assert run.printed == [REFINED, JOKED]
    assert achunks(graph, {"topic": "ice cream"}, stream_mode="updates") == run.printed


def test_06_state_values(run_example):
    """`values` streams the input and then the full state after each step."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("06_state_values", graph=graph)

    assert run.lines == [
        "{'topic': 'ice cream'}",
        "{'topic': 'ice cream and cats'}",
        "{'topic': 'ice cream and cats', 'joke': 'This is a joke about ice cream and cats'}",
    ]
    assert achunks(graph, {"topic": "ice cream"}, stream_mode="values") == run.printed


# Subgraphs


def assert_subgraph_chunks(chunks: list[Any]) -> None:
    """The four chunks that the page shows; the task id in the namespace is the only thing that varies."""
    assert [data for _, data in chunks] == [
        {"node_1": {"foo": "hi! foo"}},
        {"subgraph_node_1": {"bar": "bar"}},
        {"subgraph_node_2": {"foo": "hi! foobar"}},
        {"node_2": {"foo": "hi! foobar"}},
    ]
    namespaces = [namespace for namespace, _ in chunks]
    assert namespaces[0] == namespaces[3] == ()
    assert namespaces[1] == namespaces[2]
    (level,) = namespaces[1]
    assert re.fullmatch(r"node_2:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", level)


def test_07_subgraphs(run_example):
    """`subgraphs=True` puts the namespace in front of every chunk."""
    graph = run_example("08_subgraphs_full")["graph"]

    run = run_example("07_subgraphs", graph=graph)

    assert_subgraph_chunks(run.printed)
    assert_subgraph_chunks(achunks(graph, {"foo": "foo"}, stream_mode="updates", subgraphs=True))


def test_08_subgraphs_full(run_example):
    """The full example prints the four lines of the page, the updates of the nested graph among them."""
    run = run_example("08_subgraphs_full")

    assert_subgraph_chunks(run.printed)
    assert run.lines[0] == "((), {'node_1': {'foo': 'hi! foo'}})"
    assert re.fullmatch(r"\(\('node_2:[0-9a-f-]{36}',\), {'subgraph_node_1': {'bar': 'bar'}}\)", run.lines[1])
    assert run.lines[3] == "((), {'node_2': {'foo': 'hi! foobar'}})"


# Debug


def test_09_debug(run_example):
    """`debug` tells the start and the result of each task, with its step, its input and what it wrote."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("09_debug", graph=graph)

    assert [ast.literal_eval(line) for line in run.lines] == run.printed
    assert [(event["step"], event["type"], event["payload"]["name"]) for event in run.printed] == [
        (1, "task", "refine_topic"),
        (1, "task_result", "refine_topic"),
        (2, "task", "generate_joke"),
        (2, "task_result", "generate_joke"),
    ]
    payloads = [event["payload"] for event in run.printed]
    assert payloads[0]["input"] == {"topic": "ice cream"}
    assert payloads[0]["triggers"] == ("branch:to:refine_topic",)
    assert payloads[2]["input"] == {"topic": "ice cream and cats"}
    assert [dict(payload["result"]) for payload in payloads[1::2]] == [*REFINED.values(), *JOKED.values()]
    assert all(payload["error"] is None and payload["interrupts"] == [] for payload in payloads[1::2])
    assert payloads[0]["id"] == payloads[1]["id"] != payloads[2]["id"] == payloads[3]["id"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", event["timestamp"]) for event in run.printed)
    twin = achunks(graph, {"topic": "ice cream"}, stream_mode="debug")
    assert without_timestamps(twin) == without_timestamps(run.printed)


# Tokens


@needs_context_in_async_runs
def test_10_messages(run_example, openai_server):
    """`model.invoke` in a node is streamed: each token is printed on its own, in sync and async runs."""
    run = run_example("10_messages")

    assert_streamed(run.tokens, JOKE)
    assert run.output == "".join(token + "|" for token in run.tokens)
    assert run["metadata"]["langgraph_node"] == "call_model"
    assert run["metadata"]["langgraph_step"] == 1
    assert [request.streamed for request in openai_server.requests] == [True]
    assert texts(achunks(run["graph"], {"topic": "ice cream"}, stream_mode="messages")) == run.tokens


def tagged_graph(namespace: Any, *, config: bool, untagged: Any = None) -> Any:
    """The graph that the reader is to define: the two models of the example in two nodes of one step."""
    joker, poet = namespace["model_1"], namespace["model_2"]

    async def ask(model: Any, question: str, config_: RunnableConfig) -> str:
        return (await (model.ainvoke(question, config_) if config else model.ainvoke(question))).content

    async def write_joke(state: State, config: RunnableConfig) -> State:
        return {"joke": await ask(joker, f"a joke about {state['topic']}", config)}

    async def write_poem(state: State, config: RunnableConfig) -> State:
        return {"poem": await ask(poet, f"a poem about {state['topic']}", config)}

    async def think(state: State, config: RunnableConfig) -> State:
        return {"answer": await ask(untagged, "anything", config)}

    return graph_of(write_joke, write_poem, *([think] if untagged else []))


def test_11_tags(run_example, openai_server):
    """Filtering by `metadata["tags"]` leaves the tokens of the model with that tag, config passed by hand."""
    run = run_example("11_tags", fill={"graph": lambda names: tagged_graph(names, config=True)})

    assert_streamed(run.tokens, JOKE)
    messages = achunks(run["graph"], {"topic": "cats"}, stream_mode="messages")
    assert texts(messages, tags=["joke"]) == run.tokens
    assert_streamed(texts(messages, tags=["poem"]), POEM)
    assert len(openai_server.requests) == 4


@needs_context_in_async_runs
def test_11_tags_without_config(run_example, openai_server):
    """The same filter needs no config passed by hand, on any Python."""
    run = run_example("11_tags", fill={"graph": lambda names: tagged_graph(names, config=False)})

    assert_streamed(run.tokens, JOKE)


@langgraph_fails('an untagged model has no metadata["tags"]', KeyError)
def test_11_tags_next_to_an_untagged_model(run_example, openai_server):
    """The filter of the page survives a model that has no tags at all: its `tags` are an empty list."""
    from langchain_openai import ChatOpenAI

    def build(names: Any) -> Any:
        return tagged_graph(names, config=True, untagged=ChatOpenAI(model="gpt-4o-mini"))

    run = run_example("11_tags", fill={"graph": build})

    assert_streamed(run.tokens, JOKE)
    assert_streamed(texts(achunks(run["graph"], {"topic": "cats"}, stream_mode="messages"), tags=[]), PLAIN)


def test_12_tags_full(run_example, openai_server):
    """Two tagged models in one node: the joke is printed token by token, the poem not at all."""
    run = run_example("12_tags_full")

    assert_streamed(run.tokens, JOKE)
    assert run.output.startswith("Writing joke...\n")
    assert "\n\nWriting poem...\n" in run.output
    assert [request.streamed for request in openai_server.requests] == [True, True]
    final = asyncio.run(run["graph"].ainvoke({"topic": "cats"}))
    assert final == {"topic": "cats", "joke": JOKE, "poem": POEM}


@needs_context_in_async_runs
def test_13_nodes(run_example, openai_server):
    """The reader's code is reached for the tokens of the node asked for and for no other."""
    model = run_example("14_nodes_full")["model"]

    def some_node_name(state: State) -> State:
        return {"joke": model.invoke(f"a joke about {state['topic']}").content}

    def other_node(state: State) -> State:
        return {"poem": model.invoke(f"a poem about {state['topic']}").content}

    graph = graph_of(some_node_name, other_node)

    run = run_example("13_nodes", graph=graph, inputs={"topic": "cats"})

    tokens = [names["msg"].content for names in run.reached]
    assert_streamed(tokens, JOKE)
    assert {names["metadata"]["langgraph_node"] for names in run.reached} == {"some_node_name"}
    messages = achunks(graph, {"topic": "cats"}, stream_mode="messages")
    assert texts(messages, langgraph_node="some_node_name") == tokens
    assert_streamed(texts(messages, langgraph_node="other_node"), POEM)


@needs_context_in_async_runs
def test_14_nodes_full(run_example, serve_openai):
    """The two nodes ask the model at the same time, and only the tokens of `write_poem` are printed."""
    together = threading.Barrier(2)

    def answer_both(body: dict[str, Any]) -> str:
        # Neither request is answered before the other one is there: nodes run one by one would never get here.
        together.wait(timeout=10)
        return answer(body)

    server = serve_openai(answer_both)

    run = run_example("14_nodes_full")

    assert_streamed(run.tokens, POEM)
    messages = achunks(run["graph"], {"topic": "cats"}, stream_mode="messages")
    assert texts(messages, langgraph_node="write_poem") == run.tokens
    assert_streamed(texts(messages, langgraph_node="write_joke"), JOKE)
    assert [request.streamed for request in server.requests] == [True] * 4


# Custom data


@needs_context_in_async_runs
def test_15_writer_in_node(run_example):
    """What a node gives to the writer is the chunk, in sync and async runs."""
    run = run_example("15_writer_in_node")

    assert run.lines == ["{'custom_key': '在节点内生成自定义数据'}"]
    assert achunks(run["graph"], run["inputs"], stream_mode="custom") == run.printed


def tool_graph(namespace: Any) -> Any:
    """The graph that the reader is to define: a node that uses the tool."""
    query_database = namespace["query_database"]

    def look_up(state: State) -> State:
        return {"answer": query_database.invoke({"query": state["topic"]})}

    return graph_of(look_up)


@needs_context_in_async_runs
def test_16_writer_in_tool(run_example):
    """A tool called in a node writes to the stream of the graph, in sync and async runs."""
    inputs = {"topic": "cats"}

    run = run_example("16_writer_in_tool", fill={"graph": tool_graph}, inputs=inputs)

    assert run.printed == PROGRESS
    assert achunks(run["graph"], inputs, stream_mode="custom") == PROGRESS
    assert run["graph"].invoke(inputs) == {**inputs, "answer": "一些答案"}


@pytest.mark.parametrize("passes_config", [True, pytest.param(False, marks=needs_context_in_async_runs)])
def test_16_writer_in_tool_of_an_async_node(run_example, passes_config):
    """The tool of the page writes from an async node as well, with and without config passed by hand."""
    inputs = {"topic": "cats"}
    query_database = run_example("16_writer_in_tool", fill={"graph": tool_graph}, inputs=inputs)["query_database"]

    async def look_up(state: State, config: RunnableConfig) -> State:
        more = [config] if passes_config else []
        return {"answer": await query_database.ainvoke({"query": state["topic"]}, *more)}

    assert achunks(graph_of(look_up), inputs, stream_mode="custom") == PROGRESS


@needs_context_in_async_runs
def test_16_writer_in_an_async_tool():
    """A tool that is a coroutine gets the writer too, on any Python."""

    @tool
    async def query_database(query: str) -> str:
        """Query the database."""
        writer = engine("config").get_stream_writer()
        writer(PROGRESS[0])
        await asyncio.sleep(0)
        writer(PROGRESS[1])
        return query

    async def look_up(state: State) -> State:
        return {"answer": await query_database.ainvoke({"query": state["topic"]})}

    assert achunks(graph_of(look_up), {"topic": "cats"}, stream_mode="custom") == PROGRESS


def test_16_writer_in_tool_called_for_a_message(run_example):
    """The tool writes when a node calls it for a message with tool calls."""
    graph = engine()
    call = {"name": "query_database", "args": {"query": "cats"}, "id": "1", "type": "tool_call"}
    inputs = {"messages": [AIMessage("", tool_calls=[call])]}

    def build(namespace: Any) -> Any:
        def tools(state: Any) -> Any:
            return {"messages": [namespace["query_database"].invoke(item) for item in state["messages"][-1].tool_calls]}

        builder = graph.StateGraph(graph.MessagesState).add_node("tools", tools)
        return builder.add_edge(graph.START, "tools").compile()

    run = run_example("16_writer_in_tool", fill={"graph": build}, inputs=inputs)

    assert run.printed == PROGRESS
    final = run["graph"].invoke(inputs)["messages"][-1]
    assert isinstance(final, ToolMessage)
    assert final.content == "一些答案"


# Any LLM


@needs_context_in_async_runs
def test_17_any_llm(run_example):
    """A client of the reader's own streams through the writer."""
    graph = engine()

    def builder(state: Any) -> Any:
        # The page leaves the first edge to the reader, and compiles all the same.
        return graph.StateGraph(state).add_edge(graph.START, "call_arbitrary_model")

    def client(topic: str) -> Any:
        yield from ("tokens", "about", topic)

    run = run_example("17_any_llm", StateGraph=builder, State=State, your_custom_streaming_client=client)

    assert run.printed == [{"custom_llm_chunk": word} for word in ("tokens", "about", "cats")]
    assert achunks(run["graph"], {"topic": "cats"}, stream_mode="custom") == run.printed


def items_graph(run_example: Any) -> Any:
    """The graph of the example; the page imports `get_stream_writer` in an earlier block."""
    return run_example("18_any_llm_full", get_stream_writer=engine("config").get_stream_writer)["graph"]


def test_18_any_llm_full(run_example, openai_server):
    """The block defines the graph and asks nobody yet."""
    graph = items_graph(run_example)

    assert "call_tool" in graph.get_graph().nodes
    assert openai_server.requests == []


@needs_context_in_async_runs
def test_19_any_llm_full_run(run_example, openai_server):
    """`AsyncOpenAI` in a tool in an async node: every token is printed, on any Python."""
    graph = items_graph(run_example)

    run = run_example("19_any_llm_full_run", graph=graph)

    assert_streamed(run.tokens, ITEMS)
    assert run["chunk"]["role"] == "assistant"
    assert [(request.streamed, request.body["model"]) for request in openai_server.requests] == [(True, "gpt-4o-mini")]
    final = asyncio.run(graph.ainvoke(run["inputs"]))["messages"]
    assert final[-1] == {"tool_call_id": "1", "role": "tool", "name": "get_items", "content": ITEMS}


# Models that do not stream


def assert_one_finished_message(model: Any, returned: Any) -> None:
    """In `messages` a model that does not stream is one `AIMessage`, whatever the node returns, sync and async."""
    graph = engine()

    class Answer(graph.MessagesState, total=False):
        text: str

    def ask(state: Any) -> Any:
        return returned(model.invoke(state["messages"]))

    async def aask(state: Any, config: RunnableConfig) -> Any:
        return returned(await model.ainvoke(state["messages"], config))

    inputs = {"messages": [HumanMessage("Say something.")]}
    found = chunks(graph_of(ask, state=Answer), inputs, stream_mode="messages")
    afound = achunks(graph_of(aask, state=Answer), inputs, stream_mode="messages")

    for messages, node in ((found, "ask"), (afound, "aask")):
        ((message, metadata),) = messages
        assert type(message) is AIMessage
        assert message.content == PLAIN
        assert metadata["langgraph_node"] == node


RETURNS = pytest.mark.parametrize(
    "returned",
    [
        pytest.param(lambda message: {"messages": [message]}, id="message"),
        pytest.param(lambda message: {"text": message.content}, id="text"),
    ],
)


@pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4-5' is deprecated:DeprecationWarning")
@RETURNS
def test_20_no_streaming_init_chat_model(run_example, anthropic_server, returned):
    """Claude with `disable_streaming=True` is not asked to stream, and its answer arrives once and whole."""
    model = run_example("20_no_streaming_init_chat_model")["model"]

    assert_one_finished_message(model, returned)

    assert [body["model"] for body in anthropic_server.bodies] == ["claude-sonnet-4-5"] * 2
    assert not any(body.get("stream") for body in anthropic_server.bodies)


@RETURNS
def test_21_no_streaming_chat_openai(run_example, openai_server, returned):
    """`ChatOpenAI` with `disable_streaming=True` is not asked to stream, and its answer arrives once and whole."""
    model = run_example("21_no_streaming_chat_openai")["model"]

    assert_one_finished_message(model, returned)

    assert [request.body["model"] for request in openai_server.requests] == ["o1-preview"] * 2
    assert not any(request.streamed or request.body.get("stream") for request in openai_server.requests)


# Async below Python 3.11


def test_22_async_config(run_example, openai_server):
    """The config passed by hand to `ainvoke` streams the tokens, below Python 3.11 too."""
    run = run_example("22_async_config")

    assert_streamed(run.tokens, JOKE)
    assert run.output == "生成笑话...\n" + "".join(token + "|" for token in run.tokens)
    assert [request.streamed for request in openai_server.requests] == [True]


@needs_context_in_async_runs
def test_23_async_writer(run_example):
    """A parameter `writer: StreamWriter` of an async node is filled in."""
    graph = engine()

    run = run_example("23_async_writer", StateGraph=graph.StateGraph, START=graph.START)

    assert run.lines == ["{'custom_key': '生成笑话时流式传输自定义数据'}"]


@langgraph_fails("`stream` can't run async nodes, and `astream` loses the context", (TypeError, RuntimeError))
def test_stream_runs_the_async_examples(run_example, openai_server):
    """Graphs of the page whose nodes are coroutines give `stream` the chunks they give `astream`."""
    graph = engine()
    tokens = run_example("22_async_config")
    items = run_example("19_any_llm_full_run", graph=items_graph(run_example))
    writer = run_example("23_async_writer", StateGraph=graph.StateGraph, START=graph.START)

    topic = {"topic": "ice cream"}
    assert texts(chunks(tokens["graph"], topic, stream_mode="messages")) == tokens.tokens
    found = chunks(items["graph"], items["inputs"], stream_mode="custom")
    assert [chunk["content"] for chunk in found] == items.tokens
    assert chunks(writer["graph"], topic, stream_mode="custom") == writer.printed


# Live


@pytest.mark.parametrize(
    "name",
    [
        "10_messages",
        "12_tags_full",
        pytest.param("19_any_llm_full_run", marks=needs_context_in_async_runs),
        "22_async_config",
    ],
)
def test_tokens_are_printed_while_the_model_speaks(run_example, serve_openai, name):
    """Nothing is held back: the model makes its next token only when the example has printed an earlier one."""
    printed = threading.Semaphore(0)

    def on_chunk(request: Any, index: int) -> None:
        # The role chunk and two tokens are free, for clients that look one chunk ahead; the poem is never printed.
        if index > 2 and "poem" not in str(request.body) and not printed.acquire(timeout=10):
            raise TimeoutError("the token before was not printed")

    serve_openai(on_chunk=on_chunk)
    given = {"graph": items_graph(run_example)} if name.startswith("19") else {}

    run = run_example(name, on_print=lambda call: call.end == "|" and call.values[0] and printed.release(), **given)

    assert_streamed(run.tokens, ITEMS if given else JOKE)


# The page itself


def blocks_of(page: str) -> list[str]:
    """The Python blocks of a page in Markdown; inside tabs and accordions they are indented."""
    fence = re.compile(r"^([ \t]*)```python\b[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(match.group(2)) for match in fence.finditer(page)]


def dump(source: str) -> str:
    """A piece of code as a tree: without comments and white space, with streamgraph as the package."""
    return ast.dump(RenamePackage("langgraph", "streamgraph").visit(parse(source)))


def test_every_block_of_the_page_is_covered():
    """Each example of the manifest is a file with a test; with a copy of the page, each block of it is an example."""
    assert sorted(path.name for path in EXAMPLES.iterdir()) == [name + SUFFIX for name in MANIFEST]
    tests = [name for name in globals() if name.startswith("test_")]
    assert [name for name in MANIFEST if not any(test.startswith(f"test_{name}") for test in tests)] == []

    # The page is not ours to ship; who has it can say where it is.
    copy = os.environ.get("STREAMGRAPH_PAGE")
    if copy:
        blocks = blocks_of(Path(copy).read_text(encoding="utf-8"))
        committed = {dump(read_example(name)): name for name in MANIFEST}
        assert [block for block in blocks if dump(block) not in committed] == []
        assert {committed[dump(block)] for block in blocks} == set(MANIFEST)
