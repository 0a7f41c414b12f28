"""A person approves, edits, rejects or answers tool calls, by an option of the node or the agent."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from streamgraph.errors import UnknownOptionError
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode, ToolRuntime, create_react_agent
from streamgraph.types import Command
from support.tool_calls import saying

CONFIG: Any = {"configurable": {"thread_id": "1"}}
MODES = ("invoke", "ainvoke", "stream", "astream")
EVERY = ["approve", "edit", "reject", "respond"]


class Office:
    """Tools with effects, and the effects."""

    def __init__(self) -> None:
        self.done: List[str] = []

    def tools(self) -> List[Any]:
        done = self.done

        @tool
        def send(to: str, runtime: ToolRuntime, copies: int = 1) -> str:
            """Send letters."""
            done.append(f"send {to} {copies} {runtime.tool_call_id}")
            return f"sent to {to}"

        @tool
        async def burn(what: str) -> str:
            """Burn something."""
            done.append(f"burn {what}")
            return f"burnt {what}"

        @tool
        def look() -> str:
            """Look around."""
            done.append("look")
            return "all well"

        return [send, burn, look]


def call(name: str, id_: str, **args: Any) -> Any:
    return {"name": name, "args": args, "id": id_}


def office_graph(office: Office, **config: Any) -> Any:
    asked: Any = {"allowed_decisions": EVERY, **config} if config else True
    node = ToolNode(office.tools(), interrupt_on={"send": asked, "burn": asked, "look": False})
    return StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile(InMemorySaver())


def run(graph: Any, given: Any, mode: str) -> Dict[str, Any]:
    """Run a graph in one of the modes, and return its output."""
    if mode == "invoke":
        output = graph.invoke(given, CONFIG)
    elif mode == "ainvoke":
        output = asyncio.run(graph.ainvoke(given, CONFIG))
    elif mode == "stream":
        output = list(graph.stream(given, CONFIG, stream_mode=["updates", "values"]))[-1][1]
    else:

        async def read() -> Any:
            return [chunk async for chunk in graph.astream(given, CONFIG, stream_mode=["updates", "values"])]

        output = asyncio.run(read())[-1][1]
    return output  # type: ignore[no-any-return]


def open_questions(graph: Any) -> Dict[str, Any]:
    """Return the open questions by the tool that they are about."""
    found = {}
    for question in graph.get_state(CONFIG).interrupts:
        value = question.value[0] if isinstance(question.value, list) else question.value
        about = value.get("action_request") or value.get("action_requests", [value])[0]
        found[about.get("name") or about["action"]] = question
    return found


def answer(graph: Any, mode: str, **answers: Any) -> Dict[str, Any]:
    asked = open_questions(graph)
    return run(graph, Command(resume={asked[name].id: given for name, given in answers.items()}), mode)


CALLS = [call("look", "1"), call("send", "2", to="ann"), call("burn", "3", what="it")]
THREE = {"messages": [AIMessage("", tool_calls=CALLS)]}


@pytest.mark.parametrize("mode", MODES)
def test_each_call_is_decided_on_its_own(mode: str) -> None:
    """All questions are open at once; who is answered runs, once, and the answers come in the order of the calls."""
    office = Office()
    graph = office_graph(office)
    run(graph, THREE, mode)
    assert sorted(open_questions(graph)) == ["burn", "send"]
    assert office.done == ["look"]
    answer(graph, mode, burn={"decisions": [{"type": "approve"}]})
    assert sorted(open_questions(graph)) == ["send"]
    assert office.done == ["look", "burn it"]
    edited = {"type": "edit", "edited_action": {"name": "send", "args": {"to": "bob", "copies": 2}}}
    output = answer(graph, mode, send={"decisions": [edited]})
    assert office.done == ["look", "burn it", "send bob 2 2"]
    told = "A person has changed this call before it ran. What ran is: send(to='bob', copies=2)\n\nsent to bob"
    assert [message.content for message in output["messages"][1:]] == ["all well", told, "burnt it"]
    assert [message.tool_call_id for message in output["messages"][1:]] == ["1", "2", "3"]


@pytest.mark.parametrize("mode", MODES)
def test_rejected_and_answered_calls_do_not_run(mode: str) -> None:
    office = Office()
    graph = office_graph(office)
    run(graph, THREE, mode)
    output = answer(
        graph, mode, send={"type": "reject", "message": "too dear"}, burn={"type": "respond", "message": "it is ash"}
    )
    _, sent, burnt = output["messages"][1:]
    assert (sent.status, sent.name, burnt.status, burnt.content) == ("error", "send", "success", "it is ash")
    assert "too dear" in sent.content
    assert office.done == ["look"]


@pytest.mark.parametrize("shape", ["hitl", "agent_inbox"])
def test_questions_have_the_shapes_of_front_ends(shape: str) -> None:
    graph = office_graph(Office(), shape=shape, allowed_decisions=["approve", "edit"], description="May it?")
    asked = run(graph, THREE, "invoke")["__interrupt__"]
    question = next(item for item in asked if item.id == open_questions(graph)["send"].id)
    args = {"to": "ann"}
    wanted: Dict[str, Any] = {
        "hitl": {
            "action_requests": [{"name": "send", "args": args, "description": "May it?"}],
            "review_configs": [{"action_name": "send", "allowed_decisions": ["approve", "edit"]}],
        },
        "agent_inbox": [
            {
                "action_request": {"action": "send", "args": args},
                "config": {"allow_accept": True, "allow_edit": True, "allow_ignore": False, "allow_respond": False},
                "description": "May it?",
            }
        ],
    }
    assert question.value == wanted[shape]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", ["hitl", "agent_inbox"])
def test_a_wrong_answer_is_asked_for_again(shape: str, mode: str) -> None:
    """Nothing is lost: the run waits with the same question, which says what was wrong."""
    office = Office()
    graph = office_graph(office, shape=shape)
    run(graph, THREE, mode)
    for wrong, told in (
        ("aprove", "Did you mean 'approve'?"),
        ({"type": "edit", "edited_action": {"name": "send", "args": {"to": "bob", "copies": "many"}}}, "copies: Input"),
        ({"decisions": [{"type": "approve"}, {"type": "approve"}]}, "the answer has 2 decisions"),
    ):
        before = open_questions(graph)["send"]
        answer(graph, mode, send=wrong)
        again = open_questions(graph)["send"]
        assert again.id != before.id
        value = again.value[0] if shape == "agent_inbox" else again.value["action_requests"][0]
        assert told in value["description"]
        assert office.done == ["look"]
    output = answer(graph, mode, send=True, burn=True)
    assert [message.content for message in output["messages"][1:]] == ["all well", "sent to ann", "burnt it"]
    assert sorted(office.done) == ["burn it", "look", "send ann 1 2"]


def test_a_person_may_choose_another_tool_of_the_node() -> None:
    office = Office()
    graph = office_graph(office)
    run(graph, THREE, "invoke")
    edited = {"type": "edit", "edited_action": {"name": "send", "args": {"to": "the bin"}}}
    output = answer(graph, "invoke", send=False, burn=edited)
    assert office.done == ["look", "send the bin 1 3"]
    assert output["messages"][-1].content.endswith("What ran is: send(to='the bin')\n\nsent to the bin")


def test_which_calls_are_reviewed() -> None:
    office, seen = Office(), []

    def dear(request: Any) -> bool:
        seen.append((request.tool_call["name"], request.tool_call["args"], request.tool.name, sorted(request.state)))
        return request.tool_call["args"].get("to") == "ann"

    def describe(tool_call: Any, state: Any, runtime: Any) -> str:
        return f"{tool_call['args']['to']} after {len(state['messages'])} messages, {runtime.tool_call_id}"

    graph = office_graph(office, when=dear, description=describe)
    run(graph, THREE, "invoke")
    assert list(open_questions(graph)) == ["send"]
    assert open_questions(graph)["send"].value["action_requests"][0]["description"] == "ann after 1 messages, 2"
    assert ("burn", {"what": "it"}, "burn", ["messages"]) in seen
    assert sorted(office.done) == ["burn it", "look"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_agent(version: Any, mode: str) -> None:
    """In both versions of agents: calls in one task, and in tasks of their own."""
    office = Office()
    model = saying(THREE["messages"][0].tool_calls, "done")
    asked: Any = {"send": True, "burn": {"allowed_decisions": ["approve", "reject"]}}
    agent = create_react_agent(model, office.tools(), interrupt_on=asked, checkpointer=InMemorySaver(), version=version)
    run(agent, {"messages": [("user", "go")]}, mode)
    assert sorted(open_questions(agent)) == ["burn", "send"]
    output = answer(agent, mode, burn="reject", send={"type": "edit", "edited_action": {"args": {"to": "bob"}}})
    assert output["messages"][-1].content == "done"
    assert sorted(office.done) == ["look", "send bob 1 2"]
    results = [message for message in output["messages"] if isinstance(message, ToolMessage)]
    assert [message.tool_call_id for message in results] == ["1", "2", "3"]


def test_wrappers_see_what_was_decided() -> None:
    """Nothing of a call runs before it is approved, the wrappers of the node included."""
    office, wrapped = Office(), []

    def wrap(request: Any, execute: Any) -> Any:
        wrapped.append(request.tool_call["args"])
        return execute(request)

    node = ToolNode(office.tools(), wrap_tool_call=wrap, interrupt_on={"send": True})
    graph = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile(InMemorySaver())
    for mode in MODES:
        wrapped.clear()
        asked = {"messages": [AIMessage("", id=mode, tool_calls=[call("send", mode, to="ann")])]}
        run(graph, asked, mode)
        assert wrapped == []
        answer(graph, mode, send={"type": "edit", "edited_action": {"args": {"to": mode}}})
        assert wrapped == [{"to": mode}]


def test_what_is_written_wrong_is_refused_at_once() -> None:
    tools: Any = Office().tools()
    with pytest.raises(UnknownOptionError, match="'sned', which the node does not have.*'send'"):
        ToolNode(tools, interrupt_on={"sned": True})
    wrong: Any
    for wrong, told in (
        ({"allowed_decision": ["approve"]}, "an entry 'allowed_decision'.*'allowed_decisions'"),
        ({"allowed_decisions": ["aprove"]}, "'aprove', which is no decision.*'approve'"),
        ({"allowed_decisions": ["approve"], "shape": "inbox"}, "unknown shape 'inbox'"),
    ):
        with pytest.raises(UnknownOptionError, match=told):
            ToolNode(tools, interrupt_on={"send": wrong})
    for wrong in ({}, {"allowed_decisions": []}, {"allowed_decisions": "approve"}):
        with pytest.raises(ValueError, match="`allowed_decisions` of 'send' are a list"):
            ToolNode(tools, interrupt_on={"send": wrong})
    with pytest.raises(ValueError, match="give interrupt_on to the ToolNode"):
        create_react_agent(saying(""), ToolNode(tools), interrupt_on={"send": True})


@pytest.mark.parametrize("mode", MODES)
def test_mixed_answers_to_many_parallel_calls(mode: str) -> None:
    """Answered in any order, some of them wrong at first: each call gets its own decision and runs at most once."""
    for seed in range(12):
        chance = random.Random(seed)
        office = Office()
        graph = office_graph(office)
        calls = [call("send" if chance.random() < 0.7 else "look", str(number), to=f"p{number}") for number in range(6)]
        for item in calls:
            if item["name"] == "look":
                item["args"] = {}
        kinds = {f"p{number}": chance.choice(EVERY) for number in range(6)}
        run(graph, {"messages": [AIMessage("", tool_calls=calls)]}, mode)
        wrong: Counter[str] = Counter()
        while graph.get_state(CONFIG).interrupts:
            asked = list(graph.get_state(CONFIG).interrupts)
            resume = {}
            for question in chance.sample(asked, chance.randint(1, len(asked))):
                to = question.value["action_requests"][0]["args"]["to"]
                if chance.random() < 0.3 and wrong[to] < 2:
                    wrong[to] += 1
                    resume[question.id] = {"type": "edit", "edited_action": {"args": {"two": to}}}
                    continue
                edited = {"name": "send", "args": {"to": f"edited {to}"}}
                resume[question.id] = {"type": kinds[to], "message": f"for {to}", "edited_action": edited}
            run(graph, Command(resume=resume), mode)
        messages = graph.get_state(CONFIG).values["messages"][1:]
        assert [message.tool_call_id for message in messages] == [item["id"] for item in calls]
        effects = []
        for item, message in zip(calls, messages):
            to = item["args"].get("to")
            kind = kinds.get(to, "")
            if kind in ("approve", "edit"):
                effects.append(f"send {'edited ' if kind == 'edit' else ''}{to} 1 {item['id']}")
            elif to is None:
                effects.append("look")
            ends = {"approve": f"sent to {to}", "edit": f"sent to edited {to}", "": "all well"}
            assert message.content.endswith(ends.get(kind, f"for {to}")), (kind, message)
        assert sorted(office.done) == sorted(effects)


@pytest.mark.parametrize("saved", [False, True], ids=["unsaved", "saved"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_live_run_is_answered_where_it_stands(asynchronous: bool, saved: bool) -> None:
    """The run goes on with each decision, a wrong one first; nothing of a call is done twice."""
    office, described = Office(), []

    def describe(tool_call: Any, state: Any, runtime: Any) -> str:
        described.append(tool_call["id"])
        return "May it?"

    asked: Any = {"allowed_decisions": EVERY, "description": describe}
    node = ToolNode(office.tools(), interrupt_on={"send": asked, "burn": asked})
    builder = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools")
    graph = builder.compile(InMemorySaver() if saved else None)

    def decide(value: Any) -> Any:
        request = value["action_requests"][0]
        if request["description"] == "May it?":
            return "aprove"
        return {"type": "edit", "edited_action": {"args": {"to": "bob"}}} if request["name"] == "send" else True

    options: Any = {"stream_mode": "updates", "version": "v2", "interrupts": "live"}

    async def main() -> Any:
        stream = graph.astream(THREE, CONFIG, **options)
        async for part in stream:
            for question in part["data"].get("__interrupt__", ()):
                await stream.aanswer(question.id, decide(question.value))
        return stream.output

    if asynchronous:
        output = asyncio.run(main())
    else:
        stream = graph.stream(THREE, CONFIG, **options)
        for part in stream:
            for question in part["data"].get("__interrupt__", ()):
                stream.answer(question.id, decide(question.value))
        output = stream.output
    assert sorted(office.done) == ["burn it", "look", "send bob 1 2"]
    assert sorted(described) == ["2", "3"]
    assert [message.tool_call_id for message in output["messages"][1:]] == ["1", "2", "3"]
