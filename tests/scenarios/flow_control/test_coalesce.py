"""`overflow="coalesce"`: tokens of one message become one while they wait, and nothing of them is lost."""

from __future__ import annotations

import threading
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from scenarios.flow_control.token_producers import MODES, PRODUCERS, TokenSource, text
from streamgraph._drivers.overflow import CoalescingQueue
from streamgraph._messages.coalescing import COALESCER
from streamgraph._streams.part import Part
from streamgraph.config import get_stream_writer
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE, eventually, run, soon

LIMIT = 3


@pytest.mark.parametrize("maker", [name for name in PRODUCERS if name not in ("writer", "caught up")])
def test_tokens_of_a_message_become_one(maker: str) -> None:
    """A slow consumer gets fewer chunks, with the same text, and the model is not held up."""
    made = TokenSource(500)
    stream = graph_of(node=PRODUCERS[maker](made)).stream({}, stream_mode=MODES, max_buffer=LIMIT, overflow="coalesce")
    seen = [next(stream)]
    eventually(lambda: made.ended)
    assert stream.buffered <= LIMIT
    seen += stream
    assert len(seen) <= LIMIT + 2
    assert "".join(map(text, seen)) == "".join(made.tokens())
    assert len({data[0].id for _, data in seen}) == 1


@pytest.mark.parametrize("maker", ["awaited model", "async generator", "nested awaited"])
def test_tokens_of_a_message_become_one_async(maker: str) -> None:
    """The same on an event loop."""
    made = TokenSource(500)

    async def main() -> List[Any]:
        stream = graph_of(node=PRODUCERS[maker](made)).astream(
            {}, stream_mode=MODES, max_buffer=LIMIT, overflow="coalesce"
        )
        seen = [await stream.__anext__()]
        await soon(lambda: made.ended)
        assert stream.buffered <= LIMIT
        return [*seen, *[chunk async for chunk in stream]]

    seen = run(main())
    assert len(seen) <= LIMIT + 2
    assert "".join(map(text, seen)) == "".join(made.tokens())


def test_what_cannot_be_merged_waits() -> None:
    """Custom data is held up as under `block`."""
    made = TokenSource(30)
    with graph_of(node=PRODUCERS["writer"](made)).stream(
        {}, stream_mode=MODES, max_buffer=LIMIT, overflow="coalesce"
    ) as stream:
        seen = [text(next(stream))]
        eventually(lambda: made.count == LIMIT + 2)
        seen.extend(map(text, stream))
    assert seen == list(TokenSource(30).tokens())


def test_order_of_a_task_stays() -> None:
    """Tokens are not merged across custom data of the same node; across that of another they are."""
    told, done = threading.Event(), threading.Event()

    def node(state: State) -> Any:
        yield "0 "
        assert told.wait(PATIENCE)
        for number in range(1, 9):
            yield f"{number} "
            if number % 4 == 0:
                yield {"value": str(number)}
        done.set()

    with graph_of(node=node).stream({}, stream_mode=MODES, max_buffer=1, overflow="coalesce") as stream:
        seen = [next(stream)]
        told.set()
        for chunk in stream:
            seen.append(chunk)
    told_text = [str(data["value"]) if mode == "custom" else text((mode, data)) for mode, data in seen]
    joined = "|".join(told_text)
    assert joined.replace("|", "").replace(" ", "") == "01234456788"
    assert "4 |4|" in joined
    assert joined.endswith("8 |8|")  # and the end of the message


def part(content: Any, node: str = "node", id_: str = "m", **fields: Any) -> Part:
    """A token."""
    metadata = {"langgraph_node": node, "langgraph_checkpoint_ns": f"{node}:1", "tags": []}
    return Part((), "messages", (AIMessageChunk(content=content, id=id_, **fields), metadata), node)


def custom(data: Any, node: str = "node", ns: Any = ()) -> Part:
    """Custom data."""
    return Part(ns, "custom", data, node)


def taken(store: CoalescingQueue) -> List[Any]:
    """Everything that waits: texts of tokens, and custom data."""
    items: List[Any] = []
    while not store.empty:
        item = store.pop()
        items.append(item.data[0].content if item.mode == "messages" else item.data)
    assert store.parts == 0
    return items


def test_sums_are_equal() -> None:
    """Text, tool calls, usage and metadata of what is merged add up to what they were."""
    usage: Dict[str, Any] = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    tokens = [part(f"{number} ") for number in range(300)]
    tokens += [
        part("", tool_call_chunks=[tool_call_chunk(name="find" if not number else None, args=f"{number}", index=index)])
        for index in range(2)
        for number in range(40)
    ]
    tokens += [part([{"type": "text", "text": "block", "index": 0}]), part([{"type": "text", "text": "!", "index": 0}])]
    tokens += [part("", usage_metadata=usage, response_metadata={"finish_reason": "stop"}), part("")]
    whole: Any = tokens[0].data[0]
    for token in tokens[1:]:
        whole = whole + token.data[0]
    for limit in (1, 2, 7):
        store, taken_ones = CoalescingQueue(limit, COALESCER), []
        for token in tokens:
            while not store.offer(token):  # content blocks are not merged with text
                taken_ones.append(store.pop())
        first, *rest = [*taken_ones, *(store.pop() for _ in range(store.parts))]
        assert len(rest) < limit + 3
        merged = first.data[0]
        for item in rest:
            merged = merged + item.data[0]
        assert merged == whole
        assert first.data[1] == tokens[0].data[1]
        assert (first.ns, first.source) == ((), "node")


def test_what_stays_apart() -> None:
    """Other messages, other metadata, other namespaces and what came between are not merged."""
    store = CoalescingQueue(1, COALESCER)
    assert store.offer(part("a"))
    assert store.offer(part("b"))
    assert not store.offer(part("x", id_="other"))
    assert not store.offer(part("x", node="other"))
    assert not store.offer(custom("x"))
    other = part("x")
    other.data[1]["tags"] = ["other"]
    assert not store.offer(other)
    assert taken(store) == ["ab"]


@pytest.mark.parametrize(
    ("between", "merges"),
    [
        (custom("x"), False),
        (custom("x", node="other"), True),
        (part("x", node="other"), True),
        (part("x", id_="other"), False),
        (custom("x", node="inner", ns=("node:1",)), False),
        (custom("x", node="inner", ns=("other:1",)), True),
    ],
)
def test_what_comes_between(between: Part, merges: bool) -> None:
    """What the same task, or a graph in it, makes comes between; what others make does not."""
    store = CoalescingQueue(2, COALESCER)
    assert store.offer(part("a"))
    assert store.offer(between)
    assert store.offer(part("b")) is merges
    assert taken(store) == (["ab", "x"] if merges else ["a", "x"])


def test_tokens_of_an_inner_graph() -> None:
    """Tokens of a graph in a task are not merged across those of the task, nor the other way round."""
    inner = part("i", node="inner")
    inner.ns = ("node:1",)
    inner.data[1]["langgraph_checkpoint_ns"] = "node:1|inner:1"
    store = CoalescingQueue(2, COALESCER)
    assert store.offer(inner)
    assert store.offer(part("a"))
    again = part("i", node="inner")
    again.ns, again.data = ("node:1",), (again.data[0], dict(inner.data[1]))
    assert not store.offer(again)
    assert taken(store) == ["i", "a"]


def test_what_was_taken_is_not_added_to() -> None:
    """A chunk that was handed out is left alone."""
    store = CoalescingQueue(1, COALESCER)
    assert store.offer(part("a"))
    first = store.pop()
    assert store.offer(part("b"))
    assert store.offer(part("c"))
    assert first.data[0].content == "a"
    assert taken(store) == ["bc"]


def test_models_beside_each_other() -> None:
    """Interleaved tokens of parallel nodes are merged into those of their own message."""
    store = CoalescingQueue(2, COALESCER)
    for number in range(10):
        assert store.offer(part(f"{number}", node="one"))
        assert store.offer(part(f"{number}", node="two"))
    assert taken(store) == ["0123456789"] * 2


def test_writer_and_tokens_of_one_node() -> None:
    """A node that alternates tokens and custom data keeps its order, with a slow consumer."""

    def node(state: State) -> Any:
        for number in range(200):
            yield f"{number} "
            if number % 10 == 9:
                get_stream_writer()(number)

    seen: List[str] = []
    with graph_of(node=node).stream({}, stream_mode=MODES, max_buffer=2, overflow="coalesce") as stream:
        for mode, data in stream:
            seen.append(f"<{data}>" if mode == "custom" else str(data[0].content))
    expected = "".join(f"{number} " + (f"<{number}>" if number % 10 == 9 else "") for number in range(200))
    assert "".join(seen) == expected
