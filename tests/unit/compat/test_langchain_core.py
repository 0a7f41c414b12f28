"""Privates of langchain-core do what they are used for: the page to look at when a new version of it comes."""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import (
    RouterRunnable,
    Runnable,
    RunnableBranch,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tools import BaseTool, tool
from langchain_core.tracers import ConsoleCallbackHandler, _streaming, context

from streamgraph._compat import langchain_core as compat
from support.non_streaming_models import WORDS, OnlyAwaited, Streams, Whole

CALLS = ["invoke", "ainvoke", "stream", "astream"]


def called(runnable: Any, method: str, given: Any, **options: Any) -> Any:
    """Call a Runnable in one of four ways, and read what it streams."""

    async def read() -> List[Any]:
        return [chunk async for chunk in runnable.astream(given, **options)]

    if method == "ainvoke":
        return asyncio.run(runnable.ainvoke(given, **options))
    if method == "astream":
        return asyncio.run(read())
    found = getattr(runnable, method)(given, **options)
    return list(found) if method == "stream" else found


@pytest.fixture
def hooks() -> Iterator[None]:
    """Forget the hooks of a test."""
    before = list(context._configure_hooks)
    yield
    context._configure_hooks[:] = before


def identity(value: Any) -> Any:
    """A step."""
    return value


async def aidentity(value: Any) -> Any:
    """A step that can only be awaited."""
    return value


@pytest.mark.parametrize("method", CALLS)
def test_internal_tags(method: str) -> None:
    """All tags that nobody has given begin as those that are left out."""
    heard: List[str] = []

    class Handler(BaseCallbackHandler):
        run_inline = True

        def on_chain_start(self, *args: Any, tags: Any = None, **kwargs: Any) -> None:
            heard.extend(tags)

    steps = RunnableLambda(identity)
    branch = RunnableBranch((lambda value: True, steps | steps), steps)
    chain = steps | {"one": steps, "two": steps} | RunnablePassthrough.assign(more=steps) | branch
    called(chain, method, 1, config={"callbacks": [Handler()], "tags": ["mine"]})
    internal = [tag for tag in heard if tag != "mine"]
    assert {tag.split(":")[0] for tag in internal} == {"seq", "map", "branch", "condition"}
    assert [tag for tag in internal if not tag.startswith(compat.INTERNAL_TAGS)] == []


class Tokens(BaseCallbackHandler):
    """Hears tokens, and does not ask for them."""

    run_inline = True

    def __init__(self) -> None:
        self.heard: List[Any] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.heard.append(token)


@compat.streaming_handler
class AskingTokens(Tokens):
    """Hears tokens, and asks for them."""

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output


@pytest.mark.parametrize("method", ["invoke", "ainvoke"])
@pytest.mark.parametrize(("kind", "expected"), [(Tokens, []), (AskingTokens, WORDS)])
def test_streaming_handler(kind: Any, expected: List[str], method: str) -> None:
    """A model is streamed inside `invoke` for a handler of such a class."""
    handler = kind()
    called(Streams(), method, "hi", config={"callbacks": [handler]})
    assert [token for token in handler.heard if token] == expected


def test_without_the_class_of_streaming_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be gone."""
    monkeypatch.delattr(_streaming, "_StreamingCallbackHandler")
    assert compat.streaming_handler(Tokens) is Tokens


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize("method", CALLS)
def test_add_to_every_call(method: str) -> None:
    """The handler hears of calls with callbacks of their own, once, and whoever is asked may have none."""
    listening, own = [Tokens()], Tokens()
    compat.add_to_every_call(lambda: listening[0] if listening else None)
    called(Streams(), "a" * method.startswith("a") + "stream", "hi", config={"callbacks": [own]})
    assert [token for token in listening[0].heard if token] == WORDS == [token for token in own.heard if token]
    called(Streams(), method.replace("invoke", "stream"), "hi", config={"callbacks": [listening[0]]})
    assert [token for token in listening[0].heard if token] == WORDS * 2
    kept = listening.pop()
    called(Streams(), method, "hi")
    assert [token for token in kept.heard if token] == WORDS * 2


def test_looked_up_each_time() -> None:
    """What a handler does with a token can be another thing each time, and is awaited if it has to be."""
    heard: List[Tuple[str, Any]] = []

    class Handler(BaseCallbackHandler):
        run_inline = True
        looked_up = 0

        @compat.looked_up_each_time
        def on_llm_new_token(self) -> Any:
            self.looked_up += 1
            return atake if self.looked_up % 2 else take

    def take(token: Any, **kwargs: Any) -> None:
        heard.append(("at once", token))

    async def atake(token: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        heard.append(("awaited", token))

    called(Streams(), "astream", "hi", config={"callbacks": [Handler()]})
    expected = [(("awaited", "at once")[number % 2], word) for number, word in enumerate(WORDS)]
    assert heard[: len(WORDS)] == expected


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("kind", [Whole, Streams])
def test_call_info(kind: Any, method: str) -> None:
    """A callback finds the model that was called, its options and whether it was awaited."""
    found: List[compat.CallInfo] = []

    class Handler(BaseCallbackHandler):
        run_inline = raise_error = True

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            found.append(compat.call_info())

    model = kind()
    called(model.bind(tools=["some"]), method, "hi", config={"callbacks": [Handler()]})
    assert len(found) == 1
    assert found[0].model is model
    assert found[0].options["tools"] == ["some"]
    assert found[0].asynchronous is method.startswith("a")


def test_keeps_chunk_without_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no frames, each token is copied at once."""
    monkeypatch.setattr(compat, "current_frame", lambda depth: None)
    assert compat.keeps_chunk() is False


def test_follows_context() -> None:
    """LangChain's own tracer does, and nothing else that sets context for a run in traces is known."""
    from langchain_core.tracers.langchain import LangChainTracer

    assert not compat.follows_context([])
    assert not compat.follows_context([BaseCallbackHandler(), ConsoleCallbackHandler()])
    assert compat.follows_context([BaseCallbackHandler(), LangChainTracer.__new__(LangChainTracer)])


def test_no_call_info(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no model is called, or there are no frames, nothing is known."""
    assert compat.call_info() == compat.CallInfo() == (None, {}, False)
    monkeypatch.setattr(compat, "current_frame", lambda depth: None)
    assert compat.call_info() == compat.CallInfo()


@pytest.mark.parametrize(
    ("kind", "expected"), [(Whole, (False, False)), (OnlyAwaited, (False, True)), (Streams, (True, True))]
)
def test_streams(kind: Any, expected: Tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that can be streamed is told from one that can't, and none can if the methods had other names."""
    assert compat.streams(kind()) == expected
    whole = called(kind(), "astream", "hi")
    assert (len([chunk for chunk in whole if chunk.content]) > 1) is expected[1]
    monkeypatch.delattr(BaseChatModel, "_stream")
    monkeypatch.delattr(BaseChatModel, "_astream")
    assert compat.streams(kind()) == expected


STEP, ASTEP = RunnableLambda(identity), RunnableLambda(aidentity)

COMPOSED: Dict[str, Callable[[Any], Any]] = {
    "sequence": lambda step: STEP | step | STEP,
    "parallel": lambda step: RunnableParallel(one=STEP, two=step),
    "binding": lambda step: step.with_config(tags=["some"]),
    "types": lambda step: step.with_types(input_type=int),
    "retry": lambda step: step.with_retry(),
    "each": lambda step: step.map(),
    "fallbacks": lambda step: STEP.with_fallbacks([step]),
    "assign": lambda step: RunnablePassthrough.assign(key=step),
    "branch": lambda step: RunnableBranch((lambda value: False, step), STEP),
    "default of a branch": lambda step: RunnableBranch((lambda value: False, STEP), step),
    "router": lambda step: RouterRunnable({"one": step}),
    "pick": lambda step: RunnableParallel(one=step).pick("one"),
    "dict": lambda step: itemgetter("key") | RunnableLambda(identity) | {"one": step},
}


def leaves(runnable: Any) -> Iterator[Any]:
    """What a Runnable is made of in the end."""
    parts = list(compat.parts_of(runnable))
    yield from (leaf for part in parts for leaf in leaves(part))
    if not parts:
        yield runnable


@pytest.mark.parametrize("form", list(COMPOSED))
def test_parts_of(form: str) -> None:
    """Whatever Runnables are put together to, they can be found in it."""
    lost = RunnableLambda(aidentity)
    assert any(leaf is lost for leaf in leaves(COMPOSED[form](lost)))
    assert compat.is_async_only(COMPOSED[form](ASTEP))
    assert not compat.is_async_only(COMPOSED[form](STEP))


def test_parts_of_others() -> None:
    """Of other classes, and of Runnables that are not composed, nothing is known."""

    class Other(Runnable[Any, Any]):
        steps = [STEP]

        def invoke(self, *args: Any, **kwargs: Any) -> Any:
            return None

    assert list(compat.parts_of(Other())) == list(compat.parts_of(STEP)) == list(compat.parts_of(1)) == []


def test_is_async_only() -> None:
    """Functions and generators that have to be awaited are told from those that need not be."""

    def generate(values: Any) -> Iterator[Any]:
        yield from values

    async def agenerate(values: Any) -> Any:
        async for value in values:
            yield value

    assert compat.is_async_only(RunnableLambda(aidentity))
    assert not compat.is_async_only(RunnableLambda(identity, afunc=aidentity))
    assert compat.is_async_only(RunnableGenerator(agenerate))
    assert not compat.is_async_only(RunnableGenerator(generate, agenerate))
    for runnable in (RunnableLambda(aidentity), RunnableGenerator(agenerate)):
        with pytest.raises((TypeError, NotImplementedError)):
            runnable.invoke(1)


@tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


class Own(BaseTool):
    """A tool that is a class."""

    name: str = "own"
    description: str = "Some tool."

    def _run(self, number: int) -> int:
        return 2 * number


@tool
async def adouble(number: int) -> int:
    """Double a number, in async code only."""
    return 2 * number


SET_RUN = [
    (double, "invoke", "run 2"),
    (double, "ainvoke", "run 2"),  # without a coroutine function it is run in a thread
    (adouble, "ainvoke", "awaited 2"),
    (Own(), "invoke", "run 2"),
    (Own(), "ainvoke", "awaited 2"),
]


@pytest.mark.parametrize(("made", "method", "expected"), SET_RUN)
def test_set_run(made: Any, method: str, expected: str) -> None:
    """A tool, and no other of its class, does what it was set to."""
    one, other = made.model_copy(), made.model_copy()

    def run(*args: Any, **kwargs: Any) -> str:
        return f"run {kwargs['number']}"

    async def arun(*args: Any, **kwargs: Any) -> str:
        return f"awaited {kwargs['number']}"

    compat.set_run(one, run, arun)
    assert called(one, method, {"number": 2}) == expected
    assert called(other, method, {"number": 2}) == 4
