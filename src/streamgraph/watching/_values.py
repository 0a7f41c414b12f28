"""Values of a state, of custom data or of a question, as short text: what is long or deep is cut, at a bounded cost."""

from __future__ import annotations

import dataclasses
from typing import Iterable, Iterator, List, Mapping, Sequence, Tuple

from langchain_core.messages import BaseMessage

from streamgraph.watching._messages import content_text
from streamgraph.watching._safe import safe_line, safe_text

_DEPTH = 4
_ITEMS = 12
_LONGEST = 240
"""How deep, how many items, and how many characters of one text are shown."""


def value_text(value: object, longest: int = _LONGEST) -> str:
    """Return a value in one line.

    It costs no more for a large value than for one of which everything is shown.

    Args:
        value: Any value. A text is shown as it is, without quotes.
        longest: The most characters of it.
    """
    if isinstance(value, str):
        return _cut(safe_line(value[: longest + 1]), longest, len(value))
    return _cut("".join(_pieces(value, _DEPTH)), longest)


def state_rows(state: object) -> List[Tuple[str, str]]:
    """Return a state as rows of key and text; a list of messages has a row for each of its last ones.

    Args:
        state: What `values` shows: a mapping, an object with fields, or any other value, which is one row.
    """
    if isinstance(state, Mapping):
        pairs: Iterable[Tuple[object, object]] = state.items()
    elif hasattr(state, "model_dump") or dataclasses.is_dataclass(state):
        pairs = vars(state).items()
    else:
        pairs = [("", state)]
    rows: List[Tuple[str, str]] = []
    for key, value in pairs:
        rows += _rows(safe_line(str(key)), value)
    return rows


def _rows(key: str, value: object) -> Iterator[Tuple[str, str]]:
    if not (isinstance(value, list) and value and all(map(_is_message, value[-_ITEMS:]))):
        yield key, value_text(value, 4 * _LONGEST)
        return
    hidden = len(value) - _ITEMS
    if hidden > 0:
        yield key, f"({hidden} messages before these)"
        key = ""
    for message in value[-_ITEMS:]:
        yield key, value_text(message)
        key = ""


def _is_message(value: object) -> bool:
    return isinstance(value, BaseMessage) or (
        isinstance(value, Mapping) and "content" in value and ("type" in value or "role" in value)
    )


def _pieces(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield f'"{_cut(safe_line(value[: _LONGEST + 1]), _LONGEST, len(value))}"'
    elif value is None or isinstance(value, bool):
        yield "null" if value is None else str(value).lower()
    elif isinstance(value, (int, float)):
        yield _cut(repr(value), _LONGEST)
    elif isinstance(value, BaseMessage):
        yield _message(value.type, content_text(value.content), [str(call["name"]) for call in _calls(value)])
    elif isinstance(value, Mapping):
        if _is_message(value):
            role = value.get("type") or value.get("role")
            yield _message(str(role), content_text(value["content"]), [])
            return
        yield from _group("{", "}", value.items(), len(value), depth, pairs=True)
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from _group("[", "]", value, len(value), depth)
    else:
        yield _cut(safe_line(_described(value)), _LONGEST)


def _calls(message: BaseMessage) -> Sequence[Mapping[str, object]]:
    return getattr(message, "tool_calls", None) or ()


def _message(role: str, text: str, calls: Sequence[str]) -> str:
    named = [f"{name}(…)" for name in calls]
    shown = _cut(safe_line(text[: _LONGEST + 1]), _LONGEST, len(text))
    return safe_line(f"{role}: {' '.join([*([shown] if shown else []), *named])}")


def _group(
    opening: str, closing: str, items: Iterable[object], count: int, depth: int, pairs: bool = False
) -> Iterator[str]:
    if not count:
        yield opening + closing
        return
    if not depth:
        yield f"{opening}…{closing}"
        return
    yield opening
    for index, item in enumerate(items):
        if index == _ITEMS:
            yield f", … {count - index} more"
            break
        if index:
            yield ", "
        if pairs and isinstance(item, tuple):
            yield f"{safe_line(str(item[0])[:_LONGEST])}: "
            item = item[1]
        yield from _pieces(item, depth - 1)
    yield closing


def _described(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # a `__repr__` of a user's class may raise anything, and the view goes on
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"


def _cut(text: str, longest: int, length: int = 0) -> str:
    if len(text) <= longest and length <= longest:
        return text
    whole = max(length, len(text))
    return f"{text[:longest]}… ({whole:,} characters)" if length else f"{text[:longest]}…"


def question_text(value: object, longest: int = _LONGEST) -> str:
    """Return a question in one line: of an object with a `question`, that.

    Args:
        value: What is asked.
        longest: The most characters of it.
    """
    if isinstance(value, Mapping) and isinstance(value.get("question"), str):
        value = value["question"]
    return value_text(value, longest)


def error_text(error: object) -> str:
    """Return what an error says, in the form `Type: message`.

    Args:
        error: An exception, its JSON as the server sends it, or a text.
    """
    if isinstance(error, BaseException):
        try:
            said = str(error)
        except Exception as raised:
            said = f"(its text raises {type(raised).__name__})"
        return safe_text(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    if isinstance(error, Mapping):
        said, kind = str(error.get("message") or ""), str(error.get("error") or "")
        return safe_text(f"{kind}: {said}" if kind and said else kind or said)
    return safe_text(str(error))
