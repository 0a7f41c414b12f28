"""The classes in a graph's schemas are made by strict serializers, and no others."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, List, NamedTuple, NewType, Optional, Union

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel
from typing_extensions import Annotated, TypedDict

from streamgraph._checkpoint.allowed_types import classes_in
from streamgraph.func import entrypoint
from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, interrupt

CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}}


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    colour: Colour


class Outer(BaseModel):
    inners: List[Inner] = []


@dataclass
class Item:
    number: int
    inside: Optional[Item] = None


class Pair(NamedTuple):
    item: Item


class Stranger(BaseModel):
    number: int = 1


class State(TypedDict, total=False):
    outer: Annotated[Optional[Outer], "a note"]
    items: Dict[str, Union[Item, int]]
    pair: Pair


Named = NewType("Named", Item)

VALUES: Any = {
    "outer": Outer(inners=[Inner(colour=Colour.RED)]),
    "items": {"k": Item(1, Item(2))},
    "pair": Pair(Item(3)),
}
HAS_LISTS = hasattr(InMemorySaver, "with_allowlist")


def test_classes_in() -> None:
    names = {name for module, name in classes_in([State]) if module == __name__}
    assert names == {"State", "Outer", "Inner", "Colour", "Item", "Pair"}
    assert (__name__, "Item") in classes_in([List[Named]])
    assert classes_in([int, Any, None, "State", List[str]]) == frozenset()


def strict() -> JsonPlusSerializer:
    return JsonPlusSerializer(allowed_msgpack_modules=[("somewhere", "Else")])


SERDES = [JsonPlusSerializer]
if HAS_LISTS:
    SERDES += [strict, lambda: JsonPlusSerializer(allowed_msgpack_modules=None)]  # type: ignore[list-item]


class Rot:
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> Any:
        return "rot", bytes((byte + 1) % 256 for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        return bytes((byte - 1) % 256 for byte in ciphertext)


def paused(saver: Any, *, nested: bool) -> Any:
    """Return a graph that has stored the values, and is to show them to a node; and what the node is given."""
    given: List[Any] = []
    builder = StateGraph(State).add_node("store", lambda state: VALUES)

    def show(state: State) -> None:
        interrupt("go on?")
        given.append(dict(state))

    builder.add_node("show", show)
    builder.add_edge(START, "store").add_edge("store", "show")
    if nested:
        inner = builder.compile()
        graph = StateGraph(dict).add_node("inner", inner).add_edge(START, "inner").compile(checkpointer=saver)
    else:
        graph = builder.compile(checkpointer=saver)  # type: ignore[assignment]
    graph.invoke({}, CONFIG)
    return graph, given


@pytest.mark.parametrize("serde", SERDES)
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_types_of_the_schema_come_back(serde: Any, encrypted: bool, nested: bool, caplog: Any) -> None:
    inner = serde()
    saver = InMemorySaver(serde=EncryptedSerializer(Rot(), inner) if encrypted else inner)
    with caplog.at_level(logging.WARNING):
        graph, given = paused(saver, nested=nested)
        graph.invoke(Command(resume=True), CONFIG)
        assert given == [VALUES]
        if not nested:
            assert graph.get_state(CONFIG).values == VALUES
            assert next(iter(graph.get_state_history(CONFIG))).values == VALUES
    assert not [record for record in caplog.records if __name__ in record.getMessage()]


@pytest.mark.skipif(not HAS_LISTS, reason="this langgraph-checkpoint makes objects of all classes")
def test_other_types_do_not(caplog: Any) -> None:
    builder = StateGraph(dict).add_node("store", lambda state: {"it": Stranger()}).add_edge(START, "store")
    graph = builder.compile(checkpointer=InMemorySaver(serde=strict()))
    with caplog.at_level(logging.WARNING):
        graph.invoke({}, CONFIG)
        assert graph.get_state(CONFIG).values == {"it": {"number": 1}}
    assert any("Blocked deserialization" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("serde", SERDES)
def test_workflows(serde: Any) -> None:
    @entrypoint(checkpointer=InMemorySaver(serde=serde()))
    def workflow(number: int, *, previous: Optional[Item] = None) -> Item:
        return Item(number, previous)

    workflow.invoke(1, CONFIG)
    assert workflow.invoke(2, CONFIG) == Item(2, Item(1))
