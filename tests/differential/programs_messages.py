"""Programs about chat models and messages."""

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from differential.harness import Case, Lib, program
from differential.models import Chunked, Whole, caller, words
from differential.programs_flow import Log, graph
from differential.programs_nested import line

TOLD = ("messages", ("messages",), ("messages", "updates"), ("values", "updates", "messages"), "updates", "values")
BOTH = (False, True)


def hello(lib: Lib) -> dict:
    """An input with one message of known id."""
    return {"messages": [HumanMessage("hi", id="h1")]}


def chat(lib: Lib, *nodes: Any) -> Any:
    """A compiled graph over messages with these nodes in a line."""
    return line(lib, *nodes, schema=lib.MessagesState)


def asks(model: Any, key: Any = None) -> Any:
    """A node that calls a model and returns its message, its text, or nothing."""

    def ask(state: Any) -> Any:
        answer = model.invoke("question")
        return {"messages": [answer]} if key is None else {key: answer.content} if key else None

    return ask


@program(modes=TOLD, versions=("v1", "v2"), subgraphs=BOTH)
def tokens_of_a_returned_message(lib: Lib) -> Case:
    return Case(chat(lib, asks(words("tell me now")), ("after", lambda state: None)), hello(lib))


@program(modes=TOLD)
def tokens_of_a_message_not_returned(lib: Lib) -> Case:
    return Case(line(lib, ("ask", asks(words("tell me now"), ""))), {"x": []})


@program(modes=TOLD)
def tokens_whose_text_is_kept(lib: Lib) -> Case:
    return Case(line(lib, ("ask", asks(words("tell me now"), "y"))), {"x": []})


@program(modes=TOLD, async_nodes=True)
def tokens_from_an_async_node(lib: Lib) -> Case:
    model = words("tell me now")

    async def ask(state: Any) -> dict:
        return {"messages": [await model.ainvoke("question")]}

    return Case(chat(lib, ("ask", lib.pick(ask, asks(model)))), hello(lib))


@program(modes=TOLD, async_nodes=True)
def tokens_from_astream_in_an_async_node(lib: Lib) -> Case:
    model = words("tell me now")

    async def ask(state: Any) -> dict:
        total: Any = None
        async for chunk in model.astream("question"):
            total = chunk if total is None else total + chunk
        return {"messages": [total]}

    def sync_ask(state: Any) -> dict:
        total: Any = None
        for chunk in model.stream("question"):
            total = chunk if total is None else total + chunk
        return {"messages": [total]}

    return Case(chat(lib, ("ask", lib.pick(ask, sync_ask))), hello(lib))


@program(modes=TOLD)
def two_calls_in_one_node(lib: Lib) -> Case:
    model = words("first answer", "second answer")

    def ask(state: Any) -> dict:
        return {"messages": [model.invoke("one"), model.invoke("two")]}

    return Case(chat(lib, ask), hello(lib))


@program(modes=TOLD)
def calls_in_two_nodes(lib: Lib) -> Case:
    return Case(chat(lib, ("n1", asks(words("one two"))), ("n2", asks(words("three four")))), hello(lib))


@program(modes=TOLD, ordered=False)
def calls_in_parallel_nodes(lib: Lib) -> Case:
    nodes = [("n2", asks(words("one two"))), ("n1", asks(words("three four")))]
    builder = graph(lib, nodes, [(lib.START, "n1"), (lib.START, "n2")], lib.MessagesState)
    return Case(builder.compile(), hello(lib))


@program(modes=TOLD, ordered=False)
def calls_in_send_tasks(lib: Lib) -> Case:
    def write(state: Any) -> dict:
        return {"messages": [words(f"on {state['topic']}").invoke("go")]}

    builder = graph(lib, [write], [], lib.MessagesState)
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("write", {"topic": t}) for t in "ab"], ["write"])
    return Case(builder.compile(), hello(lib))


@program(modes=TOLD)
def model_that_cannot_stream(lib: Lib) -> Case:
    return Case(chat(lib, asks(Whole())), hello(lib))


@program(modes=TOLD)
def model_that_cannot_stream_not_returned(lib: Lib) -> Case:
    return Case(line(lib, ("ask", asks(Whole(), ""))), {"x": []})


@program(modes=("messages", ("messages", "values")))
def streaming_disabled(lib: Lib) -> Case:
    return Case(chat(lib, asks(words("tell me now", disable_streaming=True))), hello(lib))


@program(modes=("messages",))
def streaming_disabled_and_streamed_in_the_node(lib: Lib) -> Case:
    model = words("tell me now", disable_streaming=True)

    def ask(state: Any) -> dict:
        return {"messages": list(model.stream("question"))}

    return Case(chat(lib, ask), hello(lib))


@program(modes=("messages",))
def streaming_refused_for_one_call(lib: Lib) -> Case:
    model = words("tell me now")
    return Case(chat(lib, ("ask", lambda state: {"messages": [model.invoke("q", stream=False)]})), hello(lib))


@program(modes=TOLD)
def tool_call_chunks(lib: Lib) -> Case:
    return Case(chat(lib, asks(caller())), hello(lib))


@program(modes=TOLD)
def tool_message_after_a_tool_call(lib: Lib) -> Case:
    @tool
    def search(q: str) -> str:
        """Search."""
        lib.get_stream_writer()(f"searching {q}")
        return f"found {q}"

    def act(state: Any) -> dict:
        return {"messages": [search.invoke(call) for call in state["messages"][-1].tool_calls]}

    def act_with_id(state: Any) -> dict:
        found = act(state)["messages"]
        return {"messages": [message.model_copy(update={"id": "t1"}) for message in found]}

    return Case(chat(lib, asks(caller()), ("act", act_with_id)), hello(lib))


@program(modes=("messages", ("messages", "custom")))
def model_in_a_tool(lib: Lib) -> Case:
    model = words("from a tool")

    @tool
    def think(q: str) -> str:
        """Think."""
        lib.get_stream_writer()("thinking")
        return model.invoke(q).content

    return Case(line(lib, ("act", lambda state: {"x": [think.invoke({"q": "why"})]})), {"x": []})


@program(modes=("messages", "updates", ("messages", "updates")))
def chain_as_node(lib: Lib) -> Case:
    prompt = ChatPromptTemplate.from_template("about {y}")
    chain = prompt | words("tell me now") | StrOutputParser() | (lambda text: {"x": [text]})
    return Case(line(lib, ("chain", chain)), {"x": [], "y": 3})


@program(modes=("messages", "updates", "values"))
def chain_as_node_that_returns_a_message(lib: Lib) -> Case:
    start = RunnableLambda(lambda state: state["messages"])
    return Case(chat(lib, ("chain", start | words("tell me now") | (lambda m: {"messages": [m]}))), hello(lib))


@program(modes=("messages", ("messages", "updates")))
def chain_called_in_a_node(lib: Lib) -> Case:
    chain = ChatPromptTemplate.from_template("about {y}") | words("tell me now") | StrOutputParser()
    return Case(line(lib, ("call", lambda state: {"x": [chain.invoke({"y": 1})]})), {"x": []})


@program(modes=("messages", ("messages", "updates")))
def model_in_a_conditional_edge(lib: Lib) -> Case:
    model = words("go to b")
    builder = graph(lib, [("a", lambda state: {"x": ["a"]}), ("b", lambda state: None)], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: model.invoke("where").content[-1], ["b"])
    return Case(builder.compile(), {"x": []})


@program(modes=("messages", ("messages", "values")))
def model_in_a_conditional_edge_from_start(lib: Lib) -> Case:
    model = words("go to b")
    builder = graph(lib, [("b", lambda state: None)], [])
    builder.add_conditional_edges(lib.START, lambda state: model.invoke("where").content[-1], ["b"])
    return Case(builder.compile(), {"x": []})


@program(modes=TOLD)
def model_fails_in_mid_stream(lib: Lib) -> Case:
    model = Chunked(chunks=[AIMessageChunk("so "), AIMessageChunk("far")], fails=True)
    return Case(chat(lib, ("before", lambda state: None), asks(model)), hello(lib))


@program(modes=("messages", ("messages", "values")))
def usage_chunk(lib: Lib) -> Case:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    chunks = [AIMessageChunk("he"), AIMessageChunk("llo"), AIMessageChunk("", usage_metadata=usage)]
    return Case(chat(lib, asks(Chunked(chunks=chunks))), hello(lib))


@program(modes=("messages", ("messages", "values")))
def content_blocks(lib: Lib) -> Case:
    chunks = [
        AIMessageChunk([{"type": "reasoning", "reasoning": "hmm", "index": 0}]),
        AIMessageChunk([{"type": "text", "text": "he", "index": 1}]),
        AIMessageChunk([{"type": "text", "text": "llo", "index": 1}]),
    ]
    return Case(chat(lib, asks(Chunked(chunks=chunks))), hello(lib))


@program(modes=("messages",))
def model_batch(lib: Lib) -> Case:
    model = words("one two", "three")

    def ask(state: Any) -> dict:
        return {"x": [m.content for m in model.batch(["a", "b"], {"max_concurrency": 1})]}

    return Case(line(lib, ask), {"x": []})


@program(modes=TOLD, subgraphs=BOTH, versions=("v1", "v2"), differs=("what-is-hidden-is-not-streamed",))
def model_in_a_nested_graph(lib: Lib) -> Case:
    inner = chat(lib, asks(words("tell me now")))
    return Case(chat(lib, ("sub", inner), ("after", lambda state: None)), hello(lib))


@program(modes=TOLD, subgraphs=BOTH, differs=("what-is-hidden-is-not-streamed",))
def model_in_a_graph_called_in_a_node(lib: Lib) -> Case:
    inner = chat(lib, asks(words("tell me now")))

    def call(state: Any) -> dict:
        return {"messages": inner.invoke({"messages": [HumanMessage("inner", id="i1")]})["messages"][-1:]}

    return Case(chat(lib, call), hello(lib))


@program(modes=TOLD, subgraphs=BOTH)
def model_in_a_graph_whose_message_is_dropped(lib: Lib) -> Case:
    inner = chat(lib, asks(words("tell me now")))

    def call(state: Log) -> dict:
        return {"x": [inner.invoke({"messages": [HumanMessage("inner", id="i1")]})["messages"][-1].content]}

    return Case(line(lib, call), {"x": []})


@program(modes=TOLD, subgraphs=BOTH, differs=("what-is-hidden-is-not-streamed",))
def model_three_levels_deep(lib: Lib) -> Case:
    deepest = chat(lib, ("deep", asks(words("deep words"))))
    middle = chat(lib, ("above", asks(words("above words"))), ("deepest", deepest))
    return Case(chat(lib, ("middle", middle), ("top", asks(words("top words")))), hello(lib))


@program(modes=("messages", ("messages", "updates")), subgraphs=BOTH)
def message_made_by_hand_in_a_nested_graph(lib: Lib) -> Case:
    inner = chat(lib, ("make", lambda state: {"messages": [AIMessage("made", id="m1")]}))
    return Case(chat(lib, ("sub", inner)), hello(lib))


@program(modes=("messages",), subgraphs=BOTH)
def inner_messages_stream_consumed_in_a_node(lib: Lib) -> Case:
    inner = chat(lib, asks(words("tell me now")))

    def call(state: Log) -> dict:
        parts = inner.stream(hello(lib), stream_mode="messages", subgraphs=False)
        return {"x": [message.content for message, _ in parts]}

    return Case(line(lib, call), {"x": []})


@program(
    modes=("messages", "tasks"), subgraphs=BOTH, differs=("with-config-before-1.0", "what-is-hidden-is-not-streamed")
)
def tags_and_metadata_from_everywhere(lib: Lib) -> Case:
    model = words("tell now", tags=["mtag"], metadata={"model": 1, "who": "model"})

    def ask(state: Any) -> dict:
        return {"messages": [model.invoke("q", {"tags": ["ctag"], "metadata": {"call": 1, "who": "call"}})]}

    inner = lib.StateGraph(lib.MessagesState)
    inner.add_node("ask", ask, metadata={"inner": 1, "who": "inner"})
    inner.add_edge(lib.START, "ask")
    outer = lib.StateGraph(lib.MessagesState)
    sub = inner.compile().with_config(tags=["subtag"], metadata={"sub": 1, "who": "sub"})
    outer.add_node("sub", sub, metadata={"outer": 1, "who": "outer"})
    outer.add_edge(lib.START, "sub")
    compiled = outer.compile().with_config(tags=["gtag"], metadata={"graph": 1, "who": "graph"})
    return Case(compiled, hello(lib), {"tags": ["rtag"], "metadata": {"run": 1, "who": "run"}})


@program(modes=("messages",))
def tags_by_binding(lib: Lib) -> Case:
    model = words("tell now").with_config(tags=["bound"], run_name="poet")
    return Case(chat(lib, asks(model)), hello(lib))


@program(modes=("messages",))
def tags_of_a_runnable_map_stay_inside(lib: Lib) -> Case:
    both = {"joke": words("a joke", tags=["joke"]) | StrOutputParser()}
    chain = RunnableLambda(lambda state: "go") | both | (lambda out: {"x": [out["joke"]]})
    return Case(line(lib, ("chain", chain)), {"x": []})


@program(modes=("messages",))
def configurable_does_not_leak_but_known_ids_do(lib: Lib) -> Case:
    config = {"configurable": {"thread_id": "th", "api_key": "secret", "user_id": "u"}}
    return Case(
        chat(lib, asks(words("tell now")), ("b", lambda s: {"messages": AIMessage("x", id="x")})), hello(lib), config
    )


@program(modes=("messages",))
def run_level_metadata_cannot_overwrite(lib: Lib) -> Case:
    config = {"metadata": {"langgraph_node": "HACK", "langgraph_step": 99, "mine": 1}}
    return Case(chat(lib, asks(words("tell now"))), hello(lib), config)


@program(modes=("messages",))
def nostream_and_not_returned(lib: Lib) -> Case:
    return Case(line(lib, ("ask", asks(words("quiet please", tags=["nostream"]), "y"))), {"x": []})


@program(modes=("values",), call="invoke")
def invoke_with_a_model(lib: Lib) -> Case:
    return Case(chat(lib, asks(words("tell me now"))), {"messages": [HumanMessage("hi", id="h1")]})


@program(modes=("messages", ("messages", "updates")), call="invoke")
def invoke_in_messages_mode(lib: Lib) -> Case:
    return Case(chat(lib, asks(words("tell me now"))), {"messages": [HumanMessage("hi", id="h1")]})
