"""Channel objects in the state: copied before they are written to, updated with a step's values at once, restorable."""

from __future__ import annotations

import pickle
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgraph._core.channel_objects import NO_VALUE, ChannelTemplate, updated_keys
from streamgraph._core.frontier import Frontier
from streamgraph._core.plan import Channel, StateView
from streamgraph._core.state import State
from streamgraph._locations import location_of
from streamgraph._types import Overwrite
from streamgraph.channels import (
    AnyValue,
    DeltaChannel,
    EphemeralValue,
    LastValueAfterFinish,
    NamedBarrierValue,
    NamedBarrierValueAfterFinish,
    Topic,
)
from streamgraph.channels.base import MISSING, BaseChannel
from streamgraph.errors import EmptyChannelError, InvalidUpdateError
from unit.core.plans import Driver, channels, node, plan, taken_up


class Tally(BaseChannel[List[int], int, List[int]]):
    """A user's channel: it changes its list in place, hands it out, and shares it with its checkpoint."""

    ValueType = UpdateType = list

    def __init__(self, typ: Any = list, key: str = "") -> None:
        super().__init__(typ, key)
        self.items: List[int] = []
        self.rested = 0

    def from_checkpoint(self, checkpoint: Any) -> Tally:
        made = type(self)(self.typ)
        if checkpoint is not MISSING:
            made.items = checkpoint
        return made

    def update(self, values: Any) -> bool:
        if not values:
            self.rested += 1
        if 13 in values:
            raise ValueError("no luck")
        self.items.extend(values)
        return bool(values)

    def get(self) -> List[int]:
        if not self.items:
            raise EmptyChannelError()
        return self.items


def held(**made: Any) -> Dict[str, Channel]:
    """Keys that have channel objects, and a plain key, a list and another plain key around them."""
    keys = {
        key: Channel(key, template=ChannelTemplate(key, item, MISSING, copies=not isinstance(item, Tally), **more))
        for key, (item, more) in {
            key: item if isinstance(item, tuple) else (item, {}) for key, item in made.items()
        }.items()
    }
    return {**channels("p", lists=("l",)), **keys, **channels("q", lists=())}


def state(**made: Any) -> State:
    return State(plan([], keys=held(**made)))


def step(current: State, *writes: Any, **more: Any) -> Any:
    """Fold and store the writes of one step."""
    fresh = current.fold([(f"n{place}", pairs) for place, pairs in enumerate(writes)], **more)
    current.store(fresh)
    return fresh


def test_a_value_for_one_step() -> None:
    """It is there after the step that wrote it, in the order of the schema, and gone after the next."""
    made = state(x=EphemeralValue(int))
    assert made.values == {"l": []}
    fresh = step(made, [("q", 1), ("x", 5), ("p", 2)])
    assert (dict(fresh), updated_keys(fresh)) == ({"q": 1, "x": 5, "p": 2}, {"q", "x", "p"})
    assert list(made.values) == ["l", "p", "x", "q"]
    fresh = step(made, [("p", 3)])
    assert (dict(fresh), fresh.gone, updated_keys(fresh)) == ({"p": 3}, {"x"}, {"p"})
    assert made.values == {"p": 3, "l": [], "q": 1}


def test_folding_changes_nothing() -> None:
    """A branch may look at the state after one task; the step is folded again with all tasks."""
    made = state(x=Topic(int), y=Tally())
    step(made, [("x", 1), ("y", 1)])
    fresh = made.fold([("a", [("y", 2)])])
    assert made.read(StateView(), 1, 9, fresh) == {"l": [], "y": [1, 2]}
    assert made.values == {"l": [], "x": [1], "y": [1]}
    step(made, [("y", 2)], [("y", 3)])
    assert made.values == {"l": [], "y": [1, 2, 3]}


def test_what_was_handed_out_stays() -> None:
    """A user's channel that changes its list in place changes no earlier snapshot, nor what was written."""
    made = state(y=Tally())
    step(made, [("y", 1)])
    before, seen = made.snapshot(), made.read(StateView(), 1, 9)
    step(made, [("y", 2)])
    assert before == seen == {"l": [], "y": [1]}
    before["y"].append(7)
    assert made.values["y"] == [1, 2]

    given = [1]
    made = state(x=EphemeralValue(list))
    step(made, [("x", given)])
    given.append(2)
    made.snapshot()["x"].append(3)
    assert made.values["x"] == [1]


def test_a_failing_step_leaves_the_state() -> None:
    """Also for the channels that had taken their values before another refused."""
    made = state(x=Topic(int), y=Tally())
    step(made, [("x", 1), ("y", 1)])
    with pytest.raises(ValueError, match="no luck") as caught:
        made.fold([("a", [("x", 2)]), ("b", [("y", 13)]), ("c", [("y", 5)])], at=(3, ("outer:1",)))
    assert made.values == {"l": [], "x": [1], "y": [1]}
    assert "In the channel of key 'y', with what nodes 'b', 'c' wrote." in getattr(caught.value, "__notes__", ())
    where = location_of(caught.value)
    assert where is not None
    assert (where.node, where.step, where.namespace) == ("c", 3, ("outer:1",))


def test_two_values_for_a_guarded_channel() -> None:
    made = state(x=EphemeralValue(int))
    with pytest.raises(InvalidUpdateError, match="At key 'x'"):
        made.fold([("a", [("x", 1)]), ("b", [("x", 2)])])


def test_overwriting() -> None:
    """For a channel that holds one of the written values it means that value; another gets it in the form it knows."""
    given: List[Any] = []

    class Taking(Tally):
        def update(self, values: Any) -> bool:
            given.extend(values)
            return False

    made = state(
        x=(EphemeralValue(int), {"holds_one": True}), y=(Taking(), {"overwriting": lambda value: ("all", value)})
    )
    step(made, [("x", Overwrite(5)), ("y", Overwrite([1]))])
    assert (made.values["x"], given) == (5, [("all", [1])])
    step(made, [("x", {"__overwrite__": 6}), ("y", {"__overwrite__": 6})])
    assert (made.values["x"], given[1:]) == (6, [{"__overwrite__": 6}])


def test_a_step_without_writes() -> None:
    """It is told to those that have a value, and not to those that are known to do nothing about it."""
    rested: List[str] = []

    class Resting(AnyValue[int]):
        def update(self, values: Any) -> bool:
            if not values:
                rested.append(self.key)
            return super().update(values)

    made = state(x=Resting(int, "x"), y=Resting(int, "y"), z=(Resting(int, "z"), {"idle": True}))
    step(made, [("x", 1), ("z", 1)])
    step(made, [])
    step(made, [])
    assert rested == ["x"]
    assert made.values == {"l": [], "z": 1}


def test_consuming() -> None:
    """Channels that have started tasks are told before the step's values are written."""
    made = state(x=NamedBarrierValue(str, {"a", "b"}))
    assert updated_keys(step(made, [("x", "a")])) == set()
    assert updated_keys(step(made, [("x", "b")])) == {"x"}
    assert made.values == {"l": [], "x": None}
    fresh = step(made, [("x", "a")], consumed=["x", "p"])
    assert (updated_keys(fresh), made.values) == (set(), {"l": []})
    assert updated_keys(step(made, [("x", "b")])) == {"x"}


def test_finishing() -> None:
    """What a channel holds back until nothing else is due is part of the last step."""
    made = state(x=LastValueAfterFinish(int))
    fresh = step(made, [("x", 1)])
    assert (made.values, updated_keys(fresh), fresh.touches(["x"])) == ({"l": []}, set(), False)
    made.finish(fresh)
    assert (made.values, updated_keys(fresh), fresh.touches(["x"])) == ({"l": [], "x": 1}, {"x"}, True)


def test_what_is_shown() -> None:
    """Values are shown after a step that has written some of the keys asked for and updated some."""
    made = state(x=EphemeralValue(int))
    fresh = step(made, [("x", 1)])
    assert [fresh.touches(keys) for keys in (None, "x", ["x", "p"], "p")] == [True, True, True, False]
    fresh = step(made, [])
    assert [fresh.touches(keys) for keys in (None, "x")] == [False, False]


def test_a_run_returns_what_it_has_shown() -> None:
    """What has been forgotten since the last write is in the output, as in LangGraph, and in no node's input."""
    seen: List[Any] = []
    graph = plan(
        ["a"],
        node("a", "b", action=lambda given: {"x": 5}),
        node("b", "c", action=lambda given: seen.append(given) or {}),
        node("c", action=lambda given: seen.append(given) or {}),
        keys=held(x=EphemeralValue(int)),
    )
    driver = Driver(graph).play([("p", 1)])
    assert seen == [{"p": 1, "l": [], "x": 5}, {"p": 1, "l": []}]
    assert driver.output == {"p": 1, "l": [], "x": 5}
    assert driver.of("values") == [{"p": 1, "l": []}, {"p": 1, "l": [], "x": 5}]
    assert driver.run.state.object_values() == {"x": NO_VALUE}


def test_a_run_goes_on_where_it_was() -> None:
    """From what `saved` returns another run can be made, which is not changed with the first."""
    kinds = {"t": Topic(int, True), "y": Tally(), "e": EphemeralValue(int), "n": NamedBarrierValue(str, {"a", "b"})}
    first = state(**kinds)
    step(first, [("t", 1), ("y", 1), ("n", "a"), ("p", [1])])
    saved = first.saved()
    assert saved == {"l": [], "p": [1], "t": [1], "y": [1], "n": {"a"}}
    second = State(plan([], keys=held(**kinds)), saved)
    step(first, [("t", 2), ("y", 2), ("n", "b")])
    assert second.values == {"p": [1], "l": [], "t": [1], "y": [1]}
    assert second.written
    step(second, [("n", "b")])
    assert second.values["n"] is None
    assert saved == {"l": [], "p": [1], "t": [1], "y": [1], "n": {"a"}}


EVERY = {
    "any": AnyValue(int),
    "ephemeral": EphemeralValue(int, guard=False),
    "finished": LastValueAfterFinish(int),
    "names": NamedBarrierValue(int, {0, 1}),
    "names_finished": NamedBarrierValueAfterFinish(int, {0, 1}),
    "topic": Topic(int),
    "log": Topic(int, accumulate=True),
    "delta": (DeltaChannel(lambda now, writes: [*now, *writes]), {"saves_value": True}),
    "tally": Tally(),
}

written = st.lists(st.tuples(st.sampled_from([*EVERY, "q", "l"]), st.integers(0, 1)), max_size=4)


@given(st.lists(st.tuples(written, st.booleans()), max_size=6))
def test_taken_up_after_any_step(steps: Any) -> None:
    """A state that is made anew from what was saved, in another process, goes on like the one that was kept."""
    kept, left = state(**EVERY), state(**EVERY)
    for writes, ends in steps:
        writes = [(key, [value] if key == "l" else value) for key, value in dict(writes).items()]
        left = State(plan([], keys=held(**EVERY)), pickle.loads(pickle.dumps(left.saved())))
        for made in (kept, left):
            fresh = step(made, writes)
            if ends:
                made.finish(fresh)
        assert left.values == kept.values
        assert left.saved() == kept.saved()


def test_a_resumed_run_returns_its_state() -> None:
    graph = plan(["a"], node("a"), keys=held(x=Topic(int)))
    run = taken_up(graph, {"x": [1], "p": 2}, Frontier(), limit=5)
    assert run.output() == {"p": 2, "x": [1]}
