"""An agent: what it streams, what its model is asked, and where it goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Dict, List

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from typing_extensions import Annotated, NotRequired, TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.errors import GraphError
from streamgraph.graph import add_messages
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from streamgraph.managed import RemainingSteps
from streamgraph.prebuilt import InjectedState, ToolNode, ToolRuntime, create_react_agent
from streamgraph.prebuilt.chat_agent_executor import AgentState, AgentStatePydantic, AgentStateWithStructuredResponse
from streamgraph.types import Command
from support.tool_calls import ModelByTurn, call, run, saying

DRIVERS = pytest.mark.parametrize("driver", ["invoke", "ainvoke"])
VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])

ASK = {"messages": [HumanMessage("Sum?", id="q")]}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    get_stream_writer()({"adding": [a, b]})
    return a + b


@tool
async def add_later(a: int, b: int) -> int:
    """Add two numbers."""
    await asyncio.sleep(0)
    get_stream_writer()({"adding": [a, b]})
    return a + b


@tool(return_direct=True)
def final(text: str) -> str:
    """Have the last word."""
    return text


def chunks(graph: Any, given: Any, driver: str, **options: Any) -> List[Any]:
    """What a graph streams, sync or async."""
    if driver == "invoke":
        return list(graph.stream(given, **options))

    async def collect() -> List[Any]:
        return [chunk async for chunk in graph.astream(given, **options)]

    return asyncio.run(collect())


def talk(result: Any) -> List[Any]:
    """The messages of a state, short."""
    return [
        message.content or [item["name"] for item in getattr(message, "tool_calls", ())]
        for message in result["messages"]
    ]


def adding() -> ModelByTurn:
    return saying([call("add", a=1, b=2)], "It is three.")


@DRIVERS
@VERSIONS
def test_a_round(driver: str, version: Any) -> None:
    model = adding()
    agent = create_react_agent(model, [add], version=version)
    assert talk(run(agent, ASK, driver=driver)) == ["Sum?", ["add"], "3", "It is three."]
    assert model.seen == [
        [("human", "Sum?")],
        [("human", "Sum?"), ("ai", ""), ("tool", "3")],
    ]
    assert [[item["function"]["name"] for item in tools] for tools in model.bound] == [["add"]]


@DRIVERS
@VERSIONS
def test_updates(driver: str, version: Any) -> None:
    agent = create_react_agent(adding(), [add], version=version)
    found = chunks(agent, ASK, driver)
    assert [list(chunk) for chunk in found] == [["agent"], ["tools"], ["agent"]]
    assert [talk(update) for chunk in found for update in chunk.values()] == [[["add"]], ["3"], ["It is three."]]


@DRIVERS
@VERSIONS
def test_parallel_calls(driver: str, version: Any) -> None:
    model = saying([call("add", "1", a=1, b=2), call("add", "2", a=3, b=4), call("add_later", "3", a=5, b=6)], "Done.")
    found = chunks(create_react_agent(model, [add, add_later], version=version), ASK, driver)
    tools = [chunk["tools"]["messages"] for chunk in found if "tools" in chunk]
    if version == "v1":
        assert [[message.content for message in messages] for messages in tools] == [["3", "7", "11"]]
    else:
        assert sorted(message.content for (message,) in tools) == ["11", "3", "7"]
    assert model.seen[-1][2:] == [("tool", "3"), ("tool", "7"), ("tool", "11")]


@DRIVERS
@VERSIONS
def test_messages(driver: str, version: Any) -> None:
    """Every token is there as it comes, and every tool's answer once, each under its node."""
    found = chunks(create_react_agent(adding(), [add], version=version), ASK, driver, stream_mode="messages")
    tokens = [(type(message), message.content, metadata["langgraph_node"]) for message, metadata in found]
    assert [item for item in tokens if item[1]] == [
        (ToolMessage, "3", "tools"),
        (AIMessageChunk, "It", "agent"),
        (AIMessageChunk, "is", "agent"),
        (AIMessageChunk, "three.", "agent"),
    ]
    deltas = [item for message, _ in found for item in getattr(message, "tool_call_chunks", ())]
    assert [(item["name"], item["args"]) for item in deltas] == [("add", '{"a": 1, "b": 2}')]
    assert [metadata["langgraph_step"] for message, metadata in found if message.content] == [2, 3, 3, 3]


@DRIVERS
def test_values(driver: str) -> None:
    found = chunks(create_react_agent(adding(), [add]), ASK, driver, stream_mode="values")
    assert [len(state["messages"]) for state in found] == [1, 2, 3, 4]
    assert all(list(state) == ["messages"] for state in found)


@DRIVERS
@VERSIONS
@pytest.mark.parametrize("name", ["add", "add_later"])
def test_tools_write_and_report(driver: str, version: Any, name: str) -> None:
    model = saying([call(name, "c", a=1, b=2)], "Done.")
    agent = create_react_agent(model, [add, add_later], version=version)
    found = chunks(agent, ASK, driver, stream_mode=["custom", "tools", "updates"])
    assert [mode if mode == "updates" else data.get("event", data) for mode, data in found] == [
        "updates",
        "tool-started",
        {"adding": [1, 2]},
        "tool-finished",
        "updates",
        "updates",
    ]


@DRIVERS
@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (None, [("human", "Sum?")]),
        ("Be brief.", [("system", "Be brief."), ("human", "Sum?")]),
        (SystemMessage("Be brief."), [("system", "Be brief."), ("human", "Sum?")]),
        (lambda state: [HumanMessage("Psst"), *state["messages"]], [("human", "Psst"), ("human", "Sum?")]),
        (RunnableLambda(lambda state: state["messages"] * 2), [("human", "Sum?"), ("human", "Sum?")]),
        (lambda state: SystemMessage("Be brief.") + state["messages"], [("system", "Be brief."), ("human", "Sum?")]),
    ],
    ids=["none", "text", "message", "function", "runnable", "template"],
)
def test_prompts(driver: str, prompt: Any, expected: Any) -> None:
    model = saying("Hi.")
    result = run(create_react_agent(model, [add], prompt=prompt), ASK, driver=driver)
    assert model.seen == [expected]
    assert talk(result) == ["Sum?", "Hi."]


@DRIVERS
def test_a_prompt_function_gets_what_it_names(driver: str) -> None:
    def prompt(state: Any, config: Any, *, store: Any, runtime: Any, writer: Any) -> Any:
        writer("prompted")
        assert runtime.store is store
        return [SystemMessage(f"{store} {config['configurable']['user']}"), *state["messages"]]

    async def later(state: Any, config: Any, *, store: Any, runtime: Any, writer: Any) -> Any:
        return prompt(state, config, store=store, runtime=runtime, writer=writer)

    for form in (prompt, later):
        model = saying("Hi.")
        agent = create_react_agent(model, [add], prompt=form, store="S")
        options = {"config": {"configurable": {"user": "me"}}, "stream_mode": "custom"}
        assert chunks(agent, ASK, driver, **options) == ["prompted"]
        assert model.seen[0][0] == ("system", "S me")


@pytest.mark.parametrize("prompt", [3, ["Be brief."], {"a": 1}])
def test_no_prompt(prompt: Any) -> None:
    with pytest.raises(ValueError, match="Got unexpected type for `prompt`") as raised:
        create_react_agent(saying("Hi."), [add], prompt=prompt)
    assert isinstance(raised.value, GraphError)


class Answer(TypedDict):
    """A form."""

    value: int


@DRIVERS
@pytest.mark.parametrize("form", [Answer, ("Sum up.", Answer)])
def test_response_format(driver: str, form: Any) -> None:
    model = saying([call("add", a=1, b=2)], "It is three.", structured={"value": 3})
    agent = create_react_agent(model, [add], prompt="Be brief.", response_format=form)
    found = chunks(agent, ASK, driver)
    assert found[-1] == {"generate_structured_response": {"structured_response": {"value": 3}}}
    schema, question = model.seen[-1]
    assert schema is Answer
    before = [("system", "Sum up.")] if isinstance(form, tuple) else []
    assert question == [*before, ("human", "Sum?"), ("ai", ""), ("tool", "3"), ("ai", "It is three.")]
    result = run(agent, ASK, driver=driver)
    assert (sorted(result), result["structured_response"]) == (["messages", "structured_response"], {"value": 3})


@DRIVERS
@VERSIONS
def test_the_last_word_of_a_tool(driver: str, version: Any) -> None:
    alone = create_react_agent(saying([call("final", text="That is it.")], "never"), [final], version=version)
    assert talk(run(alone, ASK, driver=driver)) == ["Sum?", ["final"], "That is it."]
    calls = [call("final", text="That is it."), call("add", a=1, b=2)]
    among = create_react_agent(saying(calls, "never"), [final, add], version=version, response_format=Answer)
    result = run(among, ASK, driver=driver)
    assert talk(result) == ["Sum?", ["final", "add"], "That is it.", "3"]
    assert "structured_response" not in result
    other = create_react_agent(saying([call("add", a=1, b=2)], "Done."), [final, add], version=version)
    assert talk(run(other, ASK, driver=driver)) == ["Sum?", ["add"], "3", "Done."]


@DRIVERS
def test_hook_before_the_model(driver: str) -> None:
    model = adding()

    def trim(state: Any) -> Any:
        return {"llm_input_messages": [HumanMessage("Short?"), *state["messages"][1:]]}

    agent = create_react_agent(model, [add], pre_model_hook=trim, prompt=lambda state: state["messages"])
    found = chunks(agent, ASK, driver)
    assert [list(chunk)[0] for chunk in found] == ["pre_model_hook", "agent", "tools", "pre_model_hook", "agent"]
    assert [question[0] for question in model.seen] == [("human", "Short?")] * 2
    assert talk(run(agent, ASK, driver=driver))[0] == "Sum?"


@DRIVERS
def test_hook_that_rewrites(driver: str) -> None:
    def forget(state: Any) -> Any:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("Anew?")]}

    model = saying("Hi.")
    result = run(create_react_agent(model, [], pre_model_hook=forget), ASK, driver=driver)
    assert (talk(result), model.seen) == (["Anew?", "Hi."], [[("human", "Anew?")]])
    idle = create_react_agent(model, [add], pre_model_hook=lambda state: None, prompt="P")
    run(idle, ASK, driver=driver)
    assert model.seen[-1] == [("system", "P"), ("human", "Sum?")]


@DRIVERS
@VERSIONS
def test_hook_after_the_model(driver: str, version: Any) -> None:
    """It may answer calls itself; what it leaves is run."""
    seen: List[Any] = []

    def guard(state: Any) -> Any:
        last = state["messages"][-1]
        seen.append(last.content or [item["id"] for item in last.tool_calls])
        refused = [item["id"] for item in last.tool_calls if item["args"]["a"] == 0]
        return {"messages": [ToolMessage("refused", tool_call_id=item) for item in refused]}

    calls = [call("add", "no", a=0, b=1), call("add", "yes", a=1, b=2)]
    agent = create_react_agent(saying(calls, "Done."), [add], post_model_hook=guard, version=version)
    assert talk(run(agent, ASK, driver=driver)) == ["Sum?", ["add", "add"], "refused", "3", "Done."]
    assert seen == [["no", "yes"], "Done."]
    none_left = create_react_agent(saying(calls[:1], "Done."), [add], post_model_hook=guard, version=version)
    assert talk(run(none_left, ASK, driver=driver)) == ["Sum?", ["add"], "refused", "Done."]


@DRIVERS
def test_all_hooks_and_a_form(driver: str) -> None:
    order: List[str] = []

    def before(state: Any) -> Any:
        order.append("before")

    async def after(state: Any) -> Any:
        order.append("after")

    model = saying([call("add", a=1, b=2)], "Done.", structured={"value": 3})
    agent = create_react_agent(model, [add], pre_model_hook=before, post_model_hook=after, response_format=Answer)
    assert run(agent, ASK, driver=driver)["structured_response"] == {"value": 3}
    assert order == ["before", "after", "before", "after"]
    bare = create_react_agent(model, [], pre_model_hook=before, post_model_hook=after, response_format=Answer)
    found = chunks(bare, {"messages": [HumanMessage("Hi"), AIMessage("x")]}, driver)
    assert [list(chunk)[0] for chunk in found] == [
        "pre_model_hook",
        "agent",
        "post_model_hook",
        "generate_structured_response",
    ]


@DRIVERS
@pytest.mark.parametrize(("limit", "updates"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_running_out_of_steps(driver: str, limit: int, updates: int) -> None:
    """A call whose answer nobody could read is not made."""
    agent = create_react_agent(saying([call("add", a=1, b=2)]), [add])
    found = chunks(agent, ASK, driver, config={"recursion_limit": limit})
    assert len(found) == updates
    (last,) = found[-1]["agent"]["messages"]
    assert (last.content, last.tool_calls) == ("Sorry, need more steps to process this request.", [])


@DRIVERS
def test_a_name(driver: str) -> None:
    agent = create_react_agent(adding(), [add], name="bob")
    assert agent.get_name() == "bob"
    result = run(agent, ASK, driver=driver)
    assert [message.name for message in result["messages"]] == [None, "bob", "add", "bob"]
    assert create_react_agent(adding(), [add]).get_name() == "LangGraph"


@DRIVERS
def test_without_tools(driver: str) -> None:
    model = saying([call("add", a=1, b=2)])
    agent = create_react_agent(model, [])
    assert talk(run(agent, ASK, driver=driver)) == ["Sum?", ["add"]]
    assert model.bound == []
    assert list(agent.builder.nodes) == ["agent"]


@DRIVERS
def test_tools_of_the_provider_and_functions(driver: str) -> None:
    def shout(text: str) -> str:
        """Shout."""
        return text.upper()

    model = saying([call("shout", text="hi")], "Done.")
    agent = create_react_agent(model, [shout, {"type": "function", "function": {"name": "web_search"}}])
    assert talk(run(agent, ASK, driver=driver)) == ["Sum?", ["shout"], "HI", "Done."]
    assert [[item["function"]["name"] for item in tools] for tools in model.bound] == [["shout", "web_search"]]
    only = create_react_agent(model, [{"type": "function", "function": {"name": "web_search"}}])
    assert list(only.builder.nodes) == ["agent"]


@DRIVERS
def test_a_node_of_tools(driver: str) -> None:
    @tool
    def fail() -> str:
        """Fail."""
        raise ValueError("bad")

    model = saying([call("fail")], "Done.")
    agent = create_react_agent(model, ToolNode([fail], name="other", handle_tool_errors="Oh!"))
    assert talk(run(agent, ASK, driver=driver)) == ["Sum?", ["fail"], "Oh!", "Done."]
    with pytest.raises(ValueError, match="bad"):
        run(create_react_agent(model, [fail]), ASK, driver=driver)


def test_models_that_are_bound() -> None:
    model = adding()
    agent = create_react_agent(model.bind_tools([add]), [add])
    assert talk(agent.invoke(ASK))[-1] == "It is three."
    assert len(model.bound) == 1
    assert talk(create_react_agent(model.bind(stop=["x"]), [add]).invoke(ASK))[-1] == "It is three."
    with pytest.raises(ValueError, match="Got 2 tools, expected 1"):
        create_react_agent(model.bind_tools([add]), [add, final])
    with pytest.raises(ValueError, match="Got 0 tools, expected 1"):
        create_react_agent(model.bind_tools([add]), [])
    with pytest.raises(ValueError, match="Missing tools '{'final'}' in the model.bind_tools()"):
        create_react_agent(model.bind_tools([add]), [final])


@dataclass
class Context:
    """What a run is given."""

    brief: bool


@DRIVERS
def test_a_model_chosen_for_each_step(driver: str) -> None:
    brief = saying([call("add", a=1, b=2)], "3.", structured={"value": 3})
    wordy = saying([call("add", a=1, b=2)], "It is three.")

    def choose(state: Any, runtime: Any) -> Any:
        return (brief if runtime.context.brief else wordy).bind_tools([add])

    async def choose_later(state: Any, runtime: Any) -> Any:
        return choose(state, runtime)

    for chooser in (choose, choose_later):
        agent = create_react_agent(chooser, [add], context_schema=Context)
        for flag, expected in ((True, "3."), (False, "It is three.")):
            found = chunks(agent, ASK, driver, context=Context(flag), stream_mode="values")
            assert talk(found[-1])[-1] == expected
    formed = create_react_agent(choose, [add], context_schema=Context, response_format=Answer)
    assert chunks(formed, ASK, driver, context=Context(True))[-1] == {
        "generate_structured_response": {"structured_response": {"value": 3}}
    }


def test_what_is_no_model() -> None:
    with pytest.raises(TypeError, match="Expected a Runnable, callable or dict"):
        create_react_agent(lambda state, runtime: 3, [add]).invoke(ASK)
    with pytest.raises(AttributeError, match="bind_tools"):
        create_react_agent(3, [add])  # type: ignore[arg-type]


def test_a_model_by_its_name() -> None:
    with pytest.raises(ValueError, match="nope"):
        create_react_agent("nope:model", [add])


def test_a_model_by_its_name_without_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "langchain.chat_models", None)
    with pytest.raises(ImportError, match="langchain: install it"):
        create_react_agent("openai:gpt-4o", [add])


class Own(AgentState):
    """A state with a key of its own."""

    user: NotRequired[str]


class OwnModel(AgentStatePydantic):
    """The same as a model."""

    user: str = "nobody"


@dataclass
class OwnData:
    """The same as a dataclass."""

    messages: Annotated[List[BaseMessage], add_messages]
    remaining_steps: RemainingSteps = 25
    user: str = "nobody"


@DRIVERS
@VERSIONS
@pytest.mark.parametrize("schema", [Own, OwnModel, OwnData])
@pytest.mark.parametrize("hook", [None, lambda state: {"llm_input_messages": [HumanMessage("Short?")]}])
def test_states(driver: str, version: Any, schema: Any, hook: Any) -> None:
    @tool
    def who(user: Annotated[str, InjectedState("user")], runtime: ToolRuntime) -> str:
        """Say who it is."""
        state = runtime.state
        return f"{user} {isinstance(state, dict) or type(state).__name__}"

    model = saying([call("who")], [call("who", "2")], "Done.") if hook is None else saying([call("who")])
    agent = create_react_agent(model, [who], state_schema=schema, version=version, pre_model_hook=hook)
    given: Dict[str, Any] = {"messages": [HumanMessage("Who?")], "user": "me"}
    if hook is None:
        kind = "True" if schema is Own else schema.__name__
        assert talk(run(agent, given, driver=driver)) == ["Who?", ["who"], f"me {kind}", ["who"], f"me {kind}", "Done."]
    else:
        run(agent, given, {"recursion_limit": 7}, driver=driver)
        assert set(map(str, model.seen)) == {str([("human", "Short?")])}


@DRIVERS
def test_messages_in_short_forms(driver: str) -> None:
    for schema in (None, Own, OwnModel):
        model = saying("Hi.")
        agent = create_react_agent(model, [add], state_schema=schema)
        for given in ([("user", "Sum?")], [{"role": "user", "content": "Sum?"}]):
            run(agent, {"messages": given}, driver=driver)
            assert model.seen[-1] == [("human", "Sum?")]


def test_states_that_lack_keys() -> None:
    class Lacking(TypedDict):
        messages: List[Any]

    with pytest.raises(ValueError, match=r"Missing required key\(s\) {'remaining_steps'} in state_schema"):
        create_react_agent(saying("Hi."), [add], state_schema=Lacking)
    with pytest.raises(ValueError, match="structured_response"):
        create_react_agent(saying("Hi."), [add], state_schema=Own, response_format=Answer)
    create_react_agent(saying("Hi."), [add], state_schema=AgentStateWithStructuredResponse, response_format=Answer)


@DRIVERS
def test_calls_without_answers(driver: str) -> None:
    given = {"messages": [HumanMessage("Sum?"), AIMessage("", tool_calls=[call("add", a=1, b=2)])]}
    with pytest.raises(
        ValueError, match="Found AIMessages with tool_calls that do not have a corresponding ToolMessage"
    ):
        run(create_react_agent(saying("Hi."), [add]), given, driver=driver)


@DRIVERS
@VERSIONS
def test_commands_of_tools(driver: str, version: Any) -> None:
    @tool
    def note(user: str, runtime: ToolRuntime) -> Any:
        """Note the user."""
        return Command(update={"user": user, "messages": [ToolMessage("noted", tool_call_id=runtime.tool_call_id)]})

    model = saying([call("note", user="me"), call("add", a=1, b=2)], "Done.")
    agent = create_react_agent(model, [note, add], state_schema=Own, version=version)
    result = run(agent, ASK, driver=driver)
    assert (result["user"], talk(result)[2:]) == ("me", ["noted", "3", "Done."])


def test_drawing() -> None:
    model = saying("Hi.")
    plain = create_react_agent(model, [add]).get_graph()
    assert _edges(plain) == {
        ("__start__", "agent", False),
        ("agent", "__end__", True),
        ("agent", "tools", True),
        ("tools", "agent", False),
    }
    full = create_react_agent(
        model,
        [add, final],
        pre_model_hook=lambda state: None,
        post_model_hook=lambda state: None,
        response_format=Answer,
    ).get_graph()
    assert _edges(full) == {
        ("__start__", "pre_model_hook", False),
        ("pre_model_hook", "agent", False),
        ("agent", "post_model_hook", False),
        ("post_model_hook", "generate_structured_response", True),
        ("post_model_hook", "pre_model_hook", True),
        ("post_model_hook", "tools", True),
        ("tools", "__end__", True),
        ("tools", "pre_model_hook", True),
        ("generate_structured_response", "__end__", False),
    }


def _edges(graph: Any) -> Any:
    return {(edge.source, edge.target, edge.conditional) for edge in graph.edges}


def test_options() -> None:
    with pytest.raises(ValueError, match="Invalid version v3. Supported versions are 'v1' and 'v2'"):
        create_react_agent(saying("Hi."), [add], version="v3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="zzz"):
        create_react_agent(saying("Hi."), [add], zzz=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Invalid checkpointer"):
        create_react_agent(saying("Hi."), [add], checkpointer=object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no node 'toolz'.*Did you mean 'tools'"):
        create_react_agent(saying("Hi."), [add], interrupt_before=["toolz"])


@DRIVERS
def test_the_store_reaches_the_tools(driver: str) -> None:
    @tool
    def recall(runtime: ToolRuntime) -> str:
        """Recall."""
        return str(runtime.store)

    agent = create_react_agent(saying([call("recall")], "Done."), [recall], store="S")
    assert talk(run(agent, ASK, driver=driver))[2] == "S"


@DRIVERS
def test_an_agent_in_a_tool_of_an_agent(driver: str) -> None:
    inner = create_react_agent(adding(), [add])

    @tool
    def delegate(question: str) -> str:
        """Ask somebody else."""
        return str(inner.invoke({"messages": [("user", question)]})["messages"][-1].content)

    outer = create_react_agent(saying([call("delegate", question="Sum?")], "Right."), [delegate])
    assert talk(run(outer, ASK, driver=driver)) == ["Sum?", ["delegate"], "It is three.", "Right."]
    found = chunks(outer, ASK, driver, stream_mode="custom", subgraphs=True)
    assert [(len(namespace), data) for namespace, data in found] == [(1, {"adding": [1, 2]})]
