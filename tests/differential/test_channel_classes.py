"""Each channel class does what LangGraph's class of that name does, whatever is written to it, called on its own."""

from __future__ import annotations

import importlib
import operator
from typing import Any, Callable, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgraph.channels.base import MISSING

HOMES = {
    "AnyValue": "any_value",
    "BinaryOperatorAggregate": "binop",
    "DeltaChannel": "delta",
    "EphemeralValue": "ephemeral_value",
    "LastValue": "last_value",
    "LastValueAfterFinish": "last_value",
    "NamedBarrierValue": "named_barrier_value",
    "NamedBarrierValueAfterFinish": "named_barrier_value",
    "Topic": "topic",
    "UntrackedValue": "untracked_value",
}


def concatenated(state: Any, writes: Any) -> Any:
    """A batch reducer."""
    return [*state, *(item for write in writes for item in write)]


numbers = st.integers(0, 3)
lists = st.lists(numbers, max_size=3)
replacing = st.builds(lambda items: {"__overwrite__": items}, lists)

KINDS: Dict[str, Tuple[str, Callable[[Any], Any], Any]] = {
    "any": ("AnyValue", lambda kind: kind(int), numbers),
    "ephemeral": ("EphemeralValue", lambda kind: kind(int), numbers),
    "ephemeral unguarded": ("EphemeralValue", lambda kind: kind(int, guard=False), numbers),
    "last": ("LastValue", lambda kind: kind(int, "x"), numbers),
    "last after finish": ("LastValueAfterFinish", lambda kind: kind(int), numbers),
    "untracked": ("UntrackedValue", lambda kind: kind(int), numbers),
    "untracked unguarded": ("UntrackedValue", lambda kind: kind(int, False), numbers),
    "topic": ("Topic", lambda kind: kind(int), numbers | lists),
    "topic accumulating": ("Topic", lambda kind: kind(int, accumulate=True), numbers | lists),
    "binop": ("BinaryOperatorAggregate", lambda kind: kind(list, operator.add), lists),
    "binop overwritten": ("BinaryOperatorAggregate", lambda kind: kind(list, operator.add), lists | replacing),
    "binop without a first value": ("BinaryOperatorAggregate", lambda kind: kind(Callable, max), numbers),
    "delta": ("DeltaChannel", lambda kind: kind(concatenated, list), lists | replacing),
    "barrier": ("NamedBarrierValue", lambda kind: kind(int, {0, 1, 2}), st.integers(0, 2)),
    "barrier after finish": ("NamedBarrierValueAfterFinish", lambda kind: kind(int, {0, 1, 2}), st.integers(0, 2)),
}

CALLS = ("consume", "finish", "copy", "restored", "copied and left")


def there(name: str, kind: str) -> bool:
    """Whether the installed LangGraph has the class, and what the case is about."""
    try:
        module = importlib.import_module(f"langgraph.channels.{HOMES[name]}")
    except ModuleNotFoundError:
        return False
    overwrites = hasattr(importlib.import_module("langgraph.types"), "Overwrite")
    return hasattr(module, name) and (overwrites or "overwritten" not in kind)


def trace(root: str, kind: str, steps: List[Any]) -> List[Any]:
    """What a channel says after each of the steps: lists are updates, texts are other calls."""
    name, make, _ = KINDS[kind]
    missing = importlib.import_module(f"{root}.channels.base").MISSING
    errors = importlib.import_module(f"{root}.errors")
    channel = make(getattr(importlib.import_module(f"{root}.channels.{HOMES[name]}"), name)).from_checkpoint(missing)
    seen: List[Any] = []
    for step in steps:
        said: Any = None
        try:
            if isinstance(step, list):
                said = channel.update(step)
            elif step == "copy":
                channel = channel.copy()
            elif step == "restored":
                saved = channel.checkpoint()
                channel = channel.from_checkpoint(saved)
            elif step == "copied and left":
                channel.copy().update([])
            else:
                said = getattr(channel, step)()
        except errors.InvalidUpdateError:
            # A graph ends with this error. What is left in the channel is of no use, and of any of the values.
            return [*seen, "InvalidUpdateError"]
        try:
            value = channel.get()
        except errors.EmptyChannelError:
            value = "EmptyChannelError"
        saved = channel.checkpoint()
        seen.append((said, value, channel.is_available(), "MISSING" if saved is missing else repr(saved)))
    return seen


@pytest.mark.parametrize("kind", [kind for kind, (name, _, _) in KINDS.items() if there(name, kind)])
def test_as_langgraph(kind: str) -> None:
    """The same values, availability, answers and checkpoints, after any updates and other calls."""
    updates = st.lists(KINDS[kind][2], max_size=3)

    @given(st.lists(updates | st.sampled_from(CALLS), max_size=8))
    def check(steps: List[Any]) -> None:
        assert trace("streamgraph", kind, steps) == trace("langgraph", kind, steps)

    check()


@pytest.mark.parametrize("kind", [kind for kind, (name, _, _) in KINDS.items() if there(name, kind)])
def test_public_surface(kind: str) -> None:
    """Whatever public LangGraph's channel has, ours has."""
    name, make, _ = KINDS[kind]
    made = [
        make(getattr(importlib.import_module(f"{root}.channels.{HOMES[name]}"), name))
        for root in ("langgraph", "streamgraph")
    ]
    theirs, ours = ({item for item in dir(channel) if not item.startswith("_")} for channel in made)
    assert theirs - ours == set()
    if name != "Topic":
        assert (made[0].ValueType, made[0].UpdateType, made[0].key) == (
            made[1].ValueType,
            made[1].UpdateType,
            made[1].key,
        )


def test_nothing_is_nothing() -> None:
    """The peer's way to say that there is no checkpoint is for its own channels."""
    assert importlib.import_module("langgraph.channels.base").MISSING is not MISSING
