"""What a `ToolNode` is given and returns, and how it runs the calls."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel

from streamgraph.config import get_stream_writer
from streamgraph.errors import GraphError
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode, tools_condition
from streamgraph.types import Send
from streamgraph.utils.runnable import RunnableCallable
from support.list_graphs import line
from support.tool_calls import answers, asking, call, run

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])


@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@tool
async def double(a: int) -> int:
    """Double a number, later."""
    await asyncio.sleep(0)
    return 2 * a


def plain(a: int) -> str:
    """Say a number."""
    return f"it is {a}"


@dataclass
class Data:
    """A state that is an object."""

    messages: List[Any]


class Model(BaseModel):
    """A state that is a pydantic model."""

    messages: List[Any]


NODE = ToolNode([add, double, plain])
MESSAGES = asking(call("add", a=1), call("plain", a=2))["messages"]
EXPECTED = [
    ToolMessage("2", name="add", tool_call_id="add-1"),
    ToolMessage("it is 2", name="plain", tool_call_id="plain-1"),
]


@DRIVERS
@pytest.mark.parametrize(
    "given",
    [{"messages": MESSAGES}, Data(MESSAGES), Model(messages=MESSAGES), MESSAGES[0].tool_calls],
    ids=["dict", "dataclass", "pydantic", "tool calls"],
)
def test_a_state_or_calls_give_an_update(driver: str, given: Any) -> None:
    assert run(NODE, given, driver=driver) == {"messages": EXPECTED}


@DRIVERS
def test_a_list_of_messages_gives_a_list(driver: str) -> None:
    assert run(NODE, MESSAGES, driver=driver) == EXPECTED


@DRIVERS
def test_one_call_with_its_state(driver: str) -> None:
    given = {"__type": "tool_call_with_context", "tool_call": call("add", a=1), "state": {"x": 1}}
    assert run(NODE, given, driver=driver) == {"messages": EXPECTED[:1]}


def test_attributes() -> None:
    node = ToolNode([add, plain], name="hands", tags=["t"])
    assert (node.name, node.tags, list(node.tools_by_name)) == ("hands", ["t"], ["add", "plain"])
    assert node.tools_by_name["add"] is add
    assert node.tools_by_name["plain"].description == "Say a number."
    assert (NODE.name, NODE.tags) == ("tools", None)


def test_a_function_needs_a_docstring() -> None:
    with pytest.raises(ValueError, match="docstring"):
        ToolNode([lambda x: x])


@DRIVERS
def test_the_last_ai_message_counts(driver: str) -> None:
    messages = [
        AIMessage("", tool_calls=[call("add", a=7)]),
        AIMessage("", tool_calls=[call("add", "x", a=1)]),
        ToolMessage("2", tool_call_id="x"),
        HumanMessage("And?"),
    ]
    assert answers(run(NODE, messages, driver=driver)) == ["2"]
    assert run(NODE, {"messages": [AIMessage("done")]}, driver=driver) == {"messages": []}


@DRIVERS
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "No message found in input"),
        ({"messages": []}, "No message found in input"),
        ([], "No message found in input"),
        (3, "No message found in input"),
        ({"messages": [HumanMessage("Hi")]}, "No AIMessage found in input"),
        ([{"name": "add", "args": {}, "id": "1"}], "No AIMessage found in input"),
    ],
)
def test_inputs_without_calls(driver: str, given: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text) as raised:
        run(NODE, given, driver=driver)
    assert isinstance(raised.value, GraphError)


@DRIVERS
def test_another_key(driver: str) -> None:
    node = ToolNode([add], messages_key="talk")
    assert list(run(node, {"talk": asking(call("add", a=1))["messages"]}, driver=driver)) == ["talk"]


@DRIVERS
def test_unknown_tool(driver: str) -> None:
    for handle in (True, False, None, "no", ValueError):
        node = ToolNode([add, plain], handle_tool_errors=handle)
        (message,) = run(node, asking(call("nope")), driver=driver)["messages"]
        assert message.content == "Error: nope is not a valid tool, try one of [add, plain]."
        assert (message.name, message.status, message.tool_call_id) == ("nope", "error", "nope-1")
    assert answers(run(ToolNode([]), asking(call("nope")), driver=driver)) == [
        "Error: nope is not a valid tool, try one of []."
    ]


@DRIVERS
def test_a_call_without_an_id(driver: str) -> None:
    with pytest.raises(TypeError, match="Tool add returned unexpected type: <class 'int'>"):
        run(NODE, asking({**call("add", a=1), "id": None}), driver=driver)


@DRIVERS
def test_contents(driver: str) -> None:
    values = ["é", 3, None, True, {"a": 1, "é": "ü"}, ["a", "é"], [{"a": 1}], [], [{"type": "text", "text": "hi"}]]

    def give(place: int) -> Any:
        """Give a value."""
        return values[place]

    def mixed() -> Any:
        """Give a text and a block."""
        return ["a", {"type": "text", "text": "hi"}]

    node = ToolNode([give, mixed])
    calls = [call("give", str(place), place=place) for place in range(len(values))]
    assert answers(run(node, asking(*calls, call("mixed")), driver=driver)) == [
        "é",
        "3",
        "null",
        "true",
        '{"a": 1, "é": "ü"}',
        '["a", "é"]',
        '[{"a": 1}]',
        [],
        [{"type": "text", "text": "hi"}],
        '["a", {"type": "text", "text": "hi"}]',
    ]


@DRIVERS
def test_messages_and_artifacts_stay(driver: str) -> None:
    own = ToolMessage("own", tool_call_id="other", artifact=[1])

    @tool(response_format="content_and_artifact")
    def pair() -> Any:
        """Give both."""
        return "text", {"raw": 1}

    def message() -> Any:
        """Give a message."""
        return own

    first, second = run(ToolNode([pair, message]), asking(call("pair"), call("message")), driver=driver)["messages"]
    assert (first.content, first.artifact, first.name) == ("text", {"raw": 1}, "pair")
    assert second is own


@DRIVERS
def test_calls_run_at_the_same_time_and_are_answered_in_order(driver: str) -> None:
    meeting = threading.Barrier(3, timeout=10)

    @tool
    def meet(wait: float) -> str:
        """Wait for the others."""
        meeting.wait()
        time.sleep(wait)
        return str(wait)

    calls = [call("meet", str(wait), wait=wait) for wait in (0.05, 0.0, 0.02)]
    assert answers(run(ToolNode([meet]), asking(*calls), driver=driver)) == ["0.05", "0.0", "0.02"]


@DRIVERS
def test_max_concurrency(driver: str) -> None:
    running: List[int] = []
    most: List[int] = []
    lock = threading.Lock()

    @tool
    def work(place: int) -> int:
        """Work for a moment."""
        with lock:
            running.append(place)
            most.append(len(running))
        time.sleep(0.01)
        with lock:
            running.remove(place)
        return place

    calls = [call("work", str(place), place=place) for place in range(6)]
    result = run(ToolNode([work]), asking(*calls), {"max_concurrency": 2}, driver=driver)
    assert answers(result) == [str(place) for place in range(6)]
    assert max(most) <= 2


@DRIVERS
def test_async_only_tools_run_in_both(driver: str) -> None:
    assert answers(run(NODE, asking(call("double", a=2), call("add", a=1)), driver=driver)) == ["4", "2"]


def test_async_only_tools_in_a_sync_run_inside_of_a_loop() -> None:
    async def main() -> Any:
        return NODE.invoke(asking(call("double", a=2)))

    assert answers(asyncio.run(main())) == ["4"]


word: ContextVar[str] = ContextVar("word", default="none")


@DRIVERS
def test_tools_see_the_context(driver: str) -> None:
    @tool
    def see() -> str:
        """See the word."""
        return word.get()

    @tool
    async def see_later() -> str:
        """See the word."""
        return word.get()

    token = word.set("set")
    try:
        assert answers(run(ToolNode([see, see_later]), asking(call("see"), call("see_later")), driver=driver)) == [
            "set",
            "set",
        ]
    finally:
        word.reset(token)


def test_an_unhandled_failure_cancels_the_other_calls() -> None:
    begun: List[str] = []
    ended: List[str] = []

    @tool
    async def wait() -> str:
        """Wait for long."""
        begun.append("wait")
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            ended.append("wait")
        return "never"

    @tool
    async def fail() -> str:
        """Fail when the others wait."""
        while len(begun) < 2:
            await asyncio.sleep(0)
        raise KeyError("boom")

    async def main() -> None:
        with pytest.raises(KeyError, match="boom"):
            await ToolNode([wait, fail]).ainvoke(asking(call("wait"), call("fail"), call("wait", "w2")))
        assert ended == ["wait", "wait"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_failure_before_a_call_began() -> None:
    @tool
    async def fail() -> str:
        """Fail at once."""
        raise KeyError("boom")

    async def main() -> None:
        with pytest.raises(KeyError, match="boom"):
            await ToolNode([fail]).ainvoke(
                asking(call("fail"), call("fail", "2"), call("fail", "3")), {"max_concurrency": 1}
            )

    asyncio.run(main())


def test_an_async_run_can_be_cancelled() -> None:
    begun: List[str] = []
    ended: List[str] = []

    @tool
    async def wait() -> str:
        """Wait for long."""
        begun.append("wait")
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("wait")
        return "never"

    async def main() -> None:
        task = asyncio.ensure_future(ToolNode([wait]).ainvoke(asking(call("wait"))))
        while not begun:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["wait"]

    asyncio.run(main())


@DRIVERS
def test_the_first_of_several_failures_is_raised(driver: str) -> None:
    @tool
    def fail(text: str) -> str:
        """Fail."""
        raise LookupError(text)

    with pytest.raises(LookupError, match="one"):
        run(ToolNode([fail]), asking(call("fail", "1", text="one"), call("add", a=1)), driver=driver)


class Counter(BaseTool):
    """A tool with a state of its own."""

    name: str = "count"
    description: str = "Count."
    count: int = 0

    def _run(self) -> int:
        self.count += 1
        return self.count


@DRIVERS
def test_what_a_tool_keeps_stays_with_it(driver: str) -> None:
    counter = Counter()
    assert answers(run(ToolNode([counter]), asking(call("count"), call("count", "2")), driver=driver)) in (
        ["1", "2"],
        ["2", "1"],
    )
    assert counter.count == 2


class Listener(BaseCallbackHandler):
    """Keeps what it is told about tools."""

    def __init__(self) -> None:
        self.heard: List[Any] = []

    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        self.heard.append((serialized["name"], kwargs["tags"]))

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        self.heard.append(output.content)


@DRIVERS
def test_callbacks_and_tags_reach_the_tools(driver: str) -> None:
    listener = Listener()
    node = ToolNode([add], tags=["mine"])
    run(node, asking(call("add", a=1)), {"callbacks": [listener], "tags": ["given"]}, driver=driver)
    assert [(name, sorted(tags)) for name, tags in listener.heard[:1]] == [("add", ["given", "mine"])]
    assert listener.heard[1:] == ["2"]


@DRIVERS
def test_in_a_graph(driver: str) -> None:
    graph = StateGraph(MessagesState).add_node(NODE).add_edge(START, "tools").compile()
    result = run(graph, asking(call("add", a=1), call("double", a=4)), driver=driver)
    assert [message.content for message in result["messages"]] == ["", "2", "8"]
    assert all(message.id for message in result["messages"])


@DRIVERS
def test_by_sends(driver: str) -> None:
    def to_tools(state: MessagesState) -> List[Send]:
        return [Send("tools", [item]) for item in state["messages"][-1].tool_calls]

    builder = StateGraph(MessagesState).add_node(NODE).add_conditional_edges(START, to_tools, ["tools"])
    result = run(builder.compile(), asking(call("add", a=1), call("double", a=4)), driver=driver)
    assert [message.content for message in result["messages"]] == ["", "2", "8"]


@DRIVERS
def test_a_consumer_that_leaves_stops_the_tools(driver: str) -> None:
    """No handler of errors turns that into a message, and no tool goes on working for nobody."""
    left, seen = threading.Event(), []

    @tool
    def write() -> str:
        """Write again and again."""
        writer = get_stream_writer()
        writer("first")
        assert left.wait(10)
        try:
            while True:
                time.sleep(0.001)
                writer("more")
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    node = ToolNode([write], handle_tool_errors=True)
    graph = StateGraph(MessagesState).add_node(node).add_edge(START, "tools").compile()
    if driver == "invoke":
        chunks = graph.stream(asking(call("write")), stream_mode="custom")
        assert next(chunks) == "first"
        left.set()
        chunks.close()
    else:

        async def leave() -> None:
            chunks = graph.astream(asking(call("write")), stream_mode="custom")
            assert await chunks.__anext__() == "first"
            left.set()
            await chunks.aclose()

        asyncio.run(leave())
    until = time.monotonic() + 10
    while not seen and time.monotonic() < until:
        time.sleep(0.001)
    assert seen == ["StreamClosed"]


def test_tools_condition() -> None:
    asks, done = asking(call("add", a=1))["messages"], [AIMessage("done")]
    for state in (asks, {"messages": asks}, Data(asks), Model(messages=asks)):
        assert tools_condition(state) == "tools"
    for state in (done, {"messages": done}, Data(done), [*asks, HumanMessage("Hi")], {"messages": [HumanMessage("")]}):
        assert tools_condition(state) == "__end__"
    assert tools_condition({"talk": asks}, messages_key="talk") == "tools"
    for state in ({}, {"messages": []}, Data([]), [], 3):
        with pytest.raises(ValueError, match="No messages found in input state to tool_edge"):
            tools_condition(state)


@DRIVERS
def test_tools_condition_as_a_branch(driver: str) -> None:
    def think(state: MessagesState) -> Any:
        said = [message for message in state["messages"] if isinstance(message, ToolMessage)]
        return {"messages": [AIMessage("done") if said else asking(call("add", a=1))["messages"][0]]}

    builder = StateGraph(MessagesState).add_node(think).add_node(NODE).add_edge(START, "think")
    builder.add_conditional_edges("think", tools_condition).add_edge("tools", "think")
    result = run(builder.compile(), {"messages": [HumanMessage("Hi")]}, driver=driver)
    assert [message.content for message in result["messages"]] == ["Hi", "", "2", "done"]


def test_what_libraries_look_at():
    """A node can be made anew of the settings of a given one, found in a compiled graph, and told to be a callable."""

    def wrap(request, execute):
        return execute(request)

    async def awrap(request, execute):
        return await execute(request)

    node = ToolNode(
        [add],
        name="own",
        tags=["t"],
        handle_tool_errors="sorry",
        messages_key="talk",
        wrap_tool_call=wrap,
        awrap_tool_call=awrap,
    )
    assert (node.name, node.tags, node._handle_tool_errors, node._messages_key) == ("own", ["t"], "sorry", "talk")
    assert (node._wrap_tool_call, node._awrap_tool_call) == (wrap, awrap)
    assert node._tools_by_name is node.tools_by_name
    assert isinstance(node, RunnableCallable)
    assert not node.trace
    graph = line(("own", node), schema=MessagesState)
    assert graph.nodes["own"].bound.tools_by_name == {"add": node.tools_by_name["add"]}
    assert graph.get_graph().nodes["own"].data is node
    assert ToolNode([add])._handle_tool_errors is ToolNode([])._handle_tool_errors


def test_a_subclass_may_do_more():
    """`_func` and `_afunc` get the config and the runtime of the task, as in LangGraph, in and outside of a graph."""
    seen = []

    class Logged(ToolNode):
        def _func(self, input, config, runtime):  # noqa: A002
            seen.append(getattr(runtime, "context", None))
            return super()._func(input, config, runtime)

        async def _afunc(self, input, config, runtime):  # noqa: A002
            seen.append(getattr(runtime, "context", None))
            return await super()._afunc(input, config, runtime)

    asked = asking(call("add", a=1, b=2))
    graph = line(("tools", Logged([add])), schema=MessagesState)
    assert graph.invoke(asked, context="c")["messages"][-1].content == "3"
    assert asyncio.run(graph.ainvoke(asked, context="c"))["messages"][-1].content == "3"
    assert Logged([add]).invoke(asked)["messages"][0].content == "3"
    assert seen == ["c", "c", None]
