"""Which graphs a target names, and what is said of one that names none."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator

import pytest

from streamgraph.errors import UnknownOptionError
from streamgraph.named import load_graphs, split_target

PROGRAM = """
from streamgraph.graph import START, MessagesState, StateGraph

def say(state):
    return {"messages": [("ai", f"message {len(state['messages'])}")]}

builder = StateGraph(MessagesState).add_node("say", say).add_edge(START, "say")
graph = builder.compile()
both = {"one": graph, "two": builder.compile()}
wrong = {"one": 1}

def make():
    return both
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    """A file with graphs."""
    path = tmp_path / "named_program.py"
    path.write_text(PROGRAM)
    before = list(sys.path)
    yield path
    sys.path[:] = before
    sys.modules.pop("named_program", None)


def test_what_a_target_names(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(load_graphs(f"{program}:graph")) == ["graph"]
    assert list(load_graphs(f"{program}:both")) == ["one", "two"]
    assert list(load_graphs(f"{program}:make")) == ["one", "two"]
    assert list(load_graphs(str(program))) == ["graph"]
    monkeypatch.chdir(program.parent)
    assert list(load_graphs("named_program:graph")) == ["graph"]


def test_a_file_is_executed_once(program: Path) -> None:
    """Threads that name it at once get the whole of it, and the same classes."""
    note = program.with_name("note")
    slow = f"import time\nwith open({str(note)!r}, 'a') as file:\n    file.write('x')\ntime.sleep(0.2)\n"
    program.write_text(slow + PROGRAM)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: load_graphs(f"{program}:{name}"), ["graph", "both", "make"] * 5))
    assert note.read_text() == "x"
    assert len({id(graph) for graphs in found for graph in graphs.values()}) == 2


def test_a_file_that_fails_is_not_loaded(program: Path) -> None:
    """The next one who names it executes it again, as with a module."""
    program.write_text("graph = 1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_graphs(f"{program}:graph")
    assert "named_program" not in sys.modules
    program.write_text(PROGRAM)
    assert list(load_graphs(f"{program}:graph")) == ["graph"]


def test_two_files_of_one_name(program: Path) -> None:
    other = program.parent / "elsewhere" / program.name
    other.parent.mkdir()
    other.write_text(PROGRAM.replace("graph = builder", "another = builder").replace('"one": graph', '"one": another'))
    for _ in range(2):
        assert list(load_graphs(str(program))) == ["graph"]
        assert list(load_graphs(str(other))) == ["another"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("grahp", "graph"), ("builder", "Compile it first"), ("wrong", "no graph"), ("START", "no graph")],
)
def test_what_is_no_graph(program: Path, name: str, says: str) -> None:
    with pytest.raises(UnknownOptionError, match=says):
        load_graphs(f"{program}:{name}")


def test_what_does_not_exist(tmp_path: Path) -> None:
    for target in (f"{tmp_path}/none.py:graph", "no_such_module:graph"):
        with pytest.raises(UnknownOptionError, match="There is no"):
            load_graphs(target)


def test_targets_and_drives() -> None:
    assert split_target("a.b:c") == ("a.b", "c")
    assert split_target("C:\\x.py") == ("C:\\x.py", "")
    assert split_target("C:\\x.py:graph") == ("C:\\x.py", "graph")
    assert split_target("a.b") == ("a.b", "")
