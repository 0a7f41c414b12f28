"""Nodes that are tried again: when, how often, after which pause, and what of a failed attempt remains."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.types import Command, RetryPolicy, Send
from support.models import scripted
from support.policies import DRIVERS, FAST, Failing, State, builder_of, collect, graph_with, outcome
from support.waiting import PATIENCE, eventually, run, soon, threads

LONG = RetryPolicy(initial_interval=600, jitter=False)


@pytest.mark.parametrize("driver", DRIVERS)
def test_pause_is_made(driver: str) -> None:
    """The next attempt does not begin before the pause is over."""
    times: List[float] = []

    def work(state: Any) -> Dict[str, Any]:
        times.append(time.monotonic())
        if len(times) < 3:
            raise ConnectionError
        return {"x": [1]}

    policy = RetryPolicy(initial_interval=0.05, backoff_factor=2, jitter=False)
    collect(graph_with(work, retry_policy=policy), driver)

    assert times[1] - times[0] >= 0.045
    assert times[2] - times[1] >= 0.095


@pytest.mark.parametrize(
    ("retry_on", "error", "calls"),
    [
        (ConnectionError, ConnectionResetError(), 3),
        (ConnectionError, KeyError(), 1),
        ((KeyError, ConnectionError), KeyError(), 3),
        ([KeyError, ConnectionError], ConnectionError(), 3),
        ({KeyError, ConnectionError}, ConnectionError(), 3),
        ([KeyError], ConnectionError(), 1),
        (lambda error: isinstance(error, KeyError), KeyError(), 3),
        (lambda error: "yes", KeyError(), 3),
        (lambda error: None, KeyError(), 1),
    ],
)
@pytest.mark.parametrize("driver", DRIVERS)
def test_retry_on(retry_on: Any, error: Exception, calls: int, driver: str) -> None:
    """A class, several, or a function say which errors are worth it; in the end the error is the node's own."""
    node = Failing(*[error] * 5)
    chunks, raised = outcome(graph_with(node.node, retry_policy=FAST._replace(retry_on=retry_on)), driver)
    assert chunks == []
    assert raised is error
    assert len(node.calls) == calls


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_what_is_no_mistake_is_not_tried_again(error: BaseException, driver: str) -> None:
    """An interrupt from the keyboard ends the run, whatever the policy."""
    node = Failing(error)
    _, raised = outcome(graph_with(node.node, retry_policy=FAST._replace(retry_on=lambda error: True)), driver)
    assert raised is error
    assert len(node.calls) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_policy(driver: str) -> None:
    """Without a policy there is one attempt."""
    node = Failing(ConnectionError())
    _, raised = outcome(graph_with(node.node), driver)
    assert type(raised) is ConnectionError
    assert len(node.calls) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_log(caplog: pytest.LogCaptureFixture, driver: str) -> None:
    """Each further attempt is logged, with the node, the pause, the number and the error."""
    caplog.set_level(logging.INFO, "streamgraph.retry")
    error = ConnectionError("boom")
    collect(graph_with(Failing(error).node, retry_policy=FAST, name="asker"), driver)

    (record,) = [record for record in caplog.records if record.name == "streamgraph.retry"]
    assert record.levelno == logging.INFO
    for word in ("'asker'", "0.00 s", "attempt 1", "boom"):
        assert word in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


class Pausing(logging.Handler):
    """Knows when a node is pausing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note."""
        self.seen.set()


@pytest.fixture
def pausing(caplog: pytest.LogCaptureFixture) -> Any:
    """Set once a node pauses between attempts."""
    caplog.set_level(logging.INFO, "streamgraph.retry")
    handler, log = Pausing(), logging.getLogger("streamgraph.retry")
    log.addHandler(handler)
    yield handler.seen
    log.removeHandler(handler)


def speaking(calls: List[int]) -> Any:
    """A node that writes and fails."""

    def work(state: Any) -> None:
        calls.append(1)
        get_stream_writer()("called")
        raise ConnectionError

    return work


def test_pause_ends_with_the_stream(pausing: Any) -> None:
    """A stream that is closed does not wait for the pause, nor does the node's thread."""
    calls: List[int] = []
    stream = graph_with(speaking(calls), retry_policy=LONG).stream({"x": []}, stream_mode="custom")
    assert next(stream) == "called"
    assert pausing.wait(PATIENCE)

    stream.close()

    eventually(lambda: not threads())
    assert calls == [1]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_pause_ends_with_the_async_stream(pausing: Any, asynchronous: bool) -> None:
    """The same on an event loop."""
    calls: List[int] = []
    work = speaking(calls)

    async def awork(state: Any) -> None:
        work(state)

    async def main() -> None:
        graph = graph_with(awork if asynchronous else work, retry_policy=LONG)
        stream = graph.astream({"x": []}, stream_mode="custom")
        assert await stream.__anext__() == "called"
        await soon(pausing.is_set)
        await asyncio.wait_for(stream.aclose(), PATIENCE)

    run(main())
    assert calls == [1]


@pytest.mark.parametrize("driver", DRIVERS)
def test_pause_ends_when_a_sibling_fails(pausing: Any, driver: str) -> None:
    """The error of a node beside a pausing one is raised at once."""
    calls: List[int] = []
    error = KeyError("sibling")

    def other(state: Any) -> None:
        assert pausing.wait(PATIENCE)
        raise error

    chunks, raised = outcome(graph_with(speaking(calls), other, retry_policy=LONG), driver, stream_mode="custom")
    assert raised is error
    assert chunks == ["called"]
    assert calls == [1]


@pytest.mark.parametrize("driver", DRIVERS)
def test_execution_info(driver: str) -> None:
    """A node can tell the number of the attempt, and when the first one began."""
    infos: List[Any] = []
    before = time.time()

    def work(state: Any, runtime: Any) -> Dict[str, Any]:
        infos.append(runtime.execution_info)
        if len(infos) < 3:
            raise ConnectionError
        return {}

    collect(graph_with(work, retry_policy=FAST), driver)

    assert [info.node_attempt for info in infos] == [1, 2, 3]
    (began,) = {info.node_first_attempt_time for info in infos}
    assert before - 1 <= began <= time.time() + 1
    assert len({info.task_id for info in infos}) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_input_as_it_was(driver: str) -> None:
    """What an attempt does to its input reaches neither the next attempt nor the state, be it sent or read."""
    seen: List[Any] = []

    def work(state: Any) -> Dict[str, Any]:
        seen.append([list(state["x"]), dict(state["p"])])
        state["x"].append("mine")
        state["p"]["mine"] = True
        if len(seen) % 2:
            raise ConnectionError
        return {}

    builder = builder_of(work, retry_policy=FAST)
    given = {"x": ["sent"], "p": {}}
    builder.add_conditional_edges("work", lambda state: [Send("work", given)] if len(seen) < 4 else [], ["work"])
    graph = builder.compile()
    values = collect(graph, driver, {"x": ["in"], "p": {"k": 1}}, stream_mode="values")

    assert seen == [[["in"], {"k": 1}]] * 2 + [[["sent"], {}]] * 2
    assert values[-1] == {"x": ["in"], "p": {"k": 1}}
    assert given == {"x": ["sent"], "p": {}}


@pytest.mark.parametrize("driver", DRIVERS)
def test_left_behind_by_a_failed_attempt(driver: str) -> None:
    """A thread that a failed attempt has left cannot emit any more, while the next attempt can."""
    again, ended = threading.Event(), threading.Event()
    fates: List[Any] = []

    def late(writer: Any) -> None:
        again.wait(PATIENCE)
        writer("late")
        fates.append("went on")
        ended.set()

    def work(state: Any, writer: Any, runtime: Any) -> Dict[str, Any]:
        if runtime.execution_info.node_attempt == 1:
            writer("first")
            threading.Thread(target=late, args=(writer,)).start()
            raise ConnectionError
        again.set()
        assert ended.wait(PATIENCE)
        writer("second")
        return {}

    assert collect(graph_with(work, retry_policy=FAST), driver, stream_mode="custom") == ["first", "second"]
    assert fates == ["went on"]


def fails_in_the_call(answer: AIMessage, attempt: int) -> Any:
    """Fail in the node itself."""
    if attempt == 1:
        raise ConnectionError
    return {"messages": answer}


def fails_by_its_result(answer: AIMessage, attempt: int) -> Any:
    """Fail by returning something that is no update."""
    return 3 if attempt == 1 else {"messages": answer}


def fails_in_the_branch(answer: AIMessage, attempt: int) -> Any:
    """Leave the failing to the branch after the node."""
    return {"messages": answer}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("streamed_again", [False, True])
@pytest.mark.parametrize("fails", [fails_in_the_call, fails_by_its_result, fails_in_the_branch])
def test_messages_of_a_failed_attempt(fails: Any, streamed_again: bool, driver: str) -> None:
    """What a failed attempt has streamed does not hide the equal message of the next one, streamed or not."""
    attempts: List[int] = []

    def work(state: Any, runtime: Any) -> Any:
        attempt = runtime.execution_info.node_attempt
        attempts.append(attempt)
        answer = AIMessage("tell me now")
        if attempt == 1 or streamed_again:
            answer = scripted().invoke("?")
        return fails(answer, attempt)

    def route(state: Any) -> str:
        if fails is fails_in_the_branch and len(attempts) == 1:
            raise ConnectionError
        return "__end__"

    builder = builder_of(work, schema=MessagesState, retry_policy=FAST).add_conditional_edges("work", route)
    chunks = collect(builder.compile(), driver, {"messages": []}, stream_mode="messages")

    whole = ["tell", " me", " now"] if streamed_again else ["tell me now"]
    assert [message.content for message, _ in chunks if message.content] == ["tell", " me", " now", *whole]
    assert len({message.id for message, _ in chunks}) == 2
    assert attempts == [1, 2]


@pytest.mark.parametrize("driver", DRIVERS)
def test_branch_that_fails(driver: str) -> None:
    """A node whose branch fails is tried again as a whole, and shown once."""
    calls: List[str] = []

    def work(state: Any) -> Dict[str, Any]:
        calls.append("work")
        return {"x": [len(calls)]}

    def route(state: Any) -> str:
        calls.append("route")
        if len(calls) < 4:
            raise ConnectionError
        return "__end__"

    builder = builder_of(work, retry_policy=FAST).add_conditional_edges("work", route)
    chunks = collect(builder.compile(), driver, stream_mode=["updates", "values"])
    assert calls == ["work", "route", "work", "route"]
    assert chunks[1:] == [("updates", {"work": {"x": [3]}}), ("values", {"x": ["in", 3]})]


@pytest.mark.parametrize("driver", DRIVERS)
def test_node_that_fails_after_its_branch_did(driver: str) -> None:
    """If the last attempt fails in the node, there is no update, whatever came of an earlier one."""
    calls: List[str] = []

    def work(state: Any) -> Dict[str, Any]:
        calls.append("work")
        if len(calls) > 1:
            raise ConnectionError("node")
        return {"x": ["of the first attempt"]}

    def route(state: Any) -> str:
        calls.append("route")
        raise ConnectionError("branch")

    builder = builder_of(work, retry_policy=FAST._replace(max_attempts=2)).add_conditional_edges("work", route)
    chunks, raised = outcome(builder.compile(), driver, stream_mode=["updates", "tasks"])
    assert calls == ["work", "route", "work"]
    assert str(raised) == "node"
    assert [chunk for mode, chunk in chunks if mode == "updates"] == []
    assert chunks[-1][1]["result"] == {}


@pytest.mark.parametrize("driver", DRIVERS)
def test_parent_command(driver: str) -> None:
    """A command for the graph around is no failure."""
    calls: List[int] = []

    def leave(state: Any) -> Any:
        calls.append(1)
        return Command(graph=Command.PARENT, update={"x": ["left"]})

    inner = graph_with(leave, retry_policy=FAST._replace(retry_on=lambda error: True))
    outer = graph_with(inner, name="sub", retry_policy=FAST._replace(retry_on=lambda error: True))
    assert collect(outer, driver) == [{"sub": {"x": ["left"]}}]
    assert calls == [1]


@pytest.mark.parametrize("driver", DRIVERS)
def test_tasks_of_attempts_of_a_nested_graph(driver: str) -> None:
    """Each attempt at a nested graph is a run of its own: its tasks have other ids than those of the one before."""
    inner = builder_of(Failing(ConnectionError()).node, name="inner").compile()
    chunks = collect(graph_with(inner, retry_policy=FAST, name="sub"), driver, stream_mode="tasks", subgraphs=True)
    starts = [task["id"] for _, task in chunks if task["name"] == "inner" and "input" in task]
    assert len(starts) == len(set(starts)) == 2


def test_output() -> None:
    """`invoke` and `ainvoke` try again, too."""
    for call in (lambda graph: graph.invoke({"x": []}), lambda graph: run(graph.ainvoke({"x": []}))):
        assert call(graph_with(Failing(ConnectionError()).node, retry_policy=FAST)) == {"x": ["done"]}


@pytest.mark.parametrize("driver", DRIVERS)
def test_only_what_failed_is_tried_again(driver: str) -> None:
    """Of the tasks of a step the one that failed is tried again, and no other."""
    calls: List[Any] = []

    def work(state: Any) -> State:
        calls.append(state["p"])
        if calls.count(state["p"]) < state["p"]:
            raise ConnectionError
        return {"x": [state["p"]]}

    builder = StateGraph(State).add_node(work, retry_policy=FAST)
    builder.add_conditional_edges(START, lambda state: [Send("work", {"p": n}) for n in (1, 2, 3)], ["work"])
    values = collect(builder.compile(), driver, stream_mode="values")
    assert values[-1] == {"x": ["in", 1, 2, 3]}
    assert sorted(calls) == [1, 2, 2, 3, 3, 3]
