"""The stream itself shows when a message is over: once, behind everything else of it, in every way to end."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any, Callable, Dict, List, Union

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    ChatMessageChunk,
    HumanMessage,
    RemoveMessage,
)
from langchain_core.runnables import RunnableLambda

from streamgraph import message_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Answer, Gate, ScriptedModel, check_stream
from streamgraph.types import RetryPolicy
from support.waiting import eventually

GIVEN = {"messages": [HumanMessage("go", id="given")]}
BROKEN = Answer(["a ", "b"], error=ConnectionError("gone"))


def answering(*script: Any, **fields: Any) -> ScriptedModel:
    return ScriptedModel(script or ["a b"], cycle=True, **fields)


def both(sync: Callable[[Any], Any], asyn: Callable[[Any], Any]) -> RunnableLambda:
    return RunnableLambda(sync, afunc=asyn)


def side_by_side(**nodes: Any) -> Any:
    graph = StateGraph(MessagesState)
    for name, node in nodes.items():
        graph.add_node(name, node).add_edge(START, name)
    return graph.compile()


# Each makes a graph, whose stream shows one message, in one way.


def invoked() -> Any:
    model = answering()

    async def anode(state: Any) -> Any:
        return {"messages": await model.ainvoke("?")}

    return side_by_side(node=both(lambda state: {"messages": model.invoke("?")}, anode))


def streamed() -> Any:
    model = answering()

    def node(state: Any) -> None:
        for _ in model.stream("?"):
            pass

    async def anode(state: Any) -> None:
        async for _ in model.astream("?"):
            pass

    return side_by_side(node=both(node, anode))


def left_early() -> Any:
    """The node stops reading before the end."""
    model = answering()

    def node(state: Any) -> None:
        next(model.stream("?"))

    async def anode(state: Any) -> None:
        tokens = model.astream("?")
        await tokens.__anext__()
        await tokens.aclose()  # type: ignore[attr-defined]

    return side_by_side(node=both(node, anode))


def marked_by_the_model() -> Any:
    last: Any = AIMessageChunk("b")
    last.chunk_position = "last"
    return side_by_side(node=lambda state: {"messages": [answering(["a ", last]).invoke("?")]})


def failing() -> Any:
    return side_by_side(node=lambda state: answering(BROKEN).invoke("?"))


def caught() -> Any:
    def node(state: Any) -> None:
        with pytest.raises(ConnectionError):
            answering(BROKEN).invoke("?")

    return side_by_side(node=node)


def failing_deep_inside() -> Any:
    inner = failing()
    return side_by_side(outer=lambda state: inner.invoke(GIVEN))


def beside_a_failure() -> Any:
    """The model is cancelled when the node beside it fails."""
    begun, cancelled = threading.Event(), threading.Event()

    def talking(state: Any) -> None:
        for _ in answering().stream("?"):
            begun.set()
            cancelled.wait(30)

    def bad(state: Any) -> None:
        begun.wait(30)
        cancelled.set()
        raise ConnectionError("gone")

    return side_by_side(talking=talking, bad=bad)


def yielded() -> Any:
    def node(state: Any) -> Any:
        yield "a "
        yield AIMessageChunk("b")

    return side_by_side(node=node)


def yielded_in_another_role() -> Any:
    def node(state: Any) -> Any:
        yield ChatMessageChunk("a ", role="critic")
        yield ChatMessageChunk("b", role="critic")

    return side_by_side(node=node)


def yielded_until_an_error() -> Any:
    def node(state: Any) -> Any:
        yield "a "
        raise ConnectionError("gone")

    return side_by_side(node=node)


def written() -> Any:
    def node(state: Any) -> Any:
        with message_writer() as message:
            message.write("a ")
            message.write("b")
        return {"messages": [message.message]}

    return side_by_side(node=node)


def written_in_blocks() -> Any:
    def node(state: Any) -> Any:
        with message_writer() as message:
            message.write(AIMessageChunk([{"type": "text", "text": "a "}]))
            message.write(AIMessageChunk([{"type": "text", "text": "b"}]))

    return side_by_side(node=node)


def written_until_an_error() -> Any:
    def node(state: Any) -> Any:
        with message_writer() as message:
            message.write("a ")
            raise ConnectionError("gone")

    return side_by_side(node=node)


def in_a_nested_graph() -> Any:
    inner = invoked()
    return side_by_side(outer=lambda state: inner.invoke(GIVEN))


def whole() -> Any:
    model = answering(disable_streaming=True)
    return side_by_side(node=lambda state: {"messages": [model.invoke("?")]})


class Plain(MessagesState):
    answer: BaseMessage


def a_whole_chunk() -> Any:
    """A chunk that a node has from elsewhere is a message to the state that takes it."""
    graph = StateGraph(Plain).add_node("node", lambda state: {"answer": AIMessageChunk("a b", id="x")})
    return graph.add_edge(START, "node").compile()


def outliving_the_run() -> Any:
    """A thread of the node's own is still streaming when the run ends."""
    begun = threading.Event()

    def talk() -> None:
        for _ in answering().stream("?"):
            begun.set()
            over.wait(30)

    over = threading.Event()

    def node(state: Any) -> None:
        threading.Thread(target=contextvars.copy_context().run, args=(talk,), daemon=True).start()
        begun.wait(30)

    graph = side_by_side(node=node)
    graph.over = over
    return graph


CASES: Dict[str, Callable[[], Any]] = {
    case.__name__: case
    for case in (
        invoked,
        streamed,
        left_early,
        marked_by_the_model,
        failing,
        caught,
        failing_deep_inside,
        beside_a_failure,
        yielded,
        yielded_in_another_role,
        yielded_until_an_error,
        written,
        written_in_blocks,
        written_until_an_error,
        in_a_nested_graph,
        whole,
        a_whole_chunk,
        outliving_the_run,
    )
}


def read(graph: Any, driver: str, **options: Any) -> List[Any]:
    """Return what comes before the end or the failure."""
    chunks: List[Any] = []

    async def aread() -> None:
        async for chunk in graph.astream(GIVEN, **options):
            chunks.append(chunk)

    try:
        if driver == "astream":
            asyncio.run(aread())
        else:
            for chunk in graph.stream(GIVEN, **options):
                chunks.append(chunk)
    except ConnectionError:
        pass
    return chunks


def text_of(message: BaseMessage) -> str:
    content: Any = message.content
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def is_last(message: BaseMessage) -> bool:
    return getattr(message, "chunk_position", None) == "last" or not isinstance(message, BaseMessageChunk)


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_message_ends_once_and_last(case: Callable[[], Any], driver: str) -> None:
    graph = case()
    chunks = read(graph, driver, stream_mode="messages")
    graph.__dict__.get("over", threading.Event()).set()
    assert [is_last(chunk) for chunk, _ in chunks] == [False] * (len(chunks) - 1) + [True]
    assert len({chunk.id for chunk, _ in chunks}) == 1
    assert "a b".startswith("".join(text_of(chunk) for chunk, _ in chunks).strip())
    assert not any(text_of(chunk) for chunk, _ in chunks[1:] if is_last(chunk)) or case is marked_by_the_model
    end = chunks[-1]
    assert end[1] == chunks[0][1]
    assert end[1]["langgraph_node"] in ("node", "talking")


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_rules_of_a_stream(case: Callable[[], Any], driver: str) -> None:
    """With every mode, in the order of the parts, and in the other version."""
    graph = case()
    parts = read(graph, driver, stream_mode=["messages", "updates", "values", "tasks"], version="v2")
    graph.__dict__.get("over", threading.Event()).set()
    assert sum(part["type"] == "messages" and is_last(part["data"][0]) for part in parts) == 1
    check_stream(parts, ignore=["update-last", "task-result"] if case is outliving_the_run else [])


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_what_is_taken_back_is_over(driver: str) -> None:
    """The failed attempt ends when it fails, before it is taken back."""
    model = answering(BROKEN, "a b")
    graph = StateGraph(MessagesState)
    policy = RetryPolicy(initial_interval=0, max_attempts=2, retry_on=ConnectionError)
    graph.add_node("node", lambda state: {"messages": [model.invoke("?")]}, retry_policy=policy)
    chunks = read(graph.add_edge(START, "node").compile(), driver, stream_mode="messages")
    ends = [place for place, (message, _) in enumerate(chunks) if is_last(message)]
    first, removed, second = (chunks[place][0] for place in ends)
    assert isinstance(removed, RemoveMessage)
    assert first.id == removed.id != second.id
    assert ends == [2, 3, len(chunks) - 1]


def test_the_message_in_the_state_has_no_mark_of_ours() -> None:
    model, states = answering(), []
    for modes in (["values"], ["values", "messages"]):
        graph = side_by_side(node=lambda state: {"messages": [model.invoke("?")]})
        states.append([chunk for mode, chunk in graph.stream(GIVEN, stream_mode=modes) if mode == "values"][-1])
    plain, shown = ([(type(message), message.content) for message in state["messages"]] for state in states)
    assert plain == shown
    graph = a_whole_chunk()
    list(graph.stream(GIVEN, stream_mode="messages"))
    assert getattr(graph.invoke(GIVEN)["answer"], "chunk_position", None) is None


@pytest.mark.parametrize("options", [{"exclude_nodes": ["node"]}, {"exclude_tags": ["quiet"]}])
def test_what_is_left_out_has_no_end(options: Any) -> None:
    model = answering(BROKEN, tags=["quiet"])
    chunks: List[Any] = []
    with pytest.raises(ConnectionError):
        chunks.extend(
            side_by_side(node=lambda state: model.invoke("?")).stream(GIVEN, stream_mode="messages", **options)
        )
    assert chunks == []


def test_merged_tokens_keep_the_mark() -> None:
    """A slow consumer gets them in one chunk, with the mark on it."""
    done = threading.Event()

    def node(state: Any) -> Any:
        with message_writer() as message:
            for number in range(100):
                message.write(f"{number} ")
        done.set()

    stream = side_by_side(node=node).stream(GIVEN, stream_mode="messages", max_buffer=1, overflow="coalesce")
    first, _ = next(stream)
    done.wait(30)
    rest = [chunk for chunk, _ in stream]
    assert len(rest) < 10
    assert [is_last(chunk) for chunk in [first, *rest]] == [False] * len(rest) + [True]
    assert "".join(str(chunk.content) for chunk in [first, *rest]).split() == [str(number) for number in range(100)]


def test_a_full_buffer_ends_the_message_with_the_run() -> None:
    """The node fails for the buffer's sake, and what is left of its message is its end."""
    full = threading.Event()

    def node(state: Any) -> Any:
        try:
            with message_writer() as message:
                while True:
                    message.write("a ")
        finally:
            full.set()

    stream = side_by_side(node=node).stream(GIVEN, stream_mode="messages", max_buffer=2, overflow="raise")
    chunks: List[Any] = [next(stream)[0]]
    full.wait(30)
    with pytest.raises(Exception, match="buffer"):
        chunks.extend(chunk for chunk, _ in stream)
    assert [is_last(chunk) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


@pytest.mark.parametrize("reader", ["inner", "outer", "both"])
def test_each_reader_of_a_nested_graph_gets_the_end(reader: str) -> None:
    inner = failing()
    seen: List[Any] = []

    def outer(state: Any) -> None:
        if reader == "outer":
            inner.invoke(GIVEN)
        for chunk, _ in inner.stream(GIVEN, stream_mode="messages"):
            seen.append(chunk)

    modes: Union[str, List[str]] = "values" if reader == "inner" else "messages"
    chunks = read(side_by_side(outer=outer), "stream", stream_mode=modes)
    if reader != "outer":
        assert [is_last(chunk) for chunk in seen] == [False, False, True]
    if reader != "inner":
        assert [is_last(chunk) for chunk, _ in chunks] == [False, False, True]


def test_a_reader_that_leaves_is_not_waited_for() -> None:
    gate = Gate()
    model = answering(gate=gate)
    stream = side_by_side(node=lambda state: model.invoke("?")).stream(GIVEN, stream_mode="messages")
    gate.open()
    next(stream)
    gate.open_all()
    stream.close()
    eventually(lambda: stream.status == "closed")
    assert list(stream) == []


def test_the_text_is_known_whatever_has_ended_it() -> None:
    stream = failing().stream(GIVEN, stream_mode="messages")
    with pytest.raises(ConnectionError):
        list(stream)
    assert list(stream.partial.messages.values()) == ["a b"]


def test_an_empty_answer_that_is_whole() -> None:
    model = answering(AIMessage(""), disable_streaming=True)
    (shown,) = read(
        side_by_side(node=lambda state: {"messages": [model.invoke("?")]}), "stream", stream_mode="messages"
    )
    assert is_last(shown[0])
