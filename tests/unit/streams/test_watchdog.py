"""The time of an attempt stands still while a question of it is open."""

from __future__ import annotations

import pytest

from streamgraph._policies import TimeoutPolicy
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.watchdog import Watchdog

POLICIES = [TimeoutPolicy(run_timeout=10), TimeoutPolicy(idle_timeout=10), TimeoutPolicy(first_token_timeout=10)]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def watchdog(policy: TimeoutPolicy, clock: Clock) -> Watchdog:
    return Watchdog("ask", 1, policy, clock, CancelToken())


@pytest.mark.parametrize("policy", POLICIES)
def test_what_was_left_is_left_afterwards(policy: TimeoutPolicy) -> None:
    clock = Clock()
    watch = watchdog(policy, clock)
    clock.now += 4
    watch.pause()
    clock.now += 1000
    assert watch.error() is None
    assert watch.remaining() == 6
    watch.go_on()
    assert watch.remaining() == 6
    clock.now += 5
    assert watch.error() is None
    clock.now += 1
    assert watch.error() is not None


@pytest.mark.parametrize("policy", POLICIES)
def test_of_several_questions_the_last_one_counts(policy: TimeoutPolicy) -> None:
    clock = Clock()
    watch = watchdog(policy, clock)
    watch.pause()
    clock.now += 50
    watch.pause()
    clock.now += 50
    watch.go_on()
    clock.now += 50
    assert watch.error() is None
    watch.go_on()
    assert watch.remaining() == 10


def test_who_waits_looks_again_soon_if_little_is_left() -> None:
    """It does not ask again and again while the time stands still."""
    clock = Clock()
    watch = watchdog(POLICIES[0], clock)
    clock.now += 10
    watch.pause()
    remaining = watch.remaining()
    assert remaining is not None
    assert remaining > 0


def test_activity_beside_a_question_is_not_in_the_future() -> None:
    clock = Clock()
    watch = watchdog(POLICIES[1], clock)
    watch.pause()
    clock.now += 30
    watch.activity(is_token=False)
    watch.go_on()
    assert watch.remaining() == 10
