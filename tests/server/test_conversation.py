"""What a conversation that a client sends again has for its thread: what is new, and what was taken back."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from starlette.exceptions import HTTPException

from streamgraph.graph.message import add_messages
from streamgraph_server.protocols.approvals import OpenCalls, Verdict, answer_to, approvals_in
from streamgraph_server.protocols.conversation import answered, news_in, resumed

CALL: Any = {"name": "pay", "args": {"to": "ada"}, "id": "c1"}
U1, U2, U3 = (HumanMessage(f"u{number}", id=f"u{number}") for number in (1, 2, 3))
A1, A2 = (AIMessage(f"a{number}", id=f"a{number}") for number in (1, 2))
OTHER = HumanMessage("other", id="u2")
MINE = AIMessage("a1, as the client has it", id="run-1")
CALLING = AIMessage("", id="a1", tool_calls=[CALL])
RESULT = ToolMessage("paid", id="r", tool_call_id="c1")


def told(messages: List[BaseMessage]) -> List[str]:
    """Messages as texts."""
    return [f"-{one.id}" if isinstance(one, RemoveMessage) else str(one.content) for one in messages]


@pytest.mark.parametrize(
    ("before", "sent", "news"),
    [
        ([], [U1, A1, U2], ["u1", "a1", "u2"]),
        ([U1, A1], [U1, A1, U2], ["u2"]),
        ([U1, A1], [U1, MINE, U2], ["u2"]),
        ([U1, A1], [U2], ["u2"]),
        ([U1, A1], [U1, AIMessage("half", id="a1"), U2], ["u2"]),
        ([U1, A1], [HumanMessage("x", id="x"), MINE, U2], ["u2"]),
        # A question sent again, changed or not, takes back what came after it.
        ([U1, A1, U2, A2], [U1, A1, U2], ["-a2"]),
        ([U1, A1, U2, A2], [U1, MINE, U2], ["-a2"]),
        ([U1, A1, U2, A2], [U1, A1, OTHER], ["-a2", "other"]),
        ([U1, A1, U2, A2], [U1], ["-a1", "-u2", "-a2"]),
        ([U1, A1], [U1, U2], ["-a1", "u2"]),
        # What a client's tool has found is new where it is waited for.
        ([U1, CALLING], [U1, CALLING, RESULT], ["paid"]),
        ([U1, CALLING, RESULT], [U1, CALLING, ToolMessage("again", id="x", tool_call_id="c1"), U2], ["u2"]),
        ([U1, CALLING, RESULT, A2], [U1, CALLING, U2], ["-a2", "u2"]),
        ([U1, A1], [U1, A1, ToolMessage("of nobody", id="x", tool_call_id="c9"), U2], ["u2"]),
    ],
)
def test_news(before: List[BaseMessage], sent: List[BaseMessage], news: List[str]) -> None:
    assert told(news_in(before, sent)) == news


@given(st.integers(1, 5), st.integers(0, 5), st.booleans())
def test_a_thread_becomes_what_the_client_has(rounds: int, kept: int, knows_ids: bool) -> None:
    before: List[BaseMessage] = []
    for number in range(rounds):
        before += [HumanMessage(f"q{number}", id=f"q{number}"), AIMessage(f"a{number}", id=f"a{number}")]
    own = before if knows_ids else [one if one.type == "human" else AIMessage(one.content, id="?") for one in before]
    sent = [*own[: 2 * min(kept, rounds)], HumanMessage("new", id="new")]
    after: Any = add_messages(before, news_in(before, sent))  # type: ignore[arg-type]
    expected = [*before[: 2 * min(kept, rounds)], sent[-1]]
    if min(kept, rounds) in (0, rounds):
        assert [one.id for one in after] == [one.id for one in [*before, sent[-1]]]
    else:
        # The client has thrown away the end of it, which cannot be told from one that sends only its last messages
        # if it has other ids for the answers.
        assert [one.id for one in after] in ([one.id for one in expected], [one.id for one in [*before, sent[-1]]])


HITL: Any = {"action_requests": [{"name": "pay", "args": {"to": "ada"}, "description": "Pay?"}], "review_configs": []}
BOTH: Any = {"action_requests": [{"name": "pay", "args": {}}, {"name": "pay", "args": {"to": "bob"}}]}
ANSWER = {"type": "respond", "message": "x"}
INBOX: Any = [{"action_request": {"action": "pay", "args": {"to": "ada"}}, "config": {}, "description": "Pay?"}]


def test_approvals_of_each_kind_of_question() -> None:
    for value in (HITL, INBOX):
        assert [tuple(one) for one in approvals_in("q", value)] == [("q", "pay", {"to": "ada"}, "Pay?")]
    assert [one.id for one in approvals_in("q", BOTH)] == ["q:0", "q:1"]
    for other in ("may I?", None, [], {}, {"action_requests": 1}, [{"action_request": 1}], ["x"]):
        assert approvals_in("q", other) == []


def test_answers_have_the_shape_of_their_question() -> None:
    yes, no = Verdict(True), Verdict(False, "too much")
    assert answer_to("q", HITL, {"q": yes}) == {"decisions": [{"type": "approve"}]}
    assert answer_to("q", HITL, {"q": no}) == {"decisions": [{"type": "reject", "message": "too much"}]}
    assert answer_to("q", INBOX, {"q": yes}) == [{"type": "accept", "args": None}]
    assert answer_to("q", INBOX, {"q": no}) == [{"type": "ignore", "args": "too much"}]
    both = answer_to("q", BOTH, {"q:0": yes, "q:1": Verdict(False)})
    assert both == {"decisions": [{"type": "approve"}, {"type": "reject"}]}
    with pytest.raises(HTTPException, match="about 2 calls"):
        answered({"q:0": yes}, {"q": BOTH})
    with pytest.raises(HTTPException, match="Waiting: q"):
        answered({"other": yes}, {"q": HITL})


@pytest.mark.parametrize(
    ("answers", "resume"),
    [
        ([{"interruptId": "q", "value": "a text"}], {"q": "a text"}),
        ([{"interruptId": "q", "payload": None}], {"q": None}),
        ([{"interruptId": "q", "status": "cancelled"}], {"q": None}),
        ([{"interruptId": "t", "status": "cancelled"}], {"t": {"decisions": [{"type": "reject"}]}}),
        ([{"interruptId": "t", "payload": {"approved": True}}], {"t": {"decisions": [{"type": "approve"}]}}),
        (
            [{"interruptId": "t", "payload": {"type": "respond", "message": "x"}}],
            {"t": {"type": "respond", "message": "x"}},
        ),
    ],
)
def test_answers_in_a_request(answers: List[Dict[str, Any]], resume: Any) -> None:
    assert resumed(answers, {"q": "may I?", "t": HITL}).resume == resume


@pytest.mark.parametrize("answers", [[], ["q"], [{"value": 1}], [{"interruptId": "x"}], [{"interruptId": 3}]])
def test_wrong_answers(answers: Any) -> None:
    with pytest.raises(HTTPException):
        resumed(answers, {"q": "may I?"})


def calls_of(*messages: Any) -> OpenCalls:
    """What is known of calls from a state."""
    calls = OpenCalls()
    calls.part({"type": "values", "ns": (), "data": {"messages": list(messages)}, "interrupts": ()})
    return calls


def test_two_calls_that_are_the_same_have_two_questions() -> None:
    twin = {**CALL, "id": "c2"}
    calls = calls_of(AIMessage("", tool_calls=[CALL, twin, {"name": "look", "args": {}, "id": "c3"}]))
    asked = approvals_in("q", HITL)[0]
    assert [getattr(calls.asked(asked), "id", None) for _ in range(3)] == ["c1", "c2", None]
    one_is_done = calls_of(AIMessage("", tool_calls=[CALL, twin]), RESULT)
    assert getattr(one_is_done.asked(asked), "id", None) == "c2"


def test_the_task_that_asks_knows_its_call() -> None:
    calls = calls_of(AIMessage("", tool_calls=[CALL, {**CALL, "id": "c2"}]))
    task: Any = {"id": "t", "name": "tools", "input": {"tool_call": {**CALL, "id": "c2"}}, "triggers": ()}
    calls.part({"type": "tasks", "ns": (), "data": task})
    over: Any = {"id": "t", "name": "tools", "result": {}, "error": None, "interrupts": [{"id": "q", "value": HITL}]}
    calls.part({"type": "tasks", "ns": (), "data": over})
    found = [calls.asked(approvals_in(question, HITL)[0]) for question in ("q", "other")]
    assert [getattr(call, "id", None) for call in found] == ["c2", "c1"]
