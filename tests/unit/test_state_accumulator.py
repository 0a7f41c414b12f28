"""`StateAccumulator`: patches in, the state out."""

from __future__ import annotations

from typing import Any, Dict, List

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgraph.accumulate import PatchError, StateAccumulator
from streamgraph.types import Gap

WHOLE: Dict[str, Any] = {"op": "replace", "path": "", "value": {"a": [1, 2], "b": {"c/d": 1, "~": {"deep": [3]}}}}

values = st.recursive(
    st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("a/~"), inner),
    max_leaves=8,
)
tokens = st.sampled_from(["a", "~1", "~0", "0", "1", "2", "-", ""])
paths = st.lists(tokens, max_size=3).map(lambda steps: "".join(f"/{step}" for step in steps))
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove"]), "path": paths, "value": values}
)


@settings(deadline=None, max_examples=300)
@given(values, st.lists(operations, max_size=6))
def test_as_another_library_does_it(start: Any, patch: List[Any]) -> None:
    """An operation that another library applies gives the same; one that it refuses is refused."""
    state, document = StateAccumulator([[{"op": "replace", "path": "", "value": start}]]), start
    for operation in patch:
        if operation["path"] == "":
            if operation["op"] != "remove":  # not every version of the other library replaces the whole document
                document = operation["value"]
                assert state.add([operation])
            continue
        try:
            document = jsonpatch.apply_patch(document, [operation])
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError):
            with pytest.raises(PatchError):
                state.add([operation])
            assert not state.known
            return
        assert state.add([operation])
        assert state.value == document


def test_an_index_has_no_leading_zero() -> None:
    """So says RFC 6901; the other library refuses it in its newer versions only."""
    state = StateAccumulator([[{"op": "replace", "path": "", "value": [0, 1]}]])
    with pytest.raises(PatchError, match="'01' is no index"):
        state.add([{"op": "add", "path": "/01", "value": 0}])


def test_chunks_and_states_stay_as_they_are() -> None:
    """What is applied changes no earlier chunk and no state that was read, and who changes a state changes none."""
    state = StateAccumulator([[WHOLE]])
    before = repr(WHOLE)
    first = state.value
    state.add([{"op": "add", "path": "/a/-", "value": 3}, {"op": "add", "path": "/b/~0/deep/0", "value": 2}])
    assert repr(WHOLE) == before
    assert first["a"] == [1, 2]
    state.value["a"].clear()
    assert state.value == {"a": [1, 2, 3], "b": {"c/d": 1, "~": {"deep": [2, 3]}}}


def test_a_reader_that_comes_late() -> None:
    """What has no beginning is not known until the whole state comes."""
    state = StateAccumulator()
    assert not state.add([{"op": "add", "path": "/a/-", "value": 3}])
    assert (state.known, state.value) == (False, None)
    assert state.add([WHOLE, {"op": "remove", "path": "/b"}])
    assert state.value == {"a": [1, 2]}
    assert not state.add(Gap(2, {"patches": 2}))
    assert (state.known, state.value) == (False, None)


def test_parts() -> None:
    """Of typed parts, those of other modes and other graphs are left alone, and a gap makes the state unknown."""
    state = StateAccumulator(ns=("inner:1",))
    assert not state.add({"type": "values", "ns": ("inner:1",), "data": {}, "interrupts": ()})
    assert not state.add({"type": "patches", "ns": (), "data": [WHOLE]})
    assert state.add({"type": "patches", "ns": ["inner:1"], "data": [WHOLE]})
    assert state.known
    state.add({"type": "gap", "ns": (), "data": {"dropped": 1}})
    assert not state.known


@pytest.mark.parametrize("item", [("patches", [WHOLE]), "text", {"a": 1}, [1]])
def test_what_is_no_patch(item: Any) -> None:
    """What is not a patch is refused, with what to do."""
    with pytest.raises(TypeError, match="list of operations"):
        StateAccumulator().add(item)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"op": "replace", "path": "/a/7", "value": 1}, "IndexError"),
        ({"op": "remove", "path": "/c"}, "KeyError"),
        ({"op": "move", "path": "/c", "from": "/a"}, "no operation 'move'"),
        ({"op": "add", "path": "a", "value": 1}, "no JSON pointer"),
        ({"op": "remove", "path": ""}, "cannot be removed"),
        ({"op": "add", "path": "/a/0"}, "value"),
    ],
)
def test_what_does_not_fit(operation: Any, said: str) -> None:
    """An operation that does not fit is refused, and the state is not known any more: it may be half changed."""
    state = StateAccumulator([[WHOLE]])
    with pytest.raises(PatchError, match=said):
        state.add([{"op": "remove", "path": "/b"}, operation])
    assert not state.known
