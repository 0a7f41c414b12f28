"""`print_mode` and `debug`: what happens, on standard output, beside what is yielded."""

from __future__ import annotations

import sys
from typing import Any, Dict, List

import pytest

from streamgraph.config import get_stream_writer
from streamgraph.errors import UnknownOptionError
from support.leaks import light_collections as light_collections
from support.leaks import no_thread_left as no_thread_left
from support.policies import DRIVERS, builder_of, collect, graph_with
from support.waiting import run

GIVEN = {"x": ["in"]}
UPDATES = "[updates] {'work': {'x': [1]}}"
VALUES = ["[values] {'x': ['in']}", "[values] {'x': ['in', 1]}"]
BOTH = [VALUES[0], UPDATES, VALUES[1]]


def work(state: Any) -> Dict[str, Any]:
    """A node that writes."""
    get_stream_writer()({"k": "v"})
    return {"x": [1]}


def printed(capsys: pytest.CaptureFixture[str]) -> List[str]:
    """The lines printed so far; nothing goes anywhere else."""
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("print_mode", "lines"),
    [
        ("values", VALUES),
        ("updates", [UPDATES]),
        (["updates"], [UPDATES]),
        (("custom", "updates"), ["[custom] {'k': 'v'}", UPDATES]),
        (["values", "updates"], BOTH),
        ([], []),
        ((), []),
        (None, []),
    ],
)
@pytest.mark.parametrize("mode", ["custom", "updates", ["updates", "values"]])
def test_print_mode(
    capsys: pytest.CaptureFixture[str], mode: Any, print_mode: Any, lines: List[str], driver: str
) -> None:
    """The modes are printed as a line each, and what is yielded is what it would be without."""
    graph = graph_with(work)
    chunks = collect(graph, driver, GIVEN, stream_mode=mode, print_mode=print_mode)
    assert printed(capsys) == lines
    assert chunks == collect(graph, driver, GIVEN, stream_mode=mode)
    assert printed(capsys) == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_tasks(capsys: pytest.CaptureFixture[str], driver: str) -> None:
    """Task events are printed like anything else."""
    (start, end) = collect(graph_with(work), driver, GIVEN, stream_mode="tasks", print_mode="tasks")
    assert printed(capsys) == [f"[tasks] {start!r}", f"[tasks] {end!r}"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("subgraphs", [None, False, True])
def test_namespaces(capsys: pytest.CaptureFixture[str], subgraphs: Any, driver: str) -> None:
    """What nested graphs do is printed if it is asked for, with the namespace as text."""
    graph = graph_with(graph_with(graph_with(work), name="middle"), name="outer")
    chunks = collect(graph, driver, GIVEN, stream_mode="tasks", print_mode="updates", subgraphs=subgraphs)
    lines = printed(capsys)
    if not subgraphs:
        assert lines == [f"[updates] {chunk!r}" for chunk in collect(graph, driver, GIVEN, stream_mode="updates")]
        return
    depths = {len(ns): "|".join(ns) for ns, _ in chunks}
    assert [line.split(" {")[0] for line in lines] == [
        f"[updates] [graph={depths[2]}]",
        f"[updates] [graph={depths[1]}]",
        "[updates]",
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_debug(capsys: pytest.CaptureFixture[str], driver: str) -> None:
    """`debug` prints updates and values: for one run, or for all runs but those that refuse."""
    graph = builder_of(work).compile()
    collect(graph, driver, GIVEN, stream_mode="custom", debug=True)
    assert printed(capsys) == BOTH
    collect(graph, driver, GIVEN)
    assert printed(capsys) == []

    graph = builder_of(work).compile(debug=True)
    assert graph.debug is True
    collect(graph, driver, GIVEN)
    assert printed(capsys) == BOTH
    collect(graph, driver, GIVEN, debug=False)
    assert printed(capsys) == []
    collect(graph, driver, GIVEN, print_mode="updates")
    assert printed(capsys) == [UPDATES]


@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
def test_invoke(capsys: pytest.CaptureFixture[str], call: str) -> None:
    """Runs that nobody streams print, too, and return what they would without."""

    def output(graph: Any, **options: Any) -> Any:
        result = getattr(graph, call)(GIVEN, **options)
        return result if call == "invoke" else run(result)

    graph = graph_with(work)
    assert output(graph, print_mode="values") == {"x": ["in", 1]}
    assert printed(capsys) == VALUES
    assert output(graph, debug=True) == {"x": ["in", 1]}
    assert printed(capsys) == BOTH
    assert output(graph, stream_mode="updates", print_mode="custom") == [{"work": {"x": [1]}}]
    assert printed(capsys) == ["[custom] {'k': 'v'}"]
    assert output(builder_of(work).compile(debug=True)) == {"x": ["in", 1]}
    assert printed(capsys) == BOTH
    assert output(graph) == {"x": ["in", 1]}
    assert printed(capsys) == []


def test_printed_before_it_is_yielded(capsys: pytest.CaptureFixture[str]) -> None:
    """A chunk has been printed when it arrives, and nothing that comes later has."""
    stream = graph_with(work).stream(GIVEN, stream_mode=["values", "updates"], print_mode=["values", "updates"])
    for expected in BOTH:
        next(stream)
        assert printed(capsys) == [expected]


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode is bold on a terminal, and plain in a file."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    collect(graph_with(work), "stream", GIVEN, print_mode="updates")
    assert printed(capsys) == ["\033[1m[updates]\033[0m {'work': {'x': [1]}}"]


@pytest.mark.parametrize("call", ["stream", "astream", "invoke", "ainvoke"])
def test_unknown_mode(capsys: pytest.CaptureFixture[str], call: str) -> None:
    """A mode that does not exist is refused at the call, with the closest right name."""
    graph = graph_with(work)
    with pytest.raises(UnknownOptionError, match="'vlaues'.*Did you mean 'values'"):
        result = getattr(graph, call)(GIVEN, print_mode="vlaues")
        if call == "ainvoke":
            run(result)
    assert printed(capsys) == []
