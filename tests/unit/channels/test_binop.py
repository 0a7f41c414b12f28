"""A value that a reducer makes."""

import operator
from typing import Annotated, Dict, List, Mapping, Optional, Sequence

import pytest

from streamgraph.channels import BinaryOperatorAggregate
from streamgraph.channels.base import MISSING
from streamgraph.errors import InvalidUpdateError
from streamgraph.types import Overwrite


def test_it_reduces():
    channel = BinaryOperatorAggregate(int, operator.add).from_checkpoint(MISSING)
    assert (channel.ValueType, channel.UpdateType, channel.operator) == (int, int, operator.add)
    assert channel.get() == 0
    assert channel.update([1, 2, 3])
    assert not channel.update([])
    copied = channel.copy()
    copied.update([1])
    assert (channel.get(), copied.get(), channel.checkpoint()) == (6, 7, 6)
    assert BinaryOperatorAggregate(int, operator.add).from_checkpoint(6).get() == 6


@pytest.mark.parametrize(
    ("typ", "first"),
    [
        (List[int], []),
        (Sequence[int], []),
        (Mapping[str, int], {}),
        (Annotated[Dict[str, int], "doc"], {}),
        (str, ""),
        (Optional[int], MISSING),
    ],
)
def test_first_values(typ, first):
    """An empty instance of the type, if it has one; else the first written value."""
    channel = BinaryOperatorAggregate(typ, lambda left, right: [left, right])
    assert channel.checkpoint() == first
    assert channel.is_available() == (first is not MISSING)
    channel.update([1])
    assert channel.get() == (1 if first is MISSING else [first, 1])


@pytest.mark.parametrize("wrap", [Overwrite, lambda value: {"__overwrite__": value}, lambda value: {
    "value": value, "type": "__overwrite__"}])  # fmt: skip
def test_overwrite(wrap):
    """It replaces what there is; what comes before or after it in the step is lost, and two are an error."""
    channel = BinaryOperatorAggregate(list, operator.add)
    channel.update([[1], wrap([5]), [2]])
    assert channel.get() == [5]
    with pytest.raises(InvalidUpdateError, match="only one Overwrite value per super-step"):
        channel.update([wrap([1]), wrap([2])])


def test_equality():
    """Two are equal if their reducers are the same function, or lambdas, which cannot be told apart."""
    first = BinaryOperatorAggregate(int, operator.add)
    assert first == BinaryOperatorAggregate(list, operator.add) != BinaryOperatorAggregate(int, operator.or_)
    assert BinaryOperatorAggregate(int, lambda a, b: a) == BinaryOperatorAggregate(int, lambda a, b: b)
