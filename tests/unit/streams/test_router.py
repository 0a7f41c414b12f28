"""Where parts go and in which shape."""

from __future__ import annotations

import pytest

from streamgraph._streams.formats import chunk_format
from streamgraph._streams.part import Part
from streamgraph._streams.router import ParentStream, Router
from streamgraph._streams.subscribers import RunSubscribers, unfiltered

ALL = frozenset(("values", "updates", "messages", "custom", "tasks", "debug"))
NONE: frozenset = frozenset()


def plain(part):
    """A chunk with all there is to a part."""
    return part.ns, part.mode, part.data


def router(modes=(), nested=(), up=None, ns=("n:1",)):
    """A router of a graph with one level of namespace."""
    subscribers = RunSubscribers(ns, frozenset(modes), frozenset(nested), above=up.subscribers if up else None)
    return Router(subscribers, up=up, shape=plain)


def around(put, modes=ALL):
    """A run around that wants these modes."""
    return ParentStream(put, unfiltered(frozenset(modes)))


def sent(made, *modes_and_depths):
    """What reaches the own inbox if tasks emit these modes at these depths."""
    inbox = []
    put = made.sender(inbox.append)
    for mode, depth in modes_and_depths:
        put(Part(("n:1",) + ("deep:2",) * depth, mode, None))
    return [(part.mode, len(part.ns) - 1) for part in inbox]


def test_root():
    """Without a run around it, everything is for the own inbox, and what is wanted is what the consumer wants."""
    made = router(["updates", "custom"], ["custom"])
    subscribers = made.subscribers
    assert (subscribers.here.modes, subscribers.below.modes) == (
        frozenset(("updates", "custom")),
        frozenset(("custom",)),
    )
    assert sent(made, ("updates", 0), ("custom", 1)) == [("updates", 0), ("custom", 1)]


@pytest.mark.parametrize(
    ("modes", "nested", "live"),
    [
        (["values"], [], False),
        (["custom"], [], True),
        (["messages"], [], True),
        (["values"], ["values"], True),
        ([], [], False),
    ],
)
def test_live(modes, nested, live):
    """Parts come while a task runs if it emits them itself, or if graphs below are wanted."""
    assert router(modes, nested).subscribers.live is live


def test_nobody_reads_here():
    """A nested graph without a consumer of its own hands what its tasks emit straight up."""
    got = []
    made = router(up=around(got.append))
    assert made.sender(pytest.fail) == got.append
    assert made.subscribers.here.modes == made.subscribers.below.modes == ALL


def test_both():
    """A consumer inside a node gets its parts and the run around gets those that it wants."""
    got = []
    made = router(["values", "messages"], ["messages"], up=around(got.append, ("messages", "updates")))
    assert made.subscribers.here.modes == frozenset(("values", "messages", "updates"))
    own = sent(made, ("values", 0), ("messages", 0), ("updates", 0), ("values", 1), ("messages", 1))
    assert own == [("values", 0), ("messages", 0), ("messages", 1)]
    assert [part.mode for part in got] == ["messages", "updates", "messages"]


def test_custom_data_is_for_the_nearest():
    """Custom data that is read in a node does not also go up."""
    got = []
    made = router(["custom"], ["custom"], up=around(got.append))
    assert sent(made, ("custom", 0), ("custom", 1)) == [("custom", 0), ("custom", 1)]
    assert got == []


def test_forward():
    """What the run itself makes goes up if it is wanted there."""
    got = []
    made = router(["values"], up=around(got.append, ["values"]))
    for mode in ("values", "updates"):
        made.forward(Part(("n:1",), mode, mode))
    assert [part.mode for part in got] == ["values"]
    router(["values"]).forward(Part(("n:1",), "values", None))


def test_is_own():
    """The consumer's modes are one thing for its graph and another for those below."""
    made = router(["values"], ["custom"])
    found = [made.is_own(Part(ns, mode, None)) for ns in (("n:1",), ("n:1", "m:2")) for mode in ("values", "custom")]
    assert found == [True, False, False, True]


@pytest.mark.parametrize(
    ("several", "namespace", "chunk"),
    [
        (False, False, "data"),
        (True, False, ("updates", "data")),
        (False, True, (("a:1",), "data")),
        (True, True, (("a:1",), "updates", "data")),
    ],
)
def test_v1(several, namespace, chunk):
    """LangGraph's tuples."""
    shape = chunk_format(version="v1", several=several, namespace=namespace, coerce=plain)
    assert shape(Part(("a:1",), "updates", "data")) == chunk


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("namespace", [False, True])
def test_v2(several, namespace):
    """Typed parts are the same however the modes were asked for; values are of the schema's type."""
    shape = chunk_format(version="v2", several=several, namespace=namespace, coerce=lambda part: part.data.upper())
    assert shape(Part(("a:1",), "updates", "data")) == {"type": "updates", "ns": ("a:1",), "data": "data"}
    assert shape(Part((), "values", "data")) == {"type": "values", "ns": (), "data": "DATA", "interrupts": ()}
