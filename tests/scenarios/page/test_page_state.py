"""The examples of the streaming page on graph state, nested graphs and debugging."""

from __future__ import annotations

import ast
import re
from typing import Any

from scenarios.page.common import (
    JOKED,
    REFINED,
    State,
    achunks,
    chunks,
    graph_of,
    needs_context_in_async_runs,
    without_timestamps,
)
from scenarios.page.common import pytestmark as pytestmark
from scenarios.page.runner import engine

# Graph state


def test_01_basic_usage(run_example):
    """The basic loop prints one update per node, and `astream` gives the same chunks."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("01_basic_usage", graph=graph, inputs={"topic": "ice cream"})

    assert run.printed == [REFINED, JOKED]
    assert achunks(graph, {"topic": "ice cream"}, stream_mode="updates") == run.printed


def test_02_updates_full(run_example):
    """The full example prints the updates under the names of the node functions, character for character."""
    run = run_example("02_updates_full")

    assert run.lines == [
        "{'refine_topic': {'topic': 'ice cream and cats'}}",
        "{'generate_joke': {'joke': 'This is a joke about ice cream and cats'}}",
    ]
    assert achunks(run["graph"], {"topic": "ice cream"}, stream_mode="updates") == run.printed


@needs_context_in_async_runs
def test_03_multiple_modes(run_example):
    """With a list of modes each chunk comes with its mode, custom data before the update of its node."""

    def generate_joke(state: State) -> State:
        writer = engine("config").get_stream_writer()
        writer({"progress": "half"})
        writer({"progress": "done"})
        return {"joke": f"about {state['topic']}"}

    graph = graph_of(generate_joke)
    inputs = {"topic": "cats"}

    run = run_example("03_multiple_modes", graph=graph, inputs=inputs)

    assert run.printed == [{"progress": "half"}, {"progress": "done"}, {"generate_joke": {"joke": "about cats"}}]
    assert run["mode"] == "updates"
    pairs = list(zip(["custom", "custom", "updates"], run.printed))
    assert chunks(graph, inputs, stream_mode=["updates", "custom"]) == pairs
    assert achunks(graph, inputs, stream_mode=["updates", "custom"]) == pairs


def test_04_state_graph(run_example):
    """The graph of the section runs both nodes one after the other."""
    run = run_example("04_state_graph")

    final = {"topic": "ice cream and cats", "joke": "This is a joke about ice cream and cats"}
    assert run.output == ""
    assert run["graph"].invoke({"topic": "ice cream"}) == final


def test_05_state_updates(run_example):
    """`updates` streams what each node returned."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("05_state_updates", graph=graph)

    assert run.printed == [REFINED, JOKED]
    assert achunks(graph, {"topic": "ice cream"}, stream_mode="updates") == run.printed


def test_06_state_values(run_example):
    """`values` streams the input and then the full state after each step."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("06_state_values", graph=graph)

    assert run.lines == [
        "{'topic': 'ice cream'}",
        "{'topic': 'ice cream and cats'}",
        "{'topic': 'ice cream and cats', 'joke': 'This is a joke about ice cream and cats'}",
    ]
    assert achunks(graph, {"topic": "ice cream"}, stream_mode="values") == run.printed


# Subgraphs


def assert_subgraph_chunks(chunks: list[Any]) -> None:
    """The four chunks that the page shows; the task id in the namespace is the only thing that varies."""
    assert [data for _, data in chunks] == [
        {"node_1": {"foo": "hi! foo"}},
        {"subgraph_node_1": {"bar": "bar"}},
        {"subgraph_node_2": {"foo": "hi! foobar"}},
        {"node_2": {"foo": "hi! foobar"}},
    ]
    namespaces = [namespace for namespace, _ in chunks]
    assert namespaces[0] == namespaces[3] == ()
    assert namespaces[1] == namespaces[2]
    (level,) = namespaces[1]
    assert re.fullmatch(r"node_2:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", level)


def test_07_subgraphs(run_example):
    """`subgraphs=True` puts the namespace in front of every chunk."""
    graph = run_example("08_subgraphs_full")["graph"]

    run = run_example("07_subgraphs", graph=graph)

    assert_subgraph_chunks(run.printed)
    assert_subgraph_chunks(achunks(graph, {"foo": "foo"}, stream_mode="updates", subgraphs=True))


def test_08_subgraphs_full(run_example):
    """The full example prints the four lines of the page, the updates of the nested graph among them."""
    run = run_example("08_subgraphs_full")

    assert_subgraph_chunks(run.printed)
    assert run.lines[0] == "((), {'node_1': {'foo': 'hi! foo'}})"
    assert re.fullmatch(r"\(\('node_2:[0-9a-f-]{36}',\), {'subgraph_node_1': {'bar': 'bar'}}\)", run.lines[1])
    assert run.lines[3] == "((), {'node_2': {'foo': 'hi! foobar'}})"


# Debug


def test_09_debug(run_example):
    """`debug` tells the start and the result of each task, with its step, its input and what it wrote."""
    graph = run_example("04_state_graph")["graph"]

    run = run_example("09_debug", graph=graph)

    assert [ast.literal_eval(line) for line in run.lines] == run.printed
    assert [(event["step"], event["type"], event["payload"]["name"]) for event in run.printed] == [
        (1, "task", "refine_topic"),
        (1, "task_result", "refine_topic"),
        (2, "task", "generate_joke"),
        (2, "task_result", "generate_joke"),
    ]
    payloads = [event["payload"] for event in run.printed]
    assert payloads[0]["input"] == {"topic": "ice cream"}
    assert payloads[0]["triggers"] == ("branch:to:refine_topic",)
    assert payloads[2]["input"] == {"topic": "ice cream and cats"}
    assert [dict(payload["result"]) for payload in payloads[1::2]] == [*REFINED.values(), *JOKED.values()]
    assert all(payload["error"] is None and payload["interrupts"] == [] for payload in payloads[1::2])
    assert payloads[0]["id"] == payloads[1]["id"] != payloads[2]["id"] == payloads[3]["id"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", event["timestamp"]) for event in run.printed)
    twin = achunks(graph, {"topic": "ice cream"}, stream_mode="debug")
    assert without_timestamps(twin) == without_timestamps(run.printed)
