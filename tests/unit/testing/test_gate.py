"""The gate: from threads, from event loops, and across."""

from __future__ import annotations

import asyncio
import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List

import pytest

from streamgraph import START, MessagesState, StateGraph
from streamgraph.testing import Answer, Gate, GateTimeoutError, ScriptedModel


def test_a_thread_goes_on_token_by_token() -> None:
    gate, got = Gate(), []  # type: ignore[var-annotated]
    model = ScriptedModel(["one two three"], gate=gate)

    def read() -> None:
        got.extend(chunk.content for chunk in model.stream("?") if chunk.content)

    with ThreadPoolExecutor() as pool, gate:
        done = pool.submit(read)
        for passed in range(3):
            gate.wait_for_arrival()
            assert (gate.passed, gate.waiting) == (passed, 1)
            gate.open()
        done.result(10)
    assert got == ["one", " two", " three"]


def test_a_coroutine_goes_on_token_by_token() -> None:
    async def main() -> List[Any]:
        gate, got = Gate(), []  # type: ignore[var-annotated]

        async def read() -> None:
            async for chunk in ScriptedModel(["one two three"], gate=gate).astream("?"):
                got.append(chunk.content)

        reading = asyncio.ensure_future(read())
        await gate.await_arrival()
        assert got == []
        gate.open(2)
        while gate.passed < 2:
            await asyncio.sleep(0)
        await gate.await_arrival()
        assert got == ["one", " two"]
        gate.open_all()
        await reading
        return [text for text in got if text]

    assert asyncio.run(main()) == ["one", " two", " three"]


def test_a_thread_opens_for_an_event_loop_and_back() -> None:
    gate, back = Gate(), Gate()

    async def main() -> None:
        await gate.await_()
        await asyncio.gather(back.await_arrival(), gate.await_())
        back.open()

    with ThreadPoolExecutor() as pool:
        running = pool.submit(asyncio.run, main())
        gate.wait_for_arrival()
        gate.open()
        gate.wait_for_arrival()
        gate.open()
        back.wait()
        running.result(10)


def test_a_model_in_a_graph() -> None:
    gate = Gate()
    model = ScriptedModel([Answer("one two", gate=gate)])

    async def node(state: Any) -> Any:
        return {"messages": [await model.ainvoke("?")]}

    graph = StateGraph(MessagesState).add_node("talk", node).add_edge(START, "talk").compile()

    async def main() -> None:
        stream = graph.astream({"messages": []}, stream_mode="messages")
        first = asyncio.ensure_future(stream.__anext__())
        await gate.await_arrival()
        assert not first.done()
        gate.open()
        assert (await first)[0].content == "one"
        gate.open_all()
        assert [chunk.content async for chunk, _ in stream if chunk.content] == [" two"]

    asyncio.run(main())


def test_openings_are_kept() -> None:
    gate = Gate(timeout=0.01)
    gate.open(2)
    gate.wait()
    asyncio.run(gate.await_())
    with pytest.raises(GateTimeoutError, match=r"closed for 0.01 s.*2 went through"):
        gate.wait()
    gate.open_all()
    gate.wait()


def test_who_waits_longest_goes_first() -> None:
    async def main() -> List[int]:
        gate, order = Gate(), []  # type: ignore[var-annotated]

        async def wait(number: int) -> None:
            await gate.await_()
            order.append(number)

        tasks = [asyncio.ensure_future(wait(number)) for number in range(3)]
        while gate.waiting < 3:
            await asyncio.sleep(0)
        for task in tasks:
            gate.open()
            await task
        return order

    assert asyncio.run(main()) == [0, 1, 2]


def test_limits() -> None:
    gate = Gate(timeout=0.01)
    with pytest.raises(GateTimeoutError, match="Nobody has arrived at a gate within 0.02 s"):
        gate.wait_for_arrival(0.02)
    with pytest.raises(GateTimeoutError, match="Nobody"):
        asyncio.run(gate.await_arrival())
    with pytest.raises(GateTimeoutError, match="stayed closed"):
        asyncio.run(gate.await_())
    with pytest.raises(GateTimeoutError, match="stayed closed"):
        ScriptedModel(["one"], gate=gate).invoke("?")
    with pytest.raises(ValueError, match="let 0 tokens"):
        gate.open(0)
    assert (gate.waiting, gate.passed) == (0, 0)


def test_an_event_loop_is_never_blocked() -> None:
    gate = Gate()

    async def main() -> None:
        with pytest.raises(RuntimeError, match="ainvoke"):
            ScriptedModel(["one"], gate=gate).invoke("?")
        with pytest.raises(RuntimeError, match="await_arrival"):
            gate.wait_for_arrival()

    asyncio.run(main())
    assert gate.waiting == 0


def test_a_cancelled_waiter_gives_its_opening_back() -> None:
    async def main() -> None:
        gate = Gate()
        waiting = asyncio.ensure_future(gate.await_())
        await gate.await_arrival()
        gate.open()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert gate.passed == 0
        await gate.await_()
        assert gate.passed == 1

    asyncio.run(main())


def test_copies_are_the_same_gate() -> None:
    gate = Gate()
    assert copy.copy(gate) is copy.deepcopy(gate) is gate


def test_many_threads() -> None:
    gate = Gate()
    threads = [threading.Thread(target=gate.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    gate.open(20)
    for thread in threads:
        thread.join(10)
    assert (gate.passed, gate.waiting) == (20, 0)
