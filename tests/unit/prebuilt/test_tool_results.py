"""`Command`s, and lists with them, as results of tools."""

from __future__ import annotations

from operator import add
from typing import Any, List

import pytest
from langchain_core.messages import HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, tool
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import GraphError
from streamgraph.graph import START, StateGraph, add_messages
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Command, Send
from support.tool_calls import asking, call, run

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])


class Returning(BaseTool):
    """A tool that returns what it was made with."""

    name: str = "r"
    description: str = "Return something."
    result: Any = None

    def _run(self) -> Any:
        return self.result

    async def _arun(self) -> Any:
        return self.result


def text() -> str:
    """Return a text."""
    return "text"


def done(call_id: str = "r-1", **more: Any) -> ToolMessage:
    return ToolMessage("done", tool_call_id=call_id, **more)


PLAIN = ToolMessage("text", name="text", tool_call_id="text-1")
NAMED = done(name="r")


def returned(result: Any, driver: str, *calls: Any, as_list: bool = False, **options: Any) -> Any:
    """What a node returns whose tool returns this."""
    given = asking(*(calls or (call("r"),)))
    return run(
        ToolNode([Returning(result=result), text], **options), given["messages"] if as_list else given, driver=driver
    )


@DRIVERS
def test_a_command_with_the_answer(driver: str) -> None:
    command = Command(update={"messages": [done()], "foo": 1}, goto="next")
    (result,) = returned(command, driver)
    assert result == Command(update={"messages": [NAMED], "foo": 1}, goto="next")
    assert type(result) is Command
    assert command.update["messages"][0].name is None


@DRIVERS
def test_a_command_in_a_function_tool(driver: str) -> None:
    @tool
    def set_foo(value: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Set foo."""
        return Command(update={"foo": value, "messages": [ToolMessage("set", tool_call_id=tool_call_id)]})

    @tool
    async def aset_foo(value: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Set foo."""
        return Command(update={"foo": value, "messages": [ToolMessage("set", tool_call_id=tool_call_id)]})

    first, second = run(
        ToolNode([set_foo, aset_foo]), asking(call("set_foo", value=1), call("aset_foo", value=2)), driver=driver
    )
    assert (first.update["foo"], first.update["messages"][0].name) == (1, "set_foo")
    assert (second.update["foo"], second.update["messages"][0].name) == (2, "aset_foo")


@DRIVERS
def test_a_list_of_messages_goes_with_a_list(driver: str) -> None:
    assert returned(Command(update=[done(), HumanMessage("Hi")]), driver, as_list=True) == [
        Command(update=[NAMED, HumanMessage("Hi")])
    ]


@DRIVERS
def test_messages_as_dicts(driver: str) -> None:
    given = {"role": "tool", "content": "done", "tool_call_id": "r-1"}
    (result,) = returned(Command(update={"messages": [HumanMessage("Hi"), given]}), driver)
    assert result.update["messages"][0] == HumanMessage("Hi")
    assert returned(Command(update={"messages": [done("other"), done()]}), driver)[0].update["messages"] == [
        done("other"),
        NAMED,
    ]


@DRIVERS
@pytest.mark.parametrize(
    "update", [{}, {"foo": 1}, {"messages": []}, {"messages": [done("other")]}, {"messages": [HumanMessage("Hi")]}]
)
def test_an_answer_is_needed(driver: str, update: Any) -> None:
    with pytest.raises(
        ValueError, match=r"Expected to have a matching ToolMessage in Command.update for tool 'r', got: \["
    ):
        returned(Command(update=update), driver)
    result = returned(Command(update=update), driver, handle_tool_errors=True)
    assert "MUST have a corresponding ToolMessage" in result["messages"][0].content
    assert result["messages"][0].status == "error"


@DRIVERS
@pytest.mark.parametrize(
    "command",
    [
        Command(goto="next"),
        Command(),
        Command(graph=Command.PARENT, update={"foo": 1}, goto="next"),
        Command(update={"messages": [RemoveMessage(REMOVE_ALL_MESSAGES)]}),
    ],
)
def test_no_answer_is_needed(driver: str, command: Any) -> None:
    assert returned(command, driver) == [command]


@DRIVERS
def test_the_form_of_the_update(driver: str) -> None:
    with pytest.raises(ValueError, match="Tools can provide a list of messages in Command.update only when using list"):
        returned(Command(update=[done()]), driver)
    with pytest.raises(
        ValueError, match="Tools can provide a dict in Command.update only when using dict with 'messag"
    ) as raised:
        returned(Command(update={"messages": [done()]}), driver, as_list=True)
    assert isinstance(raised.value, GraphError)


@DRIVERS
def test_commands_and_messages_together(driver: str) -> None:
    command = Command(update={"messages": [done()], "foo": 1})
    expected = Command(update={"messages": [NAMED], "foo": 1})
    assert returned(command, driver, call("text"), call("r")) == [{"messages": [PLAIN]}, expected]
    assert returned(command, driver, call("r"), call("text")) == [expected, {"messages": [PLAIN]}]
    assert returned(Command(update=[done()]), driver, call("text"), call("r"), as_list=True) == [
        [PLAIN],
        Command(update=[NAMED]),
    ]


@DRIVERS
def test_sends_to_the_parent_are_one_command(driver: str) -> None:
    send = Send("child", 1)
    command = Command(graph=Command.PARENT, goto=[send])
    assert returned(command, driver, call("r"), call("text"), call("r", "2")) == [
        {"messages": [PLAIN]},
        Command(graph=Command.PARENT, goto=[send, send]),
    ]
    writing = Command(graph=Command.PARENT, goto=[send], update={"foo": 1})
    assert returned(writing, driver, call("r"), call("r", "2")) == [
        Command(graph=Command.PARENT, goto=[send, send], update=[("foo", 1), ("foo", 1)])
    ]
    by_name = Command(graph=Command.PARENT, goto="child")
    assert returned(by_name, driver, call("r"), call("r", "2")) == [by_name, by_name]


@DRIVERS
def test_a_list_of_results(driver: str) -> None:
    assert returned([Command(update={"foo": 1}), done()], driver) == [
        Command(update={"foo": 1}),
        {"messages": [done()]},
    ]
    assert returned([done()], driver) == {"messages": [done()]}
    assert returned([Command(update={"messages": [done()]}), Command(goto="next")], driver) == [
        Command(update={"messages": [NAMED]}),
        Command(goto="next"),
    ]
    assert returned([done()], driver, call("text"), call("r"), as_list=True) == [PLAIN, done()]


@DRIVERS
@pytest.mark.parametrize(
    ("results", "number"),
    [([Command(update={"foo": 1})], 0), ([done(), done()], 2), ([done(), Command(update={"messages": [done()]})], 2)],
)
def test_a_list_answers_once(driver: str, results: Any, number: int) -> None:
    text = f"Tool r returned a list with {number} messages bound to tool_call_id 'r-1'; expected exactly one"
    with pytest.raises(ValueError, match=text):
        returned(results, driver)
    (message,) = returned(results, driver, handle_tool_errors=True)["messages"]
    assert text in message.content


@DRIVERS
def test_other_lists_are_contents(driver: str) -> None:
    (message,) = returned([Command(update={"foo": 1}), "text"], driver)["messages"]
    assert message.content.startswith("[Command(")


class State(TypedDict):
    """Messages, and what tools write."""

    messages: Annotated[List[Any], add_messages]
    foo: Annotated[List[Any], add]


@DRIVERS
def test_in_a_graph(driver: str) -> None:
    node = ToolNode([Returning(result=[Command(update={"foo": [1]}, goto="next"), done()]), text])
    builder = StateGraph(State).add_node(node).add_node("next", lambda state: {"foo": [len(state["messages"])]})
    graph = builder.add_edge(START, "tools").compile()
    result = run(graph, asking(call("text"), call("r"), foo=[]), driver=driver)
    assert [message.content for message in result["messages"]] == ["", "text", "done"]
    assert result["foo"] == [1, 3]


def test_what_listeners_see() -> None:
    """The mode `tools` shows what the tool has returned."""
    command = Command(update={"foo": [1], "messages": [done()]})
    for result in (command, [Command(update={"foo": [1]}), done()]):
        builder = StateGraph(State).add_node(ToolNode([Returning(result=result)])).add_edge(START, "tools")
        *_, last = builder.compile().stream(asking(call("r"), foo=[]), stream_mode="tools")
        assert (last["event"], last["output"]) == ("tool-finished", result)
        assert result == last["output"]
        assert repr(last["output"]) == repr(result)


@DRIVERS
def test_handing_over_to_the_graph_around(driver: str) -> None:
    """Every call sends a task to the graph around the agent; all of them arrive, with what they write."""

    @tool
    def hand_over(task: str) -> Any:
        """Hand a task over."""
        return Command(graph=Command.PARENT, goto=[Send("worker", {"task": task})], update={"foo": [f"gave {task}"]})

    inner = StateGraph(State).add_node(ToolNode([hand_over])).add_edge(START, "tools").compile()
    builder = StateGraph(State).add_node("inner", inner)
    builder.add_node("worker", lambda given: {"foo": [f"did {given['task']}"]})
    graph = builder.add_edge(START, "inner").compile()
    given = asking(call("hand_over", "1", task="a"), call("hand_over", "2", task="b"), foo=[])
    assert run(graph, given, driver=driver)["foo"] == ["gave a", "gave b", "did a", "did b"]
