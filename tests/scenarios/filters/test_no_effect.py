"""A filter changes what is shown and nothing else: neither what a run does, nor what counts as shown already."""

from __future__ import annotations

import itertools
from functools import lru_cache
from threading import Event
from typing import Any, Dict, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from scenarios.filters.all_modes_graph import ALL, DRIVERS, GIVEN, USAGE, State, chain, model, scenario
from scenarios.filters.reference import FILTERS, collect
from streamgraph import START, Command, StateGraph
from streamgraph.config import get_stream_writer
from streamgraph.func import task
from streamgraph.graph.message import push_message
from support.parts import normal

GRAPH = scenario()
HIDDEN: List[Dict[str, Any]] = [
    {"exclude_nodes": ["asked"]},
    {"include_nodes": ["around", "after"]},
    {"exclude_tags": "tag"},
    {"include_tags": ["other"]},
    {"exclude_nodes": "a*d", "exclude_tags": "t*"},
]
"""Filters that hide what the model says, but not all of what the nodes `around` and `after` do."""


class Heard(BaseCallbackHandler):
    """A handler that counts what it hears."""

    def __init__(self) -> None:
        self.events: Dict[str, int] = {}
        self.usage: List[Any] = []

    def _count(self, event: str) -> None:
        self.events[event] = self.events.get(event, 0) + 1

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        """A node or a graph starts."""
        self._count(f"start {kwargs.get('name')}")

    def on_chain_end(self, *args: Any, **kwargs: Any) -> None:
        """A node or a graph ends."""
        self._count("end")

    def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        """A tool starts."""
        self._count("tool")

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        """A token."""
        self._count(f"token {token}")

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        """A model call ends."""
        self.usage.append(response.generations[0][0].message.usage_metadata)


def results_of(driver: str, **rules: Any) -> Any:
    """The states of a run, its output, what the user's handlers hear and what its models have used."""
    heard = Heard()
    chunks, output = collect(GRAPH, GIVEN, driver, {"callbacks": [heard]}, stream_mode=ALL, **rules)
    states = [normal(data) for mode, data in chunks if mode == "values"]
    return states, normal(output), heard.events, heard.usage


@lru_cache(maxsize=2)
def unfiltered(driver: str) -> Any:
    """The same without a filter."""
    return results_of(driver)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", FILTERS, ids=str)
def test_run_is_the_same(rules: Dict[str, Any], driver: str) -> None:
    """State, output, usage and what the user's handlers hear are those of a stream without a filter."""
    results = results_of(driver, **rules)
    assert results == unfiltered(driver)
    states, output, events, usage = results
    assert ("AIMessage", "the plan is", None, "[]", repr(USAGE)) in output["messages"]
    assert (len(states), usage) == (4, [USAGE] * 9)
    assert events["tool"] == 4


@pytest.mark.parametrize("driver", DRIVERS)
def test_output_is_that_of_invoke(driver: str) -> None:
    """The output is what `invoke` returns, also if nothing at all is shown."""
    _, output = collect(GRAPH, GIVEN, driver, stream_mode="messages", include_nodes=[])
    assert normal(output) == normal(GRAPH.invoke(GIVEN))


def writes(state: State) -> Any:
    """A node that writes custom data."""
    get_stream_writer()("written")


def tells(state: State) -> Any:
    """A node that asks a model."""
    model("one two", "tag").invoke("q")


@pytest.mark.parametrize("rules", [{}, {"exclude_nodes": "hidden"}, {"exclude_nodes": "hidden", "exclude_tags": "tag"}])
@pytest.mark.parametrize("work", [writes, tells], ids=["writer", "model"])
def test_leaving_ends_what_is_hidden(work: Any, rules: Dict[str, Any]) -> None:
    """A node that is left out is stopped like any other when the consumer leaves: at its next token or writer call."""
    left, over = Event(), Event()
    ended: List[str] = []

    def hidden(state: State) -> None:
        assert left.wait(15)
        try:
            work(state)
        except BaseException as error:
            ended.append(type(error).__name__)
            raise
        finally:
            over.set()

    builder = StateGraph(State)
    for name, node in (("shown", writes), ("hidden", hidden)):
        builder.add_node(name, node)
        builder.add_edge(START, name)
    stream = builder.compile().stream(GIVEN, stream_mode=["messages", "custom"], **rules)
    assert next(stream) == ("custom", "written")
    stream.close()
    left.set()
    assert over.wait(15)
    assert ended == ["StreamClosed"]


# --- exactly once -----------------------------------------------------------------------------------------------

FORMS = {
    "same object": lambda message: {"messages": [message]},
    "copy": lambda message: {"messages": [message.model_copy(deep=True)]},
    "copy with new id": lambda message: {"messages": [message.model_copy(update={"id": "new"})]},
    "its text": lambda message: {"messages": AIMessage(message.content)},
    "for another key": lambda message: {"notes": [message]},
    "command": lambda message: Command(update={"messages": [message], "notes": [message]}),
    "role and text": lambda message: {"messages": [("ai", message.content)]},
}


class Whole(GenericFakeChatModel):
    """A model whose message comes in one piece."""

    disable_streaming: bool = True


def ask_whole(*tags: str) -> Any:
    """A model that does not stream."""
    return Whole(messages=(AIMessage("one two") for _ in itertools.count()), tags=list(tags))


def texts(graph: Any, driver: str, **rules: Any) -> List[str]:
    """The contents of the messages that are shown, but for the empty last chunks of langchain-core."""
    chunks, _ = collect(graph, GIVEN, driver, stream_mode="messages", **rules)
    return [message.content for message, _ in chunks if message.content]


def in_a_graph(runnable: Any) -> Any:
    """Ask a model in a graph of its own."""
    return chain(asked=lambda state: {"messages": [runnable.invoke("q")]}).invoke(GIVEN)["messages"][0]


def in_a_task(runnable: Any) -> Any:
    """Ask a model in a task."""

    @task
    def asked(question: str) -> Any:
        return runnable.invoke(question)

    return asked("q").result()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", HIDDEN, ids=str)
@pytest.mark.parametrize("call", [in_a_graph, in_a_task])
@pytest.mark.parametrize("make", [lambda: model("one two", "tag"), lambda: ask_whole("tag")], ids=["tokens", "whole"])
def test_hidden_is_shown_all_the_same(make: Any, call: Any, rules: Dict[str, Any], driver: str) -> None:
    """A message whose tokens were left out is not shown when a node around returns it, in whatever form."""
    runnable = make()
    for name, form in FORMS.items():
        graph = chain(around=lambda state, form=form: form(call(runnable)))
        assert "".join(texts(graph, driver)) == "one two", name
        assert texts(graph, driver, **rules) == [], name


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", HIDDEN, ids=str)
def test_hidden_in_a_node_before(rules: Dict[str, Any], driver: str) -> None:
    """A message that another node has said unseen is no new one; one that has been changed since is."""

    def after(state: State) -> Any:
        (said,) = state["messages"]
        return {"messages": [said], "notes": [AIMessage("changed", id=said.id)]}

    graph = chain(asked=lambda state: {"messages": [model("one two", "tag").invoke("q")]}, after=after)
    assert texts(graph, driver) == ["one", " ", "two", "changed"]
    assert texts(graph, driver, **rules) == ([] if "include_tags" in rules else ["changed"])


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_message_for_two_keys(driver: str) -> None:
    """A message for two keys is shown for the first one; to leave that out does not show it for the second."""
    message = AIMessage("both", id="b1")
    graph = chain(node=lambda state: {"messages": [message], "notes": [message]})
    assert texts(graph, driver) == ["both"]
    assert texts(graph, driver, exclude_keys="notes") == texts(graph, driver, include_keys=["messages"]) == ["both"]
    assert texts(graph, driver, exclude_keys="messages") == texts(graph, driver, include_keys=["notes"]) == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("key", ["notes", None])
def test_pushed(key: Any, driver: str) -> None:
    """A message that is handed over early counts for its key, or for none; left out or not, it is not shown again."""
    message = AIMessage("pushed", id="p1")

    def node(state: State) -> Any:
        push_message(message, state_key=key)
        return {"messages": [message, HumanMessage("more")]}

    shown = [["pushed"], []] if key is None else [[], ["pushed"]]
    graph = chain(node=node)
    assert texts(graph, driver) == ["pushed", "more"]
    assert texts(graph, driver, exclude_keys=["notes"]) == [*shown[0], "more"]
    assert texts(graph, driver, include_keys="messages") == [*shown[0], "more"]
    assert texts(graph, driver, exclude_keys=["messages"]) == ["pushed"] * (key is None) + shown[1]
    assert texts(graph, driver, exclude_nodes="node") == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_ids_are_those_of_the_state(driver: str) -> None:
    """What is shown has the id that it has in the state, beside what is left out as well."""
    graph = chain(
        first=lambda state: {"messages": [AIMessage("one")], "notes": [AIMessage("two")]},
        second=lambda state: {"notes": [model("thr ee", "tag").invoke("q"), AIMessage("four")]},
    )
    for rules in ({}, {"exclude_keys": "messages"}, {"include_nodes": "second"}, {"exclude_tags": "tag"}):
        chunks, output = collect(graph, GIVEN, driver, stream_mode="messages", **rules)
        stored = {message.id: message.content for key in ("messages", "notes") for message in output[key]}
        assert sorted(stored.values()) == ["four", "one", "thr ee", "two"]
        shown: Dict[Any, str] = {}
        for message, _ in chunks:
            shown[message.id] = shown.get(message.id, "") + message.content
        assert shown.items() <= stored.items()
        assert ("thr ee" in shown.values()) == ("exclude_tags" not in rules)
