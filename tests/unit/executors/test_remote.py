"""Nodes that run elsewhere: the stream is what it is with the node here. The way to the worker is a loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import traceback
from typing import Annotated

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from typing_extensions import TypedDict

from streamgraph import START, StateGraph
from streamgraph.errors import (
    NodeTimeoutError,
    NotSupportedError,
    UnknownOptionError,
    UnsendableValueError,
    WorkerLostError,
    location_of,
)
from streamgraph.executors import remote
from streamgraph.types import Command, RetryPolicy, Send, TimeoutPolicy
from support import remote_targets as targets
from support.clocks import clock as clock
from support.loopback_executor import LoopbackExecutor
from support.waiting import eventually, soon

MODES = ["values", "updates", "messages", "custom", "tasks", "debug", "tools", "patches", "objects", "checkpoints"]
CONFIG = {"configurable": {"thread_id": "t"}, "tags": ["run"], "metadata": {"mine": 1}}
ONE_BY_ONE = {**CONFIG, "max_concurrency": 1}  # else two nodes of a step may end in either order


class Sent(TypedDict):
    log: Annotated[str, max]


@pytest.fixture(scope="module")
def executor():
    made = LoopbackExecutor()
    yield made
    made.close()


def there(name, executor, **options):
    return remote(f"{targets.HERE}:{name}", executor, **options)


def chunks(graph, way, mode, **options):
    if way == "sync":
        return [targets.normal(chunk) for chunk in graph.stream(targets.GIVEN, ONE_BY_ONE, stream_mode=mode, **options)]
    if way == "started":
        with graph.start(targets.GIVEN, ONE_BY_ONE, record=MODES).stream(mode, **options) as reader:
            return [targets.normal(chunk) for chunk in reader]

    async def read():
        stream = graph.astream(targets.GIVEN, ONE_BY_ONE, stream_mode=mode, **options)
        return [targets.normal(chunk) async for chunk in stream]

    return asyncio.run(read())


@pytest.mark.parametrize("way", ["sync", "async", "started"])
@pytest.mark.parametrize("name", targets.ALIKE)
def test_the_stream_is_the_same(name, way, executor):
    """Every mode alone and all at once, with and without nested graphs, is the same stream."""
    here, elsewhere = (targets.graph_of(node).compile() for node in (targets.local(name), there(name, executor)))
    for mode in (*MODES, MODES):
        for subgraphs in (None, True):
            expected = chunks(here, way, mode, subgraphs=subgraphs)
            assert chunks(elsewhere, way, mode, subgraphs=subgraphs) == expected


FILTERS = [
    {"exclude_tags": ["joke"]},
    {"include_tags": ["joke"]},
    {"exclude_nodes": ["n"]},
    {"include_nodes": ["n", "afte[r]"]},
]


@pytest.mark.parametrize("options", FILTERS, ids=str)
def test_filters_act_on_the_worker(options, executor):
    """What is filtered out is not even sent."""
    here = targets.graph_of(targets.inner_graph()).compile()
    elsewhere = targets.graph_of(there("inner_graph()", executor)).compile()

    expected = chunks(here, "async", "messages", **options)
    del executor.items[:]
    assert chunks(elsewhere, "async", "messages", **options) == expected
    assert sum(item[0] in ("part", "text") for item in executor.items) <= len(expected)


def test_a_worker_sends_only_what_is_read(executor):
    """Without a reader of them there are no parts at all."""
    graph = targets.graph_of(there("inner_graph()", executor)).compile()
    del executor.items[:]
    graph.invoke(targets.GIVEN, CONFIG)
    assert [item[0] for item in executor.items] == ["end"]


def test_what_a_node_sees(executor):
    """Config, tags, metadata, context and attempt are those of the run."""
    seen = [
        targets.graph_of(node, metadata={"of": "node"}).compile().invoke(
            targets.GIVEN, CONFIG, context=targets.Point(2)
        )["value"]
        for node in (targets.sees, there("sees", executor))
    ]  # fmt: skip
    assert seen[0] == seen[1]
    assert seen[0]["context"] == targets.Point(2)


def test_the_state_can_be_read(executor):
    graphs = [
        targets.graph_of(node).compile() for node in (targets.reads_the_state, there("reads_the_state", executor))
    ]
    values = [graph.invoke({**targets.GIVEN, "log": "l"})["value"] for graph in graphs]
    assert [value["log"] for value in values] == ["l", "l"]
    assert len(values[1]["messages"]) == 1


@pytest.mark.parametrize("way", ["sync", "async"])
def test_errors(way, executor):
    """The exception is the original one, with its cause, its place, and what the worker saw; chunks before it came."""
    graph = targets.graph_of(there("fails", executor)).compile()
    seen = []

    async def read():
        async for chunk in graph.astream(targets.GIVEN, stream_mode="custom"):
            seen.append(chunk)

    with pytest.raises(targets.OwnError) as raised:
        if way == "sync":
            seen.extend(graph.stream(targets.GIVEN, stream_mode="custom"))
        asyncio.run(read())

    error = raised.value
    assert way == "sync" or seen == ["before"]
    assert (error.code, str(error)) == (7, "7 at here")
    assert isinstance(error.__cause__, KeyError)
    assert location_of(error).node == "n"
    assert "in fails" in "".join(traceback.format_exception(type(error), error, error.__traceback__))


def test_an_error_handler_gets_the_error(executor):
    def handle(state, error):
        return {"log": repr(error.error)}

    graph = targets.graph_of(there("fails", executor), error_handler=handle).compile()
    assert graph.invoke(targets.GIVEN)["log"] == "OwnError('7 at here')"


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_retry_is_a_new_attempt(way, executor):
    """The tokens of the failed attempt are taken back, as with a node that runs here."""
    policy = RetryPolicy(initial_interval=0.01, jitter=False)
    given = {**targets.GIVEN, "log": "raise"}
    seen = []
    for node in (targets.dies, there("dies", executor)):
        graph = targets.graph_of(node, retry_policy=policy).compile()

        async def read():
            return [chunk async for chunk in graph.astream(given, stream_mode="messages")]

        read_chunks = list(graph.stream(given, stream_mode="messages")) if way == "sync" else asyncio.run(read())
        seen.append([(message.type, message.content) for message, _ in read_chunks])
        assert targets.tokens_in_the_stream(read_chunks) == ["2.0 2.1 2.2 2.3 2.4 2.5 "]
    assert seen[0] == seen[1]


def test_a_lost_worker_is_retried_by_default(executor):
    class Losing:
        lost = 0

        async def submit(self, request):
            handle = await executor.submit(request)
            if not self.lost:
                self.lost += 1
                handle.lose()
            return handle

    losing = Losing()
    graph = targets.graph_of(there("talk", losing), retry_policy=RetryPolicy(initial_interval=0.01)).compile()
    assert graph.invoke(targets.GIVEN)["messages"][1].content == "one two three"
    losing.lost = 0
    with pytest.raises(WorkerLostError) as raised:
        targets.graph_of(there("talk", losing)).compile().invoke(targets.GIVEN)
    assert location_of(raised.value).node == "n"


@pytest.mark.parametrize("way", ["sync", "async"])
def test_questions(way, executor):
    """A node asks, the run ends, and the answers travel in; earlier answers are known again."""
    graph = targets.graph_of(there("asks", executor)).compile(checkpointer=InMemorySaver())

    def run(given):
        return graph.invoke(given, CONFIG) if way == "sync" else asyncio.run(graph.ainvoke(given, CONFIG))

    first = run(targets.GIVEN)["__interrupt__"]
    local = targets.graph_of(targets.asks).compile(checkpointer=InMemorySaver())
    assert [one.value for one in first] == [one.value for one in local.invoke(targets.GIVEN, CONFIG)["__interrupt__"]]
    second = run(Command(resume="one"))["__interrupt__"]
    assert (first[0].value, second[0].value) == ({"q": 1}, "two")
    assert run(Command(resume="2"))["value"] == ["one", "2"]


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """How often work was done that should be done once."""
    note = tmp_path / "count"
    note.write_text("")
    monkeypatch.setenv("STREAMGRAPH_COUNT", str(note))
    return note


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_nested_graph_goes_on_where_it_was(way, durability, executor, counted):
    """Its steps are saved by the saver of the run: none of them runs twice, and its state can be looked at."""
    saver = InMemorySaver()
    graph = targets.graph_of(there("asking_graph()", executor)).compile(checkpointer=saver)

    def run(given):
        if way == "sync":
            return graph.invoke(given, CONFIG, durability=durability)
        return asyncio.run(graph.ainvoke(given, CONFIG, durability=durability))

    asked = [run(targets.GIVEN)["__interrupt__"][0].value]
    places = {str(stored.config["configurable"]["checkpoint_ns"]).partition(":")[0] for stored in saver.list(CONFIG)}
    assert places == {"", "n"}
    asked.append(run(Command(resume="one"))["__interrupt__"][0].value)
    assert run(Command(resume="two"))["value"] == ["one", "two"]
    assert asked == ["inner", "once more"]
    assert counted.read_text() == "x"


def test_a_graph_that_remembers(executor):
    """With checkpointer=True a nested graph has its state from one task to the next, also in another process."""
    values = []
    for node in (targets.remembering_graph(), there("remembering_graph()", executor)):
        graph = targets.graph_of(node).compile(checkpointer=InMemorySaver())
        values.append([graph.invoke({"log": word}, CONFIG)["value"] for word in ("a", "b", "c")])
    assert values[0] == values[1] == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_a_finished_task_is_not_run_again(executor, counted):
    graph = targets.graph_of(there("asks_after_a_task", executor)).compile(checkpointer=InMemorySaver())
    assert graph.invoke(targets.GIVEN, CONFIG)["__interrupt__"][0].value == "sure?"
    assert graph.invoke(Command(resume="yes"), CONFIG)["value"] == [1, "yes"]
    assert counted.read_text() == "x"


@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_store_of_the_run(way, executor):
    values = []
    for name in ("remembers", "remembers_in_a_thread"):
        store = InMemoryStore()
        graph = targets.graph_of(there(name, executor)).compile(store=store)
        ran = graph.invoke(targets.GIVEN) if way == "sync" else asyncio.run(graph.ainvoke(targets.GIVEN))
        values.append(ran["value"])
        assert store.get(("a",), "key") is not None
    assert values == [[{"value": 1}, ["key", "EventLoopError"]], {"value": 2}]


def test_a_store_of_another_kind_is_refused_or_left_out(executor):
    graph = targets.graph_of(there("talk", executor)).compile(store={})
    with pytest.raises(UnsendableValueError, match="store of the graph is {}"):
        graph.invoke(targets.GIVEN)
    graph = targets.graph_of(there("talk", executor, leave_out=["store"])).compile(store={})
    assert graph.invoke(targets.GIVEN)["messages"]


class Heard(BaseCallbackHandler):
    """Writes down what it hears, with the names of the runs around."""

    def __init__(self):
        self.names = {}
        self.heard = []

    def _started(self, kind, name, run_id, parent_run_id):
        self.names[run_id] = f"{self.names.get(parent_run_id, '')}/{name}"
        self.heard.append((kind, self.names[run_id]))

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, **kwargs):
        self._started("chain", kwargs.get("name"), run_id, parent_run_id)

    def on_chat_model_start(self, serialized, messages, *, run_id, parent_run_id=None, **kwargs):
        self._started("model", kwargs.get("name"), run_id, parent_run_id)

    def on_llm_new_token(self, token, *, run_id, **kwargs):
        self.heard.append(("token", self.names[run_id], token))

    def on_llm_end(self, response, *, run_id, **kwargs):
        self.heard.append(("said", self.names[run_id], response.generations[0][0].text))

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.heard.append(("ended", self.names[run_id]))

    def on_chain_error(self, error, *, run_id, **kwargs):
        self.heard.append(("failed", self.names[run_id], type(error).__name__))


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("name", ["talk", "chain()", "inner_graph()", "calls_tasks", "fails"])
def test_callback_handlers_hear_of_what_runs_there(name, way, executor):
    """With the same runs in the same places as if it ran here; and they do not when nobody listens."""
    heard = []
    for node in (getattr(targets, name) if name == "fails" else targets.local(name), there(name, executor)):
        handler = Heard()
        graph = targets.graph_of(node).compile()
        config = {**CONFIG, "callbacks": [handler]}
        with contextlib.suppress(targets.OwnError):
            graph.invoke(targets.GIVEN, config) if way == "sync" else asyncio.run(graph.ainvoke(targets.GIVEN, config))
        heard.append(handler.heard)
    assert heard[1] == heard[0]
    assert len(heard[0]) >= 4


def test_a_live_question_is_answered_where_it_stands(executor):
    graph = targets.graph_of(there("asks", executor)).compile()

    async def read():
        stream = graph.astream(targets.GIVEN, stream_mode="updates", interrupts="live")
        async for chunk in stream:
            if "__interrupt__" in chunk:
                (asked,) = chunk["__interrupt__"]
                await stream.aanswer(asked.id, f"re {asked.value}")
        return stream.output["value"]

    assert asyncio.run(read()) == ["re {'q': 1}", "re two"]


@pytest.mark.parametrize("leave", ["aclose", "timeout", "sibling", "run"])
def test_cancellation_reaches_the_node_and_is_waited_for(leave, executor, tmp_path, clock):
    """However the work ends, the node gets a CancelledError and has cleaned up when the run is over."""
    note = tmp_path / "note"

    asleep = threading.Event()

    async def fail(state):
        await soon(asleep.is_set)
        raise ZeroDivisionError

    builder = targets.graph_of(there("sleeps", executor), timeout=0.05 if leave == "timeout" else None)
    if leave == "sibling":
        builder.add_node("fail", fail)
        builder.add_edge(START, "fail")
    graph = builder.compile()
    given = {**targets.GIVEN, "log": str(note)}

    async def read():
        if leave == "run":
            run = graph.start(given)
            async for _ in run.astream("custom"):
                run.cancel()
            return
        stream = graph.astream(given, stream_mode="custom")
        async for _ in stream:
            asleep.set()
            clock.advance(0.05)
            if leave == "aclose":
                await stream.aclose()

    if leave in ("timeout", "sibling"):
        with pytest.raises(NodeTimeoutError if leave == "timeout" else ZeroDivisionError):
            asyncio.run(read())
    else:
        asyncio.run(read())
    assert note.read_text() == "cancelled"
    assert not executor.host._running


def test_a_sync_reader_that_leaves_cancels_the_node(executor, tmp_path):
    note = tmp_path / "note"
    stream = (
        targets.graph_of(there("sleeps", executor))
        .compile()
        .stream({**targets.GIVEN, "log": str(note)}, stream_mode="custom")
    )
    assert next(stream) == "asleep"
    stream.close()
    assert note.read_text() == "cancelled"


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_slow_reader_holds_the_model_back(way, executor, tmp_path):
    """With a limited buffer here, the model there stops after a bounded number of tokens."""
    note = tmp_path / "note"
    graph = targets.graph_of(there("pours", executor)).compile()
    given = {**targets.GIVEN, "log": str(note)}
    made = []

    async def read():
        stream = graph.astream(given, stream_mode="messages", max_buffer=4)
        async for _ in stream:
            await asyncio.sleep(0.03)
            made.append(int(note.read_text()))
            if len(made) > 22:
                await stream.aclose()

    if way == "async":
        asyncio.run(read())
    else:
        with graph.stream(given, stream_mode="messages", max_buffer=4) as stream:
            for _ in range(23):
                next(stream)
                time.sleep(0.03)
                made.append(int(note.read_text()))
    assert made[-1] < 800


def test_a_model_in_a_thread_ends_at_its_next_token(executor, tmp_path):
    """A sync node cannot be cancelled, there as here: it ends where it would show something."""
    note = tmp_path / "note"
    given = {**targets.GIVEN, "log": str(note)}
    with targets.graph_of(there("pours_in_a_thread", executor)).compile().stream(given, stream_mode="custom") as stream:
        next(stream)
    assert not executor.host._running
    eventually(note.exists)
    assert int(note.read_text()) < 99_999


def test_signs_of_life_reset_the_idle_timeout(executor):
    limit = TimeoutPolicy(idle_timeout=0.5, refresh_on="heartbeat")
    graph = targets.graph_of(there("ticks", executor), timeout=limit).compile()
    assert graph.invoke(targets.GIVEN)["log"] == "alive"


def test_sends_run_elsewhere(executor):
    builder = StateGraph(Sent)
    builder.add_node("n", there("takes_number", executor))
    builder.add_conditional_edges(START, lambda state: [Send("n", {"number": number}) for number in range(3)], ["n"])
    shown = list(builder.compile().stream({"log": ""}, stream_mode="updates"))
    assert sorted(one["n"]["log"] for one in shown) == ["sent 0", "sent 1", "sent 2"]


def test_it_can_be_awaited_in_a_node(executor):
    inner = there("talk", executor)

    async def calls(state):
        return await inner.ainvoke(state)

    here, elsewhere = (targets.graph_of(node).compile() for node in (targets.talk, calls))
    assert chunks(elsewhere, "async", ["messages", "updates"]) == chunks(here, "async", ["messages", "updates"])
    with pytest.raises(NotSupportedError, match="cannot be invoked by itself"):
        inner.invoke(targets.GIVEN)


@pytest.mark.parametrize(("name", "what"), [
    ("returns_a_lock", r"what the node has returned\['value'\] is <unlocked"), ("writes_a_lock", "a part of custom"),
])  # fmt: skip
def test_what_cannot_come_back_is_refused(name, what, executor):
    graph = targets.graph_of(there(name, executor)).compile()
    with pytest.raises(UnsendableValueError, match=what):
        list(graph.stream(targets.GIVEN, stream_mode="custom"))


def test_what_cannot_go_there_is_refused_before_anything_runs(executor):
    """The error names the place; what is left out does not matter."""
    lock = threading.Lock()
    config = {"configurable": {"thread_id": "t", "lock": lock}}
    graph = targets.graph_of(there("sees", executor)).compile()
    with pytest.raises(UnsendableValueError, match=r"config\['configurable'\]\['lock'\]"):
        graph.invoke(targets.GIVEN, config)
    with pytest.raises(UnsendableValueError, match="the context of the run"):
        graph.invoke(targets.GIVEN, CONFIG, context=lock)
    with pytest.raises(UnsendableValueError, match=r"the input of the node\['value'\]"):
        graph.invoke({**targets.GIVEN, "value": lock}, CONFIG)
    graph = targets.graph_of(there("sees", executor, leave_out=("lock", "context"))).compile()
    assert "lock" not in graph.invoke(targets.GIVEN, config, context=lock)["value"]["configurable"]


@pytest.mark.parametrize("target", ["nothing", "a.b:", "__main__:node", "a b:c", 3])
def test_references_are_checked_when_they_are_written(target, executor):
    with pytest.raises(UnknownOptionError):
        remote(target, executor)


@pytest.mark.parametrize(("name", "error"), [
    ("talkk", "Did you mean 'talk'"), ("GIVEN['x']", "reference"), ("HERE", "cannot be a node"), ("HERE()", "called"),
])  # fmt: skip
def test_a_worker_says_what_a_reference_lacks(name, error, executor):
    with pytest.raises(UnknownOptionError, match=error):
        targets.graph_of(there(name, executor)).compile().invoke(targets.GIVEN)


def test_explain_and_partial_know_what_ran_elsewhere(executor):
    graph = targets.graph_of(there("talk", executor)).compile()
    stream = graph.stream(targets.GIVEN, stream_mode="messages")
    read = list(stream)
    assert [one.reason for one in stream.explain()] == ["nostream"]
    stream = graph.stream(targets.GIVEN, stream_mode="messages")
    next(stream)
    stream.close()
    assert list(stream.partial.messages) == [read[0][0].id]


def test_a_host_has_room_for_so_many_tasks():
    """With room for one, tasks wait for each other, and none is lost; one that waits can be cancelled."""
    executor = LoopbackExecutor(limit=1)
    graph = targets.graph_of(there("ticks", executor)).compile()

    async def all_of_them():
        loop = asyncio.get_running_loop()
        began = loop.time()
        runs = [asyncio.ensure_future(graph.ainvoke(targets.GIVEN)) for _ in range(3)]
        await asyncio.sleep(0.1)
        runs[2].cancel()
        done = await asyncio.gather(*runs, return_exceptions=True)
        return loop.time() - began, [type(one).__name__ for one in done]

    took, ended = asyncio.run(all_of_them())
    executor.close()
    assert 1.1 < took
    assert ended == ["dict", "dict", "CancelledError"]
