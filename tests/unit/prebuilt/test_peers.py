"""Tools written for LangGraph work in our nodes, and our nodes in graphs of LangGraph."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any, Dict, List

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph, add_messages
from streamgraph.prebuilt import ToolNode, ToolRuntime
from streamgraph.types import Command, Send
from streamgraph.utils.runnable import RunnableCallable
from support.tool_calls import answers, asking, call, run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import langgraph.prebuilt as peer
    from langgraph.graph import StateGraph as PeerGraph
    from langgraph.types import Command as PeerCommand
    from langgraph.types import Send as PeerSend
    from langgraph.types import interrupt

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
]

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])


class State(TypedDict, total=False):
    """A state."""

    messages: Annotated[List[Any], add_messages]
    foo: str


@tool
def marked(
    x: int,
    state: Annotated[Dict[str, Any], peer.InjectedState],
    foo: Annotated[str, peer.InjectedState("foo")],
    store: Annotated[Any, peer.InjectedStore()],
) -> str:
    """Take what LangGraph's marks mark."""
    return f"{x} {sorted(state)} {foo} {store}"


@DRIVERS
def test_its_marks(driver: str) -> None:
    graph = StateGraph(State).add_node(ToolNode([marked])).add_edge(START, "tools").compile(store="S")
    result = run(graph, asking(call("marked", x=1, foo="evil"), foo="F"), driver=driver)
    assert result["messages"][-1].content == "1 ['foo', 'messages'] F S"


if hasattr(peer, "ToolRuntime"):  # from version 1.0 on

    @tool
    def with_runtime(x: int, whatever: peer.ToolRuntime[None, State]) -> str:
        """Take LangGraph's runtime."""
        assert isinstance(whatever, peer.ToolRuntime)
        whatever.stream_writer({"x": x})
        return f"{x} {whatever.tool_call_id} {whatever.state['foo']} {[item.name for item in whatever.tools]}"

    @DRIVERS
    def test_its_runtime(driver: str) -> None:
        node = ToolNode([with_runtime])
        given = asking(call("with_runtime", "c", x=1), foo="F")
        assert answers(run(node, given, driver=driver)) == ["1 c F ['with_runtime']"]
        graph = StateGraph(State).add_node(node).add_edge(START, "tools").compile()
        assert list(graph.stream(given, stream_mode="custom")) == [{"x": 1}]
        shown = convert_to_openai_tool(node.tools_by_name["with_runtime"])["function"]["parameters"]["properties"]
        assert list(shown) == ["x"]


@tool
def commanding(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
    """Return LangGraph's Command."""
    answer = ToolMessage("done", tool_call_id=tool_call_id)
    return PeerCommand(update={"messages": [answer], "foo": "new"}, goto=[PeerSend("other", {"a": 1}), "third"])


@DRIVERS
def test_its_commands(driver: str) -> None:
    (command,) = run(ToolNode([commanding]), asking(call("commanding")), driver=driver)
    assert type(command) is Command
    assert command.goto == [Send("other", {"a": 1}), "third"]
    assert (command.update["foo"], command.update["messages"][0].name) == ("new", "commanding")


@DRIVERS
def test_lists_with_its_commands(driver: str) -> None:
    @tool
    def several(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Return a list."""
        return [PeerCommand(update={"foo": "new"}), ToolMessage("done", tool_call_id=tool_call_id)]

    result = run(ToolNode([several]), asking(call("several")), driver=driver)
    assert result == [Command(update={"foo": "new"}), {"messages": [ToolMessage("done", tool_call_id="several-1")]}]


def test_its_interrupts_are_no_failures() -> None:
    """No handler turns a pause of a graph of LangGraph around our node into a message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langgraph.checkpoint.memory import InMemorySaver

    @tool
    def ask() -> str:
        """Ask."""
        return str(interrupt("Really?"))

    builder = PeerGraph(State).add_node("tools", ToolNode([ask], handle_tool_errors=True)).add_edge(START, "tools")
    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke(asking(call("ask")), {"configurable": {"thread_id": "1"}})
    state = graph.get_state({"configurable": {"thread_id": "1"}})
    assert [item.value for item in state.tasks[0].interrupts] == ["Really?"]


def test_in_a_graph_of_langgraph() -> None:
    @tool
    def look(runtime: ToolRuntime) -> str:
        """Look."""
        runtime.stream_writer("looking")
        return f"{runtime.state['foo']} {runtime.store}"

    graph = PeerGraph(State).add_node("tools", ToolNode([look])).add_edge(START, "tools").compile()
    given = asking(call("look"), foo="F")
    assert list(graph.stream(given, stream_mode="custom")) == ["looking"]
    assert graph.invoke(given)["messages"][-1].content == "F None"


@pytest.mark.skipif(not hasattr(peer.tool_node, "CONFIG_KEY_READ"), reason="LangGraph's ToolNode reads no state")
@DRIVERS
def test_its_node_reads_our_state(driver: str) -> None:
    """LangGraph's `ToolNode`, sent a call alone, takes the state from the config of our task."""

    @tool
    def look(state: Annotated[Dict[str, Any], peer.InjectedState]) -> str:
        """Look."""
        return f"{state['foo']} {len(state['messages'])}"

    builder = StateGraph(State).add_node("tools", peer.ToolNode([look]))
    builder.set_conditional_entry_point(lambda state: [Send("tools", [call("look")])], ["tools"])
    graph = builder.compile()
    given = {"messages": ["hi"], "foo": "F"}
    result = graph.invoke(given) if driver == "invoke" else asyncio.run(graph.ainvoke(given))
    assert result["messages"][-1].content == "F 1"


@DRIVERS
def test_our_callable_in_its_graph(driver: str) -> None:
    """A `RunnableCallable` of ours gets the runtime, store, writer and config of LangGraph's task."""

    def work(state: Any, config: Any, writer: Any, runtime: Any, store: Any) -> Dict[str, Any]:
        writer("written")
        return {"foo": f"{config['metadata']['langgraph_node']} {runtime.store is store}"}

    async def awork(state: Any, config: Any, writer: Any, runtime: Any, store: Any) -> Dict[str, Any]:
        return work(state, config, writer, runtime, store)

    graph = PeerGraph(State).add_node("n", RunnableCallable(work, awork)).add_edge(START, "n").compile()
    if driver == "invoke":
        chunks = list(graph.stream({"foo": ""}, stream_mode=["custom", "updates"]))
    else:

        async def collect() -> List[Any]:
            return [chunk async for chunk in graph.astream({"foo": ""}, stream_mode=["custom", "updates"])]

        chunks = asyncio.run(collect())
    assert chunks == [("custom", "written"), ("updates", {"n": {"foo": "n True"}})]
