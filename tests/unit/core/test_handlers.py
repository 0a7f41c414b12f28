"""The failures that error handlers get in a later run."""

from __future__ import annotations

from typing import Any

import pytest

from streamgraph._core.handlers import stored_failure
from streamgraph.errors import StoredError


@pytest.mark.parametrize(
    "error",
    [ValueError("boom"), KeyError("key"), TimeoutError(), FileNotFoundError(2, "none"), ValueError("it's", 5, ["a"])],
    ids=repr,
)
def test_an_exception_of_python(error: Exception) -> None:
    """It is made again, so that a handler can tell failures apart."""
    made = stored_failure(repr(error))
    assert type(made) is type(error)
    assert made.args == error.args


class Own(Exception):  # noqa: N818
    """An exception of a user."""


NOT_MADE: Any = [
    *("KeyboardInterrupt()", "", "()"),
    "Own('boom')",
    "ValueError(object())",
    "ValueError('a'",
    "print('no')",
    "KeyboardInterrupt()",
    "",
    "()",
]


@pytest.mark.parametrize("text", NOT_MADE)
def test_another_exception(text: str) -> None:
    """Its text is kept; nothing that is stored is called but the exceptions of Python."""
    made = stored_failure(text)
    assert type(made) is StoredError
    assert made.what == text
