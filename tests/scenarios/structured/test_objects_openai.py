"""`stream_mode="objects"` with a real ChatOpenAI: every way to be told to answer with an object, in both APIs."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

from streamgraph import MessageAccumulator
from streamgraph_integrations.openai_server import OpenAIServer, Reply, ToolCall
from support.json_checks import check_growth, faults
from support.structured import DRIVERS, METHODS, OBJECT, SCHEMAS, SCHEMAS_READ, TEXT, Joke, asker, chain, read

# langchain-openai dumps what openai has parsed, whose fields pydantic expects to be of other types.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")

MIXED = [("invoke", "astream"), ("ainvoke", "stream"), ("stream", "stream"), ("astream", "astream")]
GIVEN = {"asked": "Tell me a joke."}


def answer(body: Dict[str, Any]) -> Reply:
    """The object, in the way in which it is asked for."""
    tools = body.get("tools")
    if tools:
        return Reply(tool_calls=[ToolCall(tools[0].get("name") or tools[0]["function"]["name"], OBJECT)])
    pieces = [TEXT[start : start + 15] for start in range(0, len(TEXT), 15)]
    if "response_format" in body and body["response_format"]["type"] == "json_object":
        return Reply(chunks=["```json\n", *pieces, "\n", "```"])
    return Reply(chunks=pieces)


@pytest.fixture(scope="module")
def models() -> Iterator[Dict[bool, ChatOpenAI]]:
    """A model for each of the two APIs."""
    with OpenAIServer(answer, delay=0) as server:
        options: Any = {"model": "gpt-4o-mini", "base_url": server.base_url, "api_key": "none", "max_retries": 0}
        yield {responses: ChatOpenAI(use_responses_api=responses, **options) for responses in (False, True)}


def shown(graph: Any, driver: str, **options: Any) -> Tuple[List[Any], Any]:
    """What the mode shows, and the output of the run."""
    got = read(graph, GIVEN, driver, stream_mode="objects", **options)
    return got.chunks, got.output


def check(chunks: List[Any], result: Any, schema: Any) -> None:
    """It grows, is valid, and is in the end what the node got."""
    *growing, (last, told) = chunks
    check_growth([part for part, _ in growing], OBJECT)
    assert [faults(part, schema) for part, _ in growing] == [[]] * len(growing)
    assert [metadata["complete"] for _, metadata in chunks] == [False] * len(growing) + [True]
    assert len(growing) > 5
    assert growing[-1][0] == OBJECT
    assert (type(last), last) == (type(result), result)
    assert (told["ls_provider"], told["ls_model_name"]) == ("openai", "gpt-4o-mini")


@pytest.mark.parametrize(("call", "driver"), MIXED)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_grows(models: Any, kind: str, method: str, call: str, driver: str) -> None:
    """By chat completions, however the schema is given and the model called."""
    structured = models[False].with_structured_output(SCHEMAS[kind], method=method)
    chunks, output = shown(chain(node=asker(structured, call)), driver)
    check(chunks, output["out"], SCHEMAS_READ[kind])
    assert output["out"] == (Joke(**OBJECT) if kind == "pydantic" else OBJECT)


@pytest.mark.parametrize(("call", "driver"), [("invoke", "astream"), ("astream", "stream")])
@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("kind", ["pydantic", "JSON schema"])
def test_responses_api(models: Any, kind: str, method: str, call: str, driver: str) -> None:
    """By the Responses API."""
    structured = models[True].with_structured_output(SCHEMAS[kind], method=method)
    chunks, output = shown(chain(node=asker(structured, call)), driver)
    check(chunks, output["out"], SCHEMAS_READ[kind])


def said(output: Any) -> Any:
    """What there is of the messages in a state, without the ids that the server makes up."""
    calls = [[call["args"] for call in message.tool_calls] for message in output["messages"]]
    return [*MessageAccumulator(output["messages"]).texts().values()], calls


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_include_raw(models: Any, method: str, responses: bool, driver: str) -> None:
    """With the raw message beside the object; a node that keeps that message."""
    structured = models[responses].with_structured_output(Joke, method=method, include_raw=True)

    def node(state: Any) -> Any:
        got = structured.invoke(state["asked"])
        return {"messages": [got["raw"]], "out": got["parsed"]}

    chunks, output = shown(chain(node=node), driver)
    check(chunks, output["out"], SCHEMAS_READ["pydantic"])

    both = read(chain(node=node), GIVEN, driver, stream_mode=["objects", "messages"])
    tokens = MessageAccumulator(data for mode, data in both.chunks if mode == "messages")
    objects = [data for mode, data in both.chunks if mode == "objects"]
    assert {metadata["message_id"] for _, metadata in objects} == set(tokens.messages)
    left = read(chain(node=node), GIVEN, driver, stream_mode=["objects", "messages"], include_raw=False)
    assert {mode for mode, _ in left.chunks} == {"objects"}
    assert said(left.output) == said(both.output) == said(output)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("method", METHODS)
def test_disable_streaming(models: Any, method: str, driver: str) -> None:
    """A model that may not stream: only the complete object."""
    model = models[False].model_copy(update={"disable_streaming": True})
    chunks, output = shown(chain(node=asker(model.with_structured_output(Joke, method=method), "ainvoke")), driver)
    assert [(part, metadata["complete"]) for part, metadata in chunks] == [(Joke(**OBJECT), True)]
    assert chunks[0][0] == output["out"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_chain_as_node(models: Any, driver: str) -> None:
    """`prompt | model.with_structured_output(S)` as the node of a graph, one in another."""
    prompt = ChatPromptTemplate.from_messages([("user", "{asked}")])
    structured = prompt | models[False].with_structured_output(Joke) | (lambda joke: {"out": joke})
    chunks, output = shown(chain(outer=chain(node=structured)), driver)
    check(chunks, output["out"], SCHEMAS_READ["pydantic"])
    assert {metadata["langgraph_node"] for _, metadata in chunks} == {"node"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_tools_beside_the_schema(models: Any, driver: str) -> None:
    """A model that answers in prose, or calls tools without being told to answer so, gives no object."""
    graph = chain(prose=asker(models[False]), tools=asker(models[False].bind_tools([Joke])))
    got = read(graph, GIVEN, driver, stream_mode=["objects", "messages"])
    assert {mode for mode, _ in got.chunks} == {"messages"}
    assert json.loads("".join(chunk.content for _, (chunk, metadata) in got.chunks)) == OBJECT
