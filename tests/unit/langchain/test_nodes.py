"""Anything that can be a node, as an action: sync, async, or both."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnableParallel, RunnablePassthrough

from streamgraph import START, StateGraph
from streamgraph._langchain.injection import injected_names
from streamgraph._langchain.nodes import as_action, is_node_like, name_of, runs_inline, takes_no_input
from support.list_graphs import State
from support.models import scripted


def sync(state):
    return state


async def asyn(state):
    return state


def generator(state):
    yield state


async def agenerator(state):
    yield state


class Calls:
    def __call__(self, state):
        return state

    async def method(self, state):
        return state


class Awaits:
    async def __call__(self, state):
        return state


class Both:
    def __call__(self, state):
        yield state


async_only = RunnableLambda(asyn)
both = RunnableLambda(sync, afunc=asyn)
transform = RunnableGenerator(agenerator)


@pytest.mark.parametrize(
    ("target", "can"),
    [
        (sync, (True, False)),
        (asyn, (False, True)),
        (generator, (True, False)),
        (agenerator, (False, True)),
        (Calls(), (True, False)),
        (Calls().method, (False, True)),
        (Awaits(), (False, True)),
        (Both(), (True, False)),
        (functools.partial(sync), (True, False)),
        (functools.partial(functools.partial(asyn)), (False, True)),
        (functools.partial(agenerator), (False, True)),
        (RunnableLambda(sync), (True, True)),
        (async_only, (False, True)),
        (both, (True, True)),
        (async_only | sync, (False, True)),
        (RunnableLambda(sync) | {"a": async_only}, (False, True)),
        (RunnableParallel(a=sync, b=async_only), (False, True)),
        ({"a": sync, "b": RunnableLambda(sync)}, (True, True)),
        ({"a": async_only}, (False, True)),
        (async_only.with_config(tags=["t"]).with_retry(), (False, True)),
        (RunnablePassthrough() | sync, (True, True)),
        (transform, (False, True)),
        (scripted(), (True, True)),
        (len, (True, False)),
    ],
)
def test_actions(target, can):
    """A target that can only be awaited says so, however deep in a chain the part is that cannot be called."""
    action = as_action(target)
    assert (action.sync is not None, action.asyn is not None) == can


@pytest.mark.parametrize("target", [async_only.with_fallbacks([both]), RunnablePassthrough.assign(a=async_only)])
def test_async_parts_of_other_runnables(target):
    """Fallbacks and `assign` may hold what can only be awaited as well."""
    assert as_action(target).sync is None


@pytest.mark.parametrize(
    ("target", "fits"),
    [
        (sync, True),
        (Calls(), True),
        (both, True),
        ({"a": sync, "b": {"c": both}}, True),
        ({}, False),
        ({"a": 5}, False),
        ({"a": {}}, False),
        (5, False),
        ("sync", False),
        (None, False),
        ([sync], False),
    ],
)
def test_node_like(target, fits):
    """What can be a node and what cannot."""
    assert is_node_like(target) is fits


@pytest.mark.parametrize(
    ("target", "none"),
    [
        (lambda: 1, True),
        (lambda *, config: 1, True),
        (lambda **kwargs: 1, True),
        (functools.partial(sync, 1), True),
        (lambda *args: 1, False),
        (sync, False),
        (Calls(), False),
        (both, False),
        (len, False),
        (dict, False),
        ({"a": sync}, False),
    ],
)
def test_takes_no_input(target, none):
    """A function that could not be given the state is told from one that can."""
    assert takes_no_input(target) is none


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (sync, "sync"),
        (lambda state: state, "<lambda>"),
        (functools.partial(sync), "sync"),
        (functools.partial(Calls()), "Calls"),
        (Calls(), "Calls"),
        (Calls().method, "method"),
        (both, "sync"),
        (async_only, "asyn"),
        (scripted(), "ScriptedModel"),
        (StateGraph(State).add_node(sync).set_entry_point("sync").compile(name="inner"), "inner"),
        ({"a": sync}, None),
    ],
)
def test_names(target, name):
    """A node takes the name of what it is."""
    assert name_of(target) == name


class Injected:
    def method(self, state, writer, *, config=None):
        return state

    def __call__(self, state, runtime):
        return state


def many(state, config, writer, runtime, store, previous, other=1):
    return state


def positional_only(state, writer, /, config):
    return state


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (sync, ()),
        (many, ("config", "writer", "runtime", "store", "previous")),
        (positional_only, ("config",)),
        (lambda config, writer: 1, ("writer",)),
        (lambda state, *config, **writer: 1, ()),
        (lambda state, *, store: 1, ("store",)),
        (Injected().method, ("writer", "config")),
        (Injected(), ("runtime",)),
        (functools.partial(many, writer=print), ("config", "runtime", "store", "previous")),
        (functools.partial(lambda given, state, config: 1, 5), ("config",)),
        (len, ()),
    ],
)
def test_injected_names(target, names):
    """Parameters after the first are filled in by name, unless they are bound or cannot be given by name."""
    assert injected_names(target) == names


async def _later(value):
    await asyncio.sleep(0)
    return value


def _yields(state):
    yield {"x": ["yielded"]}


LAMBDAS = {
    "plain": RunnableLambda(lambda state: {"x": ["plain"]}),
    "config": RunnableLambda(lambda state, config: {"x": [config["metadata"]["langgraph_node"]]}),
    "runnable": RunnableLambda(lambda state: RunnableLambda(lambda state: {"x": ["inner"]})),
    "manager": RunnableLambda(lambda state, run_manager: {"x": ["manager" in type(run_manager).__name__.lower()]}),
    "generator": RunnableLambda(_yields),
    "async": RunnableLambda(lambda state: _later({"x": ["async"]}), afunc=lambda state: _later({"x": ["async"]})),
    "async config": RunnableLambda(_yields, afunc=lambda state, config: _later({"x": [config["recursion_limit"]]})),
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", LAMBDAS)
def test_runnable_lambdas(name, asynchronous):
    """A RunnableLambda does the same where nobody listens, and it is called directly, as where somebody does."""
    if name.startswith("async") and not asynchronous:
        name = "plain"
    graph = StateGraph(State).add_node("node", LAMBDAS[name]).add_edge(START, "node").compile()

    def run(config):
        return asyncio.run(graph.ainvoke({"x": []}, config)) if asynchronous else graph.invoke({"x": []}, config)

    quiet, heard = run({"recursion_limit": 7}), run({"recursion_limit": 7, "callbacks": [BaseCallbackHandler()]})
    assert quiet == heard
    assert len(quiet["x"]) == 1


def test_runnable_lambdas_are_runs_of_traces():
    """Where somebody listens, a RunnableLambda has a run of its own."""
    names = []

    class Listener(BaseCallbackHandler):
        def on_chain_start(self, serialized, inputs, **kwargs):
            names.append(kwargs.get("name"))

    bound = RunnableLambda(lambda state: {"x": ["a"]}).with_config(run_name="bound")
    builder = StateGraph(State).add_node("node", RunnableLambda(lambda state: {"x": ["a"]}, name="mine"))
    builder.add_node("other", bound).add_edge(START, "node").add_edge("node", "other")
    builder.compile().invoke({"x": []}, {"callbacks": [Listener()]})
    assert names == ["LangGraph", "node", "mine", "other", "bound"]


@pytest.mark.parametrize("inline", [False, True])
def test_functions_that_run_inline(inline):
    """In an async run a sync function has a thread, unless it is known to return at once."""
    threads = []

    def node(state):
        threads.append(threading.current_thread())

    graph = StateGraph(State).add_node("node", runs_inline(node) if inline else node).add_edge(START, "node").compile()
    asyncio.run(graph.ainvoke({"x": []}))
    graph.invoke({"x": []})
    assert [thread is threading.main_thread() for thread in threads] == [inline, True]
