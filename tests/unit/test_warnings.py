"""Warnings: their classes, and what they say."""

from __future__ import annotations

import warnings

import pytest

from streamgraph.warnings import (
    LangGraphDeprecatedSinceV05,
    LangGraphDeprecatedSinceV10,
    LangGraphDeprecatedSinceV11,
    LangGraphDeprecationWarning,
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (LangGraphDeprecatedSinceV05, "Gone. Deprecated in LangGraph V0.5 to be removed in V2.0."),
        (LangGraphDeprecatedSinceV10, "Gone. Deprecated in LangGraph V1.0 to be removed in V2.0."),
        (LangGraphDeprecatedSinceV11, "Gone. Deprecated in LangGraph V1.1 to be removed in V3.0."),
    ],
)
def test_texts(kind, text):
    """A warning says since when something is deprecated, and can be filtered by its class."""
    warning = kind("Gone.")
    assert str(warning) == text
    assert warning.message == "Gone"
    assert issubclass(kind, LangGraphDeprecationWarning)
    assert issubclass(kind, DeprecationWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", kind)
        warnings.warn("Gone", kind)  # type: ignore[arg-type]


def test_versions():
    """Without another version, the next major one is to remove it."""
    assert LangGraphDeprecationWarning("x", since=(1, 2)).expected_removal == (2, 0)
    assert LangGraphDeprecationWarning("x", since=(1, 2), expected_removal=(4, 1)).expected_removal == (4, 1)
