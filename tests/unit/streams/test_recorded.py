"""What is known of an object that may have been changed in place."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from streamgraph._streams.recorded import fingerprint


def message(**more: Any) -> AIMessage:
    """A message whose parts can be changed."""
    call: Any = {"name": "add", "args": {"a": [1]}, "id": "c", "type": "tool_call"}
    return AIMessage([{"type": "text", "text": "a\ud800"}], id="m", tool_calls=[call], **more)


def test_it_stays_as_it_is() -> None:
    """Reading an object changes nothing of it, nor does referring to its parts."""
    made = message(extra="x")
    before = fingerprint(made)
    assert before is not None
    _ = (made.text, made.tool_calls, repr(made), [made.content] * 3)
    assert fingerprint(made) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda made: setattr(made, "content", "b"),
        lambda made: setattr(made, "extra", "y"),
        lambda made: made.content[0].update(text="b"),
        lambda made: made.tool_calls[0]["args"]["a"].append(2),
        lambda made: made.response_metadata.update(b=1),
    ],
)
def test_it_changes_with_the_object(change: Any) -> None:
    """At every depth."""
    made = message(extra="x")
    before = fingerprint(made)
    change(made)
    assert fingerprint(made) != before


def test_what_it_cannot_see() -> None:
    """Objects that are no plain data may change unnoticed, so there is none."""
    assert fingerprint(message(additional_kwargs={"lock": threading.Lock()})) is None
    assert fingerprint(object()) is None
