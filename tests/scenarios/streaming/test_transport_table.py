"""Transport and visibility are two things: how a model is called, and who gets to see what it says."""

from __future__ import annotations

from itertools import product
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from pydantic import Field

from scenarios.streaming.model_call_graphs import graph_of
from scenarios.streaming.provider import DRIVERS, JOKE, collect
from streamgraph.config import get_stream_writer
from streamgraph.graph import MessagesState
from streamgraph.types import Command
from support.models import TEXT, WORDS

QUESTION = "a joke"
DONE = "the model has answered"
NOSTREAM = {"tags": ["nostream"]}


@tool
def look_up(topic: str) -> str:
    """Look something up."""
    return topic


class Counted(BaseChatModel):
    """A model that notes how it is called, with the options that decide it in real ones.

    Attributes:
        streaming: As of `ChatOpenAI` and others.
        asked: Of each call, whether the answer was asked for as a stream.
    """

    streaming: bool = False
    asked: List[bool] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "counted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable:  # type: ignore[override]
        """As most models do."""
        return self.bind(tools=[{"name": item.name} for item in tools], **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self.asked.append(True)
        for word in WORDS:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream():
            yield chunk

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self.asked.append(False)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=TEXT))])

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate()


class Transport(NamedTuple):
    """What a model is told about how to call its provider; `streaming=None` is a model that was not told."""

    disable_streaming: Any = False
    streaming: Optional[bool] = None
    tools: bool = False

    def __str__(self) -> str:
        return f"disable={self.disable_streaming}-streaming={self.streaming}{'-tools' * self.tools}"

    def options(self) -> Dict[str, Any]:
        """The arguments of the model."""
        given = {} if self.streaming is None else {"streaming": self.streaming}
        return {"disable_streaming": self.disable_streaming, **given}


TRANSPORTS = [Transport(*case) for case in product([True, "tool_calling", False], [False, None, True], [False, True])]


class Seen(NamedTuple):
    """What a consumer has seen of one message, and whether the provider was asked to stream it."""

    streamed: bool
    tokens: bool
    whole: bool
    copy: bool


def is_streamed(transport: Transport, heeds_streaming_false: bool) -> bool:
    """The rule of transport, for a model that is invoked where somebody wants messages."""
    if transport.disable_streaming == "tool_calling":
        disabled = transport.tools
    else:
        disabled = transport.disable_streaming
    refused = transport.streaming is False and heeds_streaming_false
    return not disabled and not refused


def expected(streamed: bool, place: str) -> Seen:
    """The rule of visibility: a message is seen once, as it comes from the model, unless it is tagged."""
    shown = place == "nowhere"
    return Seen(streamed, tokens=shown and streamed, whole=shown and not streamed, copy=False)


Form = Callable[[Any], Any]

# What a node returns of the message.
FORMS: Dict[str, Form] = {
    "returned": lambda message: {"messages": [message]},
    "not returned": lambda message: {},
}

COPIES: Dict[str, Form] = {
    "copy": lambda message: {"messages": message.model_copy()},
    "copy with another id": lambda message: {"messages": [message.model_copy(update={"id": "another"})]},
    "new message": lambda message: {"messages": [AIMessage(message.content)]},
    "tuple": lambda message: {"messages": [("ai", message.content)]},
    "command": lambda message: Command(update={"messages": [message]}),
    "list of commands": lambda message: [Command(update={"messages": [message]})],
}


def on_model(model: Any, tools: bool) -> Any:
    """The model, with tools or without."""
    return model.bind_tools([look_up]) if tools else model


def chain(model: Any) -> Any:
    """A prompt and the model."""
    return ChatPromptTemplate.from_messages([("human", "{question}")]) | model


def finished(message: Any, form: Form) -> Any:
    """What a node does once the model has answered: it says so, and returns the message in some form."""
    get_stream_writer()(DONE)
    return form(message)


def node(runnable: Any, driver: str, form: Form, config: Any = None) -> Any:
    """A function that asks `runnable`."""
    if driver == "stream":
        return lambda state: finished(runnable.invoke(QUESTION, config), form)

    async def talk(state: Any) -> Any:
        return finished(await runnable.ainvoke(QUESTION, config), form)

    return talk


def hidden_nowhere(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """Nothing has the tag."""
    return node(on_model(make(), tools), driver, form)


def hidden_by_model(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The model was made with the tag."""
    return node(on_model(make(**NOSTREAM), tools), driver, form)


def hidden_by_with_config(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The model was bound to the tag; if it has tools it got them after that."""
    model = make().with_config(**NOSTREAM)
    return node(model.bind(tools=make().bind_tools([look_up]).kwargs["tools"]) if tools else model, driver, form)


def hidden_by_bound_model(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """A model that was bound to something else was bound to the tag."""
    model = make().bind_tools([look_up]) if tools else make().bind(stop=["no such word"])
    return node(model.with_config(**NOSTREAM), driver, form)


def hidden_by_call(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The call was given the tag."""
    return node(on_model(make(), tools), driver, form, dict(NOSTREAM))


def hidden_by_chain(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The chain that the node calls has the tag."""
    return node(chain(on_model(make(), tools)).with_config(**NOSTREAM), driver, form)


def hidden_by_model_in_chain(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The model in the chain that the node calls has the tag."""
    return node(chain(on_model(make(), tools).with_config(**NOSTREAM)), driver, form)


def hidden_by_node(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The function that is the node has the tag."""
    return RunnableLambda(node(on_model(make(), tools), driver, form)).with_config(**NOSTREAM)


def hidden_by_chain_as_node(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The chain that is the node has the tag."""
    steps = RunnableLambda(lambda state: QUESTION) | chain(on_model(make(), tools))
    return (steps | RunnableLambda(lambda message: finished(message, form))).with_config(**NOSTREAM)


def hidden_by_graph_as_node(make: Any, tools: bool, driver: str, form: Form) -> Any:
    """The graph that is the node has the tag."""
    inner = graph_of(MessagesState, talk=node(on_model(make(), tools), driver, form))
    return inner.with_config(**NOSTREAM)


PLACES = {
    "nowhere": hidden_nowhere,
    "model": hidden_by_model,
    "with_config": hidden_by_with_config,
    "bound model": hidden_by_bound_model,
    "call": hidden_by_call,
    "chain": hidden_by_chain,
    "model in chain": hidden_by_model_in_chain,
    "node": hidden_by_node,
    "chain as node": hidden_by_chain_as_node,
    "graph as node": hidden_by_graph_as_node,
}


def seen(chunks: List[Tuple[str, Any]], streamed: bool, words: Optional[Sequence[str]], text: str) -> Seen:
    """Read from the parts of a stream what was to be seen of the message, and make sure that it is nothing else.

    Args:
        chunks: The parts.
        streamed: Whether the provider was asked to stream.
        words: The tokens, if they are known.
        text: The text.
    """
    end = chunks.index(("custom", DONE))
    before, after = ([data for mode, data in part if mode == "messages"] for part in (chunks[:end], chunks[end:]))
    messages = [message for message, _ in before]
    tokens = whole = False
    if messages:
        assert all((data["langgraph_node"], data["tags"]) == ("talk", []) for _, data in before)
        assert "".join(message.content for message in messages) == text
        assert len({message.id for message in messages}) == 1
        kinds = [type(message) for message in messages]
        whole = kinds == [AIMessage]
        tokens = len(messages) > 1 and set(kinds) == {AIMessageChunk}
        assert whole or tokens
        if tokens and words is not None:
            assert [message.content for message in messages if message.content] == list(words)
    return Seen(streamed, tokens, whole, bool(after))


def run(action: Any, driver: str) -> List[Any]:
    """The parts of a run with one node."""
    modes = ["messages", "custom", "values"]
    return collect(graph_of(MessagesState, talk=action), {"messages": []}, driver, stream_mode=modes)


def final_texts(chunks: List[Tuple[str, Any]]) -> List[str]:
    """The texts of the messages in the state at the end."""
    state = [data for mode, data in chunks if mode == "values"][-1]
    return [message.content for message in state["messages"]]


@pytest.fixture(scope="module")
def heeds_streaming_false() -> bool:
    """Whether langchain-core heeds `streaming=False`, which it does from version 1.0 on."""
    return len(list(Counted(streaming=False).stream(QUESTION))) == 1


def check_fake(transport: Transport, place: str, form: Form, driver: str, heeds_streaming_false: bool) -> List[str]:
    """Run a graph with a counted model, and see that both rules hold; return the texts in its state."""
    asked: List[bool] = []

    def make(**options: Any) -> Any:
        model = Counted(**transport.options(), **options)
        model.asked = asked
        return model

    chunks = run(PLACES[place](make, transport.tools, driver, form), driver)

    assert asked == [is_streamed(transport, heeds_streaming_false)]
    assert seen(chunks, asked[0], WORDS, TEXT) == expected(asked[0], place)
    return final_texts(chunks)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("transport", TRANSPORTS, ids=str)
def test_table(transport: Transport, place: str, form: str, driver: str, heeds_streaming_false: bool) -> None:
    """The options of the model alone decide how it is called, and the tag alone decides what is seen of it."""
    texts = check_fake(transport, place, FORMS[form], driver, heeds_streaming_false)

    assert texts == ([TEXT] if form == "returned" else [])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", COPIES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("disabled", [False, True])
def test_copies(disabled: bool, place: str, form: str, driver: str, heeds_streaming_false: bool) -> None:
    """A copy of a message is as little seen as the message itself."""
    assert check_fake(Transport(disabled), place, COPIES[form], driver, heeds_streaming_false) == [TEXT]


# A `ChatOpenAI` that is told both to stream and not to asks for a stream, and then cannot read it; with no graph, too.
CONSISTENT = [case for case in TRANSPORTS if not case.streaming or is_streamed(case, True)]
OF_EACH_PLACE = [Transport(), Transport("tool_calling", tools=True), Transport(streaming=False)]
REPRESENTATIVE = [
    *((case, "nowhere") for case in CONSISTENT),
    *((case, place) for case in OF_EACH_PLACE for place in PLACES if place != "nowhere"),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("transport", "place"), REPRESENTATIVE, ids=str)
def test_real_model(server: Any, transport: Transport, place: str, driver: str, heeds_streaming_false: bool) -> None:
    """A real model asks its provider accordingly."""

    def make(**options: Any) -> Any:
        return server.model(**transport.options(), **options)

    chunks = run(PLACES[place](make, transport.tools, driver, FORMS["returned"]), driver)

    streamed = is_streamed(transport, heeds_streaming_false)
    assert [bool(body.get("stream")) for body in server.bodies] == [streamed]
    assert [bool(body.get("tools")) for body in server.bodies] == [transport.tools]
    assert seen(chunks, streamed, None, JOKE) == expected(streamed, place)
    assert final_texts(chunks) == [JOKE]
