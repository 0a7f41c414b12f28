"""How a model is called and whether anybody sees it: `disable_streaming` and its like, and the `nostream` tag."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from scenarios.streaming.model_call_graphs import asker, graph_of, node_returning
from scenarios.streaming.provider import CALLS, DRIVERS, JOKE, collect
from streamgraph.graph import MessagesState


@tool
def look_up(topic: str) -> str:
    """Look something up."""
    return topic


class Case(NamedTuple):
    """A way to set up a model, and whether it should then stream when it is invoked, and when it is streamed.

    `None`: as `stream` does outside of a graph, for it is up to langchain-core, whose rules have changed.
    """

    options: Dict[str, Any]
    invoked: Optional[bool]
    streamed: Optional[bool]
    tools: bool = False
    bound: Dict[str, Any] = {}


CASES = {
    "as it comes": Case({}, True, True),
    "disable_streaming=True": Case({"disable_streaming": True}, False, False),
    "disable_streaming=False": Case({"disable_streaming": False}, True, True),
    "tool_calling without tools": Case({"disable_streaming": "tool_calling"}, True, True),
    "tool_calling with tools": Case({"disable_streaming": "tool_calling"}, False, False, tools=True),
    "tools alone": Case({}, True, True, tools=True),
    "streaming=False": Case({"streaming": False}, None, None),
    "streaming=True": Case({"streaming": True}, True, True),
    "stream=False": Case({}, False, True, bound={"stream": False}),
}

FORMS = {
    "returned": lambda message: {"messages": [message]},
    "returned as text": lambda message: {"messages": [AIMessage(message.content)]},
    "not returned": lambda message: {},
}


def made(provider: Any, kind: str, case: Case) -> Any:
    """A model of the case, from its class or by name."""
    options = provider.options(**case.options)
    if kind == "init_chat_model":
        model = init_chat_model(f"openai:{options.pop('model')}", **options)
    else:
        model = provider.model(**case.options)
    if case.tools:
        model = model.bind_tools([look_up])
    return model.bind(**case.bound) if case.bound else model


def expected(model: Any, streams: Optional[bool]) -> bool:
    """Whether a model should stream in a graph."""
    return len(list(model.stream("a joke"))) > 1 if streams is None else streams


def check(chunks: List[Any], streams: bool) -> None:
    """The joke has arrived, once: in tokens if the model streams, else as one whole message."""
    messages = [message for message, _ in chunks]
    assert "".join(message.content for message in messages) == JOKE
    assert len({message.id for message in messages}) == 1
    if streams:
        assert len(messages) > 3
        assert all(isinstance(message, AIMessageChunk) for message in messages)
    else:
        assert [type(message) for message in messages] == [AIMessage]
        assert messages[0].usage_metadata
    assert all((metadata["langgraph_node"], metadata["tags"]) == ("talk", []) for _, metadata in chunks)
    assert all(metadata["run_id"] for _, metadata in chunks)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["class", "init_chat_model"])
@pytest.mark.parametrize("name", CASES)
def test_how_the_model_is_called(provider: Any, name: str, kind: str, call: str, driver: str) -> None:
    """The setting decides what the provider is asked for; the answer arrives either way."""
    case = CASES[name]
    if case.bound and call.endswith("stream"):
        case = case._replace(bound={})  # `stream(stream=False)` contradicts itself
    model = made(provider, kind, case)
    streams = expected(model, case.invoked if call.endswith("invoke") else case.streamed)
    asked = len(provider.bodies)
    graph = graph_of(MessagesState, talk=node_returning(asker(model, call), FORMS["returned"]))

    chunks = collect(graph, {"messages": []}, driver, stream_mode="messages")

    check(chunks, streams)
    assert [bool(body.get("stream")) for body in provider.bodies[asked:]] == [streams]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("name", ["as it comes", "disable_streaming=True", "streaming=False", "stream=False"])
def test_once(server: Any, name: str, call: str, form: str, driver: str) -> None:
    """The message arrives exactly once, whatever the node does with it."""
    case = CASES[name]
    model = made(server, "class", case)
    graph = graph_of(MessagesState, talk=node_returning(asker(model, call), FORMS[form]))

    check(collect(graph, {"messages": []}, driver, stream_mode="messages"), expected(model, case.invoked))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
def test_without_messages_mode_nothing_is_streamed(provider: Any, call: str, driver: str) -> None:
    """Where nobody wants tokens the provider is not asked for any."""
    graph = graph_of(MessagesState, talk=node_returning(asker(provider.model(), call), FORMS["returned"]))

    collect(graph, {"messages": []}, driver, stream_mode=["values", "updates", "custom", "tasks"])

    assert [bool(body.get("stream")) for body in provider.bodies] == [False]


def hidden_by_model(server: Any, call: str, form: Any) -> Any:
    """The tag is on the model."""
    return graph_of(MessagesState, talk=node_returning(asker(server.model(tags=["nostream"]), call), form))


def hidden_by_config(server: Any, call: str, form: Any) -> Any:
    """The tag is in the config that the model is bound to."""
    model = server.model().with_config(tags=["nostream"])
    return graph_of(MessagesState, talk=node_returning(asker(model, call), form))


def hidden_by_node(server: Any, call: str, form: Any) -> Any:
    """The tag is on the node."""
    node = RunnableLambda(node_returning(asker(server.model(), call), form)).with_config(tags=["nostream"])
    return graph_of(MessagesState, talk=node)


def hidden_by_graph(server: Any, call: str, form: Any) -> Any:
    """The tag is on the graph."""
    graph = graph_of(MessagesState, talk=node_returning(asker(server.model(), call), form))
    return graph.with_config(tags=["nostream"])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("hide", [hidden_by_model, hidden_by_config, hidden_by_node, hidden_by_graph])
def test_nostream(server: Any, hide: Any, call: str, form: str, driver: str) -> None:
    """Nothing of a message arrives that is tagged `nostream`, not even when the node returns it."""
    graph = hide(server, call, FORMS[form])

    chunks = collect(graph, {"messages": []}, driver, stream_mode=["messages", "values"])

    assert [mode for mode, _ in chunks if mode == "messages"] == []
    assert [message.content for message in chunks[-1][1]["messages"]] == ([] if form == "not returned" else [JOKE])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("update", [{"name": "router"}, {"content": "secret, edited"}], ids=["named", "edited"])
def test_nostream_hides_what_a_node_makes_of_it(server: Any, update: Dict[str, Any], driver: str) -> None:
    """A hidden message that the node names or edits stays hidden: under its id it is the same message."""
    model = server.model(tags=["nostream"])

    def name(state: Any) -> Any:
        return {"messages": [model.invoke("hi").model_copy(update=update)]}

    assert collect(graph_of(MessagesState, name=name), {"messages": []}, driver, stream_mode="messages") == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
def test_nostream_hides_only_what_is_tagged(server: Any, call: str, driver: str) -> None:
    """A tagged and an untagged model in one graph: the untagged one streams as ever."""
    hidden, shown = server.model(tags=["nostream"], disable_streaming=True), server.model()
    graph = graph_of(
        MessagesState,
        quiet=node_returning(asker(hidden, call), FORMS["returned"]),
        talk=node_returning(asker(shown, call), FORMS["returned"]),
    )

    check(collect(graph, {"messages": []}, driver, stream_mode="messages"), True)
