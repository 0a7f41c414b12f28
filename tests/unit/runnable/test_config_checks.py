"""Configs that cannot be meant are refused at the call, before anything runs."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List
from uuid import uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager

from streamgraph.errors import UnknownOptionError
from streamgraph.func import entrypoint
from support.list_graphs import line

RAN: List[Any] = []
GRAPH = line(("node", lambda state: RAN.append(state)))


@entrypoint()
def workflow(given: Any) -> Any:
    """A workflow, whose config is checked as that of a graph."""
    RAN.append(given)
    return given


def calls(config: Any) -> Any:
    """Every way to give a config, each of which has to refuse it at once."""
    for graph in (GRAPH, workflow):
        yield lambda graph=graph: graph.invoke({}, config)
        yield lambda graph=graph: asyncio.run(graph.ainvoke({}, config))
        yield lambda graph=graph: graph.stream({}, config)
        yield lambda graph=graph: graph.astream({}, config)
        yield lambda graph=graph: graph.with_config(config)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "config must be a dict, got [] of type list"),
        ([{"tags": ["a"]}], "config must be a dict"),
        ("tags", "config must be a dict, got 'tags' of type str"),
        ({"recursion_limits": 3}, "has no key 'recursion_limits'. Did you mean 'recursion_limit'?"),
        ({"tag": ["a"]}, "has no key 'tag'. Did you mean 'tags'?"),
        ({"tags": ["a"], "metdata": {}}, "has no key 'metdata'. Did you mean 'metadata'?"),
        ({"callback": []}, "Did you mean 'callbacks'?"),
        ({"configurables": {}}, "Did you mean 'configurable'?"),
        ({"recursion_limit": "5"}, "recursion_limit in the config must be a whole number, got '5' of type str"),
        ({"recursion_limit": 5.0}, "must be a whole number, got 5.0"),
        ({"recursion_limit": True}, "must be a whole number, got True"),
        ({"recursion_limit": 0}, "recursion_limit must be at least 1, got 0"),
        ({"max_concurrency": -1}, "max_concurrency must be at least 1, got -1"),
        ({"max_concurrency": "2"}, "max_concurrency in the config must be a whole number"),
        ({"tags": "joke"}, "tags in the config must be a list of texts, got 'joke' of type str"),
        ({"metadata": ["a"]}, "metadata in the config must be a dict"),
        ({"configurable": "thread"}, "configurable in the config must be a dict"),
        (
            {"callbacks": BaseCallbackHandler()},
            "callbacks in the config must be a list of handlers, or a callback manager",
        ),
        ({"run_name": 3}, "run_name in the config must be a text"),
    ],
)
def test_refused(config: Any, words: str) -> None:
    """The error says what is wrong and what is right, wherever the config is given."""
    RAN.clear()
    for call in calls(config):
        with pytest.raises(UnknownOptionError) as raised:
            call()
        assert words in str(raised.value)
    assert RAN == []


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"tags": None, "metadata": None, "callbacks": None, "recursion_limit": 5, "max_concurrency": None},
        {
            "tags": ("a",),
            "metadata": {"a": 1},
            "configurable": {"thread_id": "1"},
            "run_name": "mine",
            "run_id": uuid4(),
        },
        {"callbacks": CallbackManager([])},
        {"callbacks": [BaseCallbackHandler()]},
        {"thread_id": "1", "user_id": 2, "model_name": "gpt", "timeout": 3},
    ],
)
def test_accepted(config: Dict[str, Any]) -> None:
    """What langchain-core takes is taken; a key of one's own goes to `configurable`, as there."""
    for call in calls(config):
        call()


def test_keywords_of_with_config() -> None:
    """A key can be misspelt as a keyword as well."""
    with pytest.raises(UnknownOptionError, match="Did you mean 'recursion_limit'"):
        GRAPH.with_config(recursion_limits=3)
