"""Events of a server are read as the standard says, and requests that fail say why."""

from __future__ import annotations

from typing import Any, Iterator, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgraph.errors import UnknownOptionError
from streamgraph.terminal._remote import is_wanted, read_headers
from streamgraph.terminal._wire import Server, ServerError, WireEvent, read_events


def events(text: str) -> List[WireEvent]:
    return list(read_events(iter(text.encode().splitlines(keepends=True))))


def test_events() -> None:
    text = (
        ": connected\n\nevent: metadata\ndata: {}\nid: 1-0\n\n"
        'event:values\r\ndata:{"a":\r\ndata: 1}\r\n\r\ndata: no json\nretry: 5\n\nevent: empty\n\n: x\n\ndata: cut off'
    )
    assert events(text) == [
        WireEvent("metadata", {}, "1-0"),
        WireEvent("values", {"a": 1}, "1-0"),
        WireEvent("message", "no json", "1-0"),
    ]


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    events(text)


@pytest.mark.parametrize("url", ["localhost:2024", "ftp://x", "http://", "http://x:99999", ""])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(UnknownOptionError, match="is no URL of a server"):
        Server(url)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ServerError, match=r"127.0.0.1:9 does not answer.*streamgraph serve"):
        Server("http://127.0.0.1:9").ask("GET", "/ok")


def test_headers() -> None:
    assert read_headers(["x-api-key: a:b", "X: "]) == {"x-api-key": "a:b", "X": ""}
    for wrong in ("none", ": x", "a: b\r\nc: d"):
        with pytest.raises(UnknownOptionError, match="has no value"):
            read_headers([wrong])


def parts() -> Iterator[Any]:
    where = {"langgraph_node": "write_poem", "tags": ["poem"]}
    yield {"type": "messages", "ns": (), "data": ({"content": "x"}, where)}
    yield {"type": "tasks", "ns": (), "data": {"name": "write_joke", "id": "1"}}
    yield {"type": "updates", "ns": (), "data": {"write_poem": 1}}
    yield {"type": "values", "ns": (), "data": {}}


@pytest.mark.parametrize(
    ("nodes", "tags", "wanted"),
    [
        ((), (), [True, True, True, True]),
        (("write_*",), (), [True, True, True, True]),
        (("write_poem",), (), [True, False, True, True]),
        ((), ("joke",), [False, True, True, True]),
        (("*",), ("p*",), [True, True, True, True]),
    ],
)
def test_filters(nodes: Any, tags: Any, wanted: List[bool]) -> None:
    assert [is_wanted(part, nodes, tags) for part in parts()] == wanted
