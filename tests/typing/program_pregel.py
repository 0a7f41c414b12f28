"""What type checkers know of `Pregel`, the class of all graphs. It is checked, never run."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Union

from typing_extensions import TypedDict, assert_type

from streamgraph import START, StateGraph
from streamgraph.channels import LastValue, Topic
from streamgraph.func import entrypoint
from streamgraph.graph import CompiledStateGraph
from streamgraph.pregel import ChannelWriteEntry, NodeBuilder, Pregel
from streamgraph.pregel.protocol import PregelProtocol
from streamgraph.types import RetryPolicy


class State(TypedDict):
    topic: str


class Question(TypedDict):
    text: str


@entrypoint()
def workflow(number: int) -> str:
    return str(number)


def name_of(graph: Pregel[Any, Any, Any, Any]) -> str:
    return graph.name


def protocol_of(graph: PregelProtocol) -> PregelProtocol:
    return graph.with_config(tags=["a"])


# Every graph is one.
compiled: CompiledStateGraph[State, None, Question, State] = StateGraph(State, input_schema=Question).compile()
name_of(compiled)
name_of(workflow)
protocol_of(compiled)
protocol_of(workflow)
name_of("graph")  # error

# The parameters are those of LangGraph: state, context, input, output.
typed: Pregel[State, None, Union[Question, Mapping[str, Any]], State, Any] = compiled
assert_type(typed.invoke({"text": "ice"}), State)

# Settings have types.
compiled.step_timeout = 2.5
compiled.step_timeout = "2.5"  # error
compiled.retry_policy = [RetryPolicy()]
compiled.retry_policy = 3  # error
compiled.stream_mode = "values"
compiled.stream_mode = ["values", "updates"]
compiled.stream_mode = "value"  # error
assert_type(compiled.step_timeout, Optional[float])
assert_type(compiled.output_channels, Union[str, Sequence[str]])
compiled.nodes["write"].bound.invoke({})

# A graph of nodes and channels.
double = NodeBuilder().subscribe_only("a").do(lambda text: text + text).write_to("b", ChannelWriteEntry("c"), d=1)
assert_type(double, NodeBuilder)
NodeBuilder().subscribe_only(1)  # error
NodeBuilder().write_to(1)  # error
graph = Pregel[Any, Any, Any, Any](
    nodes={"double": double},
    channels={"a": LastValue(str), "b": Topic(str), "c": LastValue(str), "d": LastValue(int)},
    input_channels="a",
    output_channels=["b", "c"],
)
graph.invoke("x")
Pregel(nodes={"double": double}, channels={}, input_channels="a")  # error
StateGraph(State).add_node("inner", graph).add_edge(START, "inner")
