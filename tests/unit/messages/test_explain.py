"""`stream.explain()`: which model calls were not streamed, why, and what to do."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any, Iterator, List

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import get_llm_cache, set_llm_cache
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from streamgraph.config import get_stream_writer
from support.leaks import nothing_left as nothing_left
from support.non_streaming_models import OnlyAwaited, Streams, Whole, look_up
from support.parts import normal
from support.structured import CALLS, DRIVERS, Echo, Joke, State, asker, chain, read, run

GIVEN = {"asked": "q"}
ASYNC = ("ainvoke", "astream")


def explained(graph: Any, driver: str, modes: Any = "messages", **options: Any) -> List[Any]:
    """What a stream says of itself when it is over."""
    return read(graph, GIVEN, driver, stream_mode=modes, **options).unstreamed


def disabled(**options: Any) -> Any:
    """A model that may not stream."""
    return Streams(disable_streaming=True, **options)


MODELS = {
    "disable_streaming": (lambda: disabled(), "disabled", "disable_streaming=True", "Leave that out."),
    "disable_streaming with tools": (
        lambda: Streams(disable_streaming="tool_calling").bind_tools([look_up]),
        "disabled",
        'disable_streaming="tool_calling"',
        "or call the model without tools.",
    ),
    "streaming=False": (lambda: Streams(streaming=False), "disabled", "streaming=False", "Leave that out"),
    "stream=False": (lambda: Streams().bind(stream=False), "disabled", "called with stream=False", "Leave that out."),
    "no _stream": (lambda: Whole(), "no_stream", "Whole has no _stream method", ""),
}


def check(item: Any, reason: str, why: str, hint: str, model: str = "Streams", node: Any = "talk") -> None:
    """What is said of a call: fields, and a text that names the model, the node, the step, why and what to do."""
    assert (item.reason, item.model, item.node) == (reason, model, node)
    assert why in item.why
    assert hint in item.hint
    text = str(item)
    assert text.startswith(f"{model} in node {node!r} (step {item.step}" if node else model)
    assert f"was not streamed: {item.why}." in text
    assert item.hint in text
    assert text.endswith((".", ").")) and "  " not in text and ".." not in text.replace("...", "")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("name", MODELS)
def test_not_streamed(name: str, call: str, driver: str) -> None:
    """Why a model gave its message at once."""
    model, reason, why, hint = MODELS[name]
    got = read(chain(talk=asker(model(), call, "messages")), GIVEN, driver, stream_mode="messages")
    if name == "streaming=False" and len(got.chunks) > 1:
        assert got.unstreamed == []  # before version 1 langchain-core streamed it all the same
        return
    (item,) = got.unstreamed
    check(item, reason, why, hint, "Whole" if name == "no _stream" else "Streams")
    assert (item.step, item.namespace) == (1, ())
    assert item.run_id


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["stream", "astream"])
@pytest.mark.parametrize("name", ["disable_streaming", "disable_streaming with tools", "no _stream"])
def test_streamed_in_vain(name: str, call: str, driver: str) -> None:
    """The same for a model that is streamed, and gives its message at once all the same."""
    model, reason, why, hint = MODELS[name]
    (item,) = explained(chain(talk=asker(model(), call)), driver)
    check(item, reason, why, hint, "Whole" if name == "no _stream" else "Streams")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_only_astream(call: str, driver: str) -> None:
    """A model that can be streamed from async code only says so where it is called from sync code."""
    items = explained(chain(talk=asker(OnlyAwaited(), call)), driver)
    if call in ASYNC:
        assert items == []
    else:
        (item,) = items
        check(item, "no_stream", "from async code", "Await it in an async node", "OnlyAwaited")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_streamed(call: str, driver: str) -> None:
    """Of a model that was streamed nothing is said, whatever it is."""
    models = [Streams(), Streams(disable_streaming="tool_calling"), Streams(streaming=True), Streams(cache=False)]
    models += [Echo(), Echo().bind_tools([Joke]), GenericFakeChatModel(messages=iter([AIMessage("one two")]))]
    nodes = {f"n{number}": asker(model, call) for number, model in enumerate(models)}
    got = read(chain(**nodes), GIVEN, driver, stream_mode="messages")
    assert got.unstreamed == []
    assert len({metadata["langgraph_node"] for _, metadata in got.chunks}) == len(models)


@pytest.fixture
def global_cache() -> Iterator[InMemoryCache]:
    """langchain-core's cache for all models."""
    before, cache = get_llm_cache(), InMemoryCache()
    set_llm_cache(cache)
    yield cache
    set_llm_cache(before)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("given", ["its own", "True", "None"])
def test_cache(given: str, call: str, driver: str, global_cache: InMemoryCache) -> None:
    """An answer from a cache is there at once; the call that has filled it was streamed."""
    model = Streams(cache={"its own": InMemoryCache(), "True": True, "None": None}[given])
    (item,) = explained(chain(talk=asker(model, call), again=asker(model, call)), driver)
    check(item, "cache", "answered from the cache", "cache=False", node="again")
    assert item.step == 2


TAG = {"tags": ["nostream"]}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_nostream(call: str, driver: str) -> None:
    """Models that are tagged so, by themselves, by the call or by the node; whether they would have streamed or not."""
    nodes = {
        "model": asker(Streams(**TAG), call),
        "call": asker(Streams(), call, config=TAG),
        "node": RunnableLambda(asker(Streams(), call)).with_config(**TAG),
        "both": asker(disabled(**TAG), call),
        "shown": asker(Streams(), call),
    }
    items = explained(chain(**nodes), driver)
    assert [item.node for item in items] == ["model", "call", "node", "both"]
    for item in items:
        check(item, "nostream", "the tag 'nostream'", "Take the tag from", node=item.node)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "rules",
    [{"exclude_nodes": "talk"}, {"include_nodes": ["other"]}, {"include_tags": "other"}, {"exclude_tags": ["own"]}],
    ids=str,
)
def test_filtered(rules: Any, call: str, driver: str) -> None:
    """Models that the filters of the stream leave out."""
    graph = chain(talk=asker(Streams(tags=["own"]), call), other=asker(Streams(tags=["other"]), call))
    (item,) = explained(graph, driver, **rules)
    check(item, "filtered", "the filters of the stream", "include_ and exclude_")


@pytest.mark.parametrize("driver", DRIVERS)
def test_raw_json_is_filtered(driver: str) -> None:
    """Raw JSON that is left out is explained like anything else that is."""
    graph = chain(talk=asker(Echo().with_structured_output(Joke, method="json_mode", include_raw=True)))
    (item,) = explained(graph, driver, ["messages", "objects"], include_raw=False)
    check(item, "filtered", "the filters of the stream", "include_", model="Echo")
    assert explained(graph, driver, ["messages", "objects"]) == []


def in_thread(work: Any) -> None:
    """Run something in a bare thread, to its end."""
    failed: List[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded, name="bare")
    thread.start()
    thread.join()
    assert failed == []


def strays(call: str, model: Any) -> Any:
    """What a bare thread does that calls a model, in one of the four ways."""
    node = asker(model, call)
    return (lambda: run(node(GIVEN))) if call in ASYNC else (lambda: node(GIVEN))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_outside(call: str, driver: str) -> None:
    """A model that is called in a thread of one's own, where no run's context is known."""

    def talk(state: State) -> None:
        in_thread(strays(call, Streams(name="stray")))

    (item,) = explained(chain(talk=talk), driver)
    assert (item.reason, item.model, item.node, item.step) == ("outside", "stray", None, None)
    assert str(item).startswith("stray was not streamed: it was made in thread 'bare', where no run's context is known")
    assert "contextvars.copy_context().run" in str(item)
    assert "config" in item.hint
    assert item.run_id


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_not_outside(call: str, driver: str) -> None:
    """In a copy of the context, or with the node's config, a call is no stray: it streams."""

    def copied(state: State) -> None:
        context = contextvars.copy_context()
        in_thread(lambda: context.run(strays(call, Streams())))

    def handed(state: State, config: Any) -> None:
        node = asker(Streams(), call, config=config)
        in_thread(lambda: run(node(state)) if call in ASYNC else node(state))

    def refused(state: State, config: Any) -> None:
        node = asker(disabled(), call, config=config)
        in_thread(lambda: run(node(state)) if call in ASYNC else node(state))

    got = read(chain(copied=copied, handed=handed, refused=refused), GIVEN, driver, stream_mode="messages")
    assert [(item.reason, item.node) for item in got.unstreamed] == [("disabled", "refused")]
    assert [metadata["langgraph_node"] for _, metadata in got.chunks].count("handed") >= 3


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("modes", ["updates", ["values", "custom"], "objects", ["objects", "updates"]])
def test_mode(modes: Any, driver: str) -> None:
    """Who has not asked for `messages` is told so, in words that make sense."""
    (item,) = explained(chain(talk=asker(disabled()), tagged=asker(Streams(**TAG))), driver, modes)
    assert (item.reason, item.model, item.node, item.run_id) == ("mode", None, None, None)
    assert 'stream_mode="messages"' in str(item)
    assert "not asked for `messages`" in str(item)


def test_mode_reads_well() -> None:
    """It does not say the opposite of what is meant: that every call was streamed."""
    (item,) = explained(chain(talk=asker(Streams())), "stream", "updates")
    assert "No model call was not" not in str(item)


@pytest.mark.parametrize("driver", DRIVERS)
def test_midway(driver: str) -> None:
    """It can be asked at any time, and tells what there is until then; what it gives is a list of one's own."""
    first, second = asker(disabled(name="a")), asker(Whole(name="b"))

    def between(state: State) -> None:
        get_stream_writer()("now")

    graph = chain(first=first, between=between, second=second)
    told = []

    async def main() -> Any:
        stream = graph.astream(GIVEN, stream_mode=["messages", "custom"])
        told.append(stream.explain())
        async for mode, _ in stream:
            if mode == "custom":
                told.append(stream.explain())
        return stream

    if driver == "stream":
        stream = graph.stream(GIVEN, stream_mode=["messages", "custom"])
        told.append(stream.explain())
        for mode, _ in stream:
            if mode == "custom":
                told.append(stream.explain())
    else:
        stream = run(main())
    assert [[item.model for item in items] for items in told] == [[], ["a"]]
    told[-1].clear()
    assert [item.model for item in stream.explain()] == ["a", "b"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_an_end_before_time(driver: str) -> None:
    """A run that fails or is left can be asked as well."""

    def fails(state: State) -> None:
        raise ConnectionError

    graph = chain(talk=asker(disabled()), fails=fails)

    async def main() -> Any:
        stream, left = graph.astream(GIVEN, stream_mode="messages"), graph.astream(GIVEN, stream_mode="messages")
        with pytest.raises(ConnectionError):
            async for _ in stream:
                pass
        async with left:
            await left.__anext__()
        return stream, left

    if driver == "stream":
        streams = graph.stream(GIVEN, stream_mode="messages"), graph.stream(GIVEN, stream_mode="messages")
        with pytest.raises(ConnectionError):
            list(streams[0])
        with streams[1]:
            next(streams[1])
    else:
        streams = run(main())
    for stream in streams:
        (item,) = stream.explain()
        check(item, "disabled", "disable_streaming=True", "Leave that out.")


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_call_once(driver: str) -> None:
    """Each call is told of once: of many at once, in a chain that falls back, and heard of in two ways."""

    def talk(state: State, config: Any) -> None:
        disabled().batch(["q", "r", "s"])
        disabled().invoke("q", config)
        Streams(**TAG).with_fallbacks([disabled()]).invoke("q")
        (RunnableLambda(lambda asked: asked) | disabled(**TAG)).invoke("q")

    async def listen(state: State, config: Any) -> None:
        await asyncio.gather(*(disabled().ainvoke("q", config) for _ in range(3)))
        await asyncio.to_thread(disabled().invoke, "q")

    items = explained(chain(talk=talk, listen=listen), driver)
    assert [(item.node, item.reason) for item in items] == [
        *[("talk", "disabled")] * 4,
        *[("talk", "nostream")] * 2,
        *[("listen", "disabled")] * 4,
    ]
    assert len({item.run_id for item in items}) == len(items)


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_was_shown_is_not_told_of(driver: str) -> None:
    """Other messages were never to be streamed: those that a node makes up, and those of a node that yields."""

    def words(state: State) -> Any:
        yield "one "
        yield "two"

    graph = chain(made_up=lambda state: {"messages": [AIMessage("made up")]}, words=words)
    got = read(graph, GIVEN, driver, stream_mode="messages")
    assert got.unstreamed == []
    assert [str(normal(message)[1]) for message, _ in got.chunks] == ["made up", "one ", "two", ""]
