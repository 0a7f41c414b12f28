"""A filtered stream is the unfiltered one without what a consumer would have dropped in the loop."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.filters.all_modes_graph import ALL, CONFIG, DRIVERS, GIVEN, NODES, TAGS, scenario
from scenarios.filters.reference import FILTERS, OPTIONS, by_source, collect, kept, sources_of, wanted
from support.parts import Part, normal, parts_of

MODES: List[Any] = ["messages", tuple(ALL)]
SUBGRAPHS = (None, True, False)
GRAPH = scenario()


def run(driver: str, modes: Any, subgraphs: Any, version: str, **rules: Any) -> Tuple[List[Part], Any]:
    """The parts of a run and its output."""
    options = {"stream_mode": modes, "subgraphs": subgraphs, "version": version}
    chunks, output = collect(GRAPH, GIVEN, driver, CONFIG, **options, **rules)
    return parts_of(chunks, modes, subgraphs, version), normal(output)


@lru_cache(maxsize=64)
def unfiltered(driver: str, modes: Any, subgraphs: Any, version: str) -> Tuple[List[Part], Any]:
    """The same without a filter."""
    return run(driver, modes, subgraphs, version)


@pytest.mark.parametrize("subgraphs", SUBGRAPHS)
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", FILTERS, ids=str)
def test_same_as_loop(rules: Dict[str, Any], driver: str, subgraphs: Any) -> None:
    """In every mode and version, for each node: the same parts in the same order, and the same output."""
    for modes in MODES:
        for version in ("v1", "v2"):
            everything, expected = unfiltered(driver, modes, subgraphs, version)
            parts, output = run(driver, modes, subgraphs, version, **rules)
            assert by_source(parts) == by_source(kept(rules, everything)), (modes, version)
            assert output == expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_scenario_has_everything(driver: str) -> None:
    """Every node shows up in every mode that it has something for, so that leaving it out can be seen."""
    parts, _ = unfiltered(driver, tuple(ALL), True, "v1")
    found = {(part.mode, source) for part, source in zip(parts, sources_of(parts))}

    assert {source for _, source in found} == {"", *NODES}
    for mode in ("updates", "tasks", "debug"):
        assert {source for found_mode, source in found if found_mode == mode} == set(NODES)
    silent = {"nested", "caller", "called_deep", "tasker"}
    assert {source for mode, source in found if mode == "messages"} == set(NODES) - silent
    assert {source for mode, source in found if mode == "custom"} == set(NODES) - {"nested", "inner_note", "end"}
    assert {source for mode, source in found if mode == "tools"} == {"look", "fetch", "called_deep"}
    tags = {tag for part in parts if part.mode == "messages" for tag in part.data[1]["tags"]}
    assert tags == set(TAGS)


@pytest.mark.parametrize("rules", FILTERS, ids=str)
def test_reference_is_no_rubber_stamp(rules: Dict[str, Any]) -> None:
    """Each filter leaves something out of the scenario, and all but one let something through."""
    parts, _ = unfiltered("stream", tuple(ALL), True, "v1")
    left = [wanted(rules, part, source) for part, source in zip(parts, sources_of(parts)) if part.mode != "values"]
    assert any(left) is (rules != {"include_nodes": []})
    assert not all(left)


PATTERNS = {
    "nodes": [*NODES, "*", "?al*", "*_talk", "[a-m]*", "[!n]*", "nothing like it"],
    "tags": [*TAGS, "*", "p*", "?oke", "never"],
    "keys": ["messages", "notes", "*", "m*", "zzz"],
}


def rules_of() -> Any:
    """Filters of any of the options, with names that exist and others."""
    options = {}
    for option in OPTIONS:
        names = st.sampled_from(PATTERNS[option.partition("_")[2]])
        options[option] = st.one_of(st.none(), names, st.lists(names, max_size=4), st.sets(names, max_size=2))
    return st.fixed_dictionaries({}, optional=options)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    rules=rules_of(),
    driver=st.sampled_from(DRIVERS),
    modes=st.sampled_from([tuple(ALL), ("messages", "tasks"), ("values", "custom"), "updates", "tools", "debug"]),
    subgraphs=st.sampled_from(SUBGRAPHS),
)
def test_any_filter(rules: Dict[str, Any], driver: str, modes: Any, subgraphs: Any) -> None:
    """Whatever the rules are, they mean the same at the source and in the loop."""
    everything, expected = unfiltered(driver, modes, subgraphs, "v1")
    parts, output = run(driver, modes, subgraphs, "v1", **rules)
    assert by_source(parts) == by_source(kept(rules, everything))
    assert output == expected
