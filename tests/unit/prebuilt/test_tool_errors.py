"""Which failures of tools the model is told about, and in which words."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, List, Optional, Union

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException, tool
from pydantic import ValidationError
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import GraphDrained
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import InjectedState, ToolNode
from streamgraph.prebuilt.tool_node import TOOL_CALL_ERROR_TEMPLATE, ToolInvocationError
from streamgraph.runtime import RunControl
from streamgraph.types import Command
from support.tool_calls import answers, asking, call, run

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])

INVOCATION = (
    "Error invoking tool 'add' with kwargs {'a': 'zz'} with error:\n"
    " a: Input should be a valid integer, unable to parse string as an integer\n"
    " Please fix the error and try again."
)


@tool
def add(a: int) -> int:
    """Add one."""
    return a + 1


@tool
def fail() -> str:
    """Raise a ValueError."""
    raise ValueError("bad")


@tool
def refuse() -> str:
    """Raise a ToolException."""
    raise ToolException("no")


VALUE, TOOL, ARGUMENTS = call("fail"), call("refuse"), call("add", a="zz")
RAISED = {"fail": ValueError, "refuse": ToolException, "add": ToolInvocationError}
FIX = "\n Please fix your mistakes."


def on_value_error(error: ValueError) -> str:
    return f"value: {error}"


def on_key_or_tool(error: Union[KeyError, ToolException]) -> str:
    return f"tool: {type(error).__name__}"


def on_anything(error):  # type: ignore[no-untyped-def]
    return type(error).__name__


def on_exception(error: Exception) -> int:
    return 5


class Handlers:
    """Handlers that are no plain functions."""

    def method(self, error: ValueError) -> str:
        return f"method: {error}"

    def __call__(self, error: ValueError) -> str:
        return f"object: {error}"


def with_prefix(prefix: str, error: ValueError) -> str:
    return f"{prefix}: {error}"


TABLE = [
    (True, [f"Error: ValueError('bad'){FIX}", f"Error: ToolException('no'){FIX}", None]),
    (False, [ValueError, ToolException, ToolInvocationError]),
    (None, [ValueError, ToolException, ToolInvocationError]),
    ("", [ValueError, ToolException, ToolInvocationError]),
    ((), [ValueError, ToolException, ToolInvocationError]),
    ("Oh!", ["Oh!", "Oh!", "Oh!"]),
    (on_value_error, ["value: bad", ToolException, ToolInvocationError]),
    (on_key_or_tool, [ValueError, "tool: ToolException", "tool: ToolInvocationError"]),
    (on_anything, ["ValueError", "ToolException", "ToolInvocationError"]),
    (lambda error: "lambda", ["lambda", "lambda", "lambda"]),
    (on_exception, ["5", "5", "5"]),
    (Handlers().method, ["method: bad", ToolException, ToolInvocationError]),
    (Handlers(), ["object: bad", ToolException, ToolInvocationError]),
    (functools.partial(with_prefix, "partial"), ["partial: bad", ToolException, ToolInvocationError]),
    (ValueError, [f"Error: ValueError('bad'){FIX}", ToolException, ToolInvocationError]),
    ((ValueError, ToolException), [f"Error: ValueError('bad'){FIX}", f"Error: ToolException('no'){FIX}", None]),
]


@DRIVERS
@pytest.mark.parametrize(("handle", "expected"), TABLE)
def test_forms(driver: str, handle: Any, expected: List[Any]) -> None:
    node = ToolNode([add, fail, refuse], handle_tool_errors=handle)
    for item, outcome in zip((VALUE, TOOL, ARGUMENTS), expected):
        if isinstance(outcome, type):
            with pytest.raises(outcome):
                run(node, asking(item), driver=driver)
            continue
        (message,) = run(node, asking(item), driver=driver)["messages"]
        wanted = TOOL_CALL_ERROR_TEMPLATE.format(error=repr(_invocation_error())) if outcome is None else outcome
        assert message.content == wanted
        assert (message.status, message.name, message.tool_call_id) == ("error", item["name"], item["id"])


def _invocation_error() -> ToolInvocationError:
    with pytest.raises(ToolInvocationError) as raised:
        ToolNode([add], handle_tool_errors=False).invoke(asking(ARGUMENTS))
    return raised.value


@DRIVERS
def test_by_default_the_model_is_told_about_its_arguments_only(driver: str) -> None:
    node = ToolNode([add, fail, refuse])
    assert answers(run(node, asking(ARGUMENTS), driver=driver)) == [INVOCATION]
    (text,) = answers(run(node, asking(call("add")), driver=driver))
    assert "with kwargs {} with error:\n a: Field required\n" in text
    for item in (VALUE, TOOL):
        with pytest.raises(RAISED[item["name"]]):
            run(node, asking(item), driver=driver)


def test_the_error_tells_what_was_wrong() -> None:
    error = _invocation_error()
    assert isinstance(error, ToolException)
    assert (error.message, str(error)) == (INVOCATION, INVOCATION)
    assert (error.tool_name, error.tool_kwargs) == ("add", {"a": "zz"})
    assert isinstance(error.source, ValidationError)
    assert error.__cause__ is error.source
    assert [item["loc"] for item in error.filtered_errors] == [("a",)]


@DRIVERS
def test_what_is_injected_is_not_told(driver: str) -> None:
    @tool
    def mixed(x: int, note: Annotated[int, InjectedState("note")]) -> str:
        """Take both."""
        return f"{x}{note}"

    node = ToolNode([mixed])
    (text,) = answers(run(node, asking(call("mixed", x="q"), note="secret"), driver=driver))
    assert "with kwargs {'x': 'q'} with error:\n x: " in text
    assert "secret" not in text
    assert "note" not in text


def test_arguments_of_pydantics_old_interface() -> None:
    from pydantic.v1 import BaseModel as OldModel

    class Arguments(OldModel):
        a: int

    @tool(args_schema=Arguments)
    def old(a: int) -> int:
        """Take an old argument."""
        return a

    assert answers(ToolNode([old]).invoke(asking(call("old", a=3)))) == ["3"]
    (text,) = answers(ToolNode([old]).invoke(asking(call("old", a="zz"))))
    assert "Error invoking tool 'old' with kwargs {'a': 'zz'} with error:\n a: " in text


@pytest.mark.parametrize("hint", [int, Union[ValueError, int], Optional[ValueError]])
def test_a_handler_of_something_else(hint: Any) -> None:
    def handle(error):  # type: ignore[no-untyped-def]
        return "never"

    handle.__annotations__["error"] = hint
    with pytest.raises(ValueError, match="Arbitrary types are not supported in the error handler signature"):
        ToolNode([add], handle_tool_errors=handle)


@DRIVERS
def test_a_handler_that_fails(driver: str) -> None:
    def handle(error: ValueError) -> str:
        raise LookupError("worse")

    with pytest.raises(LookupError, match="worse"):
        run(ToolNode([fail], handle_tool_errors=handle), asking(VALUE), driver=driver)


@DRIVERS
def test_each_call_has_its_own_outcome(driver: str) -> None:
    node = ToolNode([add, fail], handle_tool_errors=on_value_error)
    messages = run(node, asking(call("add", a=1), VALUE, call("nope"), call("add", "2", a=2)), driver=driver)[
        "messages"
    ]
    assert [message.status for message in messages] == ["success", "error", "error", "success"]
    assert [message.content for message in messages][:2] == ["2", "value: bad"]


@DRIVERS
def test_what_a_tool_handles_itself_is_not_seen(driver: str) -> None:
    @tool
    def own() -> str:
        """Raise."""
        raise ToolException("no")

    own.handle_tool_error = "handled"

    @tool
    def checked(a: int) -> int:
        """Check."""
        return a

    checked.handle_validation_error = "VE!"
    result = run(
        ToolNode([own, checked], handle_tool_errors=False), asking(call("own"), call("checked", a="zz")), driver=driver
    )
    assert answers(result) == ["handled", "VE!"]
    assert [message.status for message in result["messages"]] == ["error", "error"]


class Outer(TypedDict, total=False):
    """The state around the graph of the tools."""

    messages: List[Any]
    seen: str


@DRIVERS
def test_a_command_for_the_parent_is_no_failure(driver: str) -> None:
    """A tool runs a graph that hands over to the graph around the node: no handler may turn that into a message."""

    def leave(state: MessagesState) -> Any:
        return Command(graph=Command.PARENT, goto="other", update={"seen": "left"})

    inner = StateGraph(MessagesState).add_node(leave).add_edge(START, "leave").compile()

    @tool
    def hand_over() -> str:
        """Run a graph."""
        return str(inner.invoke({"messages": []}))

    @tool
    async def ahand_over() -> str:
        """Run a graph."""
        return str(await inner.ainvoke({"messages": []}))

    name = "hand_over" if driver == "invoke" else "ahand_over"
    builder = StateGraph(Outer).add_node(ToolNode([hand_over, ahand_over], handle_tool_errors=True))
    builder.add_node("other", lambda state: {"seen": state["seen"] + "!"}).add_edge(START, "tools")
    assert (
        run(builder.compile(), {"messages": [AIMessage("", tool_calls=[call(name)])]}, driver=driver)["seen"] == "left!"
    )


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_what_passes_through_is_not_handled(driver: str) -> None:
    """A graph in a tool that was asked to end is no error to tell the model of."""
    control = RunControl()

    def ask_to_end(state: MessagesState) -> None:
        control.request_drain("shutdown")

    inner = StateGraph(MessagesState).add_sequence([ask_to_end, ("next", lambda state: None)])
    graph = inner.add_edge(START, "ask_to_end").compile()

    @tool
    def work() -> str:
        """Work."""
        return str(graph.invoke({"messages": []}))

    node = StateGraph(MessagesState).add_node(ToolNode([work], handle_tool_errors=True)).add_edge(START, "tools")
    given = {"messages": [AIMessage("", tool_calls=[call("work")])]}

    async def read() -> None:
        async for _ in node.compile().astream(given, control=control):
            pass

    with pytest.raises(GraphDrained, match="shutdown"):
        list(node.compile().stream(given, control=control)) if driver == "stream" else asyncio.run(read())
