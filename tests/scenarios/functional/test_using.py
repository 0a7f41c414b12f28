"""What can be a task, what tasks and entrypoints are given, and where entrypoints can be used."""

from __future__ import annotations

from typing import Any, List

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda
from pydantic import BaseModel

from streamgraph.func import entrypoint, task
from streamgraph.runtime import Runtime
from streamgraph.types import StreamWriter
from support.value_graphs import graph_of
from support.waiting import run
from support.workflows import DRIVERS, collect, finish


class Model(BaseModel):
    """The context of a run."""

    number: int


def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


# What can be a task


class Worker:
    """A class with tasks for methods."""

    def __init__(self, name: str) -> None:
        self.name = name

    @task
    def work(self, text: str, *, mark: str = "!") -> str:
        """Work."""
        return f"{self.name} {text}{mark}"

    @task(name="called otherwise")
    async def awork(self, text: str) -> str:
        """Work, too."""
        return f"{self.name} {text}"

    @staticmethod
    @task
    def static(text: str) -> str:
        """Work without an instance."""
        return text


@pytest.mark.parametrize("driver", DRIVERS)
def test_methods(driver: str) -> None:
    """A task that is a method is bound to its object."""
    worker = Worker("w")

    @entrypoint()
    async def flow(text: str) -> List[str]:
        return [
            await worker.work(text),
            await worker.work(text, mark="?"),
            await Worker.work(worker, text),
            await worker.awork(text),
            await worker.static(text),
        ]

    chunks = collect(flow, "in", driver)

    assert [list(chunk) for chunk in chunks] == [*[["work"]] * 3, ["called otherwise"], ["static"], ["flow"]]
    assert chunks[-1]["flow"] == ["w in!", "w in?", "w in!", "w in", "in"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("function", [len, str.upper, " {}".format, dict, sorted])
def test_builtins(function: Any, driver: str) -> None:
    """Functions, methods and classes that are written in C can be tasks."""
    call = task(function)

    @entrypoint()
    def flow(given: str) -> Any:
        return call(given).result() if function is not dict else call([("a", given)]).result()

    assert finish(flow, "in", driver) == (function("in") if function is not dict else {"a": "in"})


@pytest.mark.parametrize("driver", DRIVERS)
def test_runnables(driver: str) -> None:
    """A Runnable can be a task: it is invoked with the one argument of the call."""
    chain = task(name="chain")(RunnableLambda(shout) | (lambda text: f"{text}!"))

    @entrypoint()
    def flow(given: str) -> Any:
        return chain(given).result()

    assert collect(flow, "in", driver) == [{"chain": "IN!"}, {"flow": "IN!"}]


# What is filled in


@pytest.mark.parametrize("driver", DRIVERS)
def test_parameters(driver: str) -> None:
    """Parameters are filled in by name in entrypoints and tasks, with annotations that are strings."""
    store = object()

    @task
    def work(
        text: str,
        config: RunnableConfig | None = None,  # noqa: FA102
        *,
        writer: StreamWriter,
        runtime: Runtime[Model],
        store: Any,
        previous: Any,
    ) -> List[Any]:
        writer("task")
        assert config is not None
        return [config["configurable"]["user"], runtime.context.number, store, runtime.store, previous]

    @entrypoint(store=store, context_schema=Model)
    async def flow(
        text: str,
        *,
        previous: Any = "default",
        store: Any,
        runtime: Runtime[Model],
        writer: StreamWriter,
        config: RunnableConfig,
    ) -> List[Any]:
        writer("entrypoint")
        inner = await work(text)
        return [inner, config["metadata"]["m"], runtime.context, store, previous]

    config = {"configurable": {"user": "u1"}, "metadata": {"m": 1}}
    modes = ["custom", "values"]
    chunks = collect(flow, "in", driver, config=config, context=Model(number=7), stream_mode=modes)

    assert chunks[:2] == [("custom", "entrypoint"), ("custom", "task")]
    assert chunks[2] == ("values", [["u1", 7, store, store, None], 1, Model(number=7), store, None])


@pytest.mark.parametrize("driver", DRIVERS)
def test_given_parameters(driver: str) -> None:
    """What the caller of a task passes is not replaced, by name or by position."""

    @task
    def work(config: Any, writer: Any = None, **rest: Any) -> List[Any]:
        return [config, writer is None, rest]

    @entrypoint()
    def flow(text: str) -> List[Any]:
        return [work("mine", None).result(), work(config="mine", other=1).result()]

    assert finish(flow, "in", driver) == [["mine", True, {}], ["mine", False, {"other": 1}]]


# As a Runnable


@pytest.mark.parametrize("driver", DRIVERS)
def test_batch(driver: str) -> None:
    """Several inputs at once."""
    call = task(shout)

    @entrypoint()
    def flow(text: str) -> str:
        return call(text).result()

    given = ["a", "b", "c"]
    assert (flow.batch(given) if driver == "stream" else run(flow.abatch(given))) == ["A", "B", "C"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_chain(driver: str) -> None:
    """It composes with `|`; the next step gets its value."""
    chain = RunnableLambda(shout) | entrypoint()(lambda text: text[::-1]) | (lambda text: [text])

    assert finish(chain, "abc", driver) == ["CBA"]
    assert collect(chain, "abc", driver) == [["CBA"]]


@pytest.mark.parametrize("driver", DRIVERS)
def test_node(driver: str) -> None:
    """It can be a node; its tasks are below the node in nested streams."""
    call = task(shout)

    @entrypoint()
    def flow(state: Any) -> Any:
        return {"value": call(state["value"]).result()}

    chunks = collect(graph_of(sub=flow), {"value": "in"}, driver, subgraphs=True, stream_mode="updates")

    assert [([level.split(":")[0] for level in ns], data) for ns, data in chunks] == [
        (["sub"], {"shout": "IN"}),
        (["sub"], {"flow": {"value": "IN"}}),
        ([], {"sub": {"value": "IN"}}),
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_output(driver: str) -> None:
    """The stream knows the value in the end, whatever modes were asked for."""
    flow = entrypoint()(lambda text: entrypoint.final(value=[text], save=None))

    if driver == "stream":
        stream = flow.stream("a", stream_mode="custom")
        assert list(stream) == []
        assert stream.output == ["a"]
    else:

        async def main() -> Any:
            stream = flow.astream("a", stream_mode="custom")
            assert [chunk async for chunk in stream] == []
            return stream.output

        assert run(main()) == ["a"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_chunks_are_apart(driver: str) -> None:
    """Changing a chunk changes nothing that the run still works with, nor another chunk."""
    call = task(name="call")(lambda items: [*items, "task"])

    @entrypoint()
    def flow(items: List[Any]) -> List[Any]:
        done = call(items).result()
        return [*items, *done]

    def spoil(chunk: Any) -> None:
        mode, data = chunk
        if mode == "updates":
            next(iter(data.values())).append("spoilt")
        elif "result" in data:
            next(iter(data["result"].values())).append("spoilt")
        else:
            (data["input"] if data["name"] == "flow" else data["input"][0][0]).append("spoilt")

    given = ["in"]
    chunks = collect(flow, given, driver, spoil, stream_mode=["tasks", "updates"])

    assert given == ["in"]
    assert [data for mode, data in chunks if mode == "updates"] == [
        {"call": ["in", "task", "spoilt"]},
        {"flow": ["in", "in", "task", "spoilt"]},
    ]
    assert [data["result"] for mode, data in chunks if mode == "tasks" and "result" in data] == [
        {"__return__": ["in", "task", "spoilt"]},
        {"__end__": ["in", "in", "task", "spoilt"]},
    ]
