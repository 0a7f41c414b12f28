"""Storing writes in place of values changes nothing but the size: every record has the value that it would have."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph._checkpoint import deltas
from streamgraph.channels import DeltaChannel
from streamgraph.errors import UnknownOptionError, UnreadableCheckpointError
from streamgraph.graph import END, START, StateGraph, add_messages
from streamgraph.graph.message import _messages_delta_reducer
from streamgraph.types import Command, Overwrite, Send, interrupt
from support.savers import ASYNC, SYNC, WatchedSaver, aopen_saver, open_saver


class State(TypedDict, total=False):
    items: Annotated[List[Any], operator.add]
    messages: Annotated[List[Any], add_messages]
    batches: Annotated[List[Any], DeltaChannel(_messages_delta_reducer, snapshot_frequency=3)]
    script: List[Any]
    last: int


Script = List[str]
ACTIONS = ("append", "edit", "remove", "overwrite", "ask", "fail", "nothing", "fan", "plain")


def _act(action: str, state: Dict[str, Any], broken: Dict[str, bool]) -> Any:
    messages, number = state.get("messages", []), len(state.get("items", []))
    if action == "append":
        new = {"messages": [AIMessage(f"m{number}", id=f"m{number}")], "items": [number]}
        return {**new, "batches": [AIMessage(f"b{number}", id=f"b{number}")]}
    if action == "edit" and messages:
        changed = AIMessage(f"edited {number}", id=messages[number % len(messages)].id)
        return {"messages": [changed], "items": ["edit"], "batches": [changed]}
    if action == "remove" and messages:
        return {"messages": [RemoveMessage(id=messages[-1].id), AIMessage("after", id=f"a{number}")]}
    if action == "overwrite":
        return {"items": Overwrite([f"over {number}"]), "batches": Overwrite([])}
    if action == "ask":
        return {"items": [interrupt("?")]}
    if action == "fail" and broken["now"]:
        raise ValueError("broken")
    if action == "plain":
        return {"last": number}
    return {}


def builder(broken: Dict[str, bool]) -> StateGraph[Any]:
    """Return a graph whose first node does what the script says, one action in each step, beside a second node."""

    def head(state: State) -> Dict[str, Any]:
        return {"script": state.get("script", [])[1:]}

    def work(state: State) -> Any:
        return _act(state["script"][0] if state.get("script") else "nothing", dict(state), broken)

    def beside(state: State) -> Any:
        return {"items": ["beside"]} if state.get("script") and state["script"][0] != "nothing" else {}

    def part(given: Any) -> Any:
        return {"items": [given["part"]], "messages": [AIMessage(given["part"], id=f"p{given['part']}")]}

    def onward(state: State) -> Any:
        if state.get("script") and state["script"][0] == "fan":
            return [Send("part", {"part": str(part)}) for part in (2, 1)] + ["head"]
        return ["head"] if state.get("script") else [END]

    made = StateGraph(State).add_node("work", work).add_node("beside", beside).add_node("head", head)
    made.add_node("part", part).add_edge(START, "work").add_edge(START, "beside").add_edge(["work", "beside"], "head")
    made.add_conditional_edges(
        "head", lambda s: ["work", "beside"] if s.get("script") else END, ["work", "beside", END]
    )
    return made.add_conditional_edges("beside", onward, ["part", "head", END])


def _config(id_: Any = None) -> Any:
    return {
        "configurable": {"thread_id": "1", **({} if id_ is None else {"checkpoint_id": id_})},
        "recursion_limit": 100,
        "max_concurrency": 1,
    }


def _history(graph: Any) -> List[Tuple[Any, Any, Any]]:
    return [(item.values, item.next, item.metadata["source"]) for item in graph.get_state_history(_config())]


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["turn", "turn", "resume", "answer", "fork", "update", "update back", "turn back", "command"]),
        st.lists(st.sampled_from(ACTIONS), max_size=4),
        st.integers(0, 30),
        st.sampled_from(["sync", "async", "exit"]),
    ),
    min_size=1,
    max_size=6,
)


def _operate(graph: Any, operation: Tuple[str, Script, int, str], broken: Dict[str, bool]) -> object:
    """Do one thing to the thread, and return what came of it."""
    what, script, where, durability = operation
    heads = list(graph.get_state_history(_config()))
    back = _config(heads[where % len(heads)].config["configurable"]["checkpoint_id"]) if heads else _config()
    update = {"items": [f"u{where}"], "messages": [("user", "u")], "script": list(script)}
    update["messages"] = [AIMessage("u", id=f"u{where}")]
    broken["now"] = where % 2 == 0
    given: Any = {"turn": {"script": list(script), **update}, "answer": Command(resume="yes")}.get(what)
    if what == "command":
        given = Command(update=update)
    if what == "turn back":
        given = update
    try:
        if what.startswith("update"):
            return bool(graph.update_state(back if what == "update back" else _config(), update, as_node="beside"))
        out = graph.invoke(given, back if what in ("fork", "turn back") else _config(), durability=durability)
        return {key: value for key, value in out.items() if key != "__interrupt__"}
    except Exception as error:
        return type(error).__name__


@given(operations=OPERATIONS, frequency=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_every_record_has_the_values_that_it_has_without(operations: Any, frequency: int) -> None:
    before, deltas._MOST_UPDATES = deltas._MOST_UPDATES, frequency
    try:
        broken = {"now": False}
        full = builder(broken).compile(checkpointer=InMemorySaver())
        saver = InMemorySaver()
        delta = builder(broken).compile(checkpointer=saver, storage="delta")
        for operation in operations:
            assert _operate(delta, operation, broken) == _operate(full, operation, broken)
            assert _history(delta) == _history(full)
        # It does not matter how the graph that reads the thread would store it.
        assert _history(builder(broken).compile(checkpointer=saver)) == _history(full)
        for operation in operations[:2]:
            other = builder(broken).compile(checkpointer=saver)
            assert _operate(other, operation, broken) == _operate(full, operation, broken)
            assert _history(delta) == _history(full)
    finally:
        deltas._MOST_UPDATES = before


class Chat(TypedDict):
    messages: Annotated[List[Any], add_messages]


def chat(steps: int, fail: Any = lambda number: None) -> StateGraph[Any]:
    """Return a graph that adds one message in each step, and changes an old one now and then."""

    def speak(state: Chat) -> Any:
        number = len(state["messages"])
        fail(number)
        update = [AIMessage("x" * 200, id=f"m{number}")]
        return {"messages": update if number % 4 else [*update, AIMessage("edited", id=state["messages"][0].id)]}

    def onward(state: Chat) -> str:
        return "speak" if len(state["messages"]) % steps else END

    return StateGraph(Chat).add_node(speak).add_edge(START, "speak").add_conditional_edges("speak", onward)


def _contents(messages: List[Any]) -> List[Any]:
    return [(type(message), message.content) for message in messages]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are stored after a few updates, so that short runs have both."""
    monkeypatch.setattr(deltas, "_MOST_UPDATES", 4)


INPUT = {"messages": [("user", "hi")]}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("kind", SYNC)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_all_savers(kind: str, durability: str, tmp_path: Path) -> None:
    with open_saver(kind, tmp_path) as saver:
        graph = chat(10).compile(checkpointer=saver, storage="delta")
        first = graph.invoke(INPUT, _config(), durability=durability)
        second = graph.invoke(INPUT, _config(), durability=durability)
        states = list(graph.get_state_history(_config()))
    want = chat(10).compile().invoke({"messages": [*first["messages"], ("user", "hi")]})
    assert _contents(second["messages"]) == _contents(want["messages"])
    assert _contents(states[0].values["messages"]) == _contents(second["messages"])
    counts = [len(state.values["messages"]) for state in states]
    assert counts == ([20, 10] if durability == "exit" else [*range(20, 10, -1), 10, *range(10, 0, -1), 0])


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("kind", ASYNC)
def test_all_async_savers(kind: str, tmp_path: Path) -> None:
    async def use() -> Tuple[Any, List[Any]]:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = chat(10).compile(checkpointer=saver, storage="delta")
            await graph.ainvoke(INPUT, _config())
            await graph.aupdate_state(_config(), {"messages": [AIMessage("u", id="u")]}, as_node="speak")
            states = [state async for state in graph.aget_state_history(_config())]
            return await graph.aget_state(_config()), states

    last, states = asyncio.run(use())
    assert last.values == states[0].values
    assert [len(state.values["messages"]) for state in states] == [11, *range(10, 0, -1), 0]


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_call(when: str) -> None:
    """After whichever call the process dies, the thread goes on to the same end."""
    want = _contents(chat(9).compile().invoke(INPUT)["messages"])
    number = 0
    while True:
        dies = number

        def die(name: str, calls: int) -> None:
            if calls == dies:
                raise KeyboardInterrupt

        saver = WatchedSaver(**{when: die})
        graph = chat(9).compile(checkpointer=saver, storage="delta")
        try:
            graph.invoke(INPUT, _config(), durability="sync")
            break
        except KeyboardInterrupt:
            pass
        left = InMemorySaver()
        left.storage, left.writes, left.blobs = saver.storage, saver.writes, saver.blobs
        again = chat(9).compile(checkpointer=left, storage="delta")
        begun = again.get_state(_config()).created_at is not None
        end = again.invoke(None if begun else INPUT, _config(), durability="sync")
        assert _contents(end["messages"]) == want
        assert _contents(again.get_state(_config()).values["messages"]) == want
        number += 1
    assert number > 15


def _bytes(saver: InMemorySaver) -> int:
    total = sum(len(data) for _, data in saver.blobs.values())
    for namespaces in saver.storage.values():
        for records in namespaces.values():
            total += sum(len(record[0][1]) + len(record[1][1]) for record in records.values())
    return total + sum(len(write[2][1]) for writes in saver.writes.values() for write in writes.values())


def test_a_growing_list_costs_what_is_added() -> None:
    saver = InMemorySaver()
    chat(400).compile(checkpointer=saver, storage="delta").invoke(INPUT, {**_config(), "recursion_limit": 500})
    messages = chat(400).compile().invoke(INPUT, {"recursion_limit": 500})["messages"]
    full = len(saver.serde.dumps_typed(messages)[1])
    assert _bytes(saver) < full * 400 / 2 / 20  # stored in full it is half of the last list, 400 times


def test_a_gap_in_the_thread_is_an_error() -> None:
    saver = InMemorySaver()
    graph = chat(9).compile(checkpointer=saver, storage="delta")
    graph.invoke(INPUT, _config(), durability="sync")
    records = saver.storage["1"][""]
    del records[sorted(records)[4]]
    with pytest.raises(UnreadableCheckpointError, match="'messages' was written 9 times .*, of which 4"):
        graph.get_state(_config())


def test_prune_of_a_saver_knows_such_threads() -> None:
    """The saver for PostgreSQL refuses to prune a thread whose metadata says what it lacks."""
    saver = InMemorySaver()
    graph = chat(9).compile(checkpointer=saver, storage="delta")
    graph.invoke(INPUT, _config(), durability="sync")
    assert graph.get_state(_config()).metadata["counters_since_delta_snapshot"] == {"messages": [9, 9]}


def test_storage_is_a_setting() -> None:
    saver = InMemorySaver()
    inner = chat(9).compile()
    outer = StateGraph(Chat).add_node("inner", inner).add_edge(START, "inner").compile(checkpointer=saver)
    assert outer.storage is None
    outer.storage = "delta"
    outer.invoke(INPUT, _config(), durability="sync")
    stored = [item for item in saver.list(_config()) if item.config["configurable"]["checkpoint_ns"]]
    assert not any(item.checkpoint["channel_values"].get("messages") for item in stored)  # nested graphs do the same
    with pytest.raises(UnknownOptionError, match=r"'Delta'.*'delta'"):
        chat(9).compile(storage="Delta")  # type: ignore[arg-type]


@pytest.mark.parametrize("storage", ["full", "delta"])
def test_several_commands_with_no_step_between(storage: Any) -> None:
    """What commands write is stored with the last record; of several writes to a plain key the last one counts."""
    graph = builder({"now": False}).compile(checkpointer=InMemorySaver(), storage=storage)
    graph.invoke({"items": [0]}, _config())
    for number in (1, 2):
        graph.invoke(Command(update={"last": number, "items": [number]}), _config())
    assert graph.get_state(_config()).values["last"] == 2
    assert graph.invoke({"items": [3]}, _config())["items"] == [0, 1, 2, 3]
    given, _ = [item for item in graph.get_state_history(_config()) if item.metadata["source"] == "input"]
    assert (given.values["items"], given.values["last"]) == ([0, 1, 2], 2)
