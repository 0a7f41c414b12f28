"""JSON from a stranger: nothing is imported, nothing is made that was not allowed, and nonsense is an error."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import dataclass
from typing import Any, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from streamgraph.errors import GraphError
from streamgraph.serialization import ClassNotAllowedError, PartDecoder, SerializationError, dumps, loads

MADE: List[str] = []


@dataclass
class Bomb:
    """Says so when it is made."""

    a: int = 0

    def __post_init__(self) -> None:
        MADE.append("Bomb")


class Account(BaseModel):
    name: str
    admin: bool = False


def tagged(tag: str, **members: Any) -> bytes:
    return json.dumps({"$type": tag, **members}).encode()


def test_a_class_is_made_only_if_it_is_allowed():
    data = dumps(Bomb(1))
    MADE.clear()
    with pytest.raises(ClassNotAllowedError, match=r"allow=\[...\]") as caught:
        loads(data)
    assert MADE == []
    assert caught.value.name == f"{__name__}:Bomb"
    with pytest.raises(ClassNotAllowedError):
        loads(data, allow=[Account])
    assert loads(data, allow=[Bomb]) == Bomb(1)
    with pytest.raises(ClassNotAllowedError) as caught:
        loads(data.replace(b":Bomb", b":Bom"), allow=[Bomb])
    assert caught.value.suggestion == f"{__name__}:Bomb"


def test_no_module_is_imported():
    name = "antigravity"
    sys.modules.pop(name, None)
    for tag in ("model", "dataclass", "enum", "namedtuple", "class"):
        with pytest.raises(ClassNotAllowedError):
            loads(tagged(tag, **{"class": f"{name}:Any", "fields": {}, "value": [], "name": "x"}))
    error = loads(tagged("error", **{"class": f"{name}:Any", "args": {"$type": "tuple", "value": []}}))
    assert str(error) == f"{name}:Any"
    assert name not in sys.modules


CALL = "builtins:SystemExit"
NONSENSE = [
    b"",
    b"{",
    b"nul",
    b"\xff",
    b"NaN",
    b"[" * 5000,
    b'{"a":' * 5000,
    tagged("nothing"),
    tagged("set"),
    tagged("set", value=1),
    tagged("set", value=[[]]),
    tagged("dict", value=[1]),
    tagged("dict", value=[[[], 1]]),
    tagged("bytes", value="?"),
    tagged("bytes", value=1),
    tagged("uuid", value="x"),
    tagged("datetime", value="x"),
    tagged("datetime", value="2024-01-01", zone="../../etc/passwd"),
    tagged("decimal", value="x"),
    tagged("fraction", value="1/0"),
    tagged("range", value=[1, 2, 0]),
    tagged("float", value="x"),
    tagged("deque", value=[]),
    tagged("deque", value=[], maxlen=-1),
    tagged("complex", value=["a"]),
    tagged("timedelta", value=[10**12, 0, 0]),
    tagged("path", value=1),
    tagged("text", value="!"),
    tagged("defaultdict", value=[], factory=1),
    tagged("message", type="ai"),
    tagged("message", type="ai", content=5),
    tagged("message", content="a"),
    tagged("message", type=[], content="a"),
    tagged("message", type="tool", content="a"),
    tagged("message", type="ai", content="a", tool_calls=[1]),
    tagged("class"),
    tagged("class", **{"class": []}),
    tagged("class", **{"class": "os:system"}),
    tagged("class", **{"class": "builtins:eval"}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": {"name": 5}}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": {"name": "a", "admin": "yes"}}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": {"name": "a", "evil": 1}}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": {}}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": []}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": {"name": "a"}, "set": ["__class__"]}),
    tagged("model", **{"class": f"{__name__}:Account", "fields": {"name": "a"}, "set": [[]]}),
    tagged("model", **{"class": f"{__name__}:Bomb", "fields": {}}),
    tagged("dataclass", **{"class": CALL, "fields": {}}),
    tagged("dataclass", **{"class": f"{__name__}:Account", "fields": {}}),
    tagged("dataclass", **{"class": f"{__name__}:Bomb", "fields": {"__class__": 1}}),
    tagged("dataclass", **{"class": f"{__name__}:Bomb", "fields": {"b": 1}}),
    tagged("dataclass", **{"class": "streamgraph.types:Send", "fields": {"arg": 1}}),
    tagged("enum", **{"class": f"{__name__}:Account", "name": "x"}),
    tagged("namedtuple", **{"class": CALL, "value": []}),
    tagged("namedtuple", **{"class": "streamgraph.types:StateUpdate", "value": [1]}),
    tagged("error", **{"class": "builtins:ValueError", "args": [1]}),
    tagged("error", **{"class": 5, "args": []}),
    tagged("error", **{"class": "builtins:dict", "args": {"$type": "tuple", "value": []}}),
    tagged("error", **{"class": "a:B", "place": 5}),
    tagged("error", **{"class": "a:B", "notes": 5}),
    tagged("error"),
    tagged("unserializable"),
    b'{"$type": []}',
    b'{"type":1,"ns":[],"data":1}',
    b'{"type":"a","ns":{},"data":1}',
    b'{"type":"a","ns":[1],"data":1}',
    b'{"type":"messages","ns":[],"data":{}}',
    b'{"type":"messages","ns":[],"data":[1]}',
    b'{"type":"messages","ns":[],"data":[{"type":"nobody","content":""},{}]}',
    b'{"type":"messages","ns":[],"data":[{},{}]}',
    b'{"type":"values","ns":[],"data":1,"interrupts":{}}',
]


@pytest.mark.parametrize("data", NONSENSE, ids=lambda data: data[:60].decode("ascii", "replace"))
def test_nonsense_is_an_error_that_says_so(data):
    with pytest.raises(SerializationError) as caught:
        loads(data, allow=[Account, Bomb])
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, GraphError)
    assert len(str(caught.value)) < 3000
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_what_may_be_allowed_is_a_class():
    for odd in ("Account", 1, Account(name="a")):
        with pytest.raises(TypeError, match="allow= takes classes"):
            PartDecoder([odd])  # type: ignore[list-item]
    twins = [type("Twin", (), {}) for _ in range(2)]
    with pytest.raises(SerializationError, match="Two classes"):
        PartDecoder(twins)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([CALL, "ai", "x", "messages"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["value", "class", "fields", "args", "type", "ns", "data", "content", "name", "place", "set"]
            ),
            inner,
            max_size=4,
        )
        | st.builds(
            lambda tag, members: {"$type": tag, **members},
            st.sampled_from(
                "tuple set dict model message error dataclass enum datetime uuid bytes class deque".split()
            ),
            st.fixed_dictionaries({}, optional=dict.fromkeys(("value", "class", "fields", "args", "content"), inner)),
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_gives_a_value_or_this_error(value):
    try:
        loads(json.dumps(value))
    except SerializationError:
        pass
