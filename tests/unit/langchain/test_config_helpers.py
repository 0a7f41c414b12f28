"""Helpers for configs: defaults, merging, patches; nothing that is given is changed."""

from __future__ import annotations

import copy

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager

from streamgraph import START, StateGraph
from streamgraph._langchain.config_helpers import ensure_config, merge_configs, patch_config, patch_configurable
from streamgraph._langchain.run_config import DEFAULT_RECURSION_LIMIT
from streamgraph.utils import config as public


class Handler(BaseCallbackHandler):
    """A handler."""


ONE, TWO = Handler(), Handler()


def test_defaults():
    """Every key is there."""
    assert (
        ensure_config()
        == ensure_config(None, None, {})
        == {
            "tags": [],
            "metadata": {},
            "callbacks": None,
            "recursion_limit": DEFAULT_RECURSION_LIMIT,
            "configurable": {},
        }
    )
    assert merge_configs() == merge_configs(None) == {"configurable": {}}


@pytest.mark.parametrize("merge", [ensure_config, merge_configs])
def test_merging(merge):
    """Tags are added, mappings merged, later values count, and nothing given is changed."""
    one = {
        "tags": ["a"],
        "metadata": {"m": 1, "n": 1, "lc_versions": {"x": "1"}},
        "configurable": {"c": 1, "d": 1},
        "callbacks": [ONE],
        "recursion_limit": 5,
        "run_name": "one",
    }
    two = {
        "tags": ["b"],
        "metadata": {"m": 2, "lc_versions": {"y": "2"}},
        "configurable": {"c": 2},
        "callbacks": [TWO],
        "recursion_limit": DEFAULT_RECURSION_LIMIT,
        "max_concurrency": 3,
        "run_name": "",
    }
    before = copy.deepcopy({key: value for key, value in one.items() if key != "callbacks"})
    merged = merge(one, two)
    assert merged["tags"] == ["a", "b"]
    assert merged["metadata"] == {"m": 2, "n": 1, "lc_versions": {"x": "1", "y": "2"}}
    assert merged["configurable"] == {"c": 2, "d": 1}
    assert merged["callbacks"] == [ONE, TWO]
    assert merged["recursion_limit"] == 5
    assert merged["max_concurrency"] == 3
    assert {key: value for key, value in one.items() if key != "callbacks"} == before
    assert one["callbacks"] == [ONE]
    merged["metadata"]["lc_versions"]["z"] = "3"
    assert "z" not in one["metadata"]["lc_versions"]


def test_a_limit_that_was_set_counts():
    """Also if it is the default's number; the default of another config does not replace it."""
    limit = int(DEFAULT_RECURSION_LIMIT)
    assert (
        type(merge_configs({"recursion_limit": limit}, {"recursion_limit": DEFAULT_RECURSION_LIMIT})["recursion_limit"])
        is int
    )
    assert ensure_config({"recursion_limit": 7}, ensure_config())["recursion_limit"] == 7


def test_managers_are_merged():
    """A manager takes the handlers of a list, and stays as it was."""
    manager = CallbackManager([], inheritable_handlers=[])
    merged = merge_configs({"callbacks": manager}, {"callbacks": [ONE]})["callbacks"]
    assert ONE in merged.handlers
    assert manager.handlers == []


def test_unknown_keys_go_to_configurable():
    """As everywhere in LangChain."""
    assert ensure_config({"user": 1})["configurable"] == {"user": 1}


def test_ids_are_shown():
    """The ids of `configurable` are in the metadata, other entries are not."""
    made = ensure_config({"configurable": {"thread_id": "1", "secret": "s"}, "metadata": {"run_id": "own"}})
    assert made["metadata"] == {"thread_id": "1", "run_id": "own"}


def run_in_node(function):
    """Call a function in a node of a run with a config."""
    seen = []
    graph = StateGraph(dict).add_node("a", lambda state: seen.append(function()) or {}).add_edge(START, "a").compile()
    graph.invoke({}, {"tags": ["t"], "configurable": {"user": 1, "thread_id": "outer"}, "metadata": {"m": 1}})
    return seen[0]


def test_the_running_config_is_inherited():
    """Tags are not doubled by a config that has them from there."""
    made = run_in_node(lambda: ensure_config({"tags": ["t", "u"]}))
    assert made["tags"] == ["t", "u"]
    assert made["configurable"]["user"] == 1
    assert made["metadata"]["m"] == 1


def test_another_thread_inherits_no_configurable():
    """Who says where a run is saved does not mean the place of the run around it."""
    made = run_in_node(lambda: ensure_config({"configurable": {"thread_id": "own"}}))
    assert made["configurable"] == {"thread_id": "own"}


def test_patches():
    """A patch is a copy; other callbacks have another run's name and id no more."""
    config = {"run_name": "r", "run_id": "i", "configurable": {"a": 1}, "tags": ["t"]}
    patched = patch_config(config, callbacks=[ONE], recursion_limit=3, max_concurrency=2, configurable={"b": 2})
    assert patched == {
        "tags": ["t"],
        "callbacks": [ONE],
        "recursion_limit": 3,
        "max_concurrency": 2,
        "configurable": {"a": 1, "b": 2},
    }
    assert config["run_name"] == "r"
    assert patch_config(None, run_name="x") == {"run_name": "x"}
    assert patch_configurable(None, {"a": 1}) == {"configurable": {"a": 1}}
    assert patch_configurable({"tags": []}, {"a": 1}) == {"tags": [], "configurable": {"a": 1}}
    assert patch_configurable(config, {"a": 2})["configurable"] == {"a": 2}
    assert config["configurable"] == {"a": 1}


def test_public_place():
    """Libraries find them under `utils`."""
    assert public.ensure_config is ensure_config
    assert public.patch_configurable is patch_configurable
