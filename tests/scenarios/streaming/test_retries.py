"""The mode `retries`: attempts that have failed and are followed by another one, also if they have shown nothing."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from typing_extensions import TypedDict

from streamgraph.func import entrypoint, task
from streamgraph.graph import START, StateGraph
from streamgraph.serialization import to_json
from streamgraph.types import RetryPolicy
from support.waiting import run

POLICY = RetryPolicy(max_attempts=3, initial_interval=0, jitter=False, retry_on=ConnectionError)


class State(TypedDict, total=False):
    """What has been done."""

    done: int


class Flaky:
    """A node that fails a few times.

    Args:
        failures: How often.
    """

    def __init__(self, failures: int) -> None:
        self.failures, self.attempts = failures, 0

    def sync(self, state: Any) -> Dict[str, int]:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ConnectionError(f"attempt {self.attempts}")
        return {"done": self.attempts}

    async def asynchronous(self, state: Any) -> Dict[str, int]:
        return self.sync(state)


def graph_of(flaky: Flaky, asynchronous: bool, nested: bool = False) -> Any:
    node = flaky.asynchronous if asynchronous else flaky.sync
    graph = StateGraph(State).add_node("flaky", node, retry_policy=POLICY).add_edge(START, "flaky").compile()
    return StateGraph(State).add_node("outer", graph).add_edge(START, "outer").compile() if nested else graph


def read(graph: Any, asynchronous: bool, started: bool, given: Any = None, **options: Any) -> List[Any]:
    """The chunks of a run up to its end or failure."""
    chunks: List[Any] = []
    given = {} if given is None else given

    async def main() -> None:
        if started:
            stream = (await graph.astart(given, record=options["stream_mode"], subgraphs=True)).astream(**options)
        else:
            stream = graph.astream(given, **options)
        async for chunk in stream:
            chunks.append(chunk)

    try:
        if asynchronous:
            run(main())
        elif started:
            chunks.extend(graph.start(given, record=options["stream_mode"], subgraphs=True).stream(**options))
        else:
            for chunk in graph.stream(given, **options):
                chunks.append(chunk)
    except ConnectionError:
        chunks.append("failed")
    return chunks


BOTH = pytest.mark.parametrize("asynchronous", [False, True])


@BOTH
@pytest.mark.parametrize("started", [False, True])
def test_each_failed_attempt_is_told_before_the_next_one(asynchronous: bool, started: bool) -> None:
    graph = graph_of(Flaky(2), asynchronous)
    chunks = read(graph, asynchronous, started, stream_mode=["tasks", "retries", "updates"])
    assert [mode for mode, _ in chunks] == ["tasks", "retries", "retries", "tasks", "updates"] or [
        mode for mode, _ in chunks
    ] == ["tasks", "retries", "retries", "updates", "tasks"]
    start, first, second = (data for _, data in chunks[:3])
    assert {first["id"], second["id"]} == {start["id"]}
    assert [(told["name"], told["attempt"], str(told["error"]), told["pause"]) for told in (first, second)] == [
        ("flaky", 1, "attempt 1", 0), ("flaky", 2, "attempt 2", 0),
    ]  # fmt: skip


@BOTH
def test_the_last_attempt_is_no_retry(asynchronous: bool) -> None:
    graph = graph_of(Flaky(3), asynchronous)
    if asynchronous:
        chunks = read(graph, True, False, stream_mode="retries")
    else:
        chunks = []
        with pytest.raises(ConnectionError):
            for chunk in graph.stream({}, stream_mode="retries"):
                chunks.append(chunk)
        chunks.append("failed")
    assert [chunk["attempt"] for chunk in chunks[:-1]] == [1, 2] and chunks[-1] == "failed"


@BOTH
def test_nested_graphs_and_filters(asynchronous: bool) -> None:
    def seen(**options: Any) -> List[Any]:
        return read(graph_of(Flaky(1), asynchronous, nested=True), asynchronous, False, version="v2", **options)

    (part,) = seen(stream_mode="retries", subgraphs=True)
    assert part["ns"][0].startswith("outer:") and part["data"]["name"] == "flaky"
    assert b'"error":{"error":"ConnectionError"' in to_json(part)
    assert seen(stream_mode="retries") == []
    assert seen(stream_mode="retries", subgraphs=True, exclude_nodes="flaky") == []
    assert {part["type"] for part in seen(stream_mode=["values", "updates"], subgraphs=True)} == {"values", "updates"}


def test_tasks_of_workflows() -> None:
    flaky = Flaky(1)
    fetch = task(retry_policy=POLICY, name="fetch")(flaky.sync)

    @entrypoint()
    def workflow(given: int) -> Any:
        return fetch(given).result()

    assert [(told["name"], told["attempt"]) for told in read(workflow, False, False, 1, stream_mode="retries")] == [
        ("fetch", 1)
    ]
