"""Handlers that are told of interrupts and resumed runs."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager

from streamgraph.callbacks import (
    GraphCallbackHandler,
    GraphInterruptEvent,
    GraphResumeEvent,
    get_async_graph_callback_manager_for_config,
    get_sync_graph_callback_manager_for_config,
)
from streamgraph.types import interrupt
from support.list_graphs import collected, line


class Told(GraphCallbackHandler):
    """Notes what it is told, in order."""

    def __init__(self):
        self.events, self.order = [], []

    def on_interrupt(self, event):
        self.events.append(event)
        self.order.append("interrupt")

    def on_resume(self, event):
        self.events.append(event)

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, **kwargs):
        if parent_run_id is None:
            self.run_id = run_id

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.order.append("end" if run_id == self.run_id else "inner end")


class AsyncTold(Told):
    """The same in a coroutine function."""

    async def on_interrupt(self, event):
        await asyncio.sleep(0)
        super().on_interrupt(event)


def ask(state):
    interrupt("sure?")


@pytest.mark.parametrize("kind", [Told, AsyncTold])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_interrupted_runs(kind, asynchronous):
    """The handler of a run is told once, before its end, of all questions, also of nested graphs."""
    handler = kind()
    graph = line(("inner", line(("ask", ask))))
    config = {"callbacks": [handler, BaseCallbackHandler()]}
    collected(graph, {"x": []}, config) if asynchronous else list(graph.stream({"x": []}, config))
    (event,) = handler.events
    assert isinstance(event, GraphInterruptEvent)
    assert (event.run_id, event.status, event.checkpoint_id, event.checkpoint_ns) == (handler.run_id, "pending", "", ())
    assert [question.value for question in event.interrupts] == ["sure?"]
    assert handler.order[-2:] == ["interrupt", "end"]


class Failing(Told):
    """A handler that fails, as a function or a coroutine function."""

    def __init__(self, raise_error):
        super().__init__()
        self.raise_error = raise_error

    def on_interrupt(self, event):
        raise KeyError("handler")

    def on_chain_error(self, error, *, run_id, **kwargs):
        if run_id == self.run_id:
            self.order.append(type(error))


@pytest.mark.parametrize("raise_error", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_handlers_that_fail(raise_error, asynchronous):
    """A handler's error is logged and others are told, or it ends the run with an error if it is to be raised."""
    failing, told = Failing(raise_error), Told()
    graph, config = line(("ask", ask)), {"callbacks": [failing, told]}

    def call():
        return asyncio.run(graph.ainvoke({"x": []}, config)) if asynchronous else graph.invoke({"x": []}, config)

    if raise_error:
        with pytest.raises(KeyError, match="handler"):
            call()
        assert failing.order[-1] is KeyError
    else:
        assert "__interrupt__" in call()
        assert failing.order[-1] == told.order[-1] == "end"
        assert len(told.events) == 1


def test_other_runs_tell_nothing():
    """A run that ends, or fails, without a question is no news."""
    handler = Told()
    line(("n", lambda state: {"x": [1]})).invoke({"x": []}, {"callbacks": [handler]})
    with pytest.raises(KeyError):
        line(("n", lambda state: {}["no"])).invoke({"x": []}, {"callbacks": [handler]})
    assert handler.events == []


def test_a_handler_that_only_tells_of_one_thing():
    """The methods of the base class do nothing."""
    handler = GraphCallbackHandler()
    event = GraphResumeEvent(None, "input", "id", ())
    assert (handler.on_interrupt(GraphInterruptEvent(None, "pending", "", (), ())), handler.on_resume(event)) == (
        None,
        None,
    )


@pytest.mark.parametrize("given", ["handler", "list", "manager", "none"])
def test_managers(given):
    """A manager calls the graph handlers among any kind of callbacks, in sync and in async code."""
    handler, other, run_id = Told(), BaseCallbackHandler(), uuid4()
    callbacks = {
        "handler": handler,
        "list": [other, handler],
        "manager": CallbackManager([other, handler], [handler], tags=["t"], inheritable_metadata={"a": 1}),
        "none": None,
    }[given]
    asked, resumed = GraphInterruptEvent(run_id, "done", "c", (), ()), GraphResumeEvent(run_id, "input", "c", ())
    sync = get_sync_graph_callback_manager_for_config({"callbacks": callbacks}, run_id=run_id)
    asyn = get_async_graph_callback_manager_for_config({"callbacks": callbacks}, run_id=run_id)
    assert (sync.is_async, asyn.is_async) == (False, True)
    sync.on_interrupt(asked)
    sync.on_resume(resumed)

    async def tell():
        await asyn.on_interrupt(asked)
        await asyn.on_resume(resumed)

    asyncio.run(tell())
    assert handler.events == ([] if given == "none" else [asked, resumed] * 2)
    other_id = uuid4()
    for manager in (sync, asyn):
        assert manager.run_id == run_id
        assert (manager.copy().run_id, manager.copy(run_id=other_id).run_id) == (run_id, other_id)
        assert type(manager.copy(run_id=None)) is type(manager)
        assert manager.copy().handlers == ([] if given == "none" else [handler])
        if given == "manager":
            assert (manager.tags, manager.inheritable_metadata) == (["t"], {"a": 1})
            assert manager.copy().inheritable_handlers == [handler]
    assert type(get_sync_graph_callback_manager_for_config({"callbacks": asyn})) is type(sync)


def test_what_are_no_callbacks():
    """What cannot be callbacks, or the id of a run, is refused."""
    for given in ("text", 3):
        with pytest.raises(TypeError, match="callbacks must be a handler, sequence, or manager"):
            get_sync_graph_callback_manager_for_config({"callbacks": given})
    with pytest.raises(TypeError, match="run_id must be a UUID"):
        get_sync_graph_callback_manager_for_config({}).copy(run_id="1")
