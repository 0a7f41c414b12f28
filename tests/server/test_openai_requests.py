"""What OpenAI's own client asks of a graph beside an answer: objects, tools of its own, parameters, whole answers."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import openai
import pytest
from langchain_core.messages import AIMessageChunk
from pydantic import BaseModel
from typing_extensions import TypedDict

from server.graphs import TEXT, WORDS, one_node, speaking
from server.hard_cases import redacting, with_blocks
from server.loopback import Loopback
from server.retracting import retrying
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.runtime import Runtime
from streamgraph_integrations.openai import chat_model

ASKED: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]


class Joke(BaseModel):
    """A joke."""

    setup: str
    rating: int


class Other(BaseModel):
    """Something else."""

    answer: int


class Wishes(TypedDict, total=False):
    """What requests may ask of a graph."""

    temperature: float
    tools: Any
    response_format: Any


def structured(method: str) -> Any:
    """A node that asks for structured output."""
    model = chat_model(delay=0).with_structured_output(Joke, method=method)  # type: ignore[arg-type]

    async def write(state: Any) -> Any:
        found: Any = await model.ainvoke("A joke about ice")
        return {"messages": [("ai", found.setup)]}

    return one_node(write)


class WithObject(MessagesState):
    """A state with an object, as agents have it."""

    structured_response: Any


def storing() -> Any:
    """A node that writes an object to the state."""

    def write(state: Any) -> Any:
        return {"messages": [("ai", "Here it is.")], "structured_response": Joke(setup="in the state", rating=1)}

    return StateGraph(WithObject).add_node(write).add_edge(START, "write").compile()


def wishing() -> Any:
    """A graph that says what was asked of it."""

    def say(state: Any, runtime: Runtime[Wishes]) -> Any:
        return {"messages": [("ai", f"{sorted(runtime.context or {})}")]}

    return StateGraph(MessagesState, context_schema=Wishes).add_node(say).add_edge(START, "say").compile()


@pytest.fixture
def client(serving: Callable[..., Loopback]) -> Iterator[Any]:
    """A client of a server with some graphs."""
    cut = [*WORDS, AIMessageChunk("", response_metadata={"finish_reason": "length"})]
    graphs = {
        "calling": structured("function_calling"),
        "schema": structured("json_schema"),
        "storing": storing(),
        "speaking": speaking(),
        "wishing": wishing(),
        "cut": speaking(script=[cut]),
        "retrying": retrying(),
        "redacting": redacting(),
        "quoting": with_blocks(),
    }
    with openai.OpenAI(base_url=f"{serving(graphs).url}/v1", api_key="x", max_retries=0) as client:
        yield client


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_an_answer_that_is_an_object(client: Any) -> None:
    for model, setup in (("calling", "Setup about ice"), ("schema", "Setup about ice"), ("storing", "in the state")):
        chat = client.chat.completions.parse(model=model, messages=ASKED, response_format=Joke)
        assert chat.choices[0].message.parsed.setup == setup
        assert client.responses.parse(model=model, input="hi", text_format=Joke).output_parsed.setup == setup
        with client.chat.completions.stream(model=model, messages=ASKED, response_format=Joke) as stream:
            assert stream.get_final_completion().choices[0].message.parsed.setup == setup
        with client.responses.stream(model=model, input="hi", text_format=Joke) as stream:
            assert stream.get_final_response().output_parsed.setup == setup
    # Without the wish it is text, as before.
    assert client.chat.completions.create(model="storing", messages=ASKED).choices[0].message.content == "Here it is."


def test_an_object_that_there_is_not(client: Any) -> None:
    wishes = ("speaking", Joke, "has made no object"), ("storing", Other, "has no 'answer'")
    for model, wanted, what in wishes:
        with pytest.raises(openai.InternalServerError, match=what):
            client.chat.completions.parse(model=model, messages=ASKED, response_format=wanted)
        response = client.responses.create(
            model=model,
            input="hi",
            text={"format": {"type": "json_schema", "name": "x", "schema": wanted.model_json_schema()}},
        )
        assert response.status == "failed" and what in response.error.message
    with pytest.raises(openai.BadRequestError, match="no format 'xml'"):
        client.chat.completions.create(model="storing", messages=ASKED, response_format={"type": "xml"})


def test_tools_of_a_client_are_refused(client: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="runs its own tools"):
        client.chat.completions.create(model="speaking", messages=ASKED, tools=TOOLS)
    with pytest.raises(openai.BadRequestError, match="runs its own tools"):
        client.responses.create(model="speaking", input="hi", tools=[{"type": "web_search"}])
    with pytest.raises(openai.BadRequestError, match="n must be 1"):
        client.chat.completions.create(model="speaking", messages=ASKED, n=2)
    found = client.chat.completions.create(model="speaking", messages=ASKED, tools=TOOLS, tool_choice="none")
    assert found.choices[0].message.content == TEXT


def test_parameters_are_the_context_of_a_graph_that_declares_them_and_others_are_named(client: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="wishing",
        messages=ASKED,
        temperature=0.5,
        top_p=0.1,
        tools=TOOLS,
        response_format={"type": "json_object"},
    )
    assert raw.parse().choices[0].message.content == "['response_format', 'temperature', 'tools']"
    assert raw.headers["x-streamgraph-ignored"] == "top_p"
    raw = client.responses.with_raw_response.create(model="wishing", input="hi", temperature=0.5, stream=True)
    assert "x-streamgraph-ignored" not in raw.headers
    assert list(raw.parse())[-1].response.output_text == "['temperature']"


def test_why_a_model_has_stopped(client: Any) -> None:
    assert client.chat.completions.create(model="cut", messages=ASKED).choices[0].finish_reason == "length"
    chunks = list(client.chat.completions.create(model="cut", messages=ASKED, stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_a_whole_answer_has_nothing_that_was_taken_back(client: Any) -> None:
    for model, text in (("retrying", "right words"), ("redacting", "redacted")):
        assert client.chat.completions.create(model=model, messages=ASKED).choices[0].message.content == text
    assert client.responses.create(model="redacting", input="hi").output_text == "redacted"


def test_what_a_text_quotes(client: Any) -> None:
    response = client.responses.create(
        model="quoting", input="hi", instructions="Be short.", metadata={"by": "ada"}, stream=False
    )
    text = response.output[-1].content[0]
    assert (text.text, [quoted.url for quoted in text.annotations]) == ("Ice is.", ["https://ice"])
    assert (response.instructions, response.metadata) == ("Be short.", {"by": "ada"})
    with client.responses.stream(model="quoting", input="hi") as stream:
        assert "response.output_text.annotation.added" in [event.type for event in stream]
