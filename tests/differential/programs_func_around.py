"""Differential programs in which the functional API meets graphs, chat models, tools, policies and `invoke`."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from differential.harness import QUIET, SPOKEN, TOGETHER, Case, Lib, program
from differential.models import words
from differential.programs_flow import graph, put
from differential.programs_func import BOTH, VERSIONS, WRITES, bang, flow, from_func, task, told
from differential.programs_nested import Other, line, writing
from differential.programs_nodes import Plain

TOLD = ("messages", ("messages", "updates"), "updates", "values", TOGETHER)
SPEAKS = ("custom-of-tasks", "messages-of-tasks-before-1.0")


# Chat models


def asks(lib: Lib, model: Any) -> Any:
    """A task that calls a model and returns its text."""

    async def ask(question: str) -> str:
        return (await model.ainvoke(question)).content

    return task(lib, lambda question: model.invoke(question).content, ask, "ask")


@program(modes=TOLD, subgraphs=BOTH, versions=VERSIONS, async_nodes=True, differs=SPEAKS)
def tokens_of_tasks_and_of_the_body(lib: Lib) -> Case:
    ask, own = asks(lib, words("tell me now", "and once more")), words("by itself")

    async def body(question: str) -> list:
        return [await ask(question), await ask("again"), (await own.ainvoke(question)).content]

    def sync_body(question: str) -> list:
        return [ask(question).result(), ask("again").result(), own.invoke(question).content]

    return Case(flow(lib, sync_body, body), "?")


@program(modes=TOLD, subgraphs=BOTH, differs=SPEAKS)
def tokens_of_a_task_in_a_task(lib: Lib) -> Case:
    model = words("tell me now")
    inner = task(lib, lambda question: model.invoke(question).content, name="inner")
    outer = task(lib, lambda question: inner(question).result(), name="outer")
    return Case(flow(lib, lambda question: outer(question).result()), "?", {"metadata": {"k": 1}, "tags": ["tag"]})


@program(modes=TOLD, subgraphs=BOTH, differs=SPEAKS)
def message_returned_by_a_task_and_by_the_entrypoint(lib: Lib) -> Case:
    model = words("tell me now")
    ask = task(lib, lambda question: model.invoke(question), name="ask")
    made = task(lib, lambda text: AIMessage(text, id="m1"), name="made")

    def body(question: str) -> Any:
        return [ask(question).result(), made("whole").result(), AIMessage("of the body", id="m2")]

    return Case(flow(lib, body), "?")


@program(modes=TOLD)
def bare_message_returned_by_the_entrypoint(lib: Lib) -> Case:
    return Case(flow(lib, lambda text: AIMessage("bare", id="m1")), "?")


@program(modes=TOLD)
def message_in_a_dict_returned_by_the_entrypoint(lib: Lib) -> Case:
    return Case(flow(lib, lambda question: {"messages": [AIMessage("in a dict", id="m1")]}), "?")


@program(modes=("messages",))
def run_that_is_tagged_nostream(lib: Lib) -> Case:
    ask = task(lib, lambda question, model=words("tell me now"): model.invoke(question).content, name="ask")
    return Case(flow(lib, lambda question: ask(question).result()), "?", {"tags": ["nostream"]})


# Graphs and entrypoints inside


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS)
def graph_called_in_a_task(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), writing(lib, "i2", "z"), schema=Other)
    call = task(lib, lambda text: inner.invoke({"z": [text]})["z"], name="call")
    return Case(flow(lib, lambda text: call(text).result()), "in")


@program(modes=SPOKEN, subgraphs=BOTH, async_nodes=True)
def graph_called_in_the_body(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), schema=Other)

    async def body(text: str) -> list:
        return (await inner.ainvoke({"z": [text]}))["z"]

    return Case(flow(lib, lambda text: inner.invoke({"z": [text]})["z"], body), "in")


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, differs=WRITES)
def entrypoint_called_in_the_body(lib: Lib) -> Case:
    work = bang(lib)
    child = from_func(lib, "entrypoint")()(lambda text: work(text).result())

    def body(text: str) -> str:
        lib.get_stream_writer()("parent")
        return child.invoke(text)

    return Case(flow(lib, body), "in")


@program(modes=SPOKEN, subgraphs=BOTH, differs=WRITES)
def entrypoint_called_in_a_task(lib: Lib) -> Case:
    work = bang(lib)
    child = from_func(lib, "entrypoint")()(lambda text: work(text).result())
    call = task(lib, lambda text: child.invoke(text), name="call")
    return Case(flow(lib, lambda text: call(text).result()), "in")


@program(modes=SPOKEN, subgraphs=BOTH, differs=WRITES)
def entrypoint_as_a_node(lib: Lib) -> Case:
    work = bang(lib)
    sub = ("sub", flow(lib, lambda state: {"x": [work(state["x"][0]).result()]}))
    return Case(line(lib, put("a"), sub, put("b")), {"x": ["in"]})


# Tasks in graphs


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, differs=WRITES)
def task_in_a_node(lib: Lib) -> Case:
    work = bang(lib)
    node = ("nd", lambda state: {"x": [work("one").result(), work("two").result()]})
    return Case(line(lib, put("a"), node, put("b")), {"x": ["in"]})


@program(modes=SPOKEN, subgraphs=BOTH, async_nodes=True, differs=WRITES)
def async_task_in_an_async_node(lib: Lib) -> Case:
    work = bang(lib, asynchronous=True)

    async def node(state: Any) -> dict:
        return {"x": [await work("one"), await work("two")]}

    twin = lib.pick(node, lambda state: {"x": [work("one").result(), work("two").result()]})
    return Case(line(lib, ("nd", twin), put("b")), {"x": ["in"]})


@program(modes=SPOKEN, subgraphs=BOTH, differs=WRITES)
def task_in_a_node_of_a_nested_graph(lib: Lib) -> Case:
    work = bang(lib)
    sub = ("sub", line(lib, ("nd", lambda state: {"x": [work("one").result()]})))
    return Case(line(lib, sub, put("b")), {"x": ["in"]})


@program(modes=SPOKEN, differs=WRITES)
def task_in_a_conditional_edge(lib: Lib) -> Case:
    work = bang(lib)
    builder = graph(lib, [put("a"), put("in!")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: work(state["x"][0]).result(), ["in!"])
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=SPOKEN, subgraphs=BOTH, differs=WRITES)
def task_in_a_tool(lib: Lib) -> Case:
    work = bang(lib)

    @tool
    def look_up(text: str) -> str:
        """Look something up."""
        return work(text).result()

    return Case(line(lib, ("nd", lambda state: {"x": [look_up.invoke({"text": "one"})]})), {"x": ["in"]})


@program()
def failing_task_in_a_node(lib: Lib) -> Case:
    def fail(text: str) -> str:
        raise ValueError(text)

    work = task(lib, fail)
    return Case(line(lib, put("a"), ("nd", lambda state: {"x": [work("no").result()]})), {"x": ["in"]})


# Retries and caches


class Flaky:
    """Something that fails a number of times."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def __call__(self, text: str) -> str:
        """Fail, or return the text."""
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError(f"{self.left} left")
        return text


def retrying(lib: Lib) -> Any:
    """A policy of three attempts without pauses."""
    return from_func(lib, "RetryPolicy", "types")(initial_interval=0.0, jitter=False)


def _retried(name: str, failures: int) -> None:
    def build(lib: Lib) -> Case:
        flaky = Flaky(failures)

        def attempt(text: str) -> str:
            lib.get_stream_writer()(told(1, text))
            return flaky(text)

        work = task(lib, attempt, retry_policy=retrying(lib))
        return Case(flow(lib, lambda text: work(text).result()), "in")

    build.__name__ = f"task_that_{name}"
    program(modes=SPOKEN, subgraphs=BOTH, differs=WRITES)(build)


_retried("is_tried_again", 2)
_retried("has_no_attempts_left", 3)


@program(async_nodes=True, modes=SPOKEN)
def async_task_that_is_tried_again(lib: Lib) -> Case:
    flaky = Flaky(2)

    async def attempt(text: str) -> str:
        await asyncio.sleep(0)
        return flaky(text)

    work = task(lib, lambda text: flaky(text), attempt, "attempt", retry_policy=retrying(lib))

    async def body(text: str) -> str:
        return await work(text)

    return Case(flow(lib, lambda text: work(text).result(), body), "in")


@program(modes=SPOKEN)
def entrypoint_that_is_tried_again(lib: Lib) -> Case:
    flaky, work = Flaky(2), task(lib, lambda text: f"{text}!", name="work")

    def body(text: str) -> str:
        lib.get_stream_writer()("attempt")
        return flaky(work(text).result())

    return Case(flow(lib, body, retry_policy=retrying(lib)), "in")


def warmed(workflow: Any, given: Any, lib: Lib) -> Any:
    """The workflow, after a run that filled its cache."""
    lib.pick(lambda: asyncio.run(workflow.ainvoke(given)), lambda: workflow.invoke(given))()
    return workflow


def caching(lib: Lib, **options: Any) -> Any:
    """A policy that keeps results."""
    return from_func(lib, "CachePolicy", "types")(**options)


@program(modes=SPOKEN, versions=VERSIONS)
def task_whose_result_is_known(lib: Lib) -> Case:
    work = task(lib, bang(lib).func, name="work", cache_policy=caching(lib))
    body = flow(lib, lambda text: work(text).result(), cache=from_func(lib, "InMemoryCache", "cache.memory")())
    body.invoke("in")
    return Case(body, "in")


@program(modes=SPOKEN, async_nodes=True)
def async_task_whose_result_is_known(lib: Lib) -> Case:
    async def awork(text: str) -> str:
        return f"{text}!"

    work = task(lib, lambda text: f"{text}!", awork, "work", cache_policy=caching(lib))

    async def body(text: str) -> list:
        return [await work(text), await work(text="by name")]

    cache = from_func(lib, "InMemoryCache", "cache.memory")()
    made = flow(lib, lambda text: [work(text).result(), work(text="by name").result()], body, cache=cache)
    return Case(warmed(made, "in", lib), "in")


@program(modes=SPOKEN, differs=WRITES)
def task_whose_result_is_not_kept(lib: Lib) -> Case:
    work = task(lib, bang(lib).func, name="work", cache_policy=caching(lib))
    body = flow(lib, lambda text: work(text).result())
    body.invoke("in")
    return Case(body, "in")


@program(modes=SPOKEN, differs=WRITES)
def task_whose_result_was_forgotten(lib: Lib) -> Case:
    cache = from_func(lib, "InMemoryCache", "cache.memory")()
    work = task(lib, bang(lib).func, name="work", cache_policy=caching(lib))
    body = flow(lib, lambda text: work(text).result(), cache=cache)
    body.invoke("in")
    work.clear_cache(cache)
    return Case(body, "in")


@program(modes=SPOKEN)
def task_cached_by_a_key_of_its_own(lib: Lib) -> Case:
    policy = caching(lib, key_func=lambda text: text.lower(), ttl=60)
    work = task(lib, lambda text: f"{text}!", name="work", cache_policy=policy)
    body = flow(lib, lambda text: work(text).result(), cache=from_func(lib, "InMemoryCache", "cache.memory")())
    body.invoke("IN")
    return Case(body, "in")


@program(modes=SPOKEN)
def entrypoint_whose_result_is_known(lib: Lib) -> Case:
    work = task(lib, lambda text: f"{text}!", name="work")
    cache = from_func(lib, "InMemoryCache", "cache.memory")()
    body = flow(lib, lambda text: work(text).result(), cache=cache, cache_policy=caching(lib))
    return Case(body.invoke("in") and body, "in")


# Other ways of calling


@program(modes=("values", None, "updates", "custom", ("values",), ("updates", "values"), "tasks"), call="invoke")
def invoke_of_an_entrypoint(lib: Lib) -> Case:
    work = bang(lib)
    return Case(flow(lib, lambda text: {"x": work(text).result()}), "in")


@program(modes=("values", None), call="invoke", async_nodes=True)
def invoke_of_an_async_entrypoint(lib: Lib) -> Case:
    work = bang(lib, asynchronous=True)

    async def body(text: str) -> Any:
        return await work(text)

    return Case(flow(lib, lambda text: work(text).result(), body), "in")


@program(modes=("values",), call="invoke")
def invoke_of_an_entrypoint_without_a_result(lib: Lib) -> Case:
    return Case(flow(lib, lambda text: None), "in")


@program(modes=(None,), call="batch")
def batch_of_an_entrypoint(lib: Lib) -> Case:
    work = bang(lib)

    def body(number: int) -> str:
        if number == 1:
            raise ValueError("not one")
        return work(str(number)).result()

    return Case(flow(lib, body), [0, 1, 2], kwargs={"return_exceptions": True})


@program(modes=(None,), call="invoke")
def entrypoint_in_an_invoked_chain(lib: Lib) -> Case:
    work = bang(lib)
    chain = RunnableLambda(lambda n: n * 2) | flow(lib, lambda text: work(text).result()) | (lambda text: [text])
    return Case(chain, "in")


@program(modes=("updates",), differs=("graph-inside-a-chain",))
def entrypoint_in_a_streamed_chain(lib: Lib) -> Case:
    work = bang(lib)
    chain = RunnableLambda(lambda n: n * 2) | flow(lib, lambda text: work(text).result()) | (lambda text: [text])
    return Case(Plain(chain), "in")


@program(modes=("tasks", "updates"))
def entrypoint_with_config(lib: Lib) -> Case:
    ask = task(lib, lambda question: f"{question}!", name="ask")
    body = flow(lib, lambda text: ask(text).result())
    bound = body.with_config(tags=["own"], metadata={"g": 1, "both": "w"})
    return Case(bound, "?", {"tags": ["run"], "metadata": {"r": 2, "both": "run"}})


@program(modes=QUIET, differs=("tasks-are-waited-for",))
def task_that_nobody_waits_for(lib: Lib) -> Case:
    work = task(lib, lambda text: text, name="work")

    def body(text: str) -> str:
        work(text)
        return "done"

    return Case(flow(lib, body), "in")


@program(modes=("values", None), call="invoke")
def failing_task_that_nobody_waits_for(lib: Lib) -> Case:
    def fail(text: str) -> None:
        raise ValueError(text)

    work = task(lib, fail, name="work")
    return Case(flow(lib, lambda text: [work(text) and "done"]), "in")
