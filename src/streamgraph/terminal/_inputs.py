"""The input of a run, from the command line, a file or the standard input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Dict, List, Mapping, Optional, Sequence

from streamgraph.errors import UnknownOptionError

_FORMS = 'Give JSON, such as \'{"topic": "ice"}\', key=value, @FILE, or - for the standard input.'


def read_input(given: Sequence[str], stdin: IO[str], schema: Optional[Mapping[str, object]] = None) -> object:
    """Return the input that the options stand for; `None` if there are none.

    Args:
        given: The options, each of them JSON, `key=value`, `@FILE` or `-`. Several are merged, so they must be objects.
        stdin: Where `-` is read from.
        schema: The JSON schema of the input, if it is known. A text without more is then a message of a user, or the
            value of the only key.

    Raises:
        UnknownOptionError: One of them is none of these, or several are not all objects.
    """
    values = [_value(text, stdin, schema) for text in given]
    if len(values) < 2:
        return values[0] if values else None
    merged: Dict[str, object] = {}
    for text, value in zip(given, values):
        if not isinstance(value, dict):
            raise UnknownOptionError(f"Several inputs are merged, and {text!r:.80} is no object", hint=_FORMS)
        merged.update(value)
    return merged


def read_json(text: str, what: str) -> object:
    """Return what a text of JSON stands for.

    Args:
        text: The text.
        what: What it is, for the error.

    Raises:
        UnknownOptionError: It is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise UnknownOptionError(f"{what} is no JSON: {error}", hint=_FORMS) from None


def json_or_text(text: str) -> object:
    """Return what a text stands for as JSON, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _value(text: str, stdin: IO[str], schema: Optional[Mapping[str, object]]) -> object:
    if text == "-":
        return read_json(stdin.read(), "The standard input")
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UnknownOptionError(f"The input file {str(path)!r} cannot be read: {error}") from None
        return read_json(content, f"The file {str(path)!r}")
    if text.lstrip()[:1] in ("{", "[", '"'):
        return read_json(text, "The input")
    key, equals, value = text.partition("=")
    if equals and key.isidentifier():
        return {key: json_or_text(value)}
    return _plain(text, schema)


def _plain(text: str, schema: Optional[Mapping[str, object]]) -> object:
    found = None if schema is None else schema.get("properties")
    keys: List[str] = list(found) if isinstance(found, Mapping) else []
    if "messages" in keys:
        return {"messages": [{"role": "user", "content": text}]}
    if len(keys) == 1:
        return {keys[0]: text}
    if schema is not None and not keys and schema.get("type") == "string":
        return text
    if schema is not None and not keys and schema.get("type") in ("integer", "number", "boolean"):
        return json_or_text(text)
    hint = f"{_FORMS} Its keys: {', '.join(keys)}." if keys else _FORMS
    raise UnknownOptionError(f"The input {text!r:.80} does not say its key", hint=hint)
