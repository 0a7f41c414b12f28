"""Channel classes: how a key of the state takes what is written to it.

In a state schema a class or an instance is given in `Annotated`::

    class State(TypedDict):
        question: Annotated[str, EphemeralValue]
        log: Annotated[list, Topic(str, accumulate=True)]

A key without one holds the last value (`LastValue`), and a key with a reducer is a `BinaryOperatorAggregate`.
"""

from streamgraph.channels.any_value import AnyValue
from streamgraph.channels.base import BaseChannel
from streamgraph.channels.binop import BinaryOperatorAggregate
from streamgraph.channels.delta import DeltaChannel
from streamgraph.channels.ephemeral_value import EphemeralValue
from streamgraph.channels.last_value import LastValue, LastValueAfterFinish
from streamgraph.channels.named_barrier_value import NamedBarrierValue, NamedBarrierValueAfterFinish
from streamgraph.channels.topic import Topic
from streamgraph.channels.untracked_value import UntrackedValue

__all__ = [
    "AnyValue",
    "BaseChannel",
    "BinaryOperatorAggregate",
    "DeltaChannel",
    "EphemeralValue",
    "LastValue",
    "LastValueAfterFinish",
    "NamedBarrierValue",
    "NamedBarrierValueAfterFinish",
    "Topic",
    "UntrackedValue",
]
