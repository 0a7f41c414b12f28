"""Tasks while they run: their chunks arrive at once, leaving stops them, and only so many run side by side."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from streamgraph.config import get_stream_writer
from streamgraph.errors import StreamClosed
from streamgraph.func import entrypoint, task
from support.endless import Forever
from support.leaks import no_complaint as no_complaint
from support.value_graphs import graph_of
from support.waiting import PATIENCE, eventually, run, soon
from support.workflows import DRIVERS, KINDS, Peak, collect, finish, of_kind

# Chunks arrive while the entrypoint still runs


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("mode", ["updates", "tasks", "debug", "custom"])
def test_live(mode: str, asynchronous: bool, kind: str, driver: str) -> None:
    """What a task has done is with the consumer before the entrypoint ends."""
    heard = threading.Event()

    def work() -> str:
        get_stream_writer()("done")
        return "done"

    call = task(of_kind(work, kind) if mode != "custom" else work)

    def body(given: str) -> str:
        assert call().result() == "done"
        assert heard.wait(PATIENCE)
        return "over"

    async def abody(given: str) -> str:
        assert await call() == "done"
        assert await asyncio.get_running_loop().run_in_executor(None, heard.wait, PATIENCE)
        return "over"

    def take(chunk: Any) -> None:
        if "done" in repr(chunk):
            heard.set()

    flow = entrypoint()(abody if asynchronous else body)
    chunks = collect(flow, "?", driver, take, stream_mode=mode)

    assert heard.is_set()
    assert len(chunks) == {"updates": 2, "tasks": 4, "debug": 4, "custom": 1}[mode]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
def test_live_tokens(call: str, driver: str) -> None:
    """The tokens of a model in a task arrive before the task has ended, under the task's name."""
    heard = threading.Event()
    model = GenericFakeChatModel(messages=iter([AIMessage("a b")]))

    @task
    def ask() -> str:
        text = str(model.invoke("?").content)
        assert heard.wait(PATIENCE)
        return text

    @task(name="ask")
    async def aask() -> str:
        text = str((await model.ainvoke("?")).content)
        assert await asyncio.get_running_loop().run_in_executor(None, heard.wait, PATIENCE)
        return text

    @entrypoint()
    async def flow(given: str) -> str:
        return await (ask() if call == "invoke" else aask())

    chunks = collect(flow, "?", driver, lambda chunk: heard.set(), stream_mode="messages")

    assert "".join(message.content for message, _ in chunks) == "a b"
    assert {metadata["langgraph_node"] for _, metadata in chunks} == {"ask"}


# Calls outside of a run


def test_outside_of_a_run() -> None:
    """A task is called in a run; the plain function is at hand."""

    @task
    def shout(text: str) -> str:
        return text.upper()

    with pytest.raises(RuntimeError, match="'shout' was called outside of a run"):
        shout("a")
    assert shout.func("a") == "A"


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_the_run(driver: str) -> None:
    """What was left behind by an entrypoint can call no more tasks, and is told why."""
    left: List[contextvars.Context] = []
    shout = task(name="shout")(lambda text: text.upper())

    @entrypoint()
    def flow(text: str) -> str:
        left.append(contextvars.copy_context())
        return shout(text).result()

    assert finish(flow, "a", driver) == "A"
    with pytest.raises(RuntimeError, match="'shout' was called after the run it belongs to had ended"):
        left[0].run(shout, "b")


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_a_failed_run(driver: str) -> None:
    """After a run that has failed, neither: an ordinary error says that it is over."""
    left: List[contextvars.Context] = []
    shout = task(name="shout")(lambda text: text.upper())

    @entrypoint()
    def flow(text: str) -> None:
        left.append(contextvars.copy_context())
        raise ValueError(text)

    with pytest.raises(ValueError, match="a"):
        finish(flow, "a", driver)
    with pytest.raises(RuntimeError, match="shout"):
        left[0].run(shout, "b")


@pytest.mark.parametrize("driver", DRIVERS)
def test_context_variables(driver: str) -> None:
    """A task sees the context variables of its caller, and changes none of them."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    @task
    def look() -> str:
        seen = variable.get()
        variable.set("of the task")
        return seen

    @entrypoint()
    def flow(given: str) -> List[str]:
        variable.set(given)
        return [look().result(), variable.get()]

    assert finish(flow, "of the body", driver) == ["of the body", "of the body"]


# Leaving


def places(work: Any) -> Dict[str, Any]:
    """Workflows and graphs in which a task runs."""
    call = task(name="call")(work)

    @task
    async def outer() -> Any:
        return await call(None)

    @tool
    async def look_up(question: str) -> Any:
        """Look something up."""
        return await call(None)

    async def body(given: Any) -> Any:
        return await call(None)

    async def gathering(given: Any) -> Any:
        return await asyncio.gather(call(None), call(None), outer())

    def waiting(given: Any) -> Any:
        return call(None).result()

    async def in_tool(given: Any) -> Any:
        await look_up.ainvoke({"question": "?"})

    async def not_waiting(given: Any) -> Any:
        call(None)

    return {
        "body": entrypoint()(body),
        "sync body": entrypoint()(waiting),
        "gather": entrypoint()(gathering),
        "nobody waits": entrypoint()(not_waiting),
        "node": graph_of(work=body, idle=lambda state: None),
        "lone node": graph_of(work=body),
        "sync node": graph_of(work=waiting),
        "tool": graph_of(work=in_tool),
        "nested": graph_of(outer=graph_of(inner=body)),
        "workflow as node": graph_of(outer=entrypoint()(gathering)),
    }


PLACES = list(places(print))


def close(workflow: Any) -> None:
    """By `close`."""
    stream = workflow.stream({"value": "?"}, stream_mode="custom")
    next(stream)
    stream.close()


def drop(workflow: Any) -> None:
    """By forgetting the stream."""
    for _ in workflow.stream({"value": "?"}, stream_mode="custom"):
        break
    gc.collect()


async def aclose(workflow: Any) -> None:
    """By `aclose`."""
    stream = workflow.astream({"value": "?"}, stream_mode="custom")
    await stream.__anext__()
    await stream.aclose()


async def cancel(workflow: Any) -> None:
    """By cancelling the task that reads."""
    reading = asyncio.Event()

    async def read() -> None:
        async for _ in workflow.astream({"value": "?"}, stream_mode="custom"):
            reading.set()

    reader = asyncio.create_task(read())
    await reading.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


@pytest.mark.parametrize("leave", [close, drop])
@pytest.mark.parametrize("place", PLACES)
def test_sync_stream_cancels_tasks(place: str, leave: Callable[..., None]) -> None:
    """Async tasks of a sync stream are cancelled and clean up when it is left."""
    forever = Forever()

    leave(places(forever.node)[place])

    eventually(forever.is_over)


@pytest.mark.parametrize("leave", [aclose, cancel])
@pytest.mark.parametrize("place", PLACES)
def test_async_stream_cancels_tasks(place: str, leave: Callable[..., Any]) -> None:
    """Async tasks have been cancelled and have cleaned up when the stream is left."""
    forever = Forever()

    async def main() -> None:
        await leave(places(forever.node)[place])
        assert forever.is_over()

    run(main())


@pytest.mark.parametrize("driver", DRIVERS)
def test_tasks_are_cancelled_at_once(driver: str) -> None:
    """Cleaning up begins at once, within a tenth of a second; the machine may spoil some attempts, not all."""
    times = [1.0]
    while min(times) >= 0.1 and len(times) < 10:
        forever = Forever()
        workflow = places(forever.node)["gather"]

        async def main(workflow: Any = workflow, forever: Forever = forever) -> float:
            stream = workflow.astream("?", stream_mode="custom")
            await stream.__anext__()
            begun = time.monotonic()
            await stream.aclose()
            await soon(forever.is_over)
            return time.monotonic() - begun

        if driver == "astream":
            times.append(run(main()))
        else:
            stream = workflow.stream("?", stream_mode="custom")
            next(stream)
            begun = time.monotonic()
            stream.close()
            eventually(forever.is_over)
            times.append(time.monotonic() - begun)
    assert min(times) < 0.1


@pytest.mark.parametrize("driver", DRIVERS)
def test_sync_task_ends_at_its_writer(driver: str) -> None:
    """A task in a thread ends at its next writer call when the stream is left."""
    ended = threading.Event()

    def write(state: Any) -> None:
        writer = get_stream_writer()
        try:
            while True:
                writer("?")
                ended.wait(0.001)
        except StreamClosed:
            ended.set()
            raise

    workflow = places(write)["body"]
    close(workflow) if driver == "stream" else run(aclose(workflow))
    assert ended.wait(PATIENCE)


# How many at once


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_max_concurrency(kind: str, driver: str) -> None:
    """As many tasks run side by side as the config allows, and no more."""
    peak, pair = Peak(), threading.Barrier(2)

    def work(number: int) -> int:
        with peak:
            pair.wait(PATIENCE)
            return number

    call = task(of_kind(work, kind))

    @entrypoint()
    def flow(size: int) -> List[int]:
        return [future.result() for future in list(map(call, range(size)))]

    assert finish(flow, 6, driver, config={"max_concurrency": 2}) == list(range(6))
    assert (peak.highest, peak.total) == (2, 6)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["entrypoint", "node", "nodes"])
def test_nested_tasks_one_at_a_time(where: str, kind: str, driver: str) -> None:
    """With room for one task, tasks that wait for tasks of their own still get on."""
    peak = Peak()

    @task
    async def ainner(number: int) -> int:
        return number

    @task
    def inner(number: int) -> int:
        return number

    @task
    async def aouter(number: int) -> int:
        with peak:
            return sum(await asyncio.gather(*map(ainner, range(number))))

    @task
    def outer(number: int) -> int:
        with peak:
            return sum(future.result() for future in list(map(inner, range(number))))

    def body(given: Any) -> Any:
        results = [future.result() for future in [(outer if kind == "sync" else aouter)(n) for n in range(4)]]
        return results if where == "entrypoint" else {"value": str(results)}

    config = {"max_concurrency": 1}
    if where == "entrypoint":
        assert finish(entrypoint()(body), "?", driver, config=config) == [0, 0, 1, 3]
    else:
        nodes = {"one": body} if where == "node" else {"one": body, "two": lambda state: body(state) and None}
        assert finish(graph_of(**nodes), {}, driver, config=config) == {"value": "[0, 0, 1, 3]"}
    assert peak.highest == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_leaving_while_tasks_wait_for_their_turn(driver: str) -> None:
    """Tasks that had not begun never do, and nothing that waits for them is left."""
    forever, begun = Forever(), []
    futures: List[Any] = []

    @task
    async def call(number: int) -> None:
        begun.append(number)
        await forever.node({})

    @entrypoint()
    def flow(given: Any) -> Any:
        futures.extend(map(call, range(3)))
        return [future.result() for future in futures]

    bound = flow.with_config(max_concurrency=1)
    try:
        close(bound) if driver == "stream" else run(aclose(bound))
        eventually(lambda: all(future.done() for future in futures))
        eventually(forever.is_over)
    finally:
        for future in futures:
            future.cancel()
    assert (begun, forever.log) == ([0], ["cancelled", "finally"])
