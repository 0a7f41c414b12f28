"""The Python clients of the thread stream: `threads.stream()` of the SDK, sync and async, and `RemoteGraph`."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Callable, Dict, List

import pytest
from langgraph_sdk import get_client, get_sync_client

from server.graphs import HI, TEXT, agent, asking, failing, full_of_events, speaking
from server.loopback import Loopback
from server.retracting import thinking
from server.test_resuming import Cutting
from streamgraph.testing import Gate
from support.waiting import run, soon

Serving = Callable[..., Loopback]

pytestmark = pytest.mark.skipif(
    not hasattr(get_client(url="http://x").threads, "stream"), reason="This version of the SDK has no thread stream."
)


@asynccontextmanager
async def streaming(url: str, graph: str = "agent") -> AsyncIterator[Any]:
    """A thread stream of the SDK."""
    client = get_client(url=url)
    try:
        async with client.threads.stream(assistant_id=graph) as thread:
            yield thread
    finally:
        await client.http.client.aclose()


async def texts_of(messages: Any) -> List[str]:
    """The texts of messages; the SDK feeds them only while somebody iterates over the messages."""

    async def read(message: Any) -> str:
        return "".join([delta async for delta in message.text])

    reading = [asyncio.ensure_future(read(message)) async for message in messages]
    return [await one for one in reading]


def test_texts_and_output(serving: Serving) -> None:
    graphs = {"speaking": speaking(), "agent": agent(), "full": full_of_events(), "thinking": thinking()}
    server = serving(graphs)

    async def main() -> Dict[str, Any]:
        found = {}
        for name in graphs:
            async with streaming(server.url, name) as thread:
                await thread.run.start(input=HI)
                texts = await texts_of(thread.messages)
                found[name] = [texts, len((await thread.output)["messages"])]
        return found

    assert run(main()) == {
        "speaking": [[TEXT], 2],
        "agent": [["", "It is."], 4],
        "full": [["the end"], 3],
        "thinking": [["it is"], 2],
    }


def test_tool_calls_and_nested_graphs(serving: Serving) -> None:
    server = serving({"agent": agent(), "full": full_of_events()})

    async def main() -> None:
        async with streaming(server.url) as thread:
            await thread.run.start(input=HI)
            [call] = [call async for call in thread.tool_calls]
            assert (call.name, call.input, (await call.output)["content"]) == (
                "look_up",
                {"word": "ice"},
                "ice is a word",
            )
        async with streaming(server.url, "full") as thread:
            await thread.run.start(input=HI)
            reading = []
            async for nested in thread.subgraphs:
                assert nested.graph_name == "inner"
                reading.append(asyncio.ensure_future(texts_of(nested.messages)))
            assert [await one for one in reading] == [[TEXT]]
            assert nested.status == "completed"

    run(main())


def test_a_run_that_fails(serving: Serving) -> None:
    server = serving({"agent": failing(ValueError("no"))})

    async def main() -> None:
        async with streaming(server.url) as thread:
            await thread.run.start(input=HI)
            # Texts are not read: the SDK fails them as soon as its other stream says that the run has failed.
            with pytest.raises(RuntimeError, match="Run errored: no"):
                await thread.output
            with pytest.raises(RuntimeError, match="invalid_argument"):
                await thread.run.start(input={"messages": [{"role": "nobody", "content": ""}]})

    run(main())


def test_a_question_and_its_answer(serving: Serving) -> None:
    server = serving({"agent": asking()})

    async def main() -> None:
        async with streaming(server.url) as thread:
            await thread.run.start(input=HI)
            await soon(lambda: thread.interrupted)
            [asked] = thread.interrupts
            assert (asked["value"], asked["namespace"]) == ("may I?", [])
            await thread.run.respond("yes")
            assert (await thread.output)["messages"][-1]["content"] == "you said yes"

    run(main())


def test_a_thread_that_has_run_before(serving: Serving) -> None:
    server = serving({"agent": speaking()})

    async def main() -> None:
        client = get_client(url=server.url)
        async with client.threads.stream("mine", assistant_id="agent") as thread:
            await thread.run.start(input=HI)
            assert await texts_of(thread.messages) == [TEXT]
        async with client.threads.stream("mine", assistant_id="agent") as thread:
            assert len((await thread.output)["messages"]) == 2
            await thread.run.start(input=HI)
            # What came before the run is known to the client by its number, and not sent again.
            assert await texts_of(thread.messages) == [TEXT]
        await client.http.client.aclose()

    run(main())


def test_sync(serving: Serving) -> None:
    server = serving({"agent": speaking(), "asking": asking()})
    with get_sync_client(url=server.url) as client:
        with client.threads.stream(assistant_id="agent") as thread:
            thread.run.start(input=HI)
            assert [str(message.text) for message in thread.messages] == [TEXT]
            assert len(thread.output["messages"]) == 2


@pytest.mark.slow
def test_a_cut_connection_loses_and_repeats_nothing(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def main(port: int) -> List[str]:
        async with streaming(f"http://127.0.0.1:{port}") as thread:
            await thread.run.start(input=HI)
            reading = asyncio.ensure_future(texts_of(thread.messages))
            for _ in range(4):
                gate.open(1)
                await asyncio.sleep(0.05)
            gate.open_all()
            return await reading

    # The first connection is that of the command and then of the watcher, the others read the messages.
    with Cutting(server.port, [10**9, 1500, 900]) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,)).start()
        assert run(main(proxy.server_address[1])) == [TEXT]
        proxy.shutdown()
        assert proxy.cuts == []
    caplog.clear()  # the client says that it comes back


@pytest.mark.skipif(
    importlib.util.find_spec("langgraph.pregel._remote_run_stream") is None, reason="The peer reads no thread stream."
)
def test_remote_graph(serving: Serving) -> None:
    from langgraph.pregel.remote import RemoteGraph
    from langgraph.types import Command

    server = serving({"agent": speaking(), "asking": asking(), "full": full_of_events()})

    async def main() -> None:
        client = get_client(url=server.url)
        graph = RemoteGraph("agent", client=client)
        async with await graph.astream_events(HI, version="v3") as stream:
            assert await texts_of(stream.messages) == [TEXT]
            assert len((await stream.output())["messages"]) == 2
        full = RemoteGraph("full", client=client)
        async with await full.astream_events(HI, version="v3") as stream:
            assert [said async for said in stream.extensions["custom"]] == [{"payload": {"at": 1}}]
        graph = RemoteGraph("asking", client=client)
        config: Any = {"configurable": {"thread_id": "asked"}}
        async with await graph.astream_events(HI, config, version="v3") as stream:
            await soon(lambda: stream._sdk.interrupted)
            assert [asked["value"] for asked in await stream.interrupts()] == ["may I?"]
        async with await graph.astream_events(Command(resume="yes"), config, version="v3") as stream:
            assert (await stream.output())["messages"][-1]["content"] == "you said yes"
        await client.http.client.aclose()

    run(main())
    with get_sync_client(url=server.url) as client:
        with RemoteGraph("agent", sync_client=client).stream_events(HI, version="v3") as stream:
            assert [str(message.text) for message in stream.messages] == [TEXT]
            assert len(stream.output["messages"]) == 2
