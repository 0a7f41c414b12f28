"""Channels in annotations: which ones are found, what becomes of them, and which are refused."""

from __future__ import annotations

import importlib
import operator
import warnings
from typing import Any, Dict, List, Optional

import pytest
from typing_extensions import Annotated, NotRequired, Required, TypedDict

from streamgraph._core.plan import ROOT_KEY
from streamgraph._runnable.channel_marks import channel_of, merged_channels, same_channel, shown_channels
from streamgraph._runnable.schema import read_schema
from streamgraph.channels import (
    AnyValue,
    BaseChannel,
    BinaryOperatorAggregate,
    DeltaChannel,
    EphemeralValue,
    LastValue,
    NamedBarrierValue,
    Topic,
    UntrackedValue,
)
from streamgraph.errors import StateSchemaError
from streamgraph.graph import add_messages


def joined(state: List[Any], writes: List[List[Any]]) -> List[Any]:
    """A batch reducer."""
    return [*state, *(item for write in writes for item in write)]


def read(hint: Any, *more: Any) -> Dict[str, Any]:
    """The channels of a schema with the key `x` (and `y`) of these hints."""
    names = dict(zip("xyz", (hint, *more)))
    return dict(read_schema(TypedDict("State", names)).channels)  # type: ignore[operator]


def shown(hint: Any) -> Any:
    return shown_channels(read(hint))["x"]


class Own(BaseChannel[Any, Any, Any]):
    """A user's channel class with what it has to have."""

    ValueType = UpdateType = object

    def from_checkpoint(self, checkpoint: Any) -> Any:
        return type(self)(self.typ)

    def get(self) -> Any:
        return 1

    def update(self, values: Any) -> bool:
        return False


@pytest.mark.parametrize(
    ("hint", "kind", "typ"),
    [
        (Annotated[int, EphemeralValue], EphemeralValue, int),
        (Annotated[int, EphemeralValue(str)], EphemeralValue, str),
        (Annotated[int, "doc", AnyValue, "more"], AnyValue, int),
        (NotRequired[Annotated[int, UntrackedValue]], UntrackedValue, int),
        (Annotated[NotRequired[int], UntrackedValue], UntrackedValue, int),
        (Annotated[Required[List[int]], Topic(int, True)], Topic, int),
        (Annotated[list, Topic[int]], Topic, list),
        (Annotated[List[int], DeltaChannel(joined)], DeltaChannel, list),
        (Annotated[Dict[str, int], DeltaChannel(joined, list)], DeltaChannel, dict),
        (Annotated[int, Own], Own, int),
        (Annotated[int, Own(str)], Own, str),
        (Annotated[list, EphemeralValue, operator.add], EphemeralValue, list),
        (int, LastValue, int),
        (Annotated[list, operator.add], BinaryOperatorAggregate, list),
        (Annotated[list, BinaryOperatorAggregate(int, operator.add)], BinaryOperatorAggregate, int),
        (Annotated[list, LastValue(int)], LastValue, int),
    ],
)
def test_found(hint: Any, kind: type, typ: Any) -> None:
    """A class is made from the annotated type; an instance stays what it is, but for the key; any place will do."""
    found = shown(hint)
    assert type(found) is kind
    assert (found.typ, found.key) == (typ, "x")


def test_a_reducer_is_shown_as_it_was_given() -> None:
    assert shown(Annotated[list, add_messages]).operator is add_messages


def test_a_given_channel_stays_as_it_is() -> None:
    """One instance may stand for two keys, and it is never written to."""
    given = Topic(int, True)
    found = shown_channels(read(Annotated[list, given], Annotated[list, given]))
    assert [channel.key for channel in found.values()] == ["x", "y"]
    assert (given.key, given.values) == ("", [])


def test_what_needs_no_object() -> None:
    """A plain key and a reducer stay what they were, however they are spelled."""
    found = read(
        Annotated[int, LastValue(int)],
        Annotated[list, BinaryOperatorAggregate(list, operator.add)],
        Annotated[Optional[int], BinaryOperatorAggregate(Optional[int], max)],
    )
    assert [channel.template for channel in found.values()] == [None] * 3
    assert (found["y"].reduce, found["y"].default(), found["y"].pure) == (operator.add, [], True)
    assert (found["z"].reduce, found["z"].default) == (max, None)


def test_a_state_of_one_value() -> None:
    assert type(read_schema(Annotated[list, Topic(int)]).channels[ROOT_KEY].shown) is Topic


class Abstract(BaseChannel[Any, Any, Any]):
    """A class that is not finished."""


class Lookalike:
    """It has two methods of a channel, and no others."""

    def from_checkpoint(self, checkpoint: Any) -> Any: ...
    def update(self, values: Any) -> bool: ...


class Broken(Own):
    """It cannot be made."""

    def from_checkpoint(self, checkpoint: Any) -> Any:
        raise RuntimeError("no way")


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (BinaryOperatorAggregate, r"BinaryOperatorAggregate cannot make a channel .*key 'x'.*Annotated\[..., Binary"),
        (NamedBarrierValue, r"NamedBarrierValue cannot make a channel .*Give an instance"),
        (DeltaChannel, r"DeltaChannel cannot make a channel .*it needs a reducer.*Give an instance"),
        (
            Abstract,
            r"Abstract cannot make a channel .*Define UpdateType, ValueType, from_checkpoint, get, update, which",
        ),
        (
            Lookalike,
            r"Lookalike is not a channel class: it has no get, .*Derive it from streamgraph.channels.BaseChannel",
        ),
        (Lookalike(), r"Lookalike is not a channel class"),
        (Broken, r"The channel Broken cannot be used: RuntimeError: no way.*from_checkpoint\(MISSING\)"),
        (Broken(int), r"The channel Broken cannot be used"),
        (DeltaChannel(len), r"Invalid reducer signature: len must take two arguments"),
        (BinaryOperatorAggregate(int, abs), r"Invalid reducer signature: abs must take two arguments"),
    ],
)
def test_refused(mark: object, text: str) -> None:
    """What cannot work is refused where it is written down, with the key and what to do."""
    with pytest.raises(StateSchemaError, match=text) as caught:
        read(Annotated[int, mark])
    assert caught.value.key == "x"


def test_a_batch_reducer_without_a_first_value() -> None:
    with pytest.raises(StateSchemaError, match=r"DeltaChannel cannot be used"):
        read(Annotated[Optional[list], DeltaChannel(joined)])


def test_what_only_looks_a_little_like_a_channel() -> None:
    """Things with `get` and `update` may be anything."""
    assert read(Annotated[int, {"doc": 1}])["x"].template is None


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    importlib.import_module("langgraph.channels")

PEERS = [
    ("ephemeral_value", "EphemeralValue", lambda kind: kind, EphemeralValue(int)),
    ("untracked_value", "UntrackedValue", lambda kind: kind(int, guard=False), UntrackedValue(int, guard=False)),
    ("topic", "Topic", lambda kind: kind(int, True), Topic(int, True)),
    ("named_barrier_value", "NamedBarrierValue", lambda kind: kind(int, {1}), NamedBarrierValue(int, {1})),
    (
        "binop",
        "BinaryOperatorAggregate",
        lambda kind: kind(int, operator.add),
        BinaryOperatorAggregate(int, operator.add),
    ),
    ("last_value", "LastValue", lambda kind: kind, LastValue(int)),
]


@pytest.mark.parametrize(("module", "name", "make", "own"), PEERS)
def test_langgraphs_own(module: str, name: str, make: Any, own: Any) -> None:
    """Its class is shown as it was given, and is the same channel as ours of that name."""
    kind = getattr(importlib.import_module(f"langgraph.channels.{module}"), name)
    found = read(Annotated[int, make(kind)])["x"]
    assert type(found.shown) is kind
    assert found.shown.key == "x"
    assert same_channel(found, channel_of("x", own))
    assert same_channel(channel_of("x", own), found)
    assert (found.template is None) == (channel_of("x", own).template is None)


def test_langgraphs_own_subclass() -> None:
    """A user's class may be derived from LangGraph's base."""
    base = importlib.import_module("langgraph.channels.base")
    last = importlib.import_module("langgraph.channels.last_value").LastValue

    class Doubled(last):
        def update(self, values: Any) -> bool:
            return bool(super().update([2 * value for value in values]))

    found = read(Annotated[int, Doubled])["x"]
    assert found.template.missing is base.MISSING
    made = found.template.make()
    made.update([2])
    assert made.get() == 4


def merged(*hints: Any) -> Dict[str, Any]:
    """The channels of several schemas with one key, of which the first is the state's."""
    first = read(hints[0])
    known: Any = {}
    for hint in hints:
        known = merged_channels(known, read(hint), first)
    return dict(known)


@pytest.mark.parametrize(
    "hints",
    [
        (Annotated[int, EphemeralValue], int),
        (Annotated[int, EphemeralValue], Annotated[str, EphemeralValue(int)]),
        (Annotated[list, operator.add], list, Annotated[list, operator.add]),
        (Annotated[list, DeltaChannel(joined)], Annotated[list, DeltaChannel(joined)]),
    ],
)
def test_schemas_that_agree(hints: Any) -> None:
    """A schema may leave out what an earlier one says."""
    assert same_channel(merged(*hints)["x"], read(hints[0])["x"])


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (int, Annotated[int, EphemeralValue], "gives it LastValue, another EphemeralValue"),
        (Annotated[int, EphemeralValue], Annotated[int, EphemeralValue(int, False)], "EphemeralValue, another Eph"),
        (Annotated[int, EphemeralValue], Annotated[int, UntrackedValue], "EphemeralValue, another UntrackedValue"),
        (Annotated[list, Topic(int)], Annotated[list, Topic(int, True)], "Topic, another Topic"),
        (Annotated[list, operator.add], Annotated[list, EphemeralValue], "the reducer add, another EphemeralValue"),
        (Annotated[list, operator.add], Annotated[list, operator.or_], "the reducer add, another the reducer or_"),
        (Annotated[list, add_messages], Annotated[list, operator.or_], "the reducer add_messages, another"),
        (
            Annotated[list, DeltaChannel(joined)],
            Annotated[list, DeltaChannel(max)],
            "DeltaChannel, another DeltaChannel",
        ),
    ],
)
def test_schemas_that_disagree(first: Any, second: Any, text: str) -> None:
    """Two channels for one key are an error with LangGraph's words, and more of them."""
    with pytest.raises(ValueError, match=f"Channel 'x' already exists with a different type: .*{text}"):
        merged(first, second)


def test_only_another_schema_has_the_reducer() -> None:
    with pytest.raises(StateSchemaError, match="only one of them gives 'x' a reducer"):
        merged(list, Annotated[list, operator.add])
