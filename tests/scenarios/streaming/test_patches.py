"""The patches of a stream, applied one after another, make the `values` of each step."""

from __future__ import annotations

import asyncio
import copy
import json
import operator
from decimal import Decimal
from typing import Any, Dict, Iterable, List, Optional

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph._core.patches import SNAPSHOT_EVERY
from streamgraph.accumulate import StateAccumulator
from streamgraph.channels import BinaryOperatorAggregate, EphemeralValue, Topic
from streamgraph.func import entrypoint
from streamgraph.graph import START, StateGraph, add_messages
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from streamgraph.serialization import to_json
from streamgraph.testing import StreamRuleError, check_stream
from streamgraph.types import Command, Overwrite, Send, interrupt

IDS = [f"m{index}" for index in range(4)]
BOTH: Any = ["values", "patches"]


def longest(left: List[Any], right: List[Any]) -> List[Any]:
    """A reducer that is not known to the package."""
    return [*left[-3:], *right]


class Wide(TypedDict, total=False):
    """A state with every kind of key."""

    plain: Any
    added: Annotated[List[Any], operator.add]
    merged: Annotated[Dict[Any, Any], operator.or_]
    messages: Annotated[List[AnyMessage], add_messages]
    other: Annotated[List[Any], longest]
    total: Annotated[int, operator.add]
    topic: Annotated[List[int], Topic(int)]
    kept: Annotated[List[int], Topic(int, accumulate=True)]
    aggregate: Annotated[int, BinaryOperatorAggregate(int, operator.add)]
    brief: Annotated[Any, EphemeralValue(object, guard=False)]


numbers = st.integers(0, 9)
names = st.sampled_from(["a", "b/c", "~d", "~1", ""])
messages = st.builds(lambda id_, text: HumanMessage(text, id=id_), st.sampled_from(IDS), st.text(max_size=2))
removals = st.builds(lambda id_: RemoveMessage(id=id_), st.just(REMOVE_ALL_MESSAGES))
EACH: Dict[str, st.SearchStrategy[Any]] = {
    "added": st.lists(numbers, max_size=3),
    "merged": st.dictionaries(names | numbers, numbers, max_size=2),
    "messages": st.lists(messages | messages | removals, max_size=3),
    "other": st.lists(numbers, max_size=3),
    "total": numbers,
    "topic": st.lists(numbers, max_size=2),
    "kept": numbers,
    "aggregate": numbers,
    "brief": numbers,
}
updates = st.fixed_dictionaries({}, optional=EACH)
replacing = st.fixed_dictionaries(
    {},
    optional={
        "plain": numbers | st.lists(numbers, max_size=2) | st.dictionaries(names, numbers, max_size=2),
        "added": st.lists(numbers, max_size=2).map(Overwrite),
        "merged": st.dictionaries(names, numbers, max_size=2).map(Overwrite)
        | st.dictionaries(names, numbers, max_size=2).map(lambda value: {"__overwrite__": value})
        | st.dictionaries(names, numbers, max_size=2).map(lambda value: {"type": "__overwrite__", "value": value}),
    },
)
steps = st.lists(st.tuples(st.lists(updates, min_size=1, max_size=3), replacing, numbers), min_size=1, max_size=6)


def scripted(script: List[Any]) -> Any:
    """A graph that makes these updates, those of one step by tasks that run beside each other."""

    def hub(state: Any) -> Any:
        done.append(None)
        if len(done) > len(script):
            return None
        beside, own, place = script[len(done) - 1]
        held = state.get("messages")
        if held and all("messages" not in update for update in beside):
            own = {**own, "messages": RemoveMessage(id=held[place % len(held)].id)}
            if place > 4:
                held[-1].content += "!" * (place % 2)
                own["messages"] = held  # as they are, or with one that was changed in place
        return Command(goto=[*(Send("write", update) for update in beside), "hub"], update=own)

    done: List[None] = []
    builder = StateGraph(Wide)
    builder.add_node("hub", hub, destinations=("hub", "write"))
    builder.add_node("write", lambda update: update)
    return builder.add_edge(START, "hub").compile()


def assert_patched(chunks: Iterable[Any]) -> List[Any]:
    """Check that the patches make the values, by our own hand and by another library's; return the chunks.

    What a node changes in place later must not be seen here, so patches are copied when they come.
    """
    mine, theirs, shown, seen = StateAccumulator(), None, None, []
    for mode, data in chunks:
        seen.append((mode, data))
        if mode == "values":
            shown = data
            continue
        patch = copy.deepcopy(data)
        assert mine.add(patch)
        assert mine.value == shown
        theirs = jsonpatch.apply_patch(theirs, patch)
        assert theirs == shown
        assert patch == data
    modes = [mode for mode, _ in seen]
    assert modes.count("patches") == modes.count("values") > 0
    return seen


@settings(deadline=None, max_examples=80)
@given(updates.map(lambda update: {"total": 1, **update}), steps)
def test_patches_make_the_values(start: Any, script: List[Any]) -> None:
    """Whatever is written, by however many tasks of a step, under whichever reducer."""
    assert_patched(scripted(script).stream(start, {"recursion_limit": 50}, stream_mode=BOTH))


class Chat(TypedDict, total=False):
    """A conversation, and what was found."""

    messages: Annotated[List[AnyMessage], add_messages]
    found: Annotated[List[int], operator.add]
    by: str


GIVEN: Dict[str, Any] = {"messages": [HumanMessage("?", id="q")]}


def talking(**options: Any) -> Any:
    """A graph with a nested one."""
    inner = StateGraph(Chat).add_node("think", lambda state: {"found": [1, 2], "by": "inner"}).add_edge(START, "think")
    builder = StateGraph(Chat)
    builder.add_node("ask", lambda state: {"messages": [AIMessage("one", id="a")], "found": [0]})
    builder.add_node("inner", inner.compile())
    builder.add_node("mend", lambda state: {"messages": [AIMessage("two", id="a"), AIMessage("end", id="e")]})
    builder.add_edge(START, "ask").add_edge("ask", "inner").add_edge("inner", "mend")
    return builder.compile(**options)


def started(graph: Any, given: Any, **options: Any) -> List[Any]:
    """What a reader of a run gets that was started on its own."""
    return list(graph.start(given, record=BOTH).stream(**options))


def collected(graph: Any, given: Any, **options: Any) -> List[Any]:
    """What `astream` gives."""

    async def read() -> List[Any]:
        return [chunk async for chunk in graph.astream(given, **options)]

    return asyncio.run(read())


def collected_of_started(graph: Any, given: Any, **options: Any) -> List[Any]:
    """What an async reader gets of a run that was started on a loop."""

    async def read() -> List[Any]:
        run = await graph.astart(given, record=BOTH)
        return [chunk async for chunk in run.astream(**options)]

    return asyncio.run(read())


def streamed(graph: Any, given: Any, **options: Any) -> List[Any]:
    """What `stream` gives."""
    return list(graph.stream(given, **options))


WAYS = [streamed, collected, started, collected_of_started]


@pytest.mark.parametrize("read", WAYS)
def test_what_a_patch_says(read: Any) -> None:
    """It begins with the whole state, and goes on with what has changed: elements, not keys."""
    first, *patches = read(talking(), GIVEN, stream_mode="patches")
    assert first == [{"op": "replace", "path": "", "value": {"messages": GIVEN["messages"], "found": []}}]
    assert patches == [
        [
            {"op": "add", "path": "/messages/-", "value": AIMessage("one", id="a")},
            {"op": "add", "path": "/found/-", "value": 0},
        ],
        [
            # The nested graph returns its whole state, whose messages are those that are there already.
            *({"op": "add", "path": "/found/-", "value": number} for number in (0, 1, 2)),
            {"op": "add", "path": "/by", "value": "inner"},
        ],
        [
            {"op": "replace", "path": "/messages/1", "value": AIMessage("two", id="a")},
            {"op": "add", "path": "/messages/-", "value": AIMessage("end", id="e")},
        ],
    ]


@pytest.mark.parametrize("read", WAYS)
def test_nested_graphs_have_patches_of_their_own(read: Any) -> None:
    """Each graph's patches make its own values; parts of v2 say whose they are."""
    parts = read(talking(), GIVEN, stream_mode=BOTH, subgraphs=True, version="v2")
    names = {part["ns"] for part in parts}
    assert len(names) == 2
    for ns in names:
        state = StateAccumulator(ns=ns)
        shown = None
        for part in parts:
            if part["type"] == "values" and part["ns"] == ns:
                shown = part["data"]
            assert state.add(part) == (part["type"] == "patches" and part["ns"] == ns)
            if part["type"] == "patches" and part["ns"] == ns:
                assert state.value == shown
        assert state.known


def test_patches_as_json() -> None:
    """What a browser gets: JSON patches of the JSON of the values."""
    document, shown = None, None
    for part in talking().stream(GIVEN, stream_mode=BOTH, version="v2"):
        data = json.loads(to_json(part))["data"]
        if part["type"] == "values":
            shown = data
        else:
            document = jsonpatch.apply_patch(document, data)
            assert document == shown


@pytest.mark.parametrize("keys", ["found", "messages", "by", ["found", "by"], ["by"]])
def test_some_keys(keys: Any) -> None:
    """`output_keys` holds for patches as for values; of a single key, the bare value is the document."""
    assert_patched(list(talking().stream(GIVEN, stream_mode=BOTH, output_keys=keys)))


class Alike(TypedDict, total=False):
    """Keys of which one's name is in the other's."""

    found: Annotated[List[int], operator.add]
    fou: int


def test_keys_with_similar_names() -> None:
    """The patches of a single key are those of that key."""
    builder = StateGraph(Alike).add_node("one", lambda state: {"found": [1], "fou": 1})
    builder.add_node("two", lambda state: {"fou": 2}).add_edge(START, "one").add_edge("one", "two")
    chunks = list(builder.compile().stream({"found": [0]}, stream_mode=BOTH, output_keys="found"))
    assert_patched(chunks)
    assert chunks[-1] == ("patches", [{"op": "add", "path": "/-", "value": 1}])


def test_the_whole_state_again() -> None:
    """After every hundred patches the whole state comes again, for readers that have missed something."""
    builder = StateGraph(Chat)
    builder.add_node("more", lambda state: {"found": [len(state["found"])]}).add_edge(START, "more")
    builder.add_conditional_edges(
        "more", lambda state: "more" if len(state["found"]) < 2 * SNAPSHOT_EVERY + 5 else "__end__"
    )
    chunks = list(builder.compile().stream(GIVEN, {"recursion_limit": 1_000}, stream_mode=BOTH))
    assert_patched(chunks)
    patches = [data for mode, data in chunks if mode == "patches"]
    whole = [index for index, patch in enumerate(patches) if patch[0]["path"] == ""]
    assert whole == [0, SNAPSHOT_EVERY + 1, 2 * SNAPSHOT_EVERY + 2]
    late = StateAccumulator()
    for patch in patches[5:]:
        late.add(patch)
    assert late.value == chunks[-2][1]


def test_questions() -> None:
    """A question is in the document under `__interrupt__`, and goes with the whole state that begins the next run."""
    builder = StateGraph(Chat)
    builder.add_node("ask", lambda state: {"found": [interrupt("how many?")]}).add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    first = list(graph.stream(GIVEN, config, stream_mode=BOTH))
    assert_patched(first)
    assert first[-1][1][-1]["path"] == "/__interrupt__"
    second = list(graph.stream(Command(resume=3), config, stream_mode=BOTH))
    assert_patched(second)
    assert second[-2][1]["found"] == [3]


@pytest.mark.parametrize("keys", [None, ["found"], "found"])
def test_a_live_answer(keys: Any) -> None:
    """A run that is answered where it stands shows its question, and then goes on with its patches."""
    builder = StateGraph(Chat)
    builder.add_node("ask", lambda state: {"found": [interrupt("how many?")]}).add_edge(START, "ask")
    builder.add_node("tell", lambda state: {"messages": [AIMessage("so", id="s")]}).add_edge("ask", "tell")
    builder.add_node("ask_again", lambda state: {"found": [interrupt("really?")]}).add_edge("tell", "ask_again")
    chunks: List[Any] = []
    options: Dict[str, Any] = {} if keys is None else {"output_keys": keys}
    with builder.compile().stream({**GIVEN, "found": [0]}, stream_mode=BOTH, interrupts="live", **options) as stream:
        for chunk in stream:
            chunks.append(chunk)
            if chunk[0] == "patches" and stream.questions:
                stream.answer(stream.questions[0].id, 3)
    assert_patched(chunks)
    paths = [operation["path"] for mode, data in chunks if mode == "patches" for operation in data]
    assert paths.count("/__interrupt__") == (0 if keys == "found" else 4)


def test_a_thread_that_goes_on() -> None:
    """The next run of a thread begins with the state that was saved, and merges into its messages."""
    graph = talking(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    for index in range(3):
        given = {"messages": [HumanMessage("again", id=f"h{index}")]}
        assert_patched(list(graph.stream(given, config, stream_mode=BOTH)))


def test_workflows() -> None:
    """The state of a workflow is its result."""

    @entrypoint(checkpointer=InMemorySaver())
    def work(given: int, *, previous: Optional[int] = None) -> Any:
        return entrypoint.final(value=given + 1, save=given)

    config: Any = {"configurable": {"thread_id": "1"}}
    for _ in range(2):
        chunks = list(work.stream(1, config, stream_mode=BOTH))
        assert_patched(chunks)
        assert chunks[-1] == ("patches", [{"op": "replace", "path": "", "value": 2}])


def test_a_state_that_is_one_value() -> None:
    """The patches of a root state change the value itself."""
    builder = StateGraph(Annotated[list, operator.add])  # type: ignore[type-var]
    builder.add_node("one", lambda state: [1]).add_node("two", lambda state: [2])
    builder.add_edge(START, "one").add_edge("one", "two")
    chunks = list(builder.compile().stream([0], stream_mode=BOTH))
    assert_patched(chunks)
    assert chunks[-1] == ("patches", [{"op": "add", "path": "/-", "value": 2}])


def last_patch(node: Any, history: List[Any]) -> List[Any]:
    """The patch of a node that gets these messages."""
    graph = StateGraph(Chat).add_node("node", node).add_edge(START, "node").compile()
    chunks = assert_patched(graph.stream({"messages": history}, stream_mode=BOTH))
    return chunks[-1][1]  # type: ignore[no-any-return]


def test_who_returns_all_messages() -> None:
    """A node that returns the whole list and one message more has added that message."""
    history = [HumanMessage(f"{index}", id=f"h{index}") for index in range(30)]
    end = AIMessage("end", id="e")
    patch = last_patch(lambda state: {"messages": [*state["messages"], end]}, history)
    assert patch == [{"op": "add", "path": "/messages/-", "value": end}]
    patch = last_patch(lambda state: {"messages": [one.model_copy() for one in state["messages"]]}, history)
    assert [operation["path"] for operation in patch] == ["/messages"]  # it is shorter than an operation for each


@pytest.mark.parametrize(
    "change",
    [
        lambda message: setattr(message, "content", "new"),
        lambda message: message.additional_kwargs.update(new=1),
        lambda message: message.tool_calls[0]["args"].update(new=1),
        lambda message: message.content[0].update(text="new"),
        lambda message: setattr(message, "more", "new"),
        lambda message: message.additional_kwargs["what"].append(1),
    ],
)
def test_a_message_that_is_changed_in_place(change: Any) -> None:
    """A node that changes a message that it was given, and returns it, has replaced it."""

    def node(state: Any) -> Any:
        change(state["messages"][1])
        return {"messages": state["messages"]}

    call = {"name": "add", "args": {}, "id": "c", "type": "tool_call"}
    text = {"type": "text", "text": "old"}
    message = AIMessage([text], id="a", tool_calls=[call], additional_kwargs={"what": []}, more="old")
    history = [HumanMessage("1", id="h1"), message, HumanMessage("2", id="h2")]
    assert [operation["path"] for operation in last_patch(node, history)] == ["/messages/1"]


def test_a_message_with_an_object_in_it() -> None:
    """A message whose parts cannot be looked at is replaced when it is written again: it may have changed."""
    message = ToolMessage("1", id="t", tool_call_id="c", artifact=Decimal(1))
    history = [HumanMessage("1", id="h1"), message, HumanMessage("2", id="h2")]
    patch = last_patch(lambda state: {"messages": state["messages"]}, history)
    assert [operation["path"] for operation in patch] == ["/messages/1"]


def test_filters_do_not_tear_holes() -> None:
    """Patches show what all nodes do, whatever nodes are shown: otherwise they would not fit each other."""
    assert_patched(list(talking().stream(GIVEN, stream_mode=BOTH, include_nodes="mend")))


def test_the_rules_hold() -> None:
    """A patch shows a step that is over; a question may come before that."""
    modes: Any = ["patches", "tasks", "updates", "messages"]
    check_stream(talking().stream(GIVEN, stream_mode=modes, version="v2", subgraphs=True))
    builder = StateGraph(Chat)
    builder.add_node("ask", lambda state: {"found": [interrupt("how many?")]}).add_edge(START, "ask")
    builder.add_node("beside", lambda state: {"by": "beside"}).add_edge(START, "beside")
    stream = builder.compile().stream(GIVEN, stream_mode=modes, version="v2", interrupts="live")
    parts: List[Any] = []
    for part in stream:
        parts.append(part)
        if stream.questions:
            stream.answer(stream.questions[0].id, 3)
    check_stream(parts)
    *_, last = [part for part in parts if part["type"] == "patches"]
    with pytest.raises(StreamRuleError, match="step-order"):
        check_stream([*parts[:3], last, *parts[3:]])
