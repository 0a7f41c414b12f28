"""JSON that is read while it is still coming: never wrong, complete in the end, in time that grows with its length."""

from __future__ import annotations

import json
from typing import Any, List

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamgraph._messages import partial_json
from streamgraph._messages.partial_json import MISSING, PartialJson
from support.json_checks import is_part, same
from support.leaks import nothing_left as nothing_left

TEXTS = st.one_of(
    st.text(max_size=8),
    st.text('"\\/\b\n\t{}[]:, \N{SMILING FACE WITH OPEN MOUTH}\u00e9\x00\x7f\ud7ff\ue000', max_size=8),
)
NUMBERS = st.one_of(st.integers(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False))
LEAVES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)
DOCUMENTS = st.one_of(st.dictionaries(TEXTS, VALUES, max_size=5), st.lists(VALUES, max_size=4))
LAYOUTS = st.sampled_from(
    [{}, {"ensure_ascii": False}, {"indent": 2}, {"separators": (",", ":")}, {"indent": "\t", "ensure_ascii": False}]
)
FEW = settings(max_examples=80, derandomize=True, deadline=None)


@st.composite
def cuts(draw: Any, text: str) -> List[str]:
    """A text in pieces, some of them empty: each character by itself, or cut anywhere."""
    if draw(st.booleans()):
        return list(text)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)])]


def check(pieces: List[str], whole: Any, always: bool = True, data: Any = None) -> None:
    """Read a document piece by piece; whenever it is looked at, there is as much of it as can be known."""
    reading = PartialJson()
    seen: List[Any] = []
    for piece in pieces:
        reading.add(piece)
        if always or data.draw(st.booleans()):
            value = reading.value
            if value is not MISSING:
                assert is_part(value, whole), value
                assert not seen or is_part(seen[-1], value), ("it has shrunk", seen[-1], value)
                seen.append(json.loads(json.dumps(value)))
    assert reading.complete
    assert same(reading.value, whole)


@pytest.mark.slow
@FEW
@given(whole=DOCUMENTS, layout=LAYOUTS, data=st.data())
@example(whole={"a": '\N{SMILING FACE WITH OPEN MOUTH}\\"'}, layout={}, data=None)
def test_never_wrong(whole: Any, layout: Any, data: Any) -> None:
    """Whatever it is and however it is cut: a beginning of what it is in the end, and that in the end."""
    text = json.dumps(whole, **layout)
    check(list(text) if data is None else data.draw(cuts(text)), json.loads(text))


@FEW
@given(whole=DOCUMENTS, layout=LAYOUTS, data=st.data())
def test_looked_at_now_and_then(whole: Any, layout: Any, data: Any) -> None:
    """The same if it is not looked at after every piece."""
    text = json.dumps(whole, **layout)
    check(data.draw(cuts(text)), json.loads(text), always=False, data=data)


@FEW
@given(
    whole=DOCUMENTS,
    before=st.one_of(st.sampled_from(["```json\n", "Here it is:\n\n```\n", ' "quoted\\" ']), st.text(max_size=9)),
    after=st.one_of(st.sampled_from(["\n```", '\n```\nHope {that} "helps"]']), st.text(max_size=9)),
    data=st.data(),
)
def test_text_around(whole: Any, before: str, after: str, data: Any) -> None:
    """What is before the first bracket and after its counterpart does not matter, in pieces of its own or not."""
    before = before.replace("{", "(").replace("[", "(")
    check(data.draw(cuts(before + json.dumps(whole) + after)), whole)


@FEW
@given(whole=DOCUMENTS, data=st.data())
def test_complete(whole: Any, data: Any) -> None:
    """It is complete with its last bracket, and not before."""
    text, reading = json.dumps(whole), PartialJson()
    pieces = data.draw(cuts(text[:-1]))
    for piece in pieces:
        reading.add(piece)
        assert reading.complete is False
    reading.add(text[-1] + data.draw(st.text(max_size=3)))
    assert reading.complete is True
    reading.add(data.draw(st.text(max_size=3)) + "}")
    assert reading.complete is True
    assert same(reading.value, whole)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    whole=st.lists(
        st.dictionaries(TEXTS, st.one_of(st.text(min_size=40), NUMBERS), max_size=3), min_size=1, max_size=5
    ),
    times=st.integers(20, 60),
    size=st.integers(5, 60),
    layout=LAYOUTS,
)
def test_long(whole: Any, times: int, size: int, layout: Any) -> None:
    """Long ones, which are not read anew with every piece: what there is may be old, but is never wrong."""
    text = json.dumps({"all": whole * times, "more": "x" * 4000, "end": whole}, **layout)
    reading, last = PartialJson(), None
    final = json.loads(text)
    for start in range(0, len(text), size):
        reading.add(text[start : start + size])
        value = reading.value
        if value is not last and value is not MISSING:
            assert is_part(value, final)
            assert last is None or is_part(last, value)
            last = value
    assert reading.complete
    assert same(reading.value, final)


ESCAPES = [
    r'{"a": "x\ud83d\ude03y"}',
    r'{"\ud83d\ude03": {"\"": ["\\", "\\\"", "\\\\"]}}',
    r'["\u00e9\u0000\n\/", "\b\f\r\t"]',
    '{"a": "\\\\", "b": "\\\\\\"", "c": "{[\\"]}"}',
]


@pytest.mark.parametrize("text", ESCAPES)
def test_escapes_that_are_cut(text: str) -> None:
    """Cut in two anywhere, and in three, within escapes and pairs of them as well."""
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            check([text[:first], text[first:second], text[second:]], json.loads(text))


@pytest.mark.parametrize("word", ["true", "false", "null", "-1", "10", "1.5", "1.5e+30", "-0.25E-2", "0"])
@pytest.mark.parametrize("form", ['{"a": %s}', '{"a": %s, "b": %s}', "[%s, %s]", "[[%s],%s\n]"])
def test_words_and_numbers(form: str, word: str) -> None:
    """They are there when nothing can be added to them, and not before."""
    text = form.replace("%s", word)
    check(list(text), json.loads(text))
    reading = PartialJson()
    reading.add(text[: text.index(word) + len(word) - 1])
    assert reading.value in ({}, [], [[]])
    reading.add(text[text.index(word) + len(word) - 1 :])
    assert same(reading.value, json.loads(text))


RAW = st.recursive(
    st.one_of(st.text('ab"\n\t\N{SMILING FACE WITH OPEN MOUTH}\u00e9', max_size=8), st.integers(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(whole=st.dictionaries(st.text("abc", max_size=2), RAW, max_size=4), data=st.data())
def test_raw_line_breaks(whole: Any, data: Any) -> None:
    """Models write line breaks and tabs into their texts as they are, which is not quite JSON."""
    text = json.dumps(whole, ensure_ascii=False).replace("\\n", "\n").replace("\\t", "\t")
    check(data.draw(cuts(text)), whole)


@pytest.mark.parametrize("whole", ["one\ntwo \u00e9", "one\ntwo \N{SMILING FACE WITH OPEN MOUTH}!"])
def test_raw_line_breaks_and_escapes(whole: str) -> None:
    """The same if other characters are escaped: an escape that is cut takes nothing away, and is nothing by itself."""
    text = json.dumps({"a": whole}).replace("\\n", "\n")
    check(list(text), {"a": whole})


@pytest.mark.parametrize("text", ["", "no object", '"a"', "12", "}", "{", "[", '{"a"', '{"a": ', '{"a": 1'])
def test_nothing_yet(text: str) -> None:
    """Without an opening bracket there is nothing; with no more than that, something empty."""
    reading = PartialJson()
    for piece in text:
        reading.add(piece)
        reading.add("")
    assert reading.complete is False
    expected = MISSING if text[:1] not in ("{", "[") else {"{": {}, "[": []}[text[0]]
    assert reading.value is expected or reading.value == expected


class Counter:
    """Counts how many characters are parsed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.characters = self.calls = 0
        original = partial_json._parsed

        def counted(text: str, open_text: bool) -> Any:
            self.characters += len(text)
            self.calls += 1
            return original(text, open_text)

        monkeypatch.setattr(partial_json, "_parsed", counted)

    def of(self, text: str, size: int) -> int:
        """The characters that are parsed for a text that is looked at after each piece of it."""
        before = self.characters
        reading = PartialJson()
        for start in range(0, len(text), size):
            reading.add(text[start : start + size])
            assert reading.value is not None
        assert reading.complete
        return self.characters - before


def text_of_length(length: int) -> str:
    """A document of about so many characters."""
    return json.dumps({"items": [{"id": number, "text": "some words"} for number in range(length // 36)]})


@pytest.mark.parametrize(("length", "size"), [(10_000, 1), (20_000, 7), (50_000, 40)])
def test_linear(length: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document ten times as long costs about ten times as much, though it is looked at after every piece."""
    counter = Counter(monkeypatch)
    assert counter.of(text_of_length(10 * length), size) <= 13 * counter.of(text_of_length(length), size)


def test_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody looks at is not parsed; it is parsed once when somebody does."""
    counter, text = Counter(monkeypatch), text_of_length(5000)
    reading = PartialJson()
    for character in text:
        reading.add(character)
    assert counter.calls == 0
    assert same(reading.value, json.loads(text))
    assert reading.value is reading.value
    assert counter.calls == 1
