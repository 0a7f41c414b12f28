"""The loopback server's Responses API: on the wire, through OpenAI's own client and through ChatOpenAI."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Dict, List

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import Field, TypeAdapter
from typing_extensions import Annotated, get_args

from streamgraph_integrations.openai_server import OpenAIServer, Reply, Request, ToolCall
from support.openai_clients import PATIENCE, call, chat
from support.openai_clients import no_thread_is_left as no_thread_is_left

CALLS = [ToolCall("add", {"a": 1, "b": [2, 3]}, id="call_7"), ToolCall("now", {"zone": "CET"}, id="call_8")]
MADE = [("add", {"a": 1, "b": [2, 3]}, "call_7"), ("now", {"zone": "CET"}, "call_8")]
FULL = Reply("It is five.", reasoning="One plus four.\n\nAnd the time.", tool_calls=CALLS, usage=(11, 5))
SUMMARY = {"reasoning": {"summary": "auto"}}
EVENTS: TypeAdapter[Any] = TypeAdapter(Annotated[get_args(ResponseStreamEvent)[0], Field(discriminator="type")])


def body(**more: Any) -> Dict[str, Any]:
    return {"model": "any-model", "input": "How are you", **more}


def post(server: OpenAIServer, **more: Any) -> Dict[str, Any]:
    """The answer without streaming, which is one that OpenAI's types describe."""
    status, _, content = call(server, "POST", "/v1/responses", body(**more))
    assert status == 200
    answer: Dict[str, Any] = json.loads(content)
    Response.model_validate(answer)
    return answer


def stream(server: OpenAIServer, **more: Any) -> List[Dict[str, Any]]:
    """The events of a stream; each is one that OpenAI's types describe, under its name and in its place."""
    status, headers, content = call(server, "POST", "/v1/responses", body(stream=True, **more))
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert headers["content-type"].startswith("text/event-stream")
    *blocks, rest = content.decode().split("\n\n")
    assert rest == ""
    events: List[Dict[str, Any]] = []
    for index, block in enumerate(blocks):
        name, data = block.split("\n")
        events.append(json.loads(data[len("data: ") :]))
        assert EVENTS.validate_python(events[-1]).type == events[-1]["type"] == name[len("event: ") :]
        assert events[-1]["sequence_number"] == index
    return events


def responding(server: OpenAIServer, **options: Any) -> ChatOpenAI:
    return chat(server, use_responses_api=True, **options)


def whole(model: ChatOpenAI, driver: str) -> AIMessageChunk:
    """The sum of what a model streams."""

    async def collect() -> List[Any]:
        return [piece async for piece in model.astream("How are you")]

    pieces = list(model.stream("How are you")) if driver == "stream" else asyncio.run(collect())
    made = sum(pieces[1:], pieces[0])
    assert isinstance(made, AIMessageChunk)
    return made


def text_of(message: Any) -> str:
    return "".join(part.get("text", "") for part in message.content if part.get("type", "text") == "text")


def summary_of(message: Any) -> List[str]:
    """The parts of a reasoning summary, which the older output has in another place."""
    old = message.additional_kwargs.get("reasoning")
    (item,) = [old] if old else [part for part in message.content if part["type"] == "reasoning"]
    return [part["text"] for part in item["summary"]]


def made_calls(message: Any) -> List[Any]:
    return [(made["name"], made["args"], made["id"]) for made in message.tool_calls]


# On the wire


def test_text_on_the_wire() -> None:
    """A text is one message item, whose events share its id and its place."""
    with OpenAIServer("one two", delay=0) as server:
        events = stream(server)
    assert [event["type"][len("response.") :] for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    item_id = events[2]["item"]["id"]
    assert item_id.startswith("msg_")
    assert {(event["item_id"], event["output_index"], event["content_index"]) for event in events[3:8]} == {
        (item_id, 0, 0)
    }
    assert (events[2]["item"]["status"], events[2]["item"]["content"]) == ("in_progress", [])
    assert [event["delta"] for event in events[4:6]] == ["one", " two"]
    assert events[6]["text"] == events[7]["part"]["text"] == "one two"
    first, last = events[0]["response"], events[-1]["response"]
    assert {event["response"]["id"] for event in (*events[:2], events[-1])} == {first["id"]}
    assert first["id"].startswith("resp_")
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    assert (last["status"], last["output"]) == ("completed", [events[-2]["item"]])
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == (3, 2)


def test_tool_calls_on_the_wire() -> None:
    """Each call is an item of its own, whose arguments come in pieces."""
    with OpenAIServer(Reply(tool_calls=CALLS), delay=0) as server:
        events = stream(server)
    started = [event for event in events if event["type"] == "response.output_item.added"]
    ids = [event["item"].pop("id") for event in started]
    assert len(set(ids)) == 2
    assert all(made.startswith("fc_") for made in ids)
    assert [(event["output_index"], event["item"]) for event in started] == [
        (index, {"type": "function_call", "status": "in_progress", "arguments": "", "name": name, "call_id": call_id})
        for index, (name, _, call_id) in enumerate(MADE)
    ]
    for index, (_, arguments, _) in enumerate(MADE):
        own = [event for event in events if event.get("item_id") == ids[index]]
        *deltas, done = own
        assert {event["type"] for event in deltas} == {"response.function_call_arguments.delta"}
        assert len(deltas) > 1
        assert done["arguments"] == "".join(event["delta"] for event in deltas)
        assert json.loads(done["arguments"]) == arguments


def test_reasoning_on_the_wire() -> None:
    """Reasoning comes first, with a part of the summary for each paragraph."""
    with OpenAIServer(FULL, delay=0) as server:
        events = stream(server, **SUMMARY)
    kinds = [item["type"] for item in events[-1]["response"]["output"]]
    assert kinds == ["reasoning", "message", "function_call", "function_call"]
    assert events[2]["item"]["summary"] == []
    inner = [event for event in events if event.get("item_id", "").startswith("rs_")]
    assert [event["type"].rsplit("_", 1)[1] for event in inner] == [
        *("part.added", "text.delta", "text.delta", "text.delta", "text.done", "part.done"),
        *("part.added", "text.delta", "text.delta", "text.delta", "text.done", "part.done"),
    ]
    assert [event["summary_index"] for event in inner] == [0] * 6 + [1] * 6
    assert {event["item_id"] for event in inner} == {events[2]["item"]["id"]}
    for place, text in enumerate(["One plus four.", "And the time."]):
        own = [event for event in inner if event["summary_index"] == place]
        assert "".join(event.get("delta", "") for event in own) == own[-2]["text"] == own[-1]["part"]["text"] == text


def test_reasoning_has_a_summary_only_if_asked_for() -> None:
    """Without a word about it in the request there is a reasoning item with nothing in it."""
    with OpenAIServer(FULL, delay=0) as server:
        answer, events = post(server), stream(server, reasoning={"effort": "low"})
    assert answer["output"][0]["summary"] == []
    assert [event["type"] for event in events[2:4]] == ["response.output_item.added", "response.output_item.done"]
    assert answer["usage"]["output_tokens_details"] == {"reasoning_tokens": 6}


def test_streamed_and_not_are_the_same() -> None:
    """The last event has what an answer without streaming is, but for ids and time."""

    def bare(answer: Dict[str, Any]) -> Dict[str, Any]:
        output = [{**item, "id": None} for item in answer["output"]]
        return {**answer, "id": None, "created_at": None, "output": output}

    with OpenAIServer(FULL, delay=0) as server:
        assert bare(post(server, **SUMMARY)) == bare(stream(server, **SUMMARY)[-1]["response"])
        assert server.requests[0].chunks_sent == 1


def test_the_request_is_repeated() -> None:
    """What the request sets is in the answer, and the rest is as OpenAI has it."""
    tool = {"type": "function", "name": "now", "parameters": {}, "strict": False}
    with OpenAIServer("Fine.") as server:
        answer = post(server, temperature=0.0, tools=[tool], reasoning={"summary": "auto"}, instructions="Be brief")
    assert (answer["temperature"], answer["tools"], answer["instructions"]) == (0.0, [tool], "Be brief")
    assert answer["reasoning"] == {"effort": None, "summary": "auto"}
    assert (answer["model"], answer["top_p"], answer["truncation"]) == ("any-model", 1.0, "disabled")


def test_usage_on_the_wire() -> None:
    """The counts are the reply's, or those of the words of instructions, input and answer, or none."""
    with OpenAIServer([Reply("a b", usage=(11, 5)), "a b", Reply("a b", usage=False)]) as server:
        given, counted, none = (post(server, instructions="Be brief")["usage"] for _ in range(3))
    assert (given["input_tokens"], given["output_tokens"], given["total_tokens"]) == (11, 5, 16)
    assert (counted["input_tokens"], counted["output_tokens"], counted["total_tokens"]) == (5, 2, 7)
    assert none is None


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [(b"{'model'", "not valid JSON"), ({"input": "?"}, "model"), ({"model": "m", "messages": []}, "'input'")],
)
def test_bad_requests(wrong: object, expected: str) -> None:
    """A request that OpenAI would refuse is a 400 that says why."""
    with OpenAIServer() as server:
        status, _, content = call(server, "POST", "/v1/responses", wrong)
    problem = json.loads(content)["error"]
    assert (status, problem["type"]) == (400, "invalid_request_error")
    assert expected in problem["message"]


# Through OpenAI's own client


def test_openai_client() -> None:
    """OpenAI's client finds text, calls and usage in the answer."""
    with OpenAIServer(FULL, delay=0) as server, openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        answer = client.responses.create(model="any-model", input="How are you", reasoning={"summary": "auto"})
    assert answer.output_text == "It is five."
    assert [item.type for item in answer.output] == ["reasoning", "message", "function_call", "function_call"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 16


def test_openai_client_sums_up_the_stream() -> None:
    """OpenAI's own sum of the events, which wants them complete and in order, is the answer."""
    with OpenAIServer(FULL, delay=0) as server, openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        options: Any = {"reasoning": {"summary": "auto"}, "tools": []}
        with client.responses.stream(model="any-model", input="How are you", **options) as events:
            texts = [event.delta for event in events if event.type == "response.output_text.delta"]
            answer = events.get_final_response()
    assert texts == ["It", " is", " five."]
    assert answer.output_text == "It is five."
    assert [item.arguments for item in answer.output if item.type == "function_call"] == [
        json.dumps(arguments) for _, arguments, _ in MADE
    ]


def test_async_openai_client() -> None:
    """The asynchronous client reads the same events."""

    async def types(server: OpenAIServer) -> List[str]:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="none") as client:
            events = await client.responses.create(model="any-model", input="How are you", stream=True)
            return [event.type async for event in events]

    with OpenAIServer("one", delay=0) as server:
        assert asyncio.run(types(server)) == [event["type"] for event in stream(server)]


# Through ChatOpenAI


@pytest.mark.parametrize("output_version", ["v0", "responses/v1"])
@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_chat_openai_streams(driver: str, output_version: Any) -> None:
    """Text, reasoning summary, calls and usage come out of the stream, in either form of ChatOpenAI's messages."""
    with OpenAIServer(FULL, delay=0) as server:
        made = whole(responding(server, output_version=output_version, **SUMMARY), driver)
        assert [(request.path, request.streamed) for request in server.requests] == [("/v1/responses", True)]
    assert text_of(made) == "It is five."
    assert summary_of(made) == ["One plus four.", "And the time."]
    assert made_calls(made) == MADE
    assert made.usage_metadata is not None
    assert (made.usage_metadata["input_tokens"], made.usage_metadata["output_tokens"]) == (11, 5)
    assert made.response_metadata["status"] == "completed"


@pytest.mark.parametrize("output_version", ["v0", "responses/v1"])
def test_chat_openai_invokes(output_version: Any) -> None:
    """Without streaming it is the same, sync and async."""
    with OpenAIServer(FULL, delay=0) as server:
        model = responding(server, output_version=output_version, **SUMMARY)
        for made in (model.invoke("How are you"), asyncio.run(model.ainvoke("How are you"))):
            assert text_of(made) == "It is five."
            assert summary_of(made) == ["One plus four.", "And the time."]
            assert made_calls(made) == MADE
            assert made.usage_metadata is not None
            assert made.usage_metadata["output_token_details"] == {"reasoning": 6}
        assert [request.streamed for request in server.requests] == [False, False]


def test_words_come_one_by_one() -> None:
    """A stream has a piece for each token of the reply."""
    with OpenAIServer(Reply(chunks=["Al", "pha", "bet"]), delay=0) as server:
        pieces = [text_of(piece) for piece in responding(server).stream("Eat")]
    assert [piece for piece in pieces if piece] == ["Al", "pha", "bet"]


def test_a_conversation_reads_the_same_in_both() -> None:
    """A reply function finds the messages of either API in the same place and form; the record is as it was sent."""
    said = [
        SystemMessage("Be brief"),
        HumanMessage([{"type": "text", "text": "Add"}]),
        AIMessage("I will.", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "call_7"}]),
        ToolMessage("5", tool_call_id="call_7"),
        HumanMessage("Thanks"),
    ]
    seen: List[Any] = []

    def reply(given: Dict[str, Any]) -> str:
        seen.append(given["messages"])
        return "Fine."

    with OpenAIServer(reply) as server:
        usages = [model.invoke(said).usage_metadata for model in (chat(server), responding(server))]
        counts = [(usage["input_tokens"], usage["output_tokens"]) for usage in usages if usage]
        plain, sent = (request.body for request in server.requests)
    for message in (*seen[0], *seen[1]):  # ChatOpenAI may write the arguments with other spaces
        for made in message.get("tool_calls", ()):
            made["function"]["arguments"] = json.loads(made["function"]["arguments"])
    assert seen[0] == seen[1]
    assert counts[0] == counts[1]
    assert ("input" in plain, "messages" in plain) == (False, True)
    assert ("input" in sent, "messages" in sent) == (True, False)


@pytest.mark.parametrize("given", ["a joke about cats", [{"role": "user", "content": "a joke about cats"}]])
def test_default_reply(given: Any) -> None:
    """Without a reply the server answers about the topic, as it does in chat completions."""
    with OpenAIServer() as server:
        assert "joke about cats" in post(server, input=given)["output"][0]["content"][0]["text"]


def test_an_agent_goes_round() -> None:
    """A call that is answered comes back with its answer, and the next reply of the list ends the talk."""
    with OpenAIServer([Reply(tool_calls=CALLS[:1]), "It is five."], delay=0) as server:
        model = responding(server)
        first = model.invoke("Add")
        last = model.invoke([HumanMessage("Add"), first, ToolMessage("5", tool_call_id="call_7")])
        (_, request) = server.requests
    assert made_calls(first) == MADE[:1]
    assert text_of(last) == "It is five."
    assert [item.get("type") for item in request.body["input"][1:]] == ["function_call", "function_call_output"]


# Interruptions


@pytest.mark.parametrize("streaming", [False, True])
def test_error_status(streaming: bool) -> None:
    """A reply with an error makes OpenAI's client raise its exception for that status."""
    with OpenAIServer(Reply(error=(429, "not today"))) as server:
        model = responding(server)
        with pytest.raises(openai.RateLimitError, match="not today"):
            list(model.stream("?")) if streaming else model.invoke("?")


@pytest.mark.parametrize("streaming", [False, True])
def test_wrong_on_chunk_function(streaming: bool) -> None:
    """An `on_chunk` function that fails reaches the client, in the stream when one has begun."""

    def on_chunk(request: Request, index: int) -> None:
        if index == (5 if streaming else 0):
            raise ValueError("no more")

    with OpenAIServer("one two three", delay=0, on_chunk=on_chunk) as server:
        with pytest.raises(openai.APIError, match="The on_chunk function raised ValueError: no more"):
            list(responding(server).stream("?")) if streaming else responding(server).invoke("?")
        assert [request.chunks_sent for request in server.requests] == [5 if streaming else 0]


@pytest.mark.parametrize("count", [0, 5, 99])
def test_a_dropped_stream(count: int) -> None:
    """The connection drops after the given number of events, and the client has what came before."""
    texts: List[str] = []
    with OpenAIServer(Reply("one two three", fail_after=count), delay=0) as server:
        with pytest.raises(Exception, match="incomplete chunked read|Connection error"):
            texts.extend(text_of(piece) for piece in responding(server).stream("Count"))
        (request,) = server.requests
        assert request.wait(PATIENCE)
        assert request.chunks_sent == min(count, 11)  # three words and eight events around them
        assert not request.disconnected
    assert [text for text in texts if text] == ["one", " two", " three"][: max(0, count - 4)]


def test_a_client_that_leaves_is_noticed() -> None:
    """The next event after the client left ends the answer."""
    with OpenAIServer("one two three four five six seven eight", delay=0.05) as server:
        pieces = responding(server).stream("Count")
        assert next(text for text in map(text_of, pieces) if text) == "one"
        pieces.close()  # type: ignore[attr-defined]
        (request,) = server.requests
        assert request.wait(PATIENCE)
        assert request.disconnected
