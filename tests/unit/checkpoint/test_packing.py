"""What is stored of messages is the same, byte by byte, whether they are serialised once or each time."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Callable, List, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from typing_extensions import Annotated, TypedDict

from streamgraph._checkpoint import packing
from streamgraph._checkpoint.distribution import plain_serializer
from streamgraph._checkpoint.packing import Packing
from streamgraph.graph import END, START, StateGraph, add_messages
from support.minimal_savers import SyncSaver
from support.savers import WatchedSaver

SERIALIZER = JsonPlusSerializer()


def message(text: str, **kwargs: Any) -> AIMessage:
    return AIMessage(text, id=f"id {text}", **kwargs)


def stored(value: Sequence[Any]) -> bytes:
    return SERIALIZER.dumps_typed({"channel_values": {"messages": value}})[1]


def check(pack: Packing, value: List[Any]) -> List[Any]:
    """Store a list, and return what is given to the saver."""
    given = {"id": "1", "channel_values": {"messages": value, "n": 1}}
    packed = pack.checkpoint("", given)
    assert SERIALIZER.dumps_typed(packed) == SERIALIZER.dumps_typed(given)
    assert given == {"id": "1", "channel_values": {"messages": value, "n": 1}}
    return list(packed["channel_values"]["messages"])


CHANGES: List[Callable[[List[Any]], None]] = [
    lambda old: old.append(message("new")),
    lambda old: old.insert(0, message("first")),
    lambda old: old.pop(0) and None,
    lambda old: old.pop() and None,
    lambda old: old.reverse(),
    lambda old: old.append(old[0]),
    lambda old: old.__setitem__(0, HumanMessage("human", name="someone")),
    lambda old: old.__setitem__(0, old[0].model_copy()),
    lambda old: setattr(old[0], "content", "other"),
    lambda old: setattr(old[-1], "content", [{"type": "text", "text": "in parts"}]),
    lambda old: old[0].additional_kwargs.update(deep={"list": [1, {"a": None}]}),
    lambda old: old[0].additional_kwargs.setdefault("deep", {"list": [0]})["list"].append(2),
    lambda old: old[0].additional_kwargs.update(when=datetime(2026, 1, 1, tzinfo=timezone.utc)),
    lambda old: setattr(old[0], "further", "a field that the class does not have"),
    lambda old: getattr(old[0], "tool_calls", []).append({"name": "f", "args": {"x": [1]}, "id": "c"}),
]


@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.booleans()), max_size=8))
def test_the_bytes_are_the_same(changes: Any) -> None:
    pack, value = Packing(SERIALIZER), [message("a"), message("b"), message("c", tool_calls=[])]
    for change, stores in changes:
        change(value)
        value = value or [message("again")]
        if stores:
            check(pack, value)
            check(pack, value.copy())


def test_what_refuses_to_be_compared() -> None:
    class Array:
        def __eq__(self, other: object) -> Any:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

    pack, value = Packing(SERIALIZER), [message("a"), message("b")]
    for _ in range(2):
        check(pack, value)
    value[0].additional_kwargs["x"] = Array()
    with pytest.raises(TypeError, match="AIMessage"):
        stored(pack.checkpoint("", {"channel_values": {"messages": value}})["channel_values"]["messages"])


def test_only_the_first_time_costs_nothing_more() -> None:
    pack, value = Packing(SERIALIZER), [message("a")]
    assert check(pack, value) == value
    assert check(pack, value) != value


def test_namespaces_and_keys_have_lists_of_their_own() -> None:
    pack = Packing(SERIALIZER)
    for number in range(100):
        values = {"a": [message("a")], "b": [message("b"), "text"], "c": [], "d": ["text"]}
        for _ in range(2):
            packed = pack.checkpoint(str(number), {"channel_values": values})["channel_values"]
        assert (packed["c"], packed["d"], packed["b"][1]) == ([], ["text"], "text")
        assert SERIALIZER.dumps_typed(packed) == SERIALIZER.dumps_typed(values)
    assert len(pack._lists) <= packing._MOST_LISTS


def test_savers_that_may_look_at_values_get_values() -> None:
    class Own(JsonPlusSerializer):
        pass

    encrypted = EncryptedSerializer(None, SERIALIZER)  # type: ignore[arg-type]
    assert plain_serializer(InMemorySaver(serde=encrypted)) is SERIALIZER
    assert plain_serializer(InMemorySaver(serde=SERIALIZER)) is SERIALIZER
    assert plain_serializer(InMemorySaver(serde=Own())) is None
    assert plain_serializer(InMemorySaver(serde=JsonPlusSerializer(pickle_fallback=True))) is None
    assert plain_serializer(WatchedSaver()) is None
    assert plain_serializer(SyncSaver()) is None


class Chat(TypedDict):
    messages: Annotated[List[Any], add_messages]


def test_a_message_is_serialised_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the list is stored that it is in."""
    dumped: List[object] = []
    original = AIMessage.model_dump

    def counted(self: Any, **options: Any) -> Any:
        dumped.append(self.id)
        return original(self, **options)

    monkeypatch.setattr(AIMessage, "model_dump", counted)
    saver = InMemorySaver()
    builder = StateGraph(Chat).add_node("speak", lambda s: {"messages": [message(str(len(s["messages"])))]})
    builder.add_edge(START, "speak")
    builder.add_conditional_edges("speak", lambda s: "speak" if len(s["messages"]) < 100 else END, ["speak", END])
    config: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 200}
    final = builder.compile(saver).invoke({"messages": []}, config, durability="sync")
    assert len(dumped) <= 300
    assert saver.get_tuple(config).checkpoint["channel_values"]["messages"] == final["messages"]
