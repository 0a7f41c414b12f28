"""AG-UI: its own types read every event, and the rules of its client's verifier hold."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Set

import httpx
import pytest
from pydantic import TypeAdapter

from server.graphs import TEXT, agent, asking, failing, full_of_events, one_node, speaking
from server.hard_cases import graphs_in_tools, nested_twice
from server.loopback import Loopback, events_in
from server.retracting import retrying, thinking
from streamgraph.testing import Gate
from support.waiting import eventually

Serving = Callable[..., Loopback]
USER = {"id": "u1", "role": "user", "content": "hi"}


def body(**fields: Any) -> Dict[str, Any]:
    """What a client sends."""
    return {
        "threadId": "t", "runId": "r", "messages": [USER], "state": {}, "tools": [], "context": [],
        "forwardedProps": {}, **fields,
    }  # fmt: skip


def events_of(answer: httpx.Response) -> List[Dict[str, Any]]:
    """The events of a stream that the client would take."""
    assert answer.status_code == 200, answer.text
    events = [event.data for event in events_in(answer.text)]
    verify(events)
    return events


def verify(events: List[Dict[str, Any]]) -> None:
    """Raise where the client's verifier would."""
    assert events[0]["type"] == "RUN_STARTED"
    assert events[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    opened: Set[Any] = set()
    agents: Set[str] = set()
    tags: Dict[str, Any] = {}
    for event in events:
        assert None not in event.values(), event
        if event["type"].startswith("SUBAGENT"):
            assert event.get("parentSubagentRunId", event["subagentRunId"]) in agents | {event["subagentRunId"]}, event
            assert (event["subagentRunId"] in agents) == (event["type"] != "SUBAGENT_STARTED"), event
            agents.add(event["subagentRunId"])
        elif "subagentRunId" in event:
            assert event["subagentRunId"] in agents, event
        for message in event.get("messages", [event]):
            name, tag = message.get("messageId", message.get("id")), message.get("subagentRunId")
            assert name is None or tags.setdefault(name, tag) == tag, event
        kind, _, end = event["type"].rpartition("_")
        key = (
            kind,
            event.get("messageId") or event.get("toolCallId") or event.get("stepName"),
            event.get("subagentRunId"),
        )
        if end in ("START", "STARTED") and kind != "RUN":
            assert key not in opened, event
            opened.add(key)
        elif end in ("END", "FINISHED") and kind != "RUN":
            assert key in opened, event
            opened.discard(key)
        elif end in ("CONTENT", "ARGS"):
            assert key in opened and event["delta"], event
    assert opened == set() or events[-1]["type"] == "RUN_ERROR"


def kinds(events: List[Dict[str, Any]]) -> List[str]:
    """The types of events, each once in a row."""
    found = [event["type"] for event in events]
    return [name for place, name in enumerate(found) if place == 0 or found[place - 1] != name]


def text_of(events: List[Dict[str, Any]]) -> str:
    """The text that was sent."""
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


def test_a_text(serving: Serving) -> None:
    events = events_of(serving({"agent": speaking()}).post("/agui/agent", body()))
    assert kinds(events) == [
        "RUN_STARTED", "STATE_SNAPSHOT", "STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END", "STEP_FINISHED", "STATE_SNAPSHOT", "MESSAGES_SNAPSHOT", "RUN_FINISHED",
    ]  # fmt: skip
    assert (text_of(events), events[0]["runId"], events[-1]["outcome"]) == (TEXT, "r", {"type": "success"})
    said = next(event for event in events if event["type"] == "TEXT_MESSAGE_START")["messageId"]
    assert events[-2]["messages"][-1] == {"id": said, "role": "assistant", "content": TEXT}


def test_tool_calls_reasoning_and_nested_graphs(serving: Serving) -> None:
    server = serving({"agent": agent(), "thinking": thinking(), "nested": full_of_events()})
    events = events_of(server.post("/agui/agent", body()))
    calls = [event["type"] for event in events if event["type"].startswith("TOOL_CALL")]
    assert list(dict.fromkeys(calls)) == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"]
    assert events[-2]["messages"][1]["toolCalls"][0]["function"] == {"name": "look_up", "arguments": '{"word":"ice"}'}
    thoughts = kinds(events_of(server.post("/agui/thinking", body(threadId="t2"))))
    assert thoughts[3:9] == [
        "REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END",
        "REASONING_END", "TEXT_MESSAGE_START",
    ]  # fmt: skip
    nested = events_of(server.post("/agui/nested", body(threadId="t3")))
    assert text_of(nested) == f"{TEXT}the end"
    assert {"type": "CUSTOM", "name": "custom", "value": {"at": 1}} in nested


def test_its_own_types_read_every_event(serving: Serving) -> None:
    reader: Any = TypeAdapter(pytest.importorskip("ag_ui.core").Event)
    graphs = [agent(), thinking(), full_of_events(), retrying(), asking(), failing(ValueError("no"))]
    server = serving({f"graph{number}": graph for number, graph in enumerate(graphs)})
    for number in range(len(graphs)):
        for event in events_of(server.post(f"/agui/graph{number}", body(threadId=f"t{number}"))):
            reader.validate_python(event)


def test_a_retraction_replaces_the_messages(serving: Serving) -> None:
    events = events_of(serving({"agent": retrying()}).post("/agui/agent", body()))
    taken_back = kinds(events).index("MESSAGES_SNAPSHOT")
    assert kinds(events)[taken_back - 1] == "TEXT_MESSAGE_END"
    first = next(event for event in events if event["type"] == "MESSAGES_SNAPSHOT")
    assert [message["content"] for message in first["messages"]] == ["hi"]
    assert [message["content"] for message in events[-2]["messages"]] == ["hi", "right words"]


def test_a_failure_and_a_question(serving: Serving) -> None:
    server = serving({"failing": failing(ValueError("no")), "asking": asking()})
    events = events_of(server.post("/agui/failing", body()))
    assert (events[-1]["message"], events[-1]["code"]) == ("no", "ValueError")
    asked = events_of(server.post("/agui/asking", body(threadId="t2")))[-1]["outcome"]
    assert asked["type"] == "interrupt" and asked["interrupts"][0]["message"] == "may I?"
    answer = {"interruptId": asked["interrupts"][0]["id"], "status": "resolved", "payload": "yes"}
    events = events_of(server.post("/agui/asking", body(threadId="t2", resume=[answer])))
    assert text_of(events) == "you said yes"


def test_the_history_of_the_client_is_not_repeated(serving: Serving) -> None:
    server = serving({"agent": agent()})
    history = events_of(server.post("/agui/agent", body()))[-2]["messages"]
    again = [*history, {"id": "u2", "role": "user", "content": "more"}]
    messages = events_of(server.post("/agui/agent", body(messages=again)))[-2]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"] * 2
    assert messages[:4] == history


def test_state_comes_from_the_client(serving: Serving) -> None:
    from typing import TypedDict

    from streamgraph.graph import START, StateGraph

    class Counting(TypedDict, total=False):
        count: int

    graph = StateGraph(Counting).add_node("add", lambda state: {"count": state["count"] + 1}).add_edge(START, "add")
    events = events_of(serving({"agent": graph.compile()}).post("/agui/agent", body(state={"count": 1}, messages=[])))
    assert [event["snapshot"] for event in events if event["type"] == "STATE_SNAPSHOT"] == [{"count": 1}, {"count": 2}]


def test_leaving_cancels(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    with server._client.stream("POST", "/agui/agent", json=body()) as answer:
        next(answer.iter_lines())
    eventually(lambda: server.runs.going_on() == [] and gate.waiting == 0)


@pytest.mark.parametrize("wrong", [{"messages": 3}, {"messages": [{"role": "king"}]}, {"resume": [{"id": 1}]}])
def test_wrong_requests(serving: Serving, wrong: Any) -> None:
    assert serving({"agent": speaking()}).post("/agui/agent", body(**wrong)).status_code == 422


def test_nested_graphs_are_subagents(serving: Serving) -> None:
    server = serving({"nested": full_of_events(), "twice": nested_twice(), "tools": graphs_in_tools()})
    events = events_of(server.post("/agui/nested", body()))
    inner = [event for event in events if event.get("subagentRunId", "").startswith("inner:")]
    assert kinds(inner) == [
        "SUBAGENT_STARTED", "STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END",
        "STEP_FINISHED", "SUBAGENT_FINISHED",
    ]  # fmt: skip
    deep = events_of(server.post("/agui/twice", body(threadId="t2")))
    begun = [event for event in deep if event["type"] == "SUBAGENT_STARTED"]
    assert [event["name"] for event in begun] == ["outer", "inner", "twice", "twice"]
    assert begun[1]["parentSubagentRunId"] == begun[0]["subagentRunId"]
    assert begun[3]["subagentRunId"] == f"{begun[2]['subagentRunId']}|1"
    tools = events_of(server.post("/agui/tools", body(threadId="t3")))
    calls = [event["parentToolCallId"] for event in tools if event["type"] == "SUBAGENT_STARTED"]
    assert sorted(calls) == ["call-1", "call-2"]
    for query in ("?include_nodes=shout", "?exclude_nodes=shout"):
        events_of(server.post(f"/agui/nested{query}", body(threadId=query)))


def test_a_nested_graph_that_fails_or_asks(serving: Serving) -> None:
    broken = one_node(failing(ValueError("no")), "outer")
    server = serving({"broken": broken, "asking": one_node(asking(), "outer")})
    *_, step, last = events_of(server.post("/agui/broken", body()))
    assert (step["type"], last["type"], last["message"]) == ("STEP_FINISHED", "RUN_ERROR", "no")
    events = events_of(server.post("/agui/asking", body(threadId="t2")))
    asked = events[-1]["outcome"]["interrupts"][0]["id"]
    over = next(event for event in events if event["type"] == "SUBAGENT_FINISHED")
    assert over["outcome"] == {"type": "suspended", "interruptIds": [asked]}
    resume = [{"interruptId": asked, "status": "resolved", "payload": "yes"}]
    assert text_of(events_of(server.post("/agui/asking", body(threadId="t2", resume=resume)))) == "you said yes"


def test_an_answer_to_no_question_is_refused(serving: Serving) -> None:
    server = serving({"agent": asking()})
    resume = [{"interruptId": "other", "status": "resolved", "payload": "yes"}]
    refused = server.post("/agui/agent", body(resume=resume))
    assert refused.status_code == 422 and "None is waiting" in refused.json()["detail"]
    asked = events_of(server.post("/agui/agent", body()))[-1]["outcome"]["interrupts"][0]["id"]
    refused = server.post("/agui/agent", body(resume=resume))
    assert refused.status_code == 422 and asked in refused.json()["detail"]
    resume[0]["interruptId"] = asked
    assert text_of(events_of(server.post("/agui/agent", body(resume=resume)))) == "you said yes"
    assert server.post("/agui/agent", body(resume=resume)).status_code == 422


def test_what_a_graph_cannot_use_is_said(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    tools = [{"name": "look_up", "description": "", "parameters": {}}]
    told = next(
        event for event in events_of(server.post("/agui/agent", body(tools=tools))) if event["type"] == "CUSTOM"
    )
    assert told["name"] == "ignored" and "tools" in told["value"]


def test_files_of_a_person(serving: Serving) -> None:
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "source": {"type": "data", "value": "aWNl", "mimeType": "image/png"}},
        {"type": "document", "source": {"type": "url", "value": "https://ice/a.pdf"}},
    ]
    server = serving({"agent": speaking()})
    events_of(server.post("/agui/agent", body(messages=[{**USER, "content": content}])))
    kept = server.get("/threads/t/state").json()["values"]["messages"][0]["content"]
    assert [block["type"] for block in kept] == ["text", "image", "file"]
    for wrong in ([{"type": "smell"}], [{"type": "image", "source": {"type": "other"}}]):
        assert server.post("/agui/agent", body(messages=[{**USER, "content": wrong}])).status_code == 422
