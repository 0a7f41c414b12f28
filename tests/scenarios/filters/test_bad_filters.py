"""Names that cannot be meant are refused at the call; and all the ways to give names that can."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from scenarios.filters.all_modes_graph import CONFIG, DRIVERS, GIVEN, State, asks, chain, model
from scenarios.filters.reference import OPTIONS, by_source, collect, kept
from streamgraph import add_messages
from streamgraph import errors as E
from streamgraph.config import get_stream_writer
from streamgraph.func import entrypoint, task
from streamgraph.graph import START, StateGraph
from streamgraph.prebuilt import ToolNode
from support.parts import parts_of

MODES = ["messages", "updates", "custom", "tasks", "values"]
RAN: List[str] = []


def note(state: State) -> Any:
    """A node that makes messages up and leaves a trace."""
    RAN.append("note")
    return {"messages": [AIMessage("said")], "notes": [AIMessage("noted")]}


GRAPH = chain(
    talk=asks(model("ha ha", "joke"), None, "talk"),
    note=note,
    nested=chain(inner_talk=asks(model("inside it", "inner"), None, "inner_talk")),
)


@task
def write(topic: str) -> str:
    """A task that asks a model."""
    get_stream_writer()({"from": "write"})
    return model("ha ha", "joke").invoke(topic).content


@entrypoint()
def essay(topic: str) -> str:
    """A workflow of one task."""
    get_stream_writer()({"from": "essay"})
    return model("in short", "end").invoke(write(topic).result()).content


def parts(graph: Any, driver: str, given: Any = GIVEN, **rules: Any) -> Any:
    """The parts of a run in several modes, for each node."""
    return by_source(unsorted(graph, driver, given, **rules))


def unsorted(graph: Any, driver: str, given: Any = GIVEN, **rules: Any) -> Any:
    """The same in their order."""
    chunks, _ = collect(graph, given, driver, CONFIG, stream_mode=MODES, subgraphs=True, **rules)
    return parts_of(chunks, MODES, True, "v1")


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("rules", "wrong", "right"),
    [
        ({"include_nodes": "tallk"}, "tallk", "talk"),
        ({"include_nodes": ["note", "nesetd"]}, "nesetd", "nested"),
        ({"exclude_nodes": ("Talk",)}, "Talk", "talk"),
        ({"exclude_nodes": {"inner_tak"}}, "inner_tak", "inner_talk"),
        ({"include_nodes": ["talk"], "exclude_nodes": ["notes"]}, "notes", "note"),
        ({"include_keys": "message"}, "message", "messages"),
        ({"exclude_keys": ["notes", "tpoic"]}, "tpoic", "topic"),
        ({"exclude_keys": ["note"]}, "note", "notes"),
    ],
)
def test_misspelt(rules: Dict[str, Any], wrong: str, right: str, driver: str) -> None:
    """A name that is like a known one is refused before anything runs; the error names the option and the right one."""
    RAN.clear()
    option = next(option for option, names in rules.items() if wrong in names)
    with pytest.raises(E.UnknownOptionError) as raised:
        getattr(GRAPH, driver)(GIVEN, stream_mode="messages", **rules)
    assert isinstance(raised.value, ValueError)
    assert (raised.value.name, raised.value.suggestion) == (wrong, right)
    assert str(raised.value) == (
        f"{option} names {wrong!r}, which is not there. Did you mean {right!r}? "
        f"If it is a task, or in a graph that is called inside a node, write {wrong[:-1]}[{wrong[-1]}]."
    )
    assert RAN == []

    pattern = f"{wrong[:-1]}[{wrong[-1]}]"
    getattr(GRAPH, driver)(GIVEN, stream_mode="messages", **{option: pattern})  # as the error advises


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("names", "written"),
    [
        ("zzz", "zz[z]"),
        (["zzz", "yy"], "zz[z]"),
        ("zz*", "z[z]*"),
        ("?", "nam[e]"),
        ("", "nam[e]"),
        (["Z?z"], "Z?[z]"),
    ],
)
def test_nothing_included(names: Any, written: str, driver: str) -> None:
    """Names that fit no node would leave nothing: they are refused, and the error says how they can be meant."""
    RAN.clear()
    with pytest.raises(E.UnknownOptionError, match="^include_nodes fits no node: ") as raised:
        getattr(GRAPH, driver)(GIVEN, stream_mode="messages", include_nodes=names)
    assert str(raised.value).endswith(f"write {written}.")
    assert "'inner_talk'" in str(raised.value)
    assert RAN == []
    assert parts(GRAPH, driver, include_nodes=written) == by_source(
        kept({"include_nodes": written}, unsorted(GRAPH, driver))
    )


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_code_names_is_known(driver: str) -> None:
    """Tasks, and graphs that nodes, tools and tasks call, are known as far as their code names them."""
    deep = chain(deep_in=lambda state: {})
    shallow = chain(shallow_in=lambda state: {})

    @task
    def called(state: Any) -> Any:
        return deep.invoke(state)

    @tool
    def look(topic: str) -> str:
        """Look something up."""
        return str(shallow.invoke({"topic": topic}))

    def node(state: Any) -> Any:
        called(state).result()
        shallow.invoke(state)

    def fails(state: Any) -> Any:
        return {}

    builder = StateGraph(State).add_node(node).add_node("tools", ToolNode([look])).add_edge(START, "node")
    graph = builder.add_node(fails, error_handler=lambda state, error: {}).compile()

    @entrypoint()
    def workflow(topic: str) -> Any:
        return called({"topic": topic}).result()

    for streamed, names in ((graph, ["called", "deep_in", "shallow_in"]), (workflow, ["called", "deep_in"])):
        given = GIVEN if streamed is graph else "cats"
        for name in names:
            getattr(streamed, driver)(given, include_nodes=name)
        with pytest.raises(E.UnknownOptionError):
            getattr(streamed, driver)(given, include_nodes="zzz")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("wrong", [5, None, b"talk", ["talk"], True, 1.5], ids=repr)
def test_no_name_in_a_list(option: str, wrong: Any, driver: str) -> None:
    """In a list of names everything has to be a name."""
    with pytest.raises(E.UnknownOptionError) as raised:
        getattr(GRAPH, driver)(GIVEN, **{option: ["zzz", wrong]})
    assert str(raised.value).startswith(f"{option} takes names, got {wrong!r} of type {type(wrong).__name__}.")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wrong", [5, True, False, object, b"talk"], ids=repr)
def test_no_names(wrong: Any, driver: str) -> None:
    """What is neither a name nor several is refused likewise, as the value that was given."""
    for option in OPTIONS:
        with pytest.raises(E.UnknownOptionError) as raised:
            getattr(GRAPH, driver)(GIVEN, **{option: wrong})
        assert option in str(raised.value)
        assert repr(wrong) in str(raised.value)


@pytest.mark.parametrize("name", ["stream", "astream", "invoke", "ainvoke"])
@pytest.mark.parametrize(("wrong", "right"), [("include_node", "include_nodes"), ("exclude_tag", "exclude_tags")])
def test_keywords(name: str, wrong: str, right: str) -> None:
    """The options themselves can be misspelt, too; a call that waits for the output has none of them."""
    with pytest.raises(E.UnknownKeywordError) as raised:
        made = getattr(GRAPH, name)(GIVEN, **{wrong: "talk"})
        asyncio.run(made)
    assert repr(wrong) in str(raised.value)
    assert (repr(right) in str(raised.value)) == ("stream" in name)


@pytest.mark.parametrize("driver", DRIVERS)
def test_nothing_half_done(driver: str) -> None:
    """After a refused call the graph runs as before, also with a filter."""
    before = parts(GRAPH, driver)
    for rules in ({"include_nodes": ["talk", "tallk"]}, {"include_nodes": ["talk"], "exclude_keys": [5]}):
        with pytest.raises(E.UnknownOptionError):
            getattr(GRAPH, driver)(GIVEN, **rules)
    assert parts(GRAPH, driver) == before
    assert parts(GRAPH, driver, exclude_nodes="zzz") == before


# --- what is accepted -------------------------------------------------------------------------------------------

NOT_KNOWN: List[Dict[str, Any]] = [
    {"include_nodes": ["zz[z]"]},
    {"include_nodes": ["zzz", "talk"]},
    {"exclude_nodes": ["zzz", "nested"]},
    {"include_nodes": ["tal[k]", "nott?", "nest"[:2] + "*"]},
    {"exclude_nodes": "tallk*"},
    {"exclude_nodes": "?alk"},
    {"exclude_nodes": "TALK*"},
    {"include_tags": ["jok", "inner"]},
    {"exclude_tags": ["Joke", "iner"]},
    {"include_keys": ["zzz", "me*"]},
    {"exclude_nodes": [""], "exclude_tags": ""},
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", NOT_KNOWN, ids=str)
def test_names_that_may_be_somewhere(rules: Dict[str, Any], driver: str) -> None:
    """Names like no other, patterns and tags are taken as they are; case counts."""
    assert parts(GRAPH, driver, **rules) == by_source(kept(rules, unsorted(GRAPH, driver)))


class Inner(TypedDict, total=False):
    """The state of a nested graph, with keys of its own."""

    topic: str
    note: Annotated[list, add_messages]


@pytest.mark.parametrize("driver", DRIVERS)
def test_keys_of_nested_graphs_are_known(driver: str) -> None:
    """Like a node's name, a key of a nested graph is a right name, however like one of the outer keys it is."""
    inner = chain(Inner, scribble=lambda state: {"note": [AIMessage("scribbled")]})
    graph = chain(inner=inner, note=note)
    for rules, expected in (
        ({}, ["scribbled", "said", "noted"]),
        ({"include_keys": ["note"]}, ["scribbled"]),
        ({"exclude_keys": "note"}, ["said", "noted"]),
    ):
        chunks, _ = collect(graph, GIVEN, driver, stream_mode="messages", **rules)
        assert [message.content for message, _ in chunks] == expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_workflows_in_nodes_are_known(driver: str) -> None:
    """The function of a workflow that is a node is a node by its own name, however like another one that is."""

    @entrypoint()
    def note_it(state: Any) -> Any:
        get_stream_writer()("noted")
        return {"answer": "noted"}

    graph = chain(node_it=note_it)
    chunks, _ = collect(graph, GIVEN, driver, stream_mode="custom", include_nodes="note_it")
    assert chunks == ["noted"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_empty_lists(driver: str) -> None:
    """To include nothing leaves but the state; to exclude nothing leaves everything; `None` is no rule."""
    everything = parts(GRAPH, driver)
    for empty in ([], (), set(), frozenset(), {}, iter(())):
        assert {mode for found in parts(GRAPH, driver, include_nodes=empty).values() for mode, *_ in found} == {
            "values"
        }
        assert parts(GRAPH, driver, exclude_nodes=empty, exclude_tags=empty, exclude_keys=empty) == everything
    assert parts(GRAPH, driver, **dict.fromkeys(OPTIONS)) == everything
    for option in ("include_tags", "include_keys"):
        messages = [part.data[0].content for part in unsorted(GRAPH, driver, **{option: []}) if part.mode == "messages"]
        assert ("".join(messages) == "ha hainside it") if option == "include_keys" else messages == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("option", OPTIONS)
def test_one_name(option: str, driver: str) -> None:
    """A string is one name, and any collection or iterator of names will do."""
    name = {"nodes": "talk", "tags": "joke", "keys": "notes"}[option.partition("_")[2]]
    expected = parts(GRAPH, driver, **{option: [name]})
    assert expected != parts(GRAPH, driver)
    for names in (name, (name,), {name}, frozenset((name,)), {name: 1}, iter([name])):
        assert parts(GRAPH, driver, **{option: names}) == expected


def test_a_list_that_changes_later() -> None:
    """The names are those at the call."""
    names = ["talk"]
    stream = GRAPH.stream(GIVEN, stream_mode="updates", include_nodes=names)
    names[:] = ["note"]
    assert [next(iter(update)) for update in stream] == ["talk"]


# --- workflows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "rules",
    [
        {"include_nodes": "write"},
        {"include_nodes": ["essay"]},
        {"exclude_nodes": ["write"]},
        {"exclude_nodes": "e*"},
        {"include_nodes": []},
        {"include_tags": "joke"},
        {"exclude_tags": ["joke"], "exclude_nodes": "zzz"},
        {"include_keys": ["zzz"]},
    ],
    ids=str,
)
def test_workflow(rules: Dict[str, Any], driver: str) -> None:
    """In a workflow, its function and its tasks are nodes."""
    everything = unsorted(essay, driver, "cats")
    assert by_source(kept(rules, everything)) == parts(essay, driver, "cats", **rules)


@pytest.mark.parametrize("driver", DRIVERS)
def test_misspelt_workflow(driver: str) -> None:
    """Of a workflow the name of its function is known."""
    with pytest.raises(E.UnknownOptionError, match=r"include_nodes names 'esay', .* Did you mean 'essay'\?"):
        getattr(essay, driver)("cats", include_nodes=["write", "esay"])


@pytest.mark.parametrize("driver", DRIVERS)
def test_messages_of_tasks_have_no_key(driver: str) -> None:
    """What a task or a workflow returns is written to no key of a state: rules for keys say nothing about it."""

    @task
    def make(text: str) -> Any:
        return AIMessage(text)

    @entrypoint()
    def made(text: str) -> Any:
        return [make("one").result(), AIMessage("two")]

    graph = chain(node=lambda state: {"messages": [make("one").result(), AIMessage("two")]})
    for rules in ({}, {"include_keys": ["zzz"]}, {"include_keys": []}, {"exclude_keys": ["*"]}):
        chunks, _ = collect(made, "cats", driver, stream_mode="messages", **rules)
        assert [message.content for message, _ in chunks] == ["one", "two"], rules
        chunks, _ = collect(graph, GIVEN, driver, stream_mode="messages", **rules)
        assert [message.content for message, _ in chunks] == (["one"] if rules else ["one", "two"]), rules
