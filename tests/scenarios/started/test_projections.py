"""`stream_events(version="v3")`: a run is read through its projections, in any order, and none loses anything."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from streamgraph import message_writer
from streamgraph._compat.langchain_core import message_streams
from streamgraph.config import get_stream_writer
from streamgraph.errors import NotSupportedError, UnknownOptionError
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.stream import CustomTransformer, StreamChannel, StreamTransformer, UpdatesTransformer
from streamgraph.testing import Answer, Gate, ScriptedModel
from streamgraph.types import RetryPolicy, interrupt
from support.talking import GIVEN, talking
from support.waiting import eventually

HAS_MESSAGES = message_streams() is not None
"""Whether langchain-core has streams of messages."""

needs_messages = pytest.mark.skipif(not HAS_MESSAGES, reason="this langchain-core has no ChatModelStream")

NAMES = ("values", "lifecycle", "subgraphs", "updates", "custom", *(["messages"] if HAS_MESSAGES else []))
MORE = [UpdatesTransformer, CustomTransformer]


def seen(name: str, item: Any) -> Any:
    """What is equal in two runs of an item of a projection."""
    if name == "values":
        return [message.content for message in item["messages"]]
    if name == "lifecycle":
        return item["event"], [level.partition(":")[0] for level in item["namespace"]]
    if name == "subgraphs":
        return item.node, item.graph_name
    if name == "updates":
        return list(item)
    return (item.node, item.tags) if name == "messages" else item


def read(graph: Any, names: Tuple[str, ...], driver: str, **options: Any) -> Dict[str, List[Any]]:
    """Read projections one after the other, from an asyncio task or a thread."""

    async def aread() -> Dict[str, List[Any]]:
        run = await graph.astream_events(GIVEN, version="v3", **options)
        found: Dict[str, List[Any]] = {}
        for name in names:
            found[name] = [seen(name, item) async for item in getattr(run, name)]
        return found

    if driver == "astream":
        return asyncio.run(aread())
    run = graph.stream_events(GIVEN, version="v3", **options)
    return {name: [seen(name, item) for item in getattr(run, name)] for name in names}


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_any_order_gives_the_same(driver: str) -> None:
    graph = talking(asynchronous=driver == "astream")
    first = read(graph, NAMES, driver, transformers=MORE)
    assert all(first.values())
    for names in itertools.islice(itertools.permutations(NAMES), 1, 720, 90):
        assert read(graph, names, driver, transformers=MORE) == first
    assert first["values"][-1][-1] == "the end"
    assert first["lifecycle"] == [("started", ["inner"]), ("completed", ["inner"])]
    assert first["subgraphs"] == [("inner", "inner")]
    assert first["custom"] == [{"at": 1}, "two"]
    assert first["updates"] == [["write"], ["speak"], ["inner"], ["end"]]
    if HAS_MESSAGES:
        assert first["messages"] == [("speak", ["quiet"]), ("end", [])]


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_the_result_first_and_everything_after_it(driver: str) -> None:
    graph = talking()

    async def aread() -> Any:
        run = await graph.astream_events(GIVEN, version="v3")
        output = await run.output()
        return output, [item async for item in run.values], [event async for event in run]

    if driver == "astream":
        output, values, events = asyncio.run(aread())
    else:
        run = graph.stream_events(GIVEN, version="v3")
        output, values, events = run.output, list(run.values), list(run)
    assert output["messages"] == values[-1]["messages"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert "tasks" not in {event["method"] for event in events}
    assert [
        event["params"]["data"] for event in events if event["method"] == "values" and not event["params"]["namespace"]
    ] == values


def test_values_are_those_of_a_stream() -> None:
    run = talking().stream_events(GIVEN, version="v3")
    expected = [seen("values", chunk) for chunk in talking().stream(GIVEN, stream_mode="values")]
    assert [seen("values", item) for item in run.values] == expected


def test_a_nested_graph_is_read_when_the_run_is_over() -> None:
    run = talking().stream_events(GIVEN, version="v3")
    assert run.output
    (inner,) = run.subgraphs
    assert inner.status == "completed"
    assert [seen("values", item)[-1] for item in inner.values][-1] == "LOUD WORDS!"
    if HAS_MESSAGES:
        assert [(message.node, message.tags) for message in inner.messages] == [("shout", ["loud"])]


def test_threads_read_at_the_same_time() -> None:
    """Each projection has a reader of its own, and one of them advances the run for all."""
    for _ in range(20):
        run = talking().stream_events(GIVEN, version="v3", transformers=MORE)
        found: Dict[str, List[Any]] = {}

        def reading(name: str, run: Any = run, found: Any = found) -> None:
            found[name] = [seen(name, item) for item in getattr(run, name)]

        threads = [threading.Thread(target=reading, args=(name,)) for name in NAMES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == read(talking(), NAMES, "stream", transformers=MORE)


def test_tasks_read_at_the_same_time() -> None:
    async def main() -> Dict[str, List[Any]]:
        run = await talking().astream_events(GIVEN, version="v3", transformers=MORE)

        async def reading(name: str) -> List[Any]:
            return [seen(name, item) async for item in getattr(run, name)]

        return dict(zip(NAMES, await asyncio.gather(*map(reading, NAMES))))

    assert asyncio.run(main()) == read(talking(), NAMES, "stream", transformers=MORE)


# Messages


def calls(model: Any) -> Dict[str, Callable[[Any], Any]]:
    def invoked(state: Any) -> Any:
        return {"messages": [model.invoke("?")]}

    def streamed(state: Any) -> Any:
        total = None
        for chunk in model.stream("?"):
            total = chunk if total is None else total + chunk
        return {"messages": [total]}

    def written(state: Any) -> Any:
        with message_writer(tags=["mine"]) as message:
            message.write("a ")
            message.write("b")
        return {"messages": [message.message]}

    def yielded(state: Any) -> Any:
        yield "a "
        yield "b"

    return {"invoked": invoked, "streamed": streamed, "written": written, "yielded": yielded}


@needs_messages
@pytest.mark.parametrize("how", ["invoked", "streamed", "written", "yielded"])
@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_each_way_to_speak_is_a_message(how: str, driver: str) -> None:
    """Also `model.stream()`, whose chunks LangGraph leaves out; and the state gets what it would get without."""
    model = ScriptedModel(["a b"], cycle=True, tags=["mine"])
    graph = StateGraph(MessagesState).add_node("node", calls(model)[how], metadata={"of": "node"})
    compiled: Any = graph.add_edge(START, "node").compile()

    async def aread() -> Any:
        run = await compiled.astream_events(GIVEN, version="v3")
        found = [(message, [text async for text in message.text]) async for message in run.messages]
        return found, await run.output(), [event async for event in run]

    if driver == "astream":
        found, output, events = asyncio.run(aread())
    else:
        run = compiled.stream_events(GIVEN, version="v3")
        found, output, events = [(message, list(message.text)) for message in run.messages], run.output, list(run)
    ((message, texts),) = found
    assert "".join(texts) == "a b"
    assert len(texts) > 1
    assert message.done
    assert (message.node, message.metadata["langgraph_node"], message.metadata["of"]) == ("node", "node", "node")
    assert message.tags == ([] if how == "yielded" else ["mine"])
    told = [event["params"]["data"][0]["event"] for event in events if event["method"] == "messages"]
    assert (told[0], told[-1], told.count("message-start")) == ("message-start", "message-finish", 1)
    plain = compiled.invoke(GIVEN)
    assert [(type(one), one.content) for one in output["messages"]] == [
        (type(one), one.content) for one in plain["messages"]
    ]


@needs_messages
def test_tokens_come_while_the_model_speaks() -> None:
    gate = Gate()
    model = ScriptedModel(["a b c"], gate=gate)
    graph = StateGraph(MessagesState).add_node("node", calls(model)["invoked"]).add_edge(START, "node").compile()
    run = graph.stream_events(GIVEN, version="v3")
    message = next(iter(_opened(gate, run.messages)))
    texts = iter(message.text)
    assert next(texts).strip() == "a"
    assert not message.done
    gate.open_all()
    assert "".join(texts).split() == ["b", "c"]
    assert message.output.content
    assert run.output


def _opened(gate: Gate, projection: Any) -> Any:
    gate.open()
    return projection


@needs_messages
def test_tool_calls_and_usage() -> None:
    call = {"name": "look_up", "args": {"topic": "cats"}, "id": "c1", "type": "tool_call"}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    model = ScriptedModel([AIMessage("see", tool_calls=[call], usage_metadata=usage)], cycle=True)
    graph = StateGraph(MessagesState).add_node("node", calls(model)["streamed"]).add_edge(START, "node").compile()
    (message,) = graph.stream_events(GIVEN, version="v3").messages
    assert message.output.tool_calls == [call]
    assert message.output.usage_metadata == usage
    assert message.output.text == "see"


@needs_messages
@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_an_attempt_that_failed_is_over(driver: str) -> None:
    model = ScriptedModel([Answer(["a ", "b"], error=ConnectionError("gone")), "a b c"])
    policy = RetryPolicy(initial_interval=0, max_attempts=2, retry_on=ConnectionError)
    graph = StateGraph(MessagesState).add_node("node", calls(model)["invoked"], retry_policy=policy)
    compiled = graph.add_edge(START, "node").compile()

    async def aread() -> Any:
        run = await compiled.astream_events(GIVEN, version="v3")
        return [await message.text async for message in run.messages]

    if driver == "astream":
        texts = asyncio.run(aread())
    else:
        texts = [str(message.text) for message in compiled.stream_events(GIVEN, version="v3").messages]
    assert texts == ["a b", "a b c"]


@pytest.mark.skipif(HAS_MESSAGES, reason="this langchain-core has ChatModelStream")
def test_without_streams_of_messages_the_rest_is_there() -> None:
    run = talking().stream_events(GIVEN, version="v3")
    with pytest.raises(AttributeError, match="registered projections"):
        _ = run.messages
    assert run.output


# Endings


def failing() -> Any:
    def bad(state: Any) -> None:
        raise ValueError("boom")

    graph = StateGraph(MessagesState).add_node("bad", bad)
    return graph.add_edge(START, "bad").compile()


@pytest.mark.parametrize("name", ["values", "lifecycle", "output", "interrupted", "interrupts", None])
def test_every_reader_gets_the_error(name: Any) -> None:
    """After what came before it, also a reader that comes later than another."""
    run = failing().stream_events(GIVEN, version="v3")
    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            _ = run.output
    with pytest.raises(ValueError, match="boom"):
        list(run if name is None else getattr(run, name))

    async def main() -> None:
        run = await failing().astream_events(GIVEN, version="v3")
        with pytest.raises(ValueError, match="boom"):
            if name in ("output", "interrupted", "interrupts"):
                await getattr(run, name)()
            else:
                async for _ in run if name is None else getattr(run, name):
                    pass

    asyncio.run(main())


def test_a_question() -> None:
    def ask(state: Any) -> Any:
        return {"messages": [AIMessage(str(interrupt("why?")))]}

    run = (
        StateGraph(MessagesState)
        .add_node("ask", ask)
        .add_edge(START, "ask")
        .compile()
        .stream_events(GIVEN, version="v3")
    )
    assert run.interrupted
    assert [question.value for question in run.interrupts] == ["why?"]
    assert len(list(run.values)) >= 1


def endless(told: List[str]) -> Any:
    def node(state: Any) -> None:
        try:
            while True:
                get_stream_writer()("more")
        finally:
            told.append("ended")

    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()


@pytest.mark.parametrize("way", ["abort", "with", "drop"])
def test_leaving_ends_the_run(way: str) -> None:
    told: List[str] = []
    run = endless(told).stream_events(GIVEN, version="v3", transformers=MORE)
    items = iter(run.custom)
    assert next(items) == "more"
    if way == "abort":
        run.abort()
        run.abort()
        list(items)
    elif way == "with":
        with run:
            pass
    else:
        del run, items
    eventually(lambda: gc.collect() >= 0 and told == ["ended"])


@pytest.mark.parametrize("way", ["abort", "with", "cancel"])
def test_leaving_ends_the_run_on_a_loop(way: str) -> None:
    told: List[str] = []

    async def node(state: Any) -> None:
        try:
            while True:
                get_stream_writer()("more")
                await asyncio.sleep(0)
        finally:
            told.append("ended")

    graph: Any = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()

    async def main() -> None:
        run = await graph.astream_events(GIVEN, version="v3", transformers=MORE)
        items = run.custom.__aiter__()
        assert await items.__anext__() == "more"
        if way == "abort":
            await run.abort()
            assert "ended" not in [item async for item in items]
        elif way == "with":
            async with run:
                pass
        else:

            async def reading() -> None:
                async with run:
                    async for _ in items:
                        pass

            task = asyncio.ensure_future(reading())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert told == ["ended"]

    asyncio.run(main())


def test_a_run_that_nobody_reads_waits() -> None:
    """It is ahead of its reader by a limited number of parts, and none of them is lost."""
    made = []

    def node(state: Any) -> None:
        for number in range(2000):
            get_stream_writer()(number)
            made.append(number)

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()
    run = graph.stream_events(GIVEN, version="v3", transformers=MORE)
    items = iter(run.custom)
    assert next(items) == 0
    eventually(lambda: len(made) > 200)
    assert len(made) < 1000
    assert [0, *items] == list(range(2000))


# Of a started run

EVERY = ("values", "updates", "custom", "messages", "tasks")


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_projections_of_a_started_run(driver: str) -> None:
    """Any number of readers have some of their own, during the run and after it, and leaving them does not end it."""
    expected = read(talking(), NAMES, "stream", transformers=MORE)

    async def aread(run: Any) -> Dict[str, List[Any]]:
        view, found = run.aprojections(MORE), {}
        for name in NAMES:
            found[name] = [seen(name, item) async for item in getattr(view, name)]
        return found

    async def main() -> List[Any]:
        run = await talking().astart(GIVEN, record=EVERY)
        async with run.aprojections() as left:
            assert await left.values.__aiter__().__anext__()
        during = await asyncio.gather(aread(run), aread(run))
        assert await run
        return [*during, await aread(run)]

    if driver == "astream":
        assert asyncio.run(main()) == [expected] * 3
        return
    run = talking().start(GIVEN, record=EVERY)
    with run.projections() as left:
        assert next(iter(left.values))
    for _ in range(3):
        view = run.projections(MORE)
        assert {name: [seen(name, item) for item in getattr(view, name)] for name in NAMES} == expected
    assert run.result() == view.output


def test_projections_need_modes_that_are_recorded() -> None:
    run = talking().start(GIVEN, record=["values", "custom"])
    assert sorted(run.projections([CustomTransformer]).extensions) == ["custom", "values"]
    with pytest.raises(UnknownOptionError, match="does not record 'updates'"):
        run.projections([UpdatesTransformer])
    with pytest.raises(TypeError, match="pre-built instance"):
        run.projections([CustomTransformer()])
    assert run.result()


# In nodes, with other options, and mistakes


def test_in_a_node_of_another_graph() -> None:
    """The namespaces of its events are those of the node, and the projections are of the inner graph all the same."""
    found: List[Any] = []

    def node(state: Any) -> None:
        run = talking().stream_events(GIVEN, version="v3")
        found.append([seen("values", item) for item in run.values])
        found.append([seen("subgraphs", item) for item in run.subgraphs])

    StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile().invoke(
        {"messages": [HumanMessage("go")]}
    )
    alone = talking().stream_events(GIVEN, version="v3")
    assert found == [[seen("values", item) for item in alone.values], [("inner", "inner")]]


def test_a_transformer_of_the_graph_and_one_of_the_call() -> None:
    class Count(StreamTransformer):
        required_stream_modes = ("updates",)

        def __init__(self, scope: Tuple[str, ...] = ()) -> None:
            super().__init__(scope)
            self.names: StreamChannel[str] = StreamChannel("names")

        def init(self) -> Dict[str, Any]:
            return {"names": self.names}

        def process(self, event: Any) -> bool:
            if event["method"] == "updates" and tuple(event["params"]["namespace"]) == self.scope:
                self.names.push(*event["params"]["data"])
            return True

    def node(state: Any) -> Any:
        return {"messages": []}

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile(transformers=[Count])
    run = graph.stream_events(GIVEN, version="v3", transformers=[CustomTransformer])
    assert run.output
    assert list(run.extensions["names"]) == ["node"]
    assert [event["params"]["data"] for event in run if event["method"] == "custom:names"] == ["node"]
    assert list(run.custom) == []
    with pytest.raises(AttributeError, match="registered projections: custom, lifecycle"):
        _ = run.names


@pytest.mark.parametrize("option", ["stream_mode", "subgraphs", "record", "on_disconnect"])
def test_options_of_the_protocol_are_refused(option: str) -> None:
    for call in (talking().stream_events, talking().astream_events):
        with pytest.raises(TypeError, match=f"do not accept {option}"):
            call(GIVEN, version="v3", **{option: "values"})


def test_mistakes_are_refused_at_once() -> None:
    graph = talking()
    with pytest.raises(TypeError, match="pre-built instance"):
        graph.stream_events(GIVEN, version="v3", transformers=[CustomTransformer()])
    with pytest.raises(TypeError, match="belongs to events of the version 'v3'"):
        graph.stream_events(GIVEN, transformers=[CustomTransformer])
    with pytest.raises(NotSupportedError, match="can only be awaited"):
        graph.stream_events(GIVEN)
    with pytest.raises(TypeError, match="interupt_before"):
        graph.stream_events(GIVEN, version="v3", interupt_before=["end"])
