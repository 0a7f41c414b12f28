"""Runs, streams and graphs in a notebook, with a real kernel."""

from __future__ import annotations

import os
import sys
from typing import Any, List

import pytest

pytestmark = pytest.mark.slow
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

CELLS = [
    """
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import ScriptedModel
from streamgraph.watching import watch
model = ScriptedModel(["Cats <b>sleep</b> \\x1b[31m."], cycle=True)
def say(state):
    return {"messages": model.invoke(state["messages"])}
def fail(state):
    raise ValueError("no")
inner = StateGraph(MessagesState).add_node("say", say).add_edge(START, "say").compile()
graph = StateGraph(MessagesState).add_node("sub", inner).add_edge(START, "sub").compile(name="joker")
failing = StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail").compile()
modes, given = ["tasks", "messages", "values"], {"messages": "?"}
""",
    "graph",
    "stream = graph.stream(given, stream_mode=modes)\nstream",
    "print(len(list(stream)) > 3)",
    "watch(graph.stream(given, stream_mode=modes, subgraphs=True), name='joker')",
    "print(len([chunk for chunk in watch(graph.stream(given, stream_mode='messages'))]) > 3)",
    "await watch(graph.astream(given, stream_mode=modes, subgraphs=True), name='joker').run() is None",
    "run = graph.start(given, record=modes)\nrun",
    "run = await graph.astart(given, record=modes)\nrun",
    "watch(failing.stream(given, stream_mode=modes))",
    "watch(graph.astream(given, stream_mode=modes, subgraphs=True), name='joker')",
]

LATER = (8, 10)
"""The cells whose output goes on after them."""


@pytest.fixture(scope="module")
def outputs() -> List[Any]:
    """What the cells of a notebook show, one after the other in one kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS])
    before = dict(os.environ)
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    client = nbclient.NotebookClient(notebook, timeout=150, kernel_name="python3")
    try:
        with client.setup_kernel():
            for place, cell in enumerate(notebook.cells):
                client.execute_cell(cell, place)
                if place in LATER:
                    (shown,) = cell.outputs
                    shown["data"] = last_update(client)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return [cell.outputs for cell in notebook.cells]


def last_update(client: Any) -> Any:
    """What the output of a cell becomes after its end: a browser shows it, and nbclient does not look."""
    read = nbclient.util.run_sync(client.kc.get_iopub_msg)
    while True:
        message = read(timeout=150)
        data = message["content"].get("data", {})
        if message["msg_type"] == "update_display_data" and "</b> joker done" in data["text/html"]:
            return data


def html_of(shown: List[Any]) -> str:
    (only,) = [output for output in shown if "text/html" in output.get("data", {})]
    return str(only["data"]["text/html"])


def test_a_graph_shows_its_picture(outputs: List[Any]) -> None:
    (shown,) = outputs[1]
    assert shown["data"]["image/svg+xml"].startswith("<svg")
    assert ">say</text>" in shown["data"]["image/svg+xml"]


def test_a_stream_that_is_looked_at_is_not_consumed(outputs: List[Any]) -> None:
    (shown,) = outputs[2]
    assert shown["data"]["text/plain"].startswith("<GraphStream: pending, messages, tasks, values; watch(stream)")
    assert outputs[3][0]["text"] == "True\n"


@pytest.mark.parametrize("cell", [4, 6, 7, 8, 10])
def test_streams_and_runs_show_themselves_live(outputs: List[Any], cell: int) -> None:
    """A watched stream, sync and async; a run in a thread, and one on the loop of the notebook, which ends later."""
    html = html_of(outputs[cell])
    assert "</b> joker done" in html
    assert '<li class="done">' in html
    assert "Cats &lt;b&gt;sleep&lt;/b&gt; ␛[31m." in html
    assert "ai: Cats" in html  # the state
    (only,) = [output for output in outputs[cell] if "text/html" in output.get("data", {})]
    assert "sub / say: Cats <b>sleep</b> ␛[31m." in only["data"]["text/plain"]


def test_a_loop_over_a_watched_stream(outputs: List[Any]) -> None:
    assert "Cats &lt;b&gt;" in html_of(outputs[5])
    assert [output["text"] for output in outputs[5] if output["output_type"] == "stream"] == ["True\n"]


def test_a_failed_run_shows_its_error(outputs: List[Any]) -> None:
    assert '<blockquote class="sgv-error" role="alert">ValueError: no</blockquote>' in html_of(outputs[9])


def test_nothing_else_is_written(outputs: List[Any]) -> None:
    for cell, shown in enumerate(outputs):
        assert [output for output in shown if output.get("name") == "stderr"] == [], cell
