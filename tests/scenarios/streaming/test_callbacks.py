"""The user's callbacks: whatever they are and wherever they are given, the tokens are the same, and are heard once."""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from typing import Any, Callable, Dict, List, Sequence, Tuple

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, AsyncCallbackManager, BaseCallbackHandler, CallbackManager
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler

from scenarios.streaming.provider import DRIVERS, PATIENCE
from support.list_graphs import chat
from support.models import TEXT, WORDS, Model

QUESTION = "a joke"
GIVEN: Dict[str, Any] = {"messages": []}
FRESH = ("run_id", "langgraph_checkpoint_ns", "checkpoint_ns")  # what differs from run to run


class Listener(BaseCallbackHandler):
    """Notes the tokens it hears."""

    def __init__(self) -> None:
        self.tokens: List[Any] = []
        self.error = ConnectionError("the handler is broken")

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.tokens.append(token)


class Slow(Listener):
    """Lets no token go before the consumer has the one before it, which it must get all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Semaphore(1)
        self.waited_in_vain = False

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        super().on_llm_new_token(token)
        self.waited_in_vain |= not self.taken.acquire(timeout=PATIENCE)


class RaisesAtToken(Listener):
    """Fails at every token, as a handler does that has lost its connection."""

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        super().on_llm_new_token(token)
        raise self.error


class RaisesAtStart(Listener):
    """Fails when a model starts."""

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        raise self.error


class RaisesAtEnd(Listener):
    """Fails when a model has ended."""

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        raise self.error


class Awaiting(AsyncCallbackHandler):
    """Notes the tokens it hears, in its own time."""

    def __init__(self) -> None:
        self.tokens: List[Any] = []

    async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Without this langchain-core complains in the log."""

    async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self.tokens.append(token)


class AwaitingAndRaising(Awaiting):
    """Fails at every token, likewise."""

    async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        await super().on_llm_new_token(token)
        raise ConnectionError("the handler is broken")


class Tracer(BaseTracer):
    """Keeps traces in memory, and notes the tokens in them."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: List[Any] = []
        self.roots: List[Any] = []

    def _on_llm_new_token(self, run: Any, token: Any, chunk: Any) -> None:
        self.tokens.append(token)

    def _persist_run(self, run: Any) -> None:
        self.roots.append(run)


KINDS = {
    "none": [],
    "one": [Listener],
    "many": [Listener, Listener, Listener],
    "slow": [Slow],
    "raises at a token": [RaisesAtToken],
    "raises at the start": [RaisesAtStart],
    "raises at the end": [RaisesAtEnd],
    "async": [Awaiting],
    "async and raises": [AwaitingAndRaising],
    "tracer": [Tracer],
    "all": [RaisesAtToken, Slow, Awaiting, RaisesAtStart, Tracer, AwaitingAndRaising, RaisesAtEnd, Listener],
}


def manager(kind: Any) -> Callable[[List[Any]], Any]:
    """A function that makes a manager of this class, by its constructor."""
    return lambda handlers: kind(handlers=[*handlers], inheritable_handlers=[*handlers])


CONTAINERS: Dict[str, Callable[[List[Any]], Any]] = {
    "list": list,
    "CallbackManager": manager(CallbackManager),
    "AsyncCallbackManager": manager(AsyncCallbackManager),
    "CallbackManager.configure": CallbackManager.configure,
    "AsyncCallbackManager.configure": AsyncCallbackManager.configure,
}

WAYS = [
    "the run's config",
    "the graph",
    "the model's constructor",
    "the model's config",
    "the chain's config",
    "by hand",
    "by hand with the node's config",
    "the run's config, handed on",
    "the run's config, its callbacks handed on",
    "the node",
    "the node, its config handed on",
]
PLACES = ["plain", "graph as node", "graph in node"]


def handed_to_model(ways: List[str], callbacks: Any, config: Any) -> Any:
    """What a node gives to the model it asks."""
    if "by hand with the node's config" in ways:
        return {**config, "callbacks": callbacks}
    if "by hand" in ways:
        return {"callbacks": callbacks}
    if "the run's config, handed on" in ways or "the node, its config handed on" in ways:
        return config
    if "the run's config, its callbacks handed on" in ways:
        return {"callbacks": config["callbacks"]}
    return None


def run_of(ways: List[str], callbacks: Any, driver: str, place: str = "plain", kind: Any = Model) -> Tuple[Any, Any]:
    """A graph that asks a model in this place, and a config for it, with callbacks given in these ways."""
    runnable = kind(callbacks=callbacks if "the model's constructor" in ways else None)
    if "the model's config" in ways:
        runnable = runnable.with_config(callbacks=callbacks)
    if "the chain's config" in ways:
        prompt = ChatPromptTemplate.from_messages([("human", "{question}")])
        runnable = (prompt | runnable).with_config(callbacks=callbacks)

    def talk(state: Any, config: Any) -> Any:
        return {"messages": [runnable.invoke(QUESTION, handed_to_model(ways, callbacks, config))]}

    async def atalk(state: Any, config: Any) -> Any:
        return {"messages": [await runnable.ainvoke(QUESTION, handed_to_model(ways, callbacks, config))]}

    node: Any = atalk if driver == "astream" else talk
    if any(way.startswith("the node") for way in ways):
        node = RunnableLambda(node).with_config(callbacks=callbacks)
    graph = chat(("talk", node))
    if "the inner graph" in ways:
        graph = graph.with_config(callbacks=callbacks)
    if place != "plain":
        graph = around(graph, place, driver)
    if "the graph" in ways:
        graph = graph.with_config(callbacks=callbacks)
    in_config = any(way.startswith("the run's config") for way in ways)
    return graph, {"callbacks": callbacks} if in_config else None


def around(inner: Any, place: str, driver: str) -> Any:
    """A graph around another."""
    if place == "graph as node":
        return chat(("outer", inner))

    def outer(state: Any) -> Any:
        return {"messages": inner.invoke(state)["messages"]}

    async def aouter(state: Any) -> Any:
        return {"messages": (await inner.ainvoke(state))["messages"]}

    return chat(("outer", aouter if driver == "astream" else outer))


def read(run: Tuple[Any, Any], driver: str, handlers: Sequence[Any] = ()) -> List[Any]:
    """The tokens of a run that ends well, with what does not change of their metadata; slow handlers get to know."""
    tokens: List[Any] = []

    def take(message: Any, metadata: Any) -> None:
        tokens.append((type(message), message.content, {k: v for k, v in metadata.items() if k not in FRESH}))
        for handler in handlers:
            if isinstance(handler, Slow):
                handler.taken.release()

    async def aread(stream: Any) -> Any:
        async for message, metadata in stream:
            take(message, metadata)
        return stream.output

    graph, config = run
    if driver == "astream":
        output = asyncio.run(aread(graph.astream(GIVEN, config, stream_mode="messages")))
    else:
        stream = graph.stream(GIVEN, config, stream_mode="messages")
        for message, metadata in stream:
            take(message, metadata)
        output = stream.output
    assert [message.content for message in output["messages"]] == [TEXT]
    return tokens


@cache
def undisturbed(driver: str, place: str) -> List[Any]:
    """The tokens of a run without callbacks."""
    tokens = read(run_of([], None, driver, place), driver)
    assert [content for _, content, _ in tokens if content] == list(WORDS)
    assert {kind for kind, _, _ in tokens} == {AIMessageChunk}
    assert all((metadata["langgraph_node"], metadata["tags"]) == ("talk", []) for _, _, metadata in tokens)
    return tokens


@cache
def reaches_what_is_awaited() -> bool:
    """Whether in langchain-core a RunnableLambda's callbacks reach what its async function awaits without a config.

    In version 0.3 they do from Python 3.11 on.
    """
    tracer = Tracer()

    async def ask(given: str) -> Any:
        return await Model().ainvoke(given)

    node = RunnableLambda(ask).with_config(callbacks=[tracer])
    asyncio.run(node.ainvoke(QUESTION))
    return bool(tracer.roots[0].child_runs)


def check(ways: List[str], kinds: List[Any], container: str, driver: str, place: str = "plain") -> List[Any]:
    """Run a graph with handlers: the tokens are those of a run without any, and each handler has heard each once."""
    handlers = [kind() for kind in kinds]

    tokens = read(run_of(ways, CONTAINERS[container](handlers), driver, place), driver, handlers)

    assert tokens == undisturbed(driver, place)
    assert not any(isinstance(handler, Slow) and handler.waited_in_vain for handler in handlers)
    if ways != ["the node"] or driver == "stream" or reaches_what_is_awaited():
        # The empty chunk that ends a message is told by langchain-core only from version 1 on.
        contents = [content for _, content, _ in tokens if content]
        assert [[token for token in handler.tokens if token] for handler in handlers] == [contents] * len(handlers)
    return handlers


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kinds", KINDS)
def test_kinds(kinds: str, way: str, driver: str) -> None:
    """No handler of any kind, given in any way, changes, delays or doubles a token."""
    check([way], KINDS[kinds], "list", driver)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("container", [name for name in CONTAINERS if name != "list"])
def test_managers(container: str, way: str, driver: str) -> None:
    """A manager, of either class, serves as well as a list."""
    check([way], KINDS["all"], container, driver)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("way", [*WAYS, "the inner graph"])
@pytest.mark.parametrize("container", ["list", "CallbackManager"])
def test_nested_graphs(container: str, way: str, place: str, driver: str) -> None:
    """In nested graphs it is the same."""
    check([way], KINDS["all"], container, driver, place)


# What is not here: `model.with_config(callbacks=[h]).invoke(x, {"callbacks": [h]})`, with which langchain-core itself
# tells the handler of everything twice.
TWICE = [
    *(["the run's config", way] for way in WAYS if not way.startswith("the run's config")),
    *(["the run's config, handed on", way] for way in WAYS if not way.startswith(("the run's", "by hand"))),
    [*WAYS],
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("ways", TWICE, ids=" + ".join)
def test_several_ways_at_once(ways: List[str], driver: str) -> None:
    """A handler that is given twice hears each token once."""
    check(ways, [Listener, Awaiting], "list", driver)


class Witness(Model):
    """A model that does not stream, and notes who listens to its call."""

    disable_streaming: Any = True
    present: List[Any] = []

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.present.append(run_manager.handlers)
        return super()._generate(messages)

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages, run_manager=run_manager)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ways", [[], *([way] for way in WAYS), ["the inner graph"], *TWICE], ids=" + ".join)
def test_attached_once(ways: List[str], place: str, driver: str) -> None:
    """A model call has our handler and the user's own; each once."""
    present: List[Any] = []

    def witness(**options: Any) -> Any:
        model = Witness(**options)
        model.present = present
        return model

    handler = Listener()
    read(run_of(ways, [handler], driver, place, witness), driver)

    (handlers,) = present
    ours = [item for item in handlers if type(item).__module__.startswith("streamgraph.")]
    assert len({type(item) for item in ours}) == len(ours) > 0
    if ways != ["the node"] or driver == "stream" or reaches_what_is_awaited():
        assert [item for item in handlers if item not in ours] == [handler] * bool(ways)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kinds", KINDS)
def test_log(kinds: str, driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """LangChain reports each failure of a handler, once; there are no other complaints."""
    handlers = check(["the run's config"], KINDS[kinds], "list", driver)

    at_tokens = [handler for handler in handlers if isinstance(handler, (RaisesAtToken, AwaitingAndRaising))]
    others = [handler for handler in handlers if isinstance(handler, (RaisesAtStart, RaisesAtEnd))]
    records = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert all("ConnectionError" in record.getMessage() for record in records)
    assert {record.name for record in records} <= {"langchain_core.callbacks.manager"}
    assert len(records) == sum(len(handler.tokens) for handler in at_tokens) + len(others)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [RaisesAtToken, RaisesAtStart, RaisesAtEnd])
def test_handler_that_insists(kind: Any, way: str, driver: str) -> None:
    """With `raise_error` a handler's error ends the run, as it is."""
    if way == "the node" and not reaches_what_is_awaited():
        way = "the node, its config handed on"
    handler = kind()
    handler.raise_error = True

    with pytest.raises(ConnectionError) as caught:
        read(run_of([way], [handler], driver), driver)

    assert caught.value is handler.error


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("way", ["the run's config", "the graph"])
def test_traces(way: str, driver: str) -> None:
    """Tracers see the graph, in it the node, in it the model, and in that each token; all once."""
    tracer, collector = Tracer(), RunCollectorCallbackHandler()

    tokens = read(run_of([way], [tracer, collector], driver), driver)

    for roots in (tracer.roots, collector.traced_runs):
        (graph,) = roots
        (node,) = graph.child_runs
        (model,) = node.child_runs
        assert (graph.name, node.name, model.name) == ("LangGraph", "talk", "Model")
        told = [event["name"] for event in model.events if event.get("kwargs", {}).get("token") != ""]
        assert told == ["start", *["new_token"] * len([content for _, content, _ in tokens if content]), "end"]
        assert not (graph.error or node.error or model.error)
