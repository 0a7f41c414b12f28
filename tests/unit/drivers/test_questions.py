"""Questions that wait for answers: one answer each, given or given up, whoever comes first."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import wait
from typing import Any, Callable, List, Optional

import pytest

from streamgraph._drivers.questions import LiveQuestions, OpenQuestion, answer_live
from streamgraph._signals import Paused
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import NotSupportedError, StreamClosed, UnknownInterruptError


class Asked(OpenQuestion):
    """A question that keeps what happens to it."""

    def __init__(
        self,
        id: str,  # noqa: A002
        stop: Optional[CancelToken] = None,
        check: Optional[Callable[[object], object]] = None,
        namespace: Any = (),
    ) -> None:
        self.events: List[Any] = []
        super().__init__(
            Paused(id, f"{id}?", namespace=namespace),
            stop or CancelToken(),
            check,
            lambda value: self.events.append(value),
            lambda: self.events.append("stored"),
            lambda: self.events.append("settled"),
        )


def shown(live: LiveQuestions, *asked: Asked) -> None:
    for one in asked:
        live.add(one)
        live.show(one, lambda: None)


def test_it_is_recorded_settled_and_given_in_this_order() -> None:
    live, asked = LiveQuestions(), Asked("a")
    shown(live, asked)
    assert [about.id for about in live.paused] == ["a"]
    seen: List[Any] = []
    asked.answer.add_done_callback(lambda answer: seen.extend([*asked.events, answer.result()]))
    live.answer("a", 1)
    assert seen == [1, "settled", 1]
    assert live.wait(asked) == 1
    assert live.was_answered("a")
    assert (live.paused, asked.events) == ([], [1, "settled"])


def test_it_may_be_answered_before_it_is_shown() -> None:
    """It is stored at once, and settled after it was shown, by whoever shows it."""
    live, asked = LiveQuestions(), Asked("a")
    live.add(asked)
    live.show(asked, lambda: live.answer("a", 1))
    assert asked.events == [1, "stored", "settled"]


def test_it_is_withdrawn_if_it_cannot_be_shown() -> None:
    live, asked = LiveQuestions(), Asked("a")
    live.add(asked)

    def refused() -> None:
        raise StreamClosed

    with pytest.raises(StreamClosed):
        live.show(asked, refused)
    assert live.paused == []
    assert asked.events == ["settled"]
    with pytest.raises(UnknownInterruptError):
        live.answer("a", 1)


def test_an_answer_that_does_not_fit_leaves_it_open() -> None:
    def check(answer: object) -> None:
        if answer != "yes":
            raise ValueError("no")

    live, asked = LiveQuestions(), Asked("a", check=check)
    shown(live, asked)
    with pytest.raises(ValueError, match="no"):
        live.answer("a", "no")
    assert [about.id for about in live.paused] == ["a"]
    live.answer("a", "yes")
    assert live.wait(asked) == "yes"


@pytest.mark.parametrize("how", ["stop", "close", "end", "below"])
def test_who_waits_is_woken_without_an_answer(how: str) -> None:
    """In a thread by `StreamClosed`, on a loop by a cancellation; also who waits for several with `wait`."""
    live, stop = LiveQuestions(), CancelToken()
    threaded, awaited, joined = (Asked(name, stop, namespace=("node:1",)) for name in "abc")
    shown(live, threaded, awaited, joined)
    ended: List[str] = []

    def in_thread() -> None:
        with pytest.raises(StreamClosed):
            live.wait(threaded)
        ended.append("thread")

    async def on_loop() -> None:
        with pytest.raises(asyncio.CancelledError):
            await live.awaited(awaited)
        ended.append("loop")

    def join() -> None:
        wait([joined.answer])
        ended.append("join")

    threads = [threading.Thread(target=work) for work in (in_thread, lambda: asyncio.run(on_loop()), join)]
    for thread in threads:
        thread.start()
    {
        "stop": stop.set,
        "close": live.close,
        "end": lambda: [live.end(one) for one in (threaded, awaited, joined)],
        "below": lambda: live.end_below(("node:1",)),
    }[how]()
    for thread in threads:
        thread.join(10)
    assert sorted(ended) == ["join", "loop", "thread"]
    assert all(one.answer.cancelled() for one in (threaded, awaited, joined))


def test_only_what_a_task_has_left_behind_is_withdrawn() -> None:
    live, inside, beside = LiveQuestions(), Asked("a", namespace=("x:1", "y:2")), Asked("b", namespace=("x:2",))
    shown(live, inside, beside)
    live.end_below(("x:1",))
    assert [about.id for about in live.paused] == ["b"]


def test_a_cancelled_await_withdraws_it() -> None:
    live, asked = LiveQuestions(), Asked("a")
    shown(live, asked)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(live.awaited(asked), 0.01)

    asyncio.run(main())
    assert (live.paused, asked.events) == ([], ["settled"])


def test_a_stream_that_is_over_takes_no_questions() -> None:
    live, stop = LiveQuestions(), CancelToken()
    live.close()
    with pytest.raises(StreamClosed):
        live.add(Asked("a", stop))
    stop.set()
    with pytest.raises(UnknownInterruptError, match=r"over.*Command\(resume"):
        live.answer("a", 1)


def test_errors_name_what_is_open() -> None:
    live = LiveQuestions()
    shown(live, Asked("first"), Asked("second"))
    with pytest.raises(UnknownInterruptError, match="did you mean 'second'") as caught:
        live.answer("secand", 1)
    assert caught.value.pending_ids == ("first", "second")
    assert caught.value.interrupt_ids == ("secand",)
    live.answer("first", 1)
    with pytest.raises(UnknownInterruptError, match="answered already"):
        live.answer("first", 2)
    with pytest.raises(NotSupportedError, match='interrupts="live"'):
        answer_live(None, "first", 1)
