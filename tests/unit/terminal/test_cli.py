"""What `streamgraph run` refuses, before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator, List

import pytest
from click.testing import CliRunner

from streamgraph.terminal._cli import node_paths, run_command

PROGRAM = """
from typing import TypedDict
from streamgraph.graph import START, MessagesState, StateGraph

class State(TypedDict):
    topic: str
    n: int

def note(state):
    return {"topic": state["topic"] + "!"}

inner = StateGraph(MessagesState).add_node("say", lambda state: {}).add_edge(START, "say").compile()
middle = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()
nested = StateGraph(MessagesState).add_node("middle", middle).add_node("last", lambda state: {})
nested = nested.add_edge(START, "middle").add_edge("middle", "last").compile()
graph = StateGraph(State).add_node("note", note).add_edge(START, "note").compile()
both = {"one": graph, "two": nested}
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "terminal_program.py"
    path.write_text(PROGRAM)
    before = list(sys.path)
    yield str(path)
    sys.path[:] = before
    sys.modules.pop("terminal_program", None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "There is nothing to run"),
        (["{}:grahp"], "Did you mean 'graph'?"),
        (["{}:both"], "has several graphs: one, two"),
        (["{}:graph"], "needs an input. Give --input; it takes: topic, n."),
        (["{}:graph", "-i", "ice"], "does not say its key"),
        (["{}:graph", "-i", "topic=x", "--mode", "mesages"], "Did you mean 'messages'?"),
        (["{}:graph", "-i", "topci=x"], "Did you mean 'topic'?"),
        (["{}:graph", "-i", "topic=x", "--thread", "t"], "A thread needs somewhere to be"),
        (["{}:graph", "-i", "topic=x", "--checkpointer", "redis:"], "no checkpointer"),
        (["{}:graph", "-i", "topic=x", "--node", "noet"], "Did you mean 'note'?"),
        (["{}:graph", "-i", "topic=x", "--config", "[1]"], "not an object"),
        (["{}:graph", "-i", "topic=x", "--run", "1"], "--run belongs to --url"),
        (["graph", "-i", "x=1", "--url", "localhost:1"], "is no URL of a server"),
        (["graph", "-i", "x=1", "--url", "http://127.0.0.1:9"], "does not answer"),
        (["graph", "-i", "x=1", "--url", "http://127.0.0.1:9", "--checkpointer", "memory"], "is the server's"),
        (["--url", "http://127.0.0.1:9", "--run", "1"], "Give --thread as well"),
        (["--url", "http://127.0.0.1:9"], "Give the name of a graph that the server has"),
    ],
)
def test_what_is_refused(program: str, arguments: List[str], says: str) -> None:
    result = CliRunner().invoke(run_command, [argument.format(program) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.output.split())


def test_a_run_in_this_process(program: str) -> None:
    result = CliRunner().invoke(run_command, [f"{program}:graph", "-i", "topic=ice", "-i", "n=1"])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[:2] == ["note: [started]", "note: [done] 0.0 s"]
    assert result.output.splitlines()[2:4] == ["  topic: ice!", "  n: 1"]


def test_the_nodes_that_are_known_before_the_run(program: str) -> None:
    from streamgraph.named import load_graphs

    graph = load_graphs(f"{program}:nested")["nested"]
    assert node_paths(graph) == [("middle",), ("middle", "inner"), ("middle", "inner", "say"), ("last",)]
