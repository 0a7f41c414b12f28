"""The same programs on `langgraph.prebuilt` and on `streamgraph.prebuilt` come out the same."""

# Without postponed annotations: programs annotate with what they are given at run time.

import asyncio
import importlib
import sys
import warnings
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, ToolException, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import Annotated, TypedDict

from differential.normalise import Normaliser
from support.tool_calls import asking, call, saying

PEER_VERSION = tuple(int(part) for part in version("langgraph").split(".")[:2])

pytestmark = [
    # langchain-core 0.3 asks langchain, where it is installed, for its debug flag, which warns; langchain-core silences
    # that, but not in several threads at once.
    pytest.mark.filterwarnings("ignore:Importing .* from langchain root module:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore:create_react_agent has been moved:DeprecationWarning"),
]


def library(root: str) -> SimpleNamespace:
    """The names of one library that the programs use."""
    names: Dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("graph", "graph.message", "types", "config", "prebuilt", "prebuilt.tool_node", "managed"):
            found = importlib.import_module(f"{root}.{module}")
            names.update({name: value for name, value in vars(found).items() if not name.startswith("_")})
        found = importlib.import_module(f"{root}.prebuilt.chat_agent_executor")
        names.update(
            {name: getattr(found, name) for name in ("create_react_agent", "AgentState", "AgentStatePydantic")}
        )
    return SimpleNamespace(**names)


THEIRS, OURS = library("langgraph"), library("streamgraph")

Program = Callable[[Any], Tuple[Any, Any]]
PROGRAMS: Dict[str, Program] = {}
UNMARKED = PEER_VERSION < (1, 0)
"""The end of a message is in our streams, and not in those of LangGraph with langchain-core before 1.0."""

MODES = ("values", "updates", "custom", "messages")


def program(since: Tuple[int, int] = (0, 0), name: Optional[str] = None) -> Callable[[Program], Program]:
    """Add a program: a function of the library that returns a graph and its input.

    Args:
        since: The version of langgraph from which on it can be compared: 1.0 changed much of the node of tools.
        name: Its name, if not the function's.
    """

    def add(function: Program) -> Program:
        if since <= PEER_VERSION:
            PROGRAMS[name or function.__name__] = function
        return function

    return add


def observed(lib: Any, program: Program, mode: str, asynchronous: bool) -> Any:
    """What a program streams, and how it ends, in comparable form."""
    chunks: List[Any] = []

    async def collect(graph: Any, given: Any) -> None:
        async for chunk in graph.astream(given, stream_mode=mode):
            chunks.append(chunk)

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="create_react_agent has been moved")
            graph, given = program(lib)
        if asynchronous:
            asyncio.run(collect(graph, given))
        else:
            for chunk in graph.stream(given, stream_mode=mode):
                chunks.append(chunk)
        error = None
    except Exception as raised:
        error = Ending(raised)
    if mode == "messages":
        chunks = [
            (message, metadata["langgraph_node"], metadata["langgraph_step"])
            for message, metadata in chunks
            if not (UNMARKED and _is_end(message))
        ]
    return _without_ids([Normaliser(stable_ids=False).value(chunk) for chunk in chunks]), error


class Ending:
    """How a run ended: the builtin class that a user would catch, and a text in which the other's beginning occurs."""

    def __init__(self, error: Exception) -> None:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        self.kind = next(kind for kind in kinds if kind != "BaseException")
        self.text = str(error)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ending) or self.kind != other.kind:
            return False
        shorter, longer = sorted((self.text, other.text), key=len)
        return shorter.strip("'")[:40] in longer

    def __repr__(self) -> str:
        return f"{self.kind}: {self.text}"


def _is_end(message: Any) -> bool:
    is_last = getattr(message, "chunk_position", None) == "last"
    return is_last and not message.content and not getattr(message, "tool_calls", ())


def _without_ids(value: Any) -> Any:
    """Leave out ids of messages: LangGraph sets them on the user's objects, later, and so not in every chunk."""
    if isinstance(value, dict):
        left_out = ("id", "chunk_position") if UNMARKED else ("id",)
        return {key: _without_ids(item) for key, item in value.items() if key not in left_out}
    if isinstance(value, (list, tuple)):
        return [_without_ids(item) for item in value]
    return value


def state_of(lib: Any) -> Any:
    class State(TypedDict, total=False):
        messages: Annotated[list, lib.add_messages]
        foo: Any
        bar: Any

    return State


def only_tools(lib: Any, tools: List[Any], *calls: Any, state: Any = None, **options: Any) -> Tuple[Any, Any]:
    """A graph of one node of tools, and its input."""
    builder = lib.StateGraph(state_of(lib)).add_node("tools", lib.ToolNode(tools, **options))
    return builder.add_edge(lib.START, "tools").compile(), {**asking(*calls), **(state or {})}


@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(text: str) -> str:
    """Raise a ValueError."""
    raise ValueError(text)


@tool
def refuse(text: str) -> str:
    """Raise a ToolException."""
    raise ToolException(text)


@tool(return_direct=True)
def final(text: str) -> str:
    """Have the last word."""
    return text


CONTENTS: List[Any] = [
    "text",
    3,
    None,
    True,
    1.5,
    {"a": 1, "é": "ü"},
    ["a", "b"],
    [],
    [{"a": 1}],
    [{"type": "text", "text": "hi"}],
    ["a", {"type": "text", "text": "hi"}],
    (1, 2),
]

for _place, _content in enumerate(CONTENTS):

    def _contents(lib: Any, content: Any = _content) -> Any:
        @tool
        def give() -> Any:
            """Give something."""
            return content

        return only_tools(lib, [give], call("give"))

    program(name=f"content {_place}")(_contents)


def _value_error(error: ValueError) -> str:
    return f"value: {error}"


def _anything(error):  # type: ignore[no-untyped-def]
    return "anything"


HANDLERS: List[Any] = [True, False, "Oh!", _value_error, _anything, ValueError, (ValueError, ToolException), ()]

for _place, _handler in enumerate([None, *HANDLERS]):
    for _call in (call("fail", text="bad"), call("refuse", text="no"), call("add", a="zz"), call("add"), call("nope")):

        def _errors(lib: Any, handler: Any = _handler, item: Any = _call, given: bool = _place > 0) -> Any:
            options = {"handle_tool_errors": handler} if given else {}
            return only_tools(lib, [add, fail, refuse], item, call("add", "ok", a=1), **options)

        # Up to version 0.6 everything was handled by default, and arguments that do not fit were a ValueError.
        program(since=(1, 0), name=f"error {_place} {_call['name']} {len(_call['args'])}")(_errors)


@program()
def unknown(lib: Any) -> Any:
    return only_tools(lib, [add], call("nope"), call("add", a=1))


@program()
def own_handling(lib: Any) -> Any:
    @tool
    def own(a: int) -> str:
        """Raise."""
        raise ToolException("no")

    own.handle_tool_error = "handled"
    own.handle_validation_error = "VE!"
    return only_tools(lib, [own], call("own", "1", a=1), call("own", "2", a="zz"))


@program()
def artifact(lib: Any) -> Any:
    @tool(response_format="content_and_artifact")
    def pair() -> Any:
        """Give both."""
        return "text", {"raw": 1}

    return only_tools(lib, [pair, add], call("pair"), call("add", a=1))


@program()
def no_messages(lib: Any) -> Any:
    graph, _ = only_tools(lib, [add])
    return graph, {"foo": 1}


@program()
def no_ai_message(lib: Any) -> Any:
    graph, _ = only_tools(lib, [add])
    return graph, {"messages": [HumanMessage("Hi")]}


@program()
def no_calls(lib: Any) -> Any:
    graph, _ = only_tools(lib, [add])
    return graph, {"messages": [AIMessage("Hi")]}


def command_program(name: str, make: Callable[[Any, str], Any], *more: Any, since: Tuple[int, int] = (0, 0)) -> None:
    """Add a program whose tool `r` returns what `make` makes of the library and the call's id."""

    def commands(lib: Any) -> Any:
        @tool
        def r(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
            """Return something."""
            return make(lib, tool_call_id)

        return only_tools(lib, [r, add], call("r"), *more)

    program(since=since, name=name)(commands)


def _done(call_id: str) -> ToolMessage:
    return ToolMessage("done", tool_call_id=call_id)


command_program("command", lambda lib, i: lib.Command(update={"messages": [_done(i)], "foo": 1}))
command_program(
    "command and message", lambda lib, i: lib.Command(update={"messages": [_done(i)], "foo": 1}), call("add", a=1)
)
command_program("command without answer", lambda lib, i: lib.Command(update={"foo": 1}))
command_program("command with a wrong answer", lambda lib, i: lib.Command(update={"messages": [_done("x")]}))
command_program("command with a list", lambda lib, i: lib.Command(update=[_done(i)]))
command_program("empty command", lambda lib, i: lib.Command())
command_program("message", lambda lib, i: _done(i), call("add", a=1))
command_program("list", lambda lib, i: [lib.Command(update={"foo": 1}), _done(i)], call("add", a=1), since=(1, 0))
command_program("list of one message", lambda lib, i: [_done(i)], since=(1, 0))
command_program("list without answer", lambda lib, i: [lib.Command(update={"foo": 1})], since=(1, 0))
command_program("list with two answers", lambda lib, i: [_done(i), _done(i)], since=(1, 0))
command_program(
    "remove all",
    lambda lib, i: lib.Command(update={"messages": [RemoveMessage(lib.REMOVE_ALL_MESSAGES)]}),
    since=(1, 0),
)


@program()
def injected(lib: Any) -> Any:
    @tool
    def take(x: int, state: Annotated[dict, lib.InjectedState], foo: Annotated[str, lib.InjectedState("foo")]) -> str:
        """Take the state."""
        return f"{x} {sorted(state)} {foo}"

    return only_tools(lib, [take], call("take", x=1, foo="evil"), state={"foo": "F"})


@program()
def missing_key(lib: Any) -> Any:
    @tool
    def take(foo: Annotated[str, lib.InjectedState("foo")]) -> str:
        """Take a key."""
        return foo

    return only_tools(lib, [take], call("take"))


@program()
def missing_store(lib: Any) -> Any:
    @tool
    def take(store: Annotated[Any, lib.InjectedStore()]) -> str:
        """Take the store."""
        return str(store)

    return only_tools(lib, [take], call("take"))


@program(since=(1, 0))
def runtime(lib: Any) -> Any:
    @tool
    def take(x: int, whatever: lib.ToolRuntime) -> str:
        """Take the runtime."""
        whatever.stream_writer({"x": x})
        return f"{x} {whatever.tool_call_id} {sorted(whatever.state)} {[item.name for item in whatever.tools]}"

    return only_tools(lib, [take], call("take", x=1))


@program(since=(1, 0))
def sends(lib: Any) -> Any:
    @tool
    def take(x: int, foo: Annotated[str, lib.InjectedState("foo")]) -> str:
        """Take a key."""
        return f"{x} {foo}"

    builder = lib.StateGraph(state_of(lib)).add_node("tools", lib.ToolNode([take]))
    builder.add_conditional_edges(
        lib.START, lambda state: [lib.Send("tools", [item]) for item in state["messages"][-1].tool_calls], ["tools"]
    )
    return builder.compile(), {**asking(call("take", x=1)), "foo": "F"}


@program(since=(1, 0))
def wrapped(lib: Any) -> Any:
    def wrap(request: Any, execute: Any) -> Any:
        if request.tool is None:
            return ToolMessage("not there", tool_call_id=request.tool_call["id"])
        first = execute(request)
        again = execute(request.override(tool_call={**request.tool_call, "args": {"a": 10}}))
        return ToolMessage(f"{first.content} {again.content}", tool_call_id=request.tool_call["id"])

    return only_tools(lib, [add], call("add", a=1), call("nope"), wrap_tool_call=wrap)


@program()
def condition(lib: Any) -> Any:
    def think(state: Any) -> Any:
        said = [message for message in state["messages"] if isinstance(message, ToolMessage)]
        return {"messages": [AIMessage("done") if said else asking(call("add", a=1))["messages"][0]]}

    builder = lib.StateGraph(state_of(lib)).add_node("think", think).add_node("tools", lib.ToolNode([add]))
    builder.add_edge(lib.START, "think").add_conditional_edges("think", lib.tools_condition)
    return builder.add_edge("tools", "think").compile(), {"messages": [HumanMessage("Hi")]}


ASK = {"messages": [HumanMessage("Sum?", id="q")]}


def agent_program(
    title: str, tools: List[Any], script: List[Any], versions: Any = ("v1", "v2"), **options: Any
) -> None:
    """Add a program: an agent, in both versions; options that are functions named `of_...` get the library."""
    for version_ in versions:

        def agent(lib: Any, version_: str = version_) -> Any:
            made = {
                key.replace("of_", "", 1): (value(lib) if key.startswith("of_") else value)
                for key, value in options.items()
            }
            model = saying(*script, structured={"value": 3})
            return lib.create_react_agent(model, tools, version=version_, **made), ASK

        program(name=f"agent {title} {version_}")(agent)


ROUND = [[call("add", a=1, b=2)], "It is three."]
agent_program("round", [add], ROUND)
agent_program("two rounds", [add], [[call("add", "1", a=1)], [call("add", "2", a=2)], "Done."])
agent_program("no tools", [], ROUND)
agent_program("unknown tool", [add], [[call("nope")], "Done."])
agent_program("last word", [add, final], [[call("final", text="That is it.")], "never"])
agent_program("not the last word", [add, final], ROUND)
agent_program("name", [add], ROUND, name="bob")
agent_program("prompt", [add], ROUND, prompt="Be brief.")
agent_program("prompt message", [add], ROUND, prompt=SystemMessage("Be brief."))
agent_program("prompt function", [add], ROUND, prompt=lambda state: [HumanMessage("Psst"), *state["messages"]])
agent_program("form", [add], ROUND, response_format=dict)
agent_program("prompted form", [add], ROUND, response_format=("Sum up.", dict))
agent_program("hook before", [add], ROUND, pre_model_hook=lambda state: {"llm_input_messages": state["messages"] * 1})
agent_program("idle hooks", [add], ROUND, ["v2"], pre_model_hook=lambda state: {}, post_model_hook=lambda state: {})
agent_program(
    "answering hook",
    [add],
    [[call("add", "no", a=0), call("add", "yes", a=1)], "Done."],
    ["v2"],
    post_model_hook=lambda state: {
        "messages": [
            ToolMessage("refused", tool_call_id=item["id"])
            for item in state["messages"][-1].tool_calls
            if item["args"]["a"] == 0
        ]
    },
)
agent_program("bad prompt", [add], ROUND, ["v2"], prompt=3)
agent_program("bad version", [add], ROUND, ["v3"])
agent_program("form and hooks", [add], ROUND, ["v2"], response_format=dict, post_model_hook=lambda state: {})
agent_program("own state", [add], ROUND, ["v2"], of_state_schema=lambda lib: lib.AgentState)
agent_program("no state", [add], ROUND, ["v2"], state_schema=dict)


@program()
def open_calls(lib: Any) -> Any:
    given = {"messages": [HumanMessage("Sum?"), AIMessage("", tool_calls=[call("add", a=1)])]}
    return lib.create_react_agent(saying("Hi."), [add]), given


@program()
def out_of_steps(lib: Any) -> Any:
    agent = lib.create_react_agent(saying([call("add", a=1)]), [add])
    return agent.with_config({"recursion_limit": 4}), ASK


# langgraph before 1.0 cannot hand its context to async tools before Python 3.11.
ASYNC = [False, True] if sys.version_info >= (3, 11) or PEER_VERSION >= (1, 0) else [False]


SHOWN_BY_US = {
    "out_of_steps": [["AIMessage", {"content": "Sorry, need more steps to process this request."}], "agent", 3]
}
"""What the mode `messages` shows here and not there: a message that replaces the one whose tokens were streamed."""


@pytest.mark.parametrize("asynchronous", ASYNC, ids=lambda flag: "astream" if flag else "stream")
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str, asynchronous: bool) -> None:
    for mode in MODES:
        chunks, error = observed(THEIRS, PROGRAMS[name], mode, asynchronous)
        if mode == "messages" and name in SHOWN_BY_US:
            chunks.append(SHOWN_BY_US[name])
        assert observed(OURS, PROGRAMS[name], mode, asynchronous) == (chunks, error), mode


@pytest.mark.parametrize("name", PROGRAMS)
def test_sync_equals_async(name: str) -> None:
    for mode in MODES:
        assert observed(OURS, PROGRAMS[name], mode, True) == observed(OURS, PROGRAMS[name], mode, False), mode


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name.startswith("agent")])
def test_drawings(name: str) -> None:
    """The graphs have the same nodes and edges."""

    def drawn(lib: Any) -> Any:
        try:
            graph = PROGRAMS[name](lib)[0].get_graph()
        except Exception as error:
            return Ending(error)
        return sorted(graph.nodes), sorted((edge.source, edge.target, edge.conditional) for edge in graph.edges)

    assert drawn(OURS) == drawn(THEIRS)


@pytest.mark.parametrize("mark", ["InjectedState", "InjectedStore", "ToolRuntime"])
def test_what_the_model_sees(mark: str) -> None:
    """Parameters with the library's marks are in neither form in which a model sees a tool."""

    def shown(lib: Any) -> Any:
        kind = getattr(lib, mark)

        def take(x: int, hidden) -> str:  # type: ignore[no-untyped-def]
            """Take something hidden."""
            return str(x)

        take.__annotations__["hidden"] = kind if mark == "ToolRuntime" else Annotated[Any, kind]
        made = tool(take)
        return convert_to_openai_tool(made), made.tool_call_schema.model_json_schema()

    if hasattr(THEIRS, mark):
        assert shown(OURS) == shown(THEIRS)
    assert "hidden" not in str(shown(OURS)[1]["properties"])
