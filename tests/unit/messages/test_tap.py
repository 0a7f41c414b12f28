"""The tap: every token arrives once, whoever else listens and however a model is called."""

from __future__ import annotations

import asyncio
import sys

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, CallbackManager
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from streamgraph import START, MessagesState, StateGraph
from streamgraph._compat.langgraph import PEER
from streamgraph._messages.tap import Tap
from streamgraph.testing import ScriptedModel
from support.list_graphs import chat, collected, drivers, texts
from support.models import TEXT, WORDS, Whole, scripted

ASK = {"messages": "hi"}


class Listener(BaseCallbackHandler):
    """Notes the tokens it hears of."""

    def __init__(self):
        self.tokens = []

    def on_llm_new_token(self, token, **kwargs):
        if token:
            self.tokens.append(token)


class Raising(Listener):
    """Fails at every token, as a handler does that lost its connection."""

    def on_llm_new_token(self, token, **kwargs):
        super().on_llm_new_token(token)
        raise RuntimeError("the handler is broken")


class Awaiting(AsyncCallbackHandler):
    """Notes the tokens it hears of, in its own time."""

    def __init__(self):
        self.tokens = []

    async def on_llm_new_token(self, token, **kwargs):
        await asyncio.sleep(0)
        if token:
            self.tokens.append(token)


class Vandal(Listener):
    """Changes the chunks it is shown, which langchain-core hands to every handler."""

    def on_llm_new_token(self, token, *, chunk=None, **kwargs):
        super().on_llm_new_token(token)
        chunk.message.additional_kwargs["spoilt"] = True


def handlers(kinds):
    return [kind() for kind in kinds]


KINDS = [[], [Listener], [Listener, Listener], [Raising, Listener], [Awaiting], [Awaiting, Raising, Listener], [Vandal]]
WAYS = ["config", "with_config", "manager", "constructor", "inner list", "inner manager"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: "+".join(kind.__name__ for kind in kinds) or "none")
@pytest.mark.parametrize("asynchronous", [False, True], ids=["stream", "astream"])
def test_user_callbacks(way, kinds, asynchronous):
    """The tokens are the same, each once, whatever handlers a user has and wherever they are given."""
    made = handlers(kinds)
    manager = CallbackManager(made, inheritable_handlers=list(made))
    inner = {"inner list": {"callbacks": made}, "inner manager": {"callbacks": manager}}.get(way)
    model = scripted(callbacks=made if way == "constructor" else None)

    async def awaits(state):
        return {"messages": [await model.ainvoke("q", inner)]}

    graph = chat(awaits if asynchronous else lambda state: {"messages": [model.invoke("q", inner)]})
    if way == "with_config":
        graph = graph.with_config(callbacks=made)
    config = {"config": {"callbacks": made}, "manager": {"callbacks": manager}}.get(way)
    run = collected if asynchronous else lambda *args, **options: list(graph.stream(*args[1:], **options))
    chunks = run(graph, ASK, config, stream_mode="messages")
    assert texts(chunks) == list(WORDS)
    assert len({message.id for message, _ in chunks}) == 1
    for handler in made:
        if not isinstance(handler, Awaiting) or asynchronous:
            assert handler.tokens == list(WORDS)


async def ainvoke(state):
    return {"messages": [await scripted().ainvoke("q")]}


async def ainvoke_with_config(state, config):
    return {"messages": [await scripted().ainvoke("q", config)]}


async def astream(state):
    return {"messages": ["".join([chunk.content async for chunk in scripted().astream("q")])]}


async def astream_summed(state):
    chunks = [chunk async for chunk in scripted().astream("q")]
    return {"messages": [sum(chunks[1:], chunks[0])]}


def invoke(state):
    return {"messages": [scripted().invoke("q")]}


def invoke_with_config(state, config):
    return {"messages": [scripted().invoke("q", config)]}


def invoke_with_callbacks_of_config(state, config):
    return {"messages": [scripted().invoke("q", {"callbacks": config["callbacks"]})]}


def stream(state):
    chunks = list(scripted().stream("q"))
    return {"messages": [sum(chunks[1:], chunks[0])]}


def stream_rewrapped(state):
    return {"messages": [AIMessage("".join(chunk.content for chunk in scripted().stream("q")))]}


def batch(state):
    return {"messages": scripted().batch(["q"])}


def in_a_lambda(state):
    return {"messages": [RunnableLambda(lambda given: scripted().invoke(given)).invoke("q")]}


def bound(state):
    return {"messages": [scripted().bind(stop=["x"]).with_config(tags=["t"]).invoke("q")]}


def in_a_graph(state):
    return {"messages": chat(invoke).invoke(ASK)["messages"][1:]}


def in_a_stream_of_a_graph(state):
    last = list(chat(invoke).stream(ASK, stream_mode=["messages", "values"]))[-1][1]
    return {"messages": last["messages"][1:]}


CALLERS = [
    ainvoke,
    ainvoke_with_config,
    astream_summed,
    invoke,
    invoke_with_config,
    invoke_with_callbacks_of_config,
    stream,
    stream_rewrapped,
    batch,
    in_a_lambda,
    bound,
    in_a_graph,
    in_a_stream_of_a_graph,
]


@pytest.mark.parametrize("node", CALLERS, ids=lambda node: node.__name__)
def test_every_way_to_call_a_model(node):
    """Tokens arrive once, with and without the config handed on, with and without a listener, sync and async."""
    graph = chat(node)
    for config in (None, {"callbacks": [Listener()]}):
        for chunks in drivers(graph, ASK, config, stream_mode="messages").values():
            assert texts(chunks) == list(WORDS)


def test_a_human_message_of_the_same_text_is_another_message():
    """A string that enters as a message of the user is not the model's, so it is shown as well."""
    for chunks in drivers(chat(astream), ASK, stream_mode="messages").values():
        assert texts(chunks) == [*WORDS, TEXT]
        assert chunks[-1][0].type == "human"


def test_parallel_calls():
    """Calls that run at once keep their tokens apart by id, and each is whole."""

    async def node(state):
        return {"messages": list(await asyncio.gather(*(scripted().ainvoke("q") for _ in range(3))))}

    for chunks in drivers(chat(node), ASK, stream_mode="messages").values():
        by_id = {}
        for message, _ in chunks:
            by_id[message.id] = by_id.get(message.id, "") + message.content
        assert list(by_id.values()) == [TEXT] * 3


def test_parallel_nodes():
    """The metadata of each token is that of the node it comes from."""
    builder = StateGraph(MessagesState)
    for name, node in (("a", invoke), ("b", ainvoke), ("c", lambda state: {"messages": [Whole().invoke("q")]})):
        builder.add_node(name, node).add_edge(START, name)
    for chunks in drivers(builder.compile(), ASK, stream_mode="messages").values():
        said = {}
        for message, metadata in chunks:
            said[metadata["langgraph_node"]] = said.get(metadata["langgraph_node"], "") + message.content
        assert said == {"a": TEXT, "b": TEXT, "c": TEXT}


def test_a_config_from_another_node():
    """A config that is used later, in another node, gives its tokens once, and the run goes on."""
    kept = []
    graph = chat(
        lambda state, config: kept.append(config),
        lambda state: {"messages": [scripted().invoke("q", kept[0])]},
    )
    kept_chunks = list(graph.stream(ASK, stream_mode="messages"))
    assert "".join(texts(kept_chunks)) == TEXT


def taps(config):
    """How many taps a config's callbacks have."""
    return sum(isinstance(handler, Tap) for handler in config["callbacks"].handlers)


def test_one_tap():
    """A node's callbacks have one tap if `messages` is asked for, however deep it is nested, and else none."""
    seen = []

    def look(state, config):
        seen.append(taps(config))

    graph = chat(look, chat(look), chat(chat(look)))
    list(graph.stream(ASK, {"callbacks": [Listener()]}, stream_mode="messages"))
    assert seen == [1, 1, 1]
    seen.clear()
    list(graph.stream(ASK, {"callbacks": [Listener()]}, stream_mode=["values", "updates", "custom"]))
    assert seen == [0, 0, 0]


def test_given_callbacks_stay_as_they_are():
    """Neither a list nor a manager that a user gives is changed."""
    given, manager = [Listener()], CallbackManager([])
    for callbacks in (given, manager):
        list(chat(invoke).stream(ASK, {"callbacks": callbacks}, stream_mode="messages"))
    assert len(given) == 1
    assert manager.handlers == manager.inheritable_handlers == []


@pytest.mark.parametrize("modes", ["updates", "values", "custom"])
def test_other_modes_do_not_stream(modes):
    """A model is only streamed if somebody asked for tokens."""
    streamed = []

    class Watched(ScriptedModel):
        def _stream(self, *args, **kwargs):
            streamed.append(1)
            yield from super()._stream(*args, **kwargs)

    graph = chat(lambda state: {"messages": [Watched(["a b"], cycle=True).invoke("q")]})
    list(graph.stream(ASK, stream_mode=modes))
    assert streamed == []
    list(graph.stream(ASK, stream_mode=[modes, "messages"]))
    assert streamed == [1]


def test_a_vandal_changes_only_what_it_is_shown():
    """Handlers before ours may change a chunk; ours never changes one that others are shown."""
    seen = []

    class Looking(Listener):
        def on_llm_new_token(self, token, *, chunk=None, **kwargs):
            seen.append(chunk.message.id)

    model = scripted(ids=("one", "two", "three"))
    list(
        chat(lambda state: {"messages": [model.invoke("q")]}).stream(
            ASK, {"callbacks": [Looking()]}, stream_mode="messages"
        )
    )
    assert seen[:3] == ["one", "two", "three"]


def test_chains_are_heard_only_for_what_they_parse(monkeypatch):
    """Where no structured answer is waited for, and LangGraph is not loaded, no chain is reported to the tap."""
    monkeypatch.delitem(sys.modules, PEER, raising=False)
    heard = []
    original = Tap.on_chain_start

    def on_chain_start(self, serialized, inputs, **kwargs):
        heard.append(type(inputs))
        original(self, serialized, inputs, **kwargs)

    monkeypatch.setattr(Tap, "on_chain_start", on_chain_start)
    chain = RunnableLambda(lambda state: state["messages"]) | scripted() | (lambda message: {"messages": [message]})
    assert [message.content for message, _ in chat(chain).stream(ASK, stream_mode="messages")] != []
    assert heard == []
