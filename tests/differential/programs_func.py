"""Programs of the functional API: entrypoints, tasks and their futures."""

from __future__ import annotations

import asyncio
import functools
import importlib
import threading
from typing import Any, Callable, Optional

from langchain_core.runnables import RunnableLambda

from differential.harness import QUIET, SPOKEN, Case, Lib, program

BOTH = (False, True)
VERSIONS = ("v1", "v2")

WRITES = ("custom-of-tasks",)


def from_func(lib: Lib, name: str, module: str = "func") -> Any:
    """Something of one of the library's modules."""
    return getattr(importlib.import_module(f"{lib.root}.{module}"), name)


def task(
    lib: Lib, sync: Optional[Callable[..., Any]], asynchronous: Any = None, name: Any = None, **options: Any
) -> Any:
    """A task: of the async function where there is one and the reference can run it."""
    function = sync if asynchronous is None else lib.pick(asynchronous, sync)
    if name is not None:
        function.__name__ = name
    return from_func(lib, "task")(**options)(function)


def flow(lib: Lib, sync: Any, asynchronous: Any = None, **options: Any) -> Any:
    """An entrypoint named `flow`, likewise."""
    function = sync if asynchronous is None else lib.pick(asynchronous, sync)
    function.__name__ = "flow"
    return from_func(lib, "entrypoint")(**options)(function)


def told(depth: int, text: Any) -> Any:
    """What is written in a task that is called in so many others; `differences` looks at the number."""
    return {"depth": depth, "text": text}


def bang(lib: Lib, name: str = "bang", depth: int = 1, asynchronous: bool = False) -> Any:
    """A task that writes what it gets, and adds something."""

    def work(text: str) -> str:
        lib.get_stream_writer()(told(depth, text))
        return f"{text}!"

    async def awork(text: str) -> str:
        await asyncio.sleep(0)
        return work(text)

    return task(lib, work, awork if asynchronous else None, name)


# One task after the other


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, differs=WRITES)
def tasks_in_sequence(lib: Lib) -> Case:
    first, second = bang(lib, "first"), bang(lib, "second")

    def body(text: str) -> dict:
        write = lib.get_stream_writer()
        write("begin")
        one = first(text).result()
        write("between")
        return {"one": one, "two": second(text=one).result()}

    return Case(flow(lib, body), "in")


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, async_nodes=True, differs=WRITES)
def async_tasks_in_sequence(lib: Lib) -> Case:
    first, second = bang(lib, "first", asynchronous=True), bang(lib, "second", asynchronous=True)

    async def body(text: str) -> list:
        lib.get_stream_writer()("begin")
        await asyncio.sleep(0)  # LangGraph hands on what is written a moment later
        return [await first(text), await second(text=text)]

    def sync_body(text: str) -> list:
        lib.get_stream_writer()("begin")
        return [first(text).result(), second(text=text).result()]

    return Case(flow(lib, sync_body, body), "in")


@program(modes=SPOKEN, subgraphs=BOTH, async_nodes=True, differs=WRITES)
def sync_tasks_in_an_async_entrypoint(lib: Lib) -> Case:
    work = bang(lib)

    async def body(text: str) -> list:
        return [await work(text), await work("again")]

    return Case(flow(lib, lambda text: [work(text).result(), work("again").result()], body), "in")


@program(modes=SPOKEN, subgraphs=BOTH, async_nodes=True, differs=WRITES)
def async_tasks_in_a_sync_entrypoint(lib: Lib) -> Case:
    work = bang(lib, asynchronous=True)
    return Case(flow(lib, lambda text: [work(text).result(), work("again").result()]), "in")


@program(modes=(*QUIET, None))
def recursion_limit_does_not_count_tasks(lib: Lib) -> Case:
    step = task(lib, lambda number: number + 1)
    body = functools.reduce(lambda before, _: lambda number: step(before(number)).result(), range(4), lambda n: n)
    return Case(flow(lib, body), 1, {"recursion_limit": 1})


# Several at once


def waiting(lib: Lib) -> Any:
    """A task that waits for an event, and until so many results have been delivered; and the event."""
    started = threading.Event()

    def work(text: str, results: int) -> str:
        assert started.wait(10)
        lib.after(results)
        return f"{text}!"

    async def awork(text: str, results: int) -> str:
        return await asyncio.get_running_loop().run_in_executor(None, work, text, results)

    return task(lib, work, awork, "work"), started


@program(subgraphs=BOTH, versions=VERSIONS, async_nodes=True)
def tasks_side_by_side(lib: Lib) -> Case:
    work, started = waiting(lib)

    def body(texts: list) -> list:
        futures = [work(text, results) for text, results in zip(texts, (2, 0, 1))]
        started.set()
        return [future.result() for future in futures]

    return Case(flow(lib, body), ["a", "b", "c"])


@program(subgraphs=BOTH, versions=VERSIONS, async_nodes=True)
def gathered_tasks(lib: Lib) -> Case:
    work, started = waiting(lib)

    async def body(texts: list) -> list:
        futures = [work(text, results) for text, results in zip(texts, (2, 0, 1))]
        started.set()
        return list(await asyncio.gather(*futures))

    def sync_body(texts: list) -> list:
        futures = [work(text, results) for text, results in zip(texts, (2, 0, 1))]
        started.set()
        return [future.result() for future in futures]

    return Case(flow(lib, sync_body, body), ["a", "b", "c"])


@program(modes=SPOKEN, subgraphs=BOTH, ordered=False, differs=WRITES)
def writers_of_tasks_side_by_side(lib: Lib) -> Case:
    work = bang(lib)
    return Case(flow(lib, lambda texts: [future.result() for future in list(map(work, texts))]), ["a", "b", "c"])


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, differs=WRITES)
def task_in_a_task(lib: Lib) -> Case:
    inner = bang(lib, "inner", 2)

    def outer(text: str) -> str:
        lib.get_stream_writer()(told(1, text))
        return inner(text).result() + inner("again").result()

    above = task(lib, outer)
    return Case(flow(lib, lambda text: above(text).result()), "in")


@program(modes=SPOKEN, subgraphs=BOTH, async_nodes=True, differs=WRITES)
def async_task_in_an_async_task(lib: Lib) -> Case:
    inner = bang(lib, "inner", 2, asynchronous=True)

    async def outer(text: str) -> str:
        return await inner(text)

    above = task(lib, lambda text: inner(text).result(), outer, "outer")

    async def body(text: str) -> str:
        return await above(text)

    return Case(flow(lib, lambda text: above(text).result(), body), "in")


# Failures


def bad(lib: Lib, asynchronous: bool = False) -> Any:
    """A task that writes something and fails."""

    def work(text: str) -> str:
        lib.get_stream_writer()(told(1, text))
        raise ValueError(f"not {text}")

    async def awork(text: str) -> str:
        await asyncio.sleep(0)
        return work(text)

    return task(lib, work, awork if asynchronous else None, "bad")


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, differs=WRITES)
def failing_task(lib: Lib) -> Case:
    good, fails = bang(lib, "good"), bad(lib)
    return Case(flow(lib, lambda text: good(text).result() + fails(text).result()), "in")


@program(modes=SPOKEN, async_nodes=True, differs=WRITES)
def failing_async_task(lib: Lib) -> Case:
    good, fails = bang(lib, "good", asynchronous=True), bad(lib, asynchronous=True)

    async def body(text: str) -> str:
        return await good(text) + await fails(text)

    return Case(flow(lib, lambda text: good(text).result() + fails(text).result(), body), "in")


@program(modes=SPOKEN, subgraphs=BOTH, versions=VERSIONS, differs=WRITES)
def failing_task_that_is_caught(lib: Lib) -> Case:
    good, fails = bang(lib, "good"), bad(lib)

    def body(text: str) -> list:
        try:
            return [fails(text).result()]
        except ValueError as error:
            return [str(error), good(text).result()]

    return Case(flow(lib, body), "in")


@program(async_nodes=True)
def failure_among_gathered_tasks(lib: Lib) -> Case:
    started = threading.Event()

    def maybe(number: int) -> int:
        assert started.wait(10)
        lib.after(number)
        if number == 2:
            raise ValueError("two")
        return number

    async def amaybe(number: int) -> int:
        return await asyncio.get_running_loop().run_in_executor(None, maybe, number)

    work = task(lib, maybe, amaybe, "maybe")

    async def body(size: int) -> list:
        futures = list(map(work, range(size)))
        started.set()
        return list(map(str, await asyncio.gather(*futures, return_exceptions=True)))

    def sync_body(size: int) -> list:
        futures = list(map(work, range(size)))
        started.set()
        return [str(future.exception() or future.result()) for future in futures]

    return Case(flow(lib, sync_body, body), 3)


@program(modes=SPOKEN)
def failing_body(lib: Lib) -> Case:
    work = task(lib, lambda text: text)

    def body(text: str) -> Any:
        lib.get_stream_writer()(work(text).result())
        raise KeyError("body")

    return Case(flow(lib, body), "in")


# What is given and returned


@program(versions=VERSIONS)
def entrypoint_and_task_without_a_result(lib: Lib) -> Case:
    nothing = task(lib, lambda text: None)
    return Case(flow(lib, lambda text: nothing(text).result()), "in")


@program(modes=(*QUIET, None))
def entrypoint_without_input(lib: Lib) -> Case:
    return Case(flow(lib, lambda given: given), None)


def _given(name: str, given: Any) -> None:
    def build(lib: Lib) -> Case:
        return Case(flow(lib, lambda value: value), given)

    build.__name__ = f"entrypoint_with_{name}"
    program(versions=VERSIONS)(build)


for _name, _value in {
    "an_empty_string": "",
    "an_empty_dict": {},
    "an_empty_list": [],
    "zero": 0,
    "false": False,
}.items():
    _given(_name, _value)


@program(versions=VERSIONS)
def final_value(lib: Lib) -> Case:
    return Case(flow(lib, lambda value: from_func(lib, "entrypoint").final(value=f"{value}!", save=7)), "in")


@program(async_nodes=True)
def final_value_none_of_an_async_entrypoint(lib: Lib) -> Case:
    final = from_func(lib, "entrypoint").final

    async def body(value: Any) -> Any:
        return final(value=None, save=7)

    return Case(flow(lib, lambda value: final(value=None, save=7), body), "in")


@program()
def arguments_in_task_events(lib: Lib) -> Case:
    def work(first: Any, second: Any = 2, *rest: Any, third: Any = 3, **more: Any) -> list:
        return [first, second, list(rest), third, more]

    call = task(lib, work)
    given = [((1,), {}), ((), {"first": 1}), ((1, 2, 5, 6), {}), ((1,), {"third": {"k": [1]}, "other": ()})]
    return Case(flow(lib, lambda value: [call(*args, **kwargs).result() for args, kwargs in given]), "in")


class Tool:
    """An object that can be called, and has a method."""

    def __call__(self, text: str) -> str:
        """The object itself."""
        return f"called with {text}"

    def method(self, text: str) -> str:
        """A method."""
        return f"method with {text}"


def suffixed(text: str, suffix: str = "") -> str:
    """A function with an option."""
    return f"{text}{suffix}"


@program()
def names_of_tasks(lib: Lib) -> Case:
    make = from_func(lib, "task")
    shapes = (lambda text: text, functools.partial(suffixed, suffix="!"), Tool(), Tool().method, len)
    tasks = [*map(make, shapes), make(name="renamed")(lambda text: text)]
    return Case(flow(lib, lambda text: [call(text).result() for call in tasks]), "in")


@program()
def runnable_as_a_task(lib: Lib) -> Case:
    work = task(lib, RunnableLambda(lambda text: f"{text}?"))
    return Case(flow(lib, lambda text: work(text).result()), "in")


@program(modes=SPOKEN, differs=WRITES)
def parameters_that_are_filled_in(lib: Lib) -> Case:
    # Without annotations: LangGraph fills in only what has the right ones, or none.
    def work(text, config=None, *, writer, runtime, store, previous=1):  # type: ignore[no-untyped-def]
        writer(told(1, text))
        runtime.stream_writer(told(1, "runtime"))
        return [config["configurable"]["user"], store, previous]

    def body(text, config, writer, runtime, *, store, previous):  # type: ignore[no-untyped-def]
        writer("body")
        return [*call(text).result(), config["metadata"]["m"], runtime.previous, store, previous]

    call = task(lib, work)
    return Case(flow(lib, body, store="any store"), "in", {"configurable": {"user": "u1"}, "metadata": {"m": "mm"}})


@program(modes=("tasks", "debug"))
def run_metadata_in_task_events(lib: Lib) -> Case:
    work = task(lib, lambda text: text)
    bound = flow(lib, lambda text: work(text).result())
    return Case(bound, "in", {"metadata": {"m": 1}, "tags": ["tag"]})
