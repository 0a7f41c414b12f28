"""What tools get besides the arguments of the model, and that the model cannot see or set it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel
from typing_extensions import Annotated

from streamgraph.errors import GraphError
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import InjectedState, InjectedStore, ToolNode, ToolRuntime
from streamgraph.prebuilt.tool_node import ToolCallWithContext
from streamgraph.types import Send, StreamWriter
from support.tool_calls import answers, asking, call, run

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])


class State(MessagesState, total=False):
    """Messages and two keys more."""

    foo: str
    bar: int


@dataclass
class Context:
    """What a run is given."""

    user: str


class Store:
    """A store that is none of langgraph's."""

    def __init__(self, **values: Any) -> None:
        self.values = values


@tool
def whole(x: int, state: Annotated[Dict[str, Any], InjectedState]) -> str:
    """Take the state."""
    return f"{x} {sorted(state)}"


@tool
def keyed(x: int, text: Annotated[str, InjectedState("foo")], bar: Annotated[int, InjectedState("bar")] = 7) -> str:
    """Take two keys."""
    return f"{x} {text} {bar}"


@tool
async def stored(x: int, store: Annotated[Any, InjectedStore()], other: Annotated[Any, InjectedStore]) -> str:
    """Take the store."""
    return f"{x} {store.values} {store is other}"


@tool
def bare(x: int, whatever: ToolRuntime) -> str:
    """Take the runtime."""
    return described(x, whatever)


@tool
async def typed(x: int, whatever: ToolRuntime[Context, State]) -> str:
    """Take the runtime."""
    return described(x, whatever)


@tool
def written(x: int, put: StreamWriter) -> str:
    """Take the writer."""
    put({"x": x})
    return str(x)


def by_names(x: int, runtime, writer) -> str:  # type: ignore[no-untyped-def]
    """Take both by their names."""
    writer({"x": x})
    return described(x, runtime)


async def by_names_later(x: int, writer: Callable[[Any], None], runtime: Any = None) -> str:
    """Take both by their names."""
    writer({"x": x})
    return described(x, runtime)


class Arguments(BaseModel):
    """Arguments with something injected."""

    x: int
    foo: Annotated[str, InjectedState("foo")]


@tool(args_schema=Arguments)
def schemed(x: int, foo: str, runtime: ToolRuntime) -> str:
    """Take what a schema says, and the runtime, of which it says nothing."""
    return f"{foo} {described(x, runtime)}"


class Own(BaseTool):
    """A tool that is a class."""

    name: str = "own"
    description: str = "Take the state."

    def _run(self, x: int, foo: Annotated[str, InjectedState("foo")], runtime: ToolRuntime) -> str:
        return f"{foo} {described(x, runtime)}"


def described(x: int, runtime: ToolRuntime[Any, Any]) -> str:
    assert isinstance(runtime, ToolRuntime)
    names = [item.name for item in runtime.tools]
    return f"{x} {runtime.tool_call_id} {runtime.context} {sorted(runtime.state)} {names}"


TOOLS: List[Any] = [whole, keyed, stored, bare, typed, written, by_names, by_names_later, schemed, Own()]
NODE = ToolNode(TOOLS)
NAMES = list(NODE.tools_by_name)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_sees_its_own_arguments_only(name: str) -> None:
    shown = NODE.tools_by_name[name]
    assert list(convert_to_openai_tool(shown)["function"]["parameters"]["properties"]) == ["x"]
    assert list(shown.tool_call_schema.model_json_schema()["properties"]) == ["x"]  # type: ignore[union-attr]


def _graph(node: ToolNode = NODE) -> Any:
    builder = StateGraph(State, context_schema=Context).add_node(node).add_edge(START, "tools")
    return builder.compile(store=Store(a=1))


def _answer(graph: Any, given: Any, driver: str) -> str:
    if driver == "invoke":
        result = graph.invoke(given, context=Context("me"))
    else:
        result = asyncio.run(graph.ainvoke(given, context=Context("me")))
    return result["messages"][-1].content  # type: ignore[no-any-return]


RUNTIME = f"1 c Context(user='me') ['foo', 'messages'] {NAMES}"


@DRIVERS
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("whole", "1 ['foo', 'messages']"),
        ("keyed", "1 F 7"),
        ("stored", "1 {'a': 1} True"),
        ("bare", RUNTIME),
        ("typed", RUNTIME),
        ("written", "1"),
        ("by_names", RUNTIME),
        ("by_names_later", RUNTIME),
        ("schemed", f"F {RUNTIME}"),
        ("own", f"F {RUNTIME}"),
    ],
)
def test_in_a_graph(driver: str, name: str, expected: str) -> None:
    assert _answer(_graph(), asking(call(name, "c", x=1), foo="F"), driver) == expected


@DRIVERS
def test_the_writer_writes(driver: str) -> None:
    calls = [call(name, x=place) for place, name in enumerate(("written", "by_names", "by_names_later"))]
    if driver == "invoke":
        chunks = list(_graph().stream(asking(*calls), stream_mode="custom"))
    else:

        async def collect() -> Any:
            return [chunk async for chunk in _graph().astream(asking(*calls), stream_mode="custom")]

        chunks = asyncio.run(collect())
    assert sorted(chunk["x"] for chunk in chunks) == [0, 1, 2]


@DRIVERS
def test_outside_of_a_graph(driver: str) -> None:
    calls = [call(name, "c", x=1) for name in ("whole", "keyed", "bare", "written", "by_names")]
    assert answers(run(NODE, asking(*calls, foo="F"), driver=driver)) == [
        "1 ['foo', 'messages']",
        "1 F 7",
        f"1 c None ['foo', 'messages'] {NAMES}",
        "1",
        f"1 c None ['foo', 'messages'] {NAMES}",
    ]


@DRIVERS
def test_a_tool_about_books_keeps_its_writer(driver: str) -> None:
    def book(title: str, writer: str) -> str:
        """Note a book."""
        return f"{title} by {writer}"

    node = ToolNode([book])
    shown = convert_to_openai_tool(node.tools_by_name["book"])["function"]["parameters"]["properties"]
    assert list(shown) == ["title", "writer"]
    assert answers(run(node, asking(call("book", title="Emma", writer="Austen")), driver=driver)) == ["Emma by Austen"]


@DRIVERS
def test_what_the_model_sets_is_overwritten(driver: str) -> None:
    item = call("keyed", x=1, text="evil", bar=666)
    assert answers(run(NODE, asking(item, foo="F"), driver=driver)) == ["1 F 7"]

    @tool
    def secret(x: int, key: Annotated[str, InjectedToolArg] = "mine") -> str:
        """Take something that nobody fills in."""
        return f"{x} {key}"

    node = ToolNode([secret])
    assert answers(run(node, asking(call("secret", x=1, key="evil")), driver=driver)) == ["1 mine"]


@DRIVERS
def test_the_call_id_and_the_config(driver: str) -> None:
    @tool
    def see(config: RunnableConfig, call_id: Annotated[str, InjectedToolCallId]) -> str:
        """See."""
        return f"{call_id} {config['configurable']['a']}"

    result = run(ToolNode([see]), asking(call("see")), {"configurable": {"a": 1}}, driver=driver)
    assert answers(result) == ["see-1 1"]


@dataclass
class Data:
    """A state that is an object."""

    messages: List[Any]
    foo: str = "D"


class Model(BaseModel):
    """A state that is a pydantic model."""

    messages: List[Any]
    foo: str = "M"


@DRIVERS
@pytest.mark.parametrize("kind", [Data, Model])
def test_states_that_are_objects(driver: str, kind: Any) -> None:
    @tool
    def take(state: Annotated[Any, InjectedState], foo: Annotated[str, InjectedState("foo")]) -> str:
        """Take both."""
        return f"{type(state).__name__} {foo}"

    state = kind(asking(call("take"))["messages"]) if kind is Data else kind(**asking(call("take")))
    assert answers(run(ToolNode([take]), state, driver=driver)) == [f"{kind.__name__} {state.foo}"]


@DRIVERS
def test_a_missing_key(driver: str) -> None:
    for handle in (True, False):
        with pytest.raises(KeyError, match="'foo'") as raised:
            run(ToolNode([keyed], handle_tool_errors=handle), asking(call("keyed", x=1), food=1), driver=driver)
        assert isinstance(raised.value, GraphError)
        assert "Did you mean 'food'" in str(raised.value)

    @tool
    def optional(foo: Annotated[Optional[str], InjectedState("foo")] = None) -> str:
        """Take a key that may be missing."""
        return str(foo)

    assert answers(run(ToolNode([optional]), asking(call("optional")), driver=driver)) == ["None"]
    assert answers(run(ToolNode([optional]), asking(call("optional"), foo="F"), driver=driver)) == ["F"]


@DRIVERS
def test_a_list_has_one_key(driver: str) -> None:
    @tool
    def count(messages: Annotated[List[Any], InjectedState("messages")], state: Annotated[Any, InjectedState]) -> str:
        """Count."""
        return f"{len(messages)} {list(state)}"

    node = ToolNode([count, keyed])
    (message,) = run(node, asking(call("count"))["messages"], driver=driver)
    assert message.content == "1 ['messages']"
    with pytest.raises(ValueError, match="requires graph state dict as input. State should contain fields foo"):
        run(node, asking(call("keyed", x=1))["messages"], driver=driver)


@DRIVERS
def test_a_missing_store(driver: str) -> None:
    with pytest.raises(ValueError, match="Cannot inject store into tools with InjectedStore annotations"):
        run(ToolNode([stored], handle_tool_errors=True), asking(call("stored", x=1)), driver=driver)


@DRIVERS
def test_calls_without_a_state_see_the_one_of_the_graph(driver: str) -> None:
    """A `Send` of tool calls brings no state along."""

    def to_tools(state: State) -> List[Send]:
        return [Send("tools", [item]) for item in state["messages"][-1].tool_calls]

    builder = StateGraph(State, context_schema=Context).add_node(ToolNode([whole, keyed, bare]))
    graph = builder.add_conditional_edges(START, to_tools, ["tools"]).compile()
    given = asking(call("whole", "1", x=1), call("keyed", "2", x=2), call("bare", "c", x=1), foo="F", bar=3)
    result = run(graph, given, driver=driver)
    keys = "['bar', 'foo', 'messages']"
    assert [message.content for message in result["messages"][1:]] == [
        f"1 {keys}",
        "2 F 3",
        f"1 c None {keys} ['whole', 'keyed', 'bare']",
    ]
    assert answers(run(ToolNode([whole]), [call("whole", x=1)], driver=driver)) == ["1 []"]


@DRIVERS
def test_calls_with_a_state(driver: str) -> None:
    given: ToolCallWithContext = {
        "__type": "tool_call_with_context",  # type: ignore[typeddict-unknown-key, unused-ignore]
        "tool_call": call("keyed", x=1),
        "state": {"foo": "S"},
    }
    assert answers(run(NODE, given, driver=driver)) == ["1 S 7"]


@DRIVERS
def test_the_runtime_tells_about_the_run(driver: str) -> None:
    seen: List[ToolRuntime[Any, Any]] = []

    @tool
    def look(runtime: ToolRuntime) -> str:
        """Look."""
        seen.append(runtime)
        runtime.emit_output_delta("nobody hears")
        return "seen"

    _answer(_graph(ToolNode([look])), asking(call("look")), driver)
    (runtime,) = seen
    assert (runtime.context, runtime.store.values, runtime.tool_call_id) == (Context("me"), {"a": 1}, "look-1")
    assert runtime.config["metadata"]["langgraph_node"] == "tools"
    assert runtime.execution_info.node_attempt == 1
    assert runtime.server_info is None
    run(ToolNode([look]), asking(call("look")), driver=driver)
    assert seen[1].execution_info is None


@DRIVERS
def test_output_deltas(driver: str) -> None:
    @tool
    def talk(words: int, runtime: ToolRuntime) -> str:
        """Talk."""
        for word in range(words):
            runtime.emit_output_delta(word)
        return "done"

    graph = _graph(ToolNode([talk]))
    if driver == "invoke":
        chunks = list(graph.stream(asking(call("talk", words=2)), stream_mode="tools"))
    else:

        async def collect() -> Any:
            return [chunk async for chunk in graph.astream(asking(call("talk", words=2)), stream_mode="tools")]

        chunks = asyncio.run(collect())
    assert [chunk["event"] for chunk in chunks] == [
        "tool-started",
        "tool-output-delta",
        "tool-output-delta",
        "tool-finished",
    ]
    assert {chunk["tool_call_id"] for chunk in chunks} == {"talk-1"}
    assert (chunks[0]["tool_name"], chunks[0]["input"]) == ("talk", {"words": 2})
    assert [chunk["delta"] for chunk in chunks[1:3]] == [0, 1]
    assert chunks[3]["output"].content == "done"


def test_a_runtime_can_be_made() -> None:
    """Tests of a tool make their own."""
    runtime = ToolRuntime(state={}, context=None, config={}, stream_writer=print, tool_call_id="1", store=None)
    assert isinstance(runtime, ToolRuntime)
    assert not isinstance(3, ToolRuntime)
    assert (runtime.tools, runtime.execution_info, runtime.server_info) == ([], None, None)
    assert runtime.emit_output_delta("nobody hears") is None
    assert bare.invoke({"x": 1, "whatever": runtime}) == "1 1 None [] []"


@DRIVERS
def test_nothing_goes_through_the_state(driver: str) -> None:
    """What validates arguments dumps them, too; a runtime with a cycle in its state is none of its business."""
    loop: Dict[str, Any] = {}
    loop["self"] = loop
    assert answers(run(ToolNode([bare]), asking(call("bare", x=1), loop=loop), driver=driver)) == [
        "1 bare-1 None ['loop', 'messages'] ['bare']"
    ]


def test_a_tool_given_twice_is_the_same() -> None:
    """Neither the tool nor its schema is changed by a node that runs it."""
    before = schemed.args_schema
    node = ToolNode([schemed, StructuredTool.from_function(by_x)])
    assert schemed.args_schema is before
    assert list(Arguments.model_fields) == ["x", "foo"]
    assert list(node.tools_by_name) == ["schemed", "by_x"]


def by_x(x: int) -> str:
    """Say a number."""
    return str(x)
