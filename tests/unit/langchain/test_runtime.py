"""A `Runtime`, in a run and outside of one."""

from __future__ import annotations

import asyncio
import copy
import pickle
from types import SimpleNamespace

import pytest

from streamgraph import START, StateGraph
from streamgraph.runtime import DEFAULT_RUNTIME, BaseUser, ExecutionInfo, RunControl, Runtime, ServerInfo, get_runtime


def test_made_outside_of_a_run():
    """Everything is there, and goes nowhere."""
    runtime = Runtime(context={"user": "me"})
    runtime.stream_writer("lost")
    runtime.heartbeat()
    asyncio.run(runtime.caught_up())
    assert runtime.context == {"user": "me"}
    assert not runtime.stopped
    assert (runtime.drain_requested, runtime.drain_reason) == (False, None)
    assert (runtime.store, runtime.previous, runtime.execution_info, runtime.server_info) == (None,) * 4


def test_equality():
    """Two runtimes with the same attributes are equal, copies and pickles included."""
    one = Runtime(context="c", server_info=ServerInfo("a", "g"))
    assert one == Runtime(context="c", server_info=ServerInfo("a", "g"))
    assert one != Runtime(context="d")
    assert Runtime() == DEFAULT_RUNTIME
    assert hash(Runtime(context="c")) == hash(Runtime(context="c"))
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one


def test_changes():
    """A runtime is changed by copies."""
    info = ExecutionInfo(task_id="1")
    runtime = Runtime(context=1).override(context=2, execution_info=info)
    assert runtime.context == 2
    assert runtime.patch_execution_info(node_attempt=3).execution_info == ExecutionInfo(task_id="1", node_attempt=3)
    assert info.node_attempt == 1
    control = RunControl()
    merged = runtime.merge(Runtime(store="s", control=control))
    assert (merged.context, merged.store, merged.control) == (2, "s", control)
    control.request_drain("late")
    assert (merged.drain_requested, merged.drain_reason) == (True, "late")
    with pytest.raises(RuntimeError, match="no execution_info to change"):
        Runtime().patch_execution_info(node_attempt=3)


def test_in_a_run():
    """The runtime of a node can be merged with one of a user, and goes on writing to the run."""
    seen = []

    def node(state, runtime):
        seen.append(runtime.patch_execution_info(thread_id="t").execution_info.thread_id)
        runtime.merge(Runtime(context=1)).stream_writer("seen")
        seen.append(get_runtime() == runtime)

    graph = StateGraph(dict).add_node(node).add_edge(START, "node").compile()
    assert list(graph.stream({}, stream_mode="custom")) == ["seen"]
    assert seen == ["t", True]


def test_users():
    """A user is whatever has these attributes."""

    class User(dict):
        is_authenticated = True
        display_name = "Me"
        identity = "me"
        permissions = ()

    assert isinstance(User(), BaseUser)
    assert not isinstance(SimpleNamespace(identity="me"), BaseUser)
    assert ServerInfo("a", "g", User()).user.identity == "me"
    assert ServerInfo("a", "g").user is None
