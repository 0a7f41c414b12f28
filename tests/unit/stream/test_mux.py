"""Events on their way to transformers."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streamgraph.stream import StreamChannel, StreamTransformer
from streamgraph.stream._mux import StreamMux
from streamgraph.stream._types import transformer_requires_async
from support.protocol_events import event
from support.waiting import run


class Keep(StreamTransformer):
    """Shows custom data in a channel, and notes what it is told."""

    channel_name = None
    hold_back = False

    def __init__(self, scope=(), key="kept"):
        super().__init__(scope)
        self.key = key
        self.log = StreamChannel(self.channel_name)
        self.told = []

    def init(self):
        return {self.key: self.log, f"{self.key}_told": self.told}

    def process(self, event):
        self.told.append(event["params"]["data"])
        self.log.push(event["params"]["data"])
        return not self.hold_back

    def finalize(self):
        self.told.append("finalized")

    def fail(self, err):
        self.told.append(type(err))


class Named(Keep):
    channel_name = "named"


class Native(Named):
    _native = True


class Holding(Keep):
    hold_back = True


class Early(Keep):
    before_builtins = True

    def process(self, event):
        event["params"]["data"] += "!"
        return True


class Async(Keep):
    async def aprocess(self, event):
        await asyncio.sleep(0)
        return self.process(event)


def pushed(mux, *items):
    """The events that a reader of a sync mux gets."""
    events = iter(mux._events)
    for item in items:
        mux.push(event("custom", item))
    mux.close()
    return list(events)


def test_every_transformer_gets_every_event():
    """Also after one that holds an event back, which only keeps it out of the run's events."""
    transformers = [Keep(key="a"), Holding(key="b"), Keep(key="c")]
    mux = StreamMux(transformers)
    kept = iter(mux.extensions["a"])
    assert pushed(mux, 1, 2) == []
    assert [t.told for t in transformers] == [[1, 2, "finalized"]] * 3
    assert list(kept) == [1, 2]
    assert mux.transformer_by_key("b") is transformers[1]
    assert mux.transformer_by_key("x") is None


def test_events_are_numbered():
    """Events of a run have numbers without gaps; what a channel forwards comes before the event it was made of."""
    for kind, method in ((Named, "custom:named"), (Native, "named")):
        mux = StreamMux([kind()])
        events = pushed(mux, "a", "b")
        assert [(e["seq"], e["method"], e["params"]["data"]) for e in events] == [
            (1, method, "a"),
            (2, "custom", "a"),
            (3, method, "b"),
            (4, "custom", "b"),
        ]
        assert mux.native_keys == ({"kept", "kept_told"} if kind is Native else set())


def test_early_transformers_come_first():
    """A transformer that changes events gets them before others, wherever it was given."""
    late, early = Keep(), Early(key="early")
    pushed(StreamMux([late, early]), "word")
    assert late.told == ["word!", "finalized"]


def test_factories_make_transformers_for_each_scope():
    """A nested graph's mux has transformers of its own, advanced as the run is; it numbers nothing."""
    mux = StreamMux(factories=[Keep], scope=("a",))

    def more():
        return False

    async def amore():
        return False

    mux.bind_pump(more)
    mux.bind_apump(amore)
    child = mux._make_child(("a", "b"))
    assert child.scope == child.transformer_by_key("kept").scope == ("a", "b")
    assert child.transformer_by_key("kept") is not mux.transformer_by_key("kept")
    assert child.extensions["kept"]._request_more is more
    assert child.extensions["kept"]._arequest_more is amore
    assert "seq" not in pushed(child, 1)[0]
    with pytest.raises(RuntimeError, match="without factories"):
        StreamMux([Keep()])._make_child(("a",))


def test_wrong_transformers():
    """Names that collide, projections that are no dicts, and async transformers in sync runs are refused."""

    class NoDict(Keep):
        def init(self):
            return [self.log]

    class Schedules(Keep):
        requires_async = True

    class InBoth(Async):
        supports_sync = True

    class Neither(StreamTransformer):
        def init(self):
            return {}

    with pytest.raises(ValueError, match=r"Keep has projections .*'kept' \(owned by Keep\)"):
        StreamMux([Keep(), Keep()])
    with pytest.raises(TypeError, match="must return a dict"):
        StreamMux([NoDict()])
    for kind in (Async, Schedules):
        with pytest.raises(RuntimeError, match=f"{kind.__name__} requires an async run"):
            StreamMux([kind()])
        StreamMux([kind()], is_async=True)
    StreamMux([InBoth()])
    assert [transformer_requires_async(kind()) for kind in (Keep, Async, Schedules, InBoth)] == [
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(NotImplementedError, match=r"Neither must override process\(\)"):
        StreamMux([Neither()]).push(event("custom", 1))
    with pytest.raises(TypeError, match="abstract"):
        StreamTransformer()


def test_everything_ends_with_an_error_in_the_end():
    """When a transformer fails while it ends, all others and the channels end nevertheless."""

    class Breaks(Keep):
        def finalize(self):
            raise KeyError("end")

        def fail(self, err):
            raise ValueError("worse")

    last = Keep(key="last")
    mux = StreamMux([Breaks(), last])
    with pytest.raises(KeyError):
        mux.close()
    assert last.told == ["finalized"]
    assert mux._events._closed

    last, error = Keep(key="last"), KeyError("run")
    mux = StreamMux([Breaks(), last])
    reader = iter(mux.extensions["last"])
    mux.fail(error)
    assert last.told == [KeyError]
    assert "Breaks.fail() has failed as well: ValueError('worse')" in error.__notes__
    with pytest.raises(KeyError, match="run"):
        list(reader)


def test_async_dispatch():
    """Async transformers are awaited one after the other, and ended in async code."""

    async def main():
        transformers = [Async(key="a"), Keep(key="b")]
        mux = StreamMux(transformers, is_async=True)
        events = mux._events.__aiter__()
        await mux.apush(event("custom", 1))
        await mux.aclose()
        assert [e["params"]["data"] async for e in events] == [1]
        assert [t.told for t in transformers] == [[1, "finalized"]] * 2

        failed = StreamMux([Async()], is_async=True)
        await failed.afail(KeyError("run"))
        assert failed.extensions["kept_told"] == [KeyError]

    run(main())


class Scheduling(Keep):
    """Looks something up beside the run."""

    requires_async = True
    on_error = "log"

    def process(self, event):
        self.schedule(self.look_up(event["params"]["data"]), on_error=self.on_error)
        return True

    async def look_up(self, item):
        await asyncio.sleep(0)
        if item == "bad":
            raise KeyError(item)
        if item == "endless":
            await asyncio.Event().wait()
        self.told.append(f"looked up {item}")


def test_scheduled_work_is_awaited(caplog):
    """The end waits for scheduled work; an error of it is logged, or raised if that was asked for."""

    class Raising(Scheduling):
        on_error = "raise"

    async def main(kind, *items):
        transformer = kind()
        mux = StreamMux([transformer], is_async=True)
        for item in items:
            await mux.apush(event("custom", item))
        await mux.aclose()
        return transformer.told

    with caplog.at_level(logging.ERROR):
        assert run(main(Scheduling, 1, "bad", 2)) == ["looked up 1", "looked up 2", "finalized"]
    assert "has scheduled has failed" in caplog.text
    with pytest.raises(KeyError, match="bad"):
        run(main(Raising, "bad"))


def test_scheduled_work_is_cancelled():
    """When the run fails, scheduled work is cancelled before the transformers end."""

    async def main():
        transformer = Scheduling()
        mux = StreamMux([transformer], is_async=True)
        await mux.apush(event("custom", "endless"))
        await asyncio.sleep(0)
        await mux.afail(KeyError("run"))
        assert transformer.told == [KeyError]

    run(main())


def test_scheduling_needs_a_loop():
    """In sync code `schedule` says why it cannot work, and leaves no coroutine behind."""
    transformer = Scheduling()
    with pytest.raises(RuntimeError, match=r"(?s)requires a running event loop.*requires_async = True"):
        transformer.process(event("custom", 1))
