"""The OpenAI API behind the scenarios, by either of two transports, and the ways to run a graph."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any, Dict, Iterator, List, Tuple

import httpx
import respx
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer

PATIENCE = 15  # seconds until a wait that should end at once counts as failed

JOKE = "Why did the cat sit on the ice cream? It wanted a purrfait!"
POEM = "Soft paws at dawn, a whiskered yawn, the sun is drawn across the lawn."

CALLS = ("invoke", "ainvoke", "stream", "astream")
DRIVERS = ("stream", "astream")


def answer(body: Dict[str, Any]) -> str:
    """What the model says: a poem if it is asked for one, else a joke."""
    return POEM if "poem" in question_in(body) else JOKE


def question_in(body: Dict[str, Any]) -> str:
    """What a request asks: the text of its last message."""
    return str(body["messages"][-1]["content"])


class ServerProvider:
    """An OpenAI API on the loopback interface; it has real sockets."""

    def __init__(self, reply: Any = answer, **options: Any) -> None:
        self.server = OpenAIServer(reply, delay=0, **options)
        self._forgotten = 0

    def __enter__(self) -> ServerProvider:
        self.server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()

    @property
    def bodies(self) -> List[Dict[str, Any]]:
        """The bodies of the requests so far."""
        return [request.body for request in self.server.requests[self._forgotten :]]

    def forget(self) -> None:
        """Start anew with an empty list of requests."""
        self._forgotten = len(self.server.requests)

    def model(self, **options: Any) -> ChatOpenAI:
        """A model that calls this API."""
        return ChatOpenAI(**self.options(**options))

    def options(self, **options: Any) -> Dict[str, Any]:
        """Arguments for a model that calls this API."""
        common = {"model": "gpt-4o-mini", "api_key": "test-key", "base_url": self.server.base_url}
        return {**common, "max_retries": 0, "stream_usage": True, **options}


class RespxProvider:
    """An OpenAI API inside httpx: what it answers is written out here, independently of the server's wire format."""

    def __init__(self) -> None:
        self.bodies: List[Dict[str, Any]] = []
        self._router = respx.MockRouter(assert_all_called=False)
        self._router.post("https://openai.test/v1/chat/completions").mock(side_effect=self._respond)
        # By default openai>=3 calls through httpx2, which respx does not see.
        self._client, self._async_client = httpx.Client(verify=False), httpx.AsyncClient(verify=False)

    def __enter__(self) -> RespxProvider:
        self.bodies.clear()
        self._router.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._router.stop()

    def close(self) -> None:
        """Close the clients that the models share."""
        self._client.close()
        asyncio.run(self._async_client.aclose())

    def model(self, **options: Any) -> ChatOpenAI:
        """A model that calls this API."""
        return ChatOpenAI(**self.options(**options))

    def options(self, **options: Any) -> Dict[str, Any]:
        """Arguments for a model that calls this API."""
        clients = {"http_client": self._client, "http_async_client": self._async_client}
        common = {"model": "gpt-4o-mini", "api_key": "test-key", "base_url": "https://openai.test/v1"}
        return {**common, **clients, "max_retries": 0, "stream_usage": True, **options}

    def _respond(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        text = answer(body)
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": 1, "model": body["model"]}
        usage = {"prompt_tokens": 3, "completion_tokens": len(text.split())}
        usage["total_tokens"] = sum(usage.values())
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return httpx.Response(200, json={**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        chunk = {**head, "object": "chat.completion.chunk"}
        events = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            for delta, reason in _deltas(text)
        ]
        events.append({**chunk, "choices": [], "usage": usage})
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        stream = "".join([*lines, "data: [DONE]\n\n"]).encode()
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)


def _deltas(text: str) -> Iterator[Tuple[Dict[str, str], Any]]:
    yield {"role": "assistant", "content": ""}, None
    for word in text.replace(" ", "\n ").split("\n"):
        yield {"content": word}, None
    yield {}, "stop"


def collect(graph: Any, given: Any, driver: str, **options: Any) -> List[Any]:
    """All chunks of a run, by either driver."""
    if driver == "stream":
        return list(graph.stream(given, **options))

    async def read() -> List[Any]:
        return [chunk async for chunk in graph.astream(given, **options)]

    return asyncio.run(read())


def finish(graph: Any, given: Any, driver: str, **options: Any) -> Any:
    """The output of a run without a stream, by either driver."""
    if driver == "stream":
        return graph.invoke(given, **options)
    return asyncio.run(graph.ainvoke(given, **options))
