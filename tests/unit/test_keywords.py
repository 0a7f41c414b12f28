"""Deprecated keywords and homes: they work, under a warning that names the new one and the user's line."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from typing import List

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from typing_extensions import TypedDict

from streamgraph import START, StateGraph, types
from streamgraph.errors import UnknownKeywordError
from streamgraph.func import entrypoint, task
from streamgraph.prebuilt import create_react_agent
from streamgraph.prebuilt.chat_agent_executor import create_tool_calling_executor
from streamgraph.types import Interrupt, RetryPolicy
from streamgraph.warnings import LangGraphDeprecatedSinceV05, LangGraphDeprecatedSinceV10


class Wide(TypedDict, total=False):
    """A state."""

    x: int
    y: int


class Narrow(TypedDict):
    """A part of it."""

    y: int


class Context(TypedDict):
    """A context."""

    user: str


def warned(category, old, new, function, *args, **kwargs):
    """Call a function that warns of one argument, at the line of the caller."""
    with pytest.warns(category) as caught:
        result = function(*args, **kwargs)
    (warning,) = caught
    assert str(warning.message).startswith(f"`{old}` is deprecated and will be removed. Please use `{new}` instead.")
    assert warning.filename == __file__
    assert warning.category is category
    return result


def test_schemas_of_a_graph():
    """`input`, `output` and `config_schema` are the schemas under their new names."""
    builder = warned(LangGraphDeprecatedSinceV05, "output", "output_schema", StateGraph, Wide, output=Narrow)
    builder.add_node("a", lambda state: {"x": 1, "y": 2}).add_edge(START, "a")
    assert builder.compile().invoke({"x": 0}) == {"y": 2}
    assert builder.output_schema is Narrow
    builder = warned(LangGraphDeprecatedSinceV05, "input", "input_schema", StateGraph, Wide, input=Narrow)
    builder.add_node("a", lambda state: {}).add_edge(START, "a")
    assert builder.input_schema is Narrow
    assert builder.compile().get_input_jsonschema()["required"] == ["y"]
    builder = warned(
        LangGraphDeprecatedSinceV10, "config_schema", "context_schema", StateGraph, Wide, config_schema=Context
    )
    assert builder.context_schema is Context


def test_options_of_a_node():
    """`retry` and `input` of `add_node`, positionally named or not."""
    builder, seen = StateGraph(Wide), []
    policy = RetryPolicy(max_attempts=7)
    warned(LangGraphDeprecatedSinceV05, "retry", "retry_policy", builder.add_node, "a", seen.append, retry=policy)
    assert builder.nodes["a"].retry_policy == (policy,)
    warned(LangGraphDeprecatedSinceV05, "input", "input_schema", builder.add_node, "b", seen.append, input=Narrow)
    assert builder.nodes["b"].input_schema is Narrow
    builder.add_edge(START, "b").compile().invoke({"x": 1, "y": 2})
    assert seen == [{"y": 2}]


def test_options_of_workflows():
    """`retry` and `config_schema` of the functional API."""
    policy = RetryPolicy(max_attempts=3, initial_interval=0.001, jitter=False, retry_on=ValueError)
    tries: List[int] = []

    def flaky(topic):
        tries.append(topic)
        if len(tries) % 3:
            raise ValueError("no")
        return topic

    called = warned(LangGraphDeprecatedSinceV05, "retry", "retry_policy", task, flaky, retry=policy)
    flow = warned(LangGraphDeprecatedSinceV05, "retry", "retry_policy", entrypoint, retry=policy)(flaky)
    assert flow.invoke(1) == 1
    assert len(tries) == 3

    @entrypoint()
    def calls(topic):
        return called(topic).result()

    assert calls.invoke(2) == 2
    assert len(tries) == 6
    decorate = warned(LangGraphDeprecatedSinceV10, "config_schema", "context_schema", entrypoint, config_schema=Context)
    assert decorate(flaky).context_schema is Context


def test_options_of_an_agent():
    """`config_schema` of the prebuilt agent; its older name is the same function."""
    assert create_tool_calling_executor is create_react_agent
    model = GenericFakeChatModel(messages=iter([AIMessage("hi")]))
    agent = warned(
        LangGraphDeprecatedSinceV10,
        "config_schema",
        "context_schema",
        create_react_agent,
        model,
        [],
        config_schema=Context,
    )
    assert agent.context_schema is Context
    with pytest.raises(UnknownKeywordError, match="Did you mean 'prompt'"):
        create_react_agent(model, [], promt="x")


@pytest.mark.parametrize("method", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize(("during", "durability"), [(True, "async"), (False, "exit"), (True, None)])
def test_when_a_run_is_saved(method, during, durability):
    """`checkpoint_during` of a run; without a checkpointer it has no effect, as in LangGraph."""
    graph = StateGraph(Wide).add_node("a", lambda state: {"x": 1}).add_edge(START, "a").compile()
    options = {} if durability is None else {"durability": durability}

    async def consumed():
        if method == "ainvoke":
            return await graph.ainvoke({"x": 0}, checkpoint_during=during, **options)
        return [chunk async for chunk in graph.astream({"x": 0}, checkpoint_during=during, **options)]

    def run():
        if method in ("ainvoke", "astream"):
            return asyncio.run(consumed())
        result = getattr(graph, method)({"x": 0}, checkpoint_during=during, **options)
        return list(result) if method == "stream" else result

    if durability is not None:
        with pytest.raises(UnknownKeywordError, match="'durability', and 'checkpoint_during', its deprecated name"):
            run()
        return
    with pytest.warns(LangGraphDeprecatedSinceV10, match="`checkpoint_during` is deprecated") as caught:
        assert run() == ({"x": 1} if "invoke" in method else [{"a": {"x": 1}}])
    assert caught[0].filename == __file__


def test_methods_stay_what_they_are():
    """A coroutine function is one, whatever else it takes."""
    graph = StateGraph(Wide).add_node("a", print).add_edge(START, "a").compile()
    assert inspect.iscoroutinefunction(graph.ainvoke)
    assert not inspect.iscoroutinefunction(graph.astream)


@pytest.mark.parametrize(
    "call",
    [
        lambda: StateGraph(Wide, input=Wide, input_schema=Narrow),
        lambda: StateGraph(Wide).add_node("a", print, retry=RetryPolicy(), retry_policy=RetryPolicy()),
        lambda: task(retry=RetryPolicy(), retry_policy=RetryPolicy()),
    ],
)
def test_both_names_at_once(call):
    """Which one would count, nobody could tell."""
    with pytest.raises(UnknownKeywordError, match="its deprecated name.* Leave (input|retry)= out"):
        call()


def test_unknown_names_stay_unknown():
    """An old name elsewhere is an unknown one."""
    with pytest.raises(UnknownKeywordError, match="no argument 'output'"):
        StateGraph(Wide).add_node("a", print, output=Narrow)


@pytest.mark.parametrize("name", ["Send", "Interrupt"])
def test_moved_types(name):
    """`Send` and `Interrupt` are found at their old home."""
    constants = importlib.import_module("streamgraph.constants")
    with pytest.warns(
        LangGraphDeprecatedSinceV10, match=f"Please use 'from streamgraph.types import {name}'"
    ) as caught:
        found = getattr(constants, name)
    assert found is getattr(types, name)
    assert caught[0].filename == __file__


def test_moved_keys():
    """So are the keys that are private now; other names are not there."""
    constants = importlib.import_module("streamgraph.constants")
    with pytest.warns(LangGraphDeprecatedSinceV10, match="private key"):
        assert constants.CONFIG_KEY_SEND == "__pregel_send"
    with pytest.raises(AttributeError, match="nothing"):
        constants.nothing  # noqa: B018
    assert (constants.CONF, constants.TASKS) == ("configurable", "__pregel_tasks")
    assert not hasattr(constants, "dangling")


@pytest.mark.parametrize(("name", "value"), [("ns", ["a", "b"]), ("when", "during"), ("resumable", True)])
def test_old_arguments_of_an_interrupt(name, value):
    """They are taken, and the namespace becomes the id."""
    with pytest.warns(LangGraphDeprecatedSinceV10, match=f"{name}=") as caught:
        one = Interrupt("sure?", **{name: value})
    assert caught[0].filename == __file__
    assert one.id == (Interrupt.from_ns("sure?", "a|b").id if name == "ns" else "placeholder-id")
    with pytest.warns(LangGraphDeprecatedSinceV10, match="Use `id` instead"):
        assert one.interrupt_id == one.id
