"""What `--input` may be, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, List

import pytest

from streamgraph.errors import UnknownOptionError
from streamgraph.terminal._inputs import read_input

CHAT = {"type": "object", "properties": {"messages": {}}}
ONE = {"type": "object", "properties": {"topic": {}}}
TWO = {"type": "object", "properties": {"topic": {}, "n": {}}}


@pytest.mark.parametrize(
    ("given", "schema", "value"),
    [
        ([], None, None),
        (['{"topic": "ice"}'], None, {"topic": "ice"}),
        (["[1, 2]"], None, [1, 2]),
        (['"text"'], None, "text"),
        (["topic=ice cream"], None, {"topic": "ice cream"}),
        (["topic=a=b"], None, {"topic": "a=b"}),
        (["n=3", "topic=ice", 'tags=["a"]'], None, {"n": 3, "topic": "ice", "tags": ["a"]}),
        (['{"n": 1}', "n=2"], None, {"n": 2}),
        (["-"], None, {"read": True}),
        (["Tell me a joke"], CHAT, {"messages": [{"role": "user", "content": "Tell me a joke"}]}),
        (["ice cream"], ONE, {"topic": "ice cream"}),
        (["ice cream"], {"type": "string"}, "ice cream"),
        (["3"], {"type": "integer"}, 3),
    ],
)
def test_inputs(given: List[str], schema: Any, value: Any) -> None:
    assert read_input(given, io.StringIO('{"read": true}'), schema) == value


@pytest.mark.parametrize(
    ("given", "schema", "says"),
    [
        (["{topic: ice}"], None, "The input is no JSON"),
        (["-"], None, "The standard input is no JSON"),
        (["@/no/such/file.json"], None, "cannot be read"),
        (["just text"], TWO, r"does not say its key.*Its keys: topic, n"),
        (["just text"], None, "does not say its key"),
        (["n=1", "[2]"], None, "is no object"),
    ],
)
def test_what_is_no_input(given: List[str], schema: Any, says: str) -> None:
    with pytest.raises(UnknownOptionError, match=says):
        read_input(given, io.StringIO("no json"), schema)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "input.json"
    path.write_text('{"topic": "猫"}', encoding="utf-8")
    assert read_input([f"@{path}"], io.StringIO()) == {"topic": "猫"}
    path.write_text("not json")
    with pytest.raises(UnknownOptionError, match=r"The file '.*input.json' is no JSON"):
        read_input([f"@{path}"], io.StringIO())
