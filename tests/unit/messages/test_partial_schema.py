"""What is shown of an unfinished object fits its schema, but for required keys that are still to come."""

from __future__ import annotations

import copy
import json
from typing import Any, Dict, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, RootModel
from typing_extensions import Literal

from streamgraph._messages.partial_json import MISSING
from streamgraph._messages.structured import Format, PartialObject
from support.json_checks import check_growth, faults, same
from support.leaks import nothing_left as nothing_left
from support.structured import OBJECT, SCHEMA, Joke

TEXTS = st.text('ab1-"\\\n \u00e9\N{SMILING FACE WITH OPEN MOUTH}', max_size=5)
NAMES = st.sampled_from(["a", "b", "ab", "kind", 'x"y', "\u00e9"])
WORDS = st.lists(st.text("ab", max_size=3), min_size=1, max_size=3, unique=True)
Kind = Tuple[Dict[str, Any], Any]


def grown(schema: Any, text: str, size: int = 1, by_tool: bool = False) -> List[Any]:
    """What there is to show of an answer that comes in pieces."""
    growing = PartialObject(Format("answer", schema, by_tool))
    shown = [growing.add(AIMessageChunk(text[start : start + size])) for start in range(0, len(text), size)]
    return copy.deepcopy([value for value in shown if value is not MISSING])


def check(schema: Any, whole: Any, text: Optional[str] = None, size: int = 1) -> List[Any]:
    """An answer that fits its schema: all that is shown of it does, it grows, and is all shown in the end."""
    parts = grown(schema, json.dumps(whole) if text is None else text, size)
    assert faults(whole, schema) == [], "the test is wrong"
    for part in parts:
        assert faults(part, schema) == []
    check_growth(parts, whole)
    assert same(parts[-1], whole)
    return parts


@st.composite
def words(draw: Any) -> Kind:
    """A word of an enumeration in which others may begin with it; or the only one."""
    several = draw(WORDS)
    word = draw(st.sampled_from(several))
    schema = draw(st.sampled_from([{"enum": several}, {"enum": several, "type": "string"}, {"const": word}]))
    return schema, word


def texts() -> Any:
    """Texts that grow, and texts that are measured as a whole."""
    return st.one_of(
        st.tuples(st.sampled_from([{"type": "string"}, {"type": ["string", "null"]}, {}]), TEXTS),
        st.tuples(st.just({"type": "string", "minLength": 3}), st.text("ab", min_size=3, max_size=6)),
        st.tuples(st.just({"type": "string", "pattern": "^[ab]+-[0-9]{2}$"}), st.from_regex("^[ab]{1,3}-[0-9]{2}\\Z")),
        st.tuples(st.just({"type": "string", "format": "date"}), st.dates().map(str)),
    )


def numbers() -> Any:
    """Numbers, with and without bounds, and other values without parts."""
    return st.one_of(
        st.tuples(st.just({"type": "integer", "minimum": 10}), st.integers(10, 10**6)),
        st.tuples(st.just({"type": "number"}), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just({"type": ["integer", "null"]}), st.one_of(st.integers(), st.none())),
        st.tuples(st.just({"enum": [1, 12, None, "1"]}), st.sampled_from([1, 12, None, "1"])),
        st.tuples(st.just({"type": "boolean"}), st.booleans()),
        st.tuples(st.just({"type": "null"}), st.none()),
    )


@st.composite
def lists(draw: Any, inner: Any) -> Kind:
    """Lists of things of one kind, or of one kind for each place."""
    kind, _ = first = draw(inner)
    if draw(st.booleans()):
        several = draw(st.lists(inner, max_size=2))
        kinds = [kind for kind, _ in (first, *several)]
        return {"type": "array", "prefixItems": kinds, "items": False}, [value for _, value in (first, *several)]
    return {"type": "array", "items": kind}, [first[1]] * draw(st.integers(0, 3))


@st.composite
def objects(draw: Any, inner: Any) -> Kind:
    """Objects, with keys that are required or not, and with others or not."""
    fields = draw(st.dictionaries(NAMES, inner, max_size=4))
    schema = {"type": "object", "properties": {key: kind for key, (kind, _) in fields.items()}}
    required = draw(st.sets(st.sampled_from(sorted(fields)), max_size=3)) if fields else set()
    schema["required"] = sorted(required)
    value = {key: item for key, (_, item) in fields.items() if key in required or draw(st.booleans())}
    others = draw(st.sampled_from([None, False, "kind"]))
    if others == "kind":
        schema["additionalProperties"], extra = draw(inner)
        value["other"] = extra
    elif others is False:
        schema["additionalProperties"] = False
    return schema, {key: value[key] for key in draw(st.permutations(sorted(value)))}


@st.composite
def choices(draw: Any, inner: Any) -> Kind:
    """One of several kinds, or one and nothing but that, or the same said twice."""
    several = draw(st.lists(inner, min_size=1, max_size=3))
    _, value = draw(st.sampled_from(several))
    kinds: List[Any] = [kind for kind, _ in several]
    form = draw(st.sampled_from(["anyOf", "oneOf", "allOf"]))
    if form == "allOf":
        kind, value = several[0]
        return {"allOf": [kind]}, value
    return {form: draw(st.sampled_from([kinds, [*kinds, {"type": "null"}]]))}, value


KINDS = st.recursive(
    st.one_of(words(), texts(), numbers()),
    lambda inner: st.one_of(lists(inner), objects(inner), choices(inner)),
    max_leaves=6,
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(kind=objects(KINDS), size=st.sampled_from([1, 1, 2, 5]), ascii_=st.booleans())
def test_any_schema(kind: Kind, size: int, ascii_: bool) -> None:
    """Whatever the schema, all that is shown of a valid answer is valid, and grows."""
    schema, whole = kind
    check(schema, whole, json.dumps(whole, ensure_ascii=ascii_), size)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(kind=KINDS, size=st.sampled_from([1, 3]))
def test_references(kind: Kind, size: int) -> None:
    """Kinds that are defined elsewhere, by way of other definitions too."""
    defined, value = kind
    references = [{"$ref": "#/$defs/Other"}, {"$ref": "#/$defs/Thing"}, {"$ref": "#/$defs/Thing", "title": "T"}]
    schema = {
        "$defs": {"Thing": defined, "Other": {"$ref": "#/$defs/Thing", "title": "Other"}},
        "type": "object",
        "properties": {str(number): reference for number, reference in enumerate(references)},
    }
    check(schema, {"0": value, "1": value, "2": value}, None, size)


class Tree(BaseModel):
    """A tree, which consists of trees."""

    kind: Literal["leaf", "branch"]
    below: List[Tree] = []


class Thing(RootModel[Tree]):
    """A tree by another name."""


class Wood(BaseModel):
    """Trees."""

    things: List[Thing]
    last: Optional[Tree] = None


LEAF = {"kind": "leaf", "below": []}
TREE = {"kind": "branch", "below": [LEAF, {"kind": "branch", "below": [LEAF]}]}


def test_recursive() -> None:
    """Schemas that refer to themselves, as pydantic writes them and by hand."""
    check(Tree.model_json_schema(), TREE)
    check(Wood.model_json_schema(), {"things": [TREE, LEAF], "last": TREE})
    whole = {"kind": {"enum": ["leaf", "branch"]}, "below": {"type": "array", "items": {"$ref": "#"}}}
    check({"type": "object", "properties": whole}, TREE)


@pytest.mark.parametrize("size", [1, 4, 30])
def test_as_pydantic_has_it(size: int) -> None:
    """The schema of a pydantic class, as it is and as a tool; what is shown fits the class without what is missing."""
    for schema in (SCHEMA, convert_to_json_schema(Joke)):
        for part in check(schema, OBJECT, None, size):
            author = {**OBJECT["author"], **part.get("author", {})}
            assert Joke.model_validate({**OBJECT, **part, "author": author})


ITEMS = {"type": "array", "items": {"type": "integer"}, "minItems": 2}
PAIR = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2}


@pytest.mark.parametrize(("kind", "value"), [(ITEMS, [1, 2, 3]), (PAIR, ["a", 1])])
def test_lists_with_a_least_length(kind: Any, value: Any) -> None:
    """A list that has to have some items is not shown with fewer: that it will have more is no key to come."""
    check({"type": "object", "properties": {"list": kind}}, {"list": value})


def properties(**kinds: Any) -> Dict[str, Any]:
    """An object's schema with nothing else in it."""
    return {"type": "object", "properties": kinds, "additionalProperties": False}


@pytest.mark.parametrize("kind", [{"type": "string", "maxLength": 5}, {"type": "array", "maxItems": 5}])
def test_a_greatest_length(kind: Any) -> None:
    """What may only be so long grows until then."""
    parts = check(properties(a=kind), {"a": "abcde" if kind["type"] == "string" else ["a", "b", "c", "d", "e"]})
    assert len(parts) >= 7


WRONG: List[Tuple[Any, Any, Any]] = [
    (properties(a={"type": "string"}), {"a": 1, "b": "x"}, {}),
    (properties(a={"type": "integer"}), {"a": "one"}, {}),
    (properties(a={"type": "integer"}), {"a": True}, {}),
    (properties(a={"type": "boolean"}), {"a": 1}, {}),
    (properties(a={"enum": ["x", "y"]}), {"a": "z"}, {}),
    (properties(a={"const": "x"}), {"a": ["x"]}, {}),
    (properties(a={"type": "array", "items": {"type": "string"}}), {"a": {"b": "c"}}, {}),
    (properties(a=properties(b={"type": "null"})), {"a": {"b": 1, "c": 2}}, {"a": {}}),
    (properties(a={"anyOf": [{"type": "integer"}, {"type": "null"}]}), {"a": "x"}, {}),
]


@pytest.mark.parametrize(("schema", "whole", "left"), WRONG, ids=str)
def test_wrong_is_left_out(schema: Any, whole: Any, left: Any) -> None:
    """What can never fit is not shown: another type, another word, another key."""
    parts = grown(schema, json.dumps(whole))
    assert parts[-1] == left
    assert all(faults(part, schema) == [] for part in parts)


BOUNDS: List[Tuple[Any, Any]] = [
    ({"type": "integer", "maximum": 5}, 6),
    ({"type": "number", "minimum": 0}, -0.5),
    ({"type": "string", "maxLength": 2}, "abc"),
    ({"type": "string", "minLength": 4}, "abc"),
    ({"type": "string", "pattern": "^[0-9]+$"}, "abc"),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 2}, [1, 2, 3]),
]


@pytest.mark.parametrize(("kind", "value"), BOUNDS, ids=str)
def test_out_of_bounds_is_left_out(kind: Any, value: Any) -> None:
    """So is what breaks a bound: it would be no valid object."""
    schema = properties(a=kind)
    for part in grown(schema, json.dumps({"a": value})):
        assert faults(part, schema) == []


ODD: List[Tuple[Any, Any]] = [
    ({"type": "string", "pattern": "^\\p{L}+$"}, "abc"),
    ({"$ref": "https://example.com/other.json"}, "abc"),
    ({"$ref": "#/$defs/Loop"}, "abc"),
    ({"$ref": "#/$defs/Nowhere"}, {"b": 1}),
    ({"type": "file"}, "abc"),
    ({"type": "array", "items": [{"type": "integer"}, {"type": "string"}]}, [1, "x"]),
    ({"type": "integer", "minimum": 0, "exclusiveMinimum": False}, 0),
    ({"type": "string", "format": "color", "contentEncoding": "base64"}, "abc"),
    ({"not": {"type": "null"}, "if": True, "then": {}, "$comment": "?"}, [1]),
]


@pytest.mark.parametrize(("kind", "value"), ODD, ids=str)
def test_odd_schemas(kind: Any, value: Any) -> None:
    """What is not understood of a schema hides nothing and breaks nothing: pydantic's patterns, older drafts, links."""
    schema = {**properties(a=kind), "$defs": {"Loop": {"$ref": "#/$defs/Loop"}}}
    parts = grown(schema, json.dumps({"a": value}))
    check_growth(parts, {"a": value})
    assert parts[-1] == {"a": value}


def test_checker() -> None:
    """The checker of these tests finds what is wrong."""
    assert faults(OBJECT, SCHEMA) == []
    assert faults({"author": {}}, SCHEMA) == []
    for wrong in ({"kind": "pu"}, {"stars": "1"}, {"stars": 1.5}, {"words": [1]}, {"author": {"born": "1999-1"}}, []):
        assert len(faults(wrong, SCHEMA)) >= 1
    for kind, value in BOUNDS:
        assert len(faults(value, kind)) == 1
    for schema, whole, _ in WRONG:
        assert len(faults(whole, schema)) >= 1


class Consulted(Dict[str, Any]):
    """A part of a schema that counts how often it is looked into."""

    times = 0

    def get(self, *args: Any) -> Any:
        """Look for a key."""
        self.times += 1
        return super().get(*args)

    def __contains__(self, key: object) -> bool:
        self.times += 1
        return super().__contains__(key)


def looks(items: int, most: float = float("inf")) -> int:
    """How often the kind of the items is looked into for a long answer that is looked at after every piece."""
    number = Consulted(type="integer")
    kind = {"type": "array", "items": properties(number=number, kind={"enum": ["pun", "punk"]})}
    text = json.dumps({"jokes": [{"number": count, "kind": "pun"} for count in range(items)]})
    growing = PartialObject(Format("answer", properties(jokes=kind), False))
    for start in range(0, len(text), 60):
        growing.add(AIMessageChunk(text[start : start + 60]))
        if number.times > most:
            break
    return number.times


def test_linear() -> None:
    """An answer ten times as long costs about ten times as much, not a hundred times."""
    short = looks(200)
    assert looks(2000, 13 * short) <= 13 * short
