"""Functions that wrap the calls of tools."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, List

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from typing_extensions import Annotated

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from streamgraph.prebuilt.tool_node import ToolCallRequest
from streamgraph.types import Command, Send
from support.tool_calls import answers, asking, call, run

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])
KINDS = pytest.mark.parametrize("kind", ["wrap_tool_call", "awrap_tool_call"])


@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@tool
async def add_later(a: int) -> int:
    """Add one."""
    return a + 1


@tool
def fail() -> str:
    """Fail."""
    raise ValueError("bad")


@tool
def hidden(x: int, foo: Annotated[str, InjectedState("foo")]) -> str:
    """Take something hidden."""
    return f"{x} {foo}"


def wrapping(kind: str, decide: Any) -> Any:
    """A wrapper of this kind; `decide` is a generator that yields requests and gets results."""

    def wrap(request: Any, execute: Any) -> Any:
        steps = decide(request)
        try:
            wanted = next(steps)
            while True:
                try:
                    result = execute(wanted)
                except Exception as error:
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(result)
        except StopIteration as end:
            return end.value

    async def awrap(request: Any, execute: Any) -> Any:
        steps = decide(request)
        try:
            wanted = next(steps)
            while True:
                try:
                    result = await execute(wanted)
                except Exception as error:
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(result)
        except StopIteration as end:
            return end.value

    return {kind: wrap if kind == "wrap_tool_call" else awrap}


def node(kind: str, decide: Any, **options: Any) -> ToolNode:
    return ToolNode([add, add_later, fail, hidden], **wrapping(kind, decide), **options)


@DRIVERS
@KINDS
def test_runs_once_never_or_often(driver: str, kind: str) -> None:
    def decide(request: ToolCallRequest) -> Any:
        if request.tool_call["args"]["a"] == 0:
            return ToolMessage("no", tool_call_id=request.tool_call["id"])
        first = yield request
        if request.tool_call["args"]["a"] == 1:
            return first
        second = yield request.override(tool_call={**request.tool_call, "args": {"a": 10}})
        return ToolMessage(f"{first.content} {second.content}", tool_call_id=request.tool_call["id"])

    calls = [call(name, f"{name}{a}", a=a) for name in ("add", "add_later") for a in (0, 1, 2)]
    assert answers(run(node(kind, decide), asking(*calls), driver=driver)) == ["no", "2", "3 11"] * 2


@DRIVERS
@KINDS
def test_what_a_request_says(driver: str, kind: str) -> None:
    seen: List[ToolCallRequest] = []

    def decide(request: ToolCallRequest) -> Any:
        seen.append(request)
        return (yield request)

    given = asking(call("hidden", x=1), foo="F")
    assert answers(run(node(kind, decide), given, driver=driver)) == ["1 F"]
    (request,) = seen
    assert request.tool_call == call("hidden", x=1)
    assert request.tool is hidden
    assert request.state is given
    assert isinstance(request.runtime, ToolRuntime)
    assert (request.runtime.state, request.runtime.tool_call_id) == (given, "hidden-1")
    messages = asking(call("add", a=1))["messages"]
    run(node(kind, decide), messages, driver=driver)
    assert seen[1].state is messages
    run(node(kind, decide), [call("add", a=1)], driver=driver)
    assert seen[2].state == {}


@DRIVERS
@KINDS
def test_the_state_of_the_graph_for_calls_alone(driver: str, kind: str) -> None:
    seen: List[Any] = []

    def decide(request: ToolCallRequest) -> Any:
        seen.append(request.state)
        return (yield request)

    def to_tools(state: MessagesState) -> List[Send]:
        return [Send("tools", [item]) for item in state["messages"][-1].tool_calls]

    builder = StateGraph(MessagesState).add_node(node(kind, decide))
    run(builder.add_conditional_edges(START, to_tools, ["tools"]).compile(), asking(call("add", a=1)), driver=driver)
    assert [list(state) for state in seen] == [["messages"]]
    assert seen[0]["messages"][0].tool_calls == [call("add", a=1)]


@DRIVERS
@KINDS
def test_tools_that_are_not_there(driver: str, kind: str) -> None:
    @tool
    def other(a: int) -> str:
        """Say a number."""
        return f"other {a}"

    def decide(request: ToolCallRequest) -> Any:
        assert request.tool is None
        if request.tool_call["name"] == "other":
            request = request.override(tool=other)
        return (yield request)

    result = run(node(kind, decide), asking(call("other", a=1), call("nope", a=2)), driver=driver)["messages"]
    assert [(message.name, message.content, message.status) for message in result] == [
        ("other", "other 1", "success"),
        ("nope", "Error: nope is not a valid tool, try one of [add, add_later, fail, hidden].", "error"),
    ]


@DRIVERS
@KINDS
def test_a_tool_takes_anothers_place(driver: str, kind: str) -> None:
    def decide(request: ToolCallRequest) -> Any:
        return (yield request.override(tool=add))

    (message,) = run(node(kind, decide), asking(call("nope", a=2)), driver=driver)["messages"]
    assert (message.name, message.content, message.tool_call_id) == ("add", "3", "nope-1")


@DRIVERS
@KINDS
def test_failures(driver: str, kind: str) -> None:
    def retrying(request: ToolCallRequest) -> Any:
        try:
            return (yield request)
        except ValueError as error:
            return ToolMessage(f"caught {error}", tool_call_id=request.tool_call["id"])

    def failing(request: ToolCallRequest) -> Any:
        raise KeyError("wrapper")
        yield

    assert answers(run(node(kind, retrying), asking(call("fail")), driver=driver)) == ["caught bad"]
    handled = node(kind, retrying, handle_tool_errors=True)
    assert answers(run(handled, asking(call("fail")), driver=driver)) == [
        "Error: ValueError('bad')\n Please fix your mistakes."
    ]
    for handle in ({}, {"handle_tool_errors": False}):
        with pytest.raises(KeyError, match="wrapper"):
            run(node(kind, failing, **handle), asking(call("add", a=1)), driver=driver)
    assert answers(run(node(kind, failing, handle_tool_errors=True), asking(call("add", a=1)), driver=driver)) == [
        "Error: KeyError('wrapper')\n Please fix your mistakes."
    ]


@DRIVERS
@KINDS
def test_commands_pass(driver: str, kind: str) -> None:
    def decide(request: ToolCallRequest) -> Any:
        return Command(goto="next")
        yield

    assert run(node(kind, decide), asking(call("add", a=1)), driver=driver) == [Command(goto="next")]


def test_the_async_one_is_for_async_runs() -> None:
    def sync(request: Any, execute: Any) -> Any:
        return ToolMessage("sync", tool_call_id="1")

    async def later(request: Any, execute: Any) -> Any:
        return ToolMessage("async", tool_call_id="1")

    both = ToolNode([add], wrap_tool_call=sync, awrap_tool_call=later)
    assert answers(run(both, asking(call("add", a=1)))) == ["sync"]
    assert answers(run(both, asking(call("add", a=1)), driver="ainvoke")) == ["async"]


def test_a_sync_wrapper_does_not_stop_the_loop() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def wrap(request: Any, execute: Any) -> Any:
        inside.set()
        assert go_on.wait(10)
        return execute(request)

    async def main() -> Any:
        task = asyncio.ensure_future(
            ToolNode([add, add_later], wrap_tool_call=wrap).ainvoke(asking(call("add_later", a=1)))
        )
        while not inside.is_set():
            await asyncio.sleep(0)
        go_on.set()
        return await task

    assert answers(asyncio.run(main())) == ["2"]


def test_changing_a_request_warns() -> None:
    request = ToolCallRequest(call("add", a=1), add, {}, None)  # type: ignore[arg-type]
    with pytest.warns(
        DeprecationWarning, match="Setting attribute 'tool_call' on ToolCallRequest is deprecated.*override"
    ):
        request.tool_call = call("add", a=2)
    changed = request.override(state={"x": 1})
    assert (changed.state, request.state, changed.tool_call) == ({"x": 1}, {}, call("add", a=2))
    with pytest.raises(TypeError, match="unexpected keyword argument 'zzz'"):
        request.override(zzz=1)
