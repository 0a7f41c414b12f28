"""A run that is taken back leaves its thread as it was before it."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from server.graphs import HI, asking
from server.loopback import Loopback
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Gate
from streamgraph.types import interrupt
from support.waiting import eventually

Serving = Callable[..., Loopback]


def two_steps(gate: Gate) -> Any:
    """A graph whose first step is stored before the second one waits."""

    def first(state: Any) -> Any:
        return {"messages": [("ai", "first")]}

    async def second(state: Any) -> Any:
        if state["messages"][-2].content == "lost":
            await gate.await_()
        return {"messages": [("ai", "second")]}

    builder = StateGraph(MessagesState).add_sequence([("first", first), ("second", second)])
    return builder.add_edge(START, "first").compile()


def contents(server: Loopback) -> List[str]:
    """The texts in the state of the thread."""
    values = server.get("/threads/t/state").json()["values"]
    return [message["content"] for message in values.get("messages", [])]


def body(text: str, **more: Any) -> Dict[str, Any]:
    """The request for a run."""
    given = {"messages": [{"role": "user", "content": text}]}
    return {"assistant_id": "agent", "input": given, "if_not_exists": "create", **more}


def at_second(server: Loopback) -> bool:
    """Whether the thread waits in its second step."""
    return bool(server.get("/threads/t/state").json()["next"] == ["second"])


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("by", ["cancel", "another run"])
def test_the_thread_is_as_before(serving: Serving, by: str, is_new: bool) -> None:
    gate, saver = Gate(), InMemorySaver()
    server = serving({"agent": two_steps(gate)}, checkpointer=saver)
    before: List[str] = []
    if not is_new:
        server.post("/threads/t/runs/wait", body("quick"))
        before = ["quick", "first", "second"]
    run = server.post("/threads/t/runs", body("lost")).json()["run_id"]
    eventually(lambda: "lost" in contents(server) and at_second(server))
    if by == "cancel":
        path = f"/threads/t/runs/{run}/cancel?wait=true&action=rollback"
        assert server.post(path).status_code == 204
        assert contents(server) == before
        assert server.get("/threads/t").json()["status"] == "idle"
    new = server.post("/threads/t/runs", body("quick", multitask_strategy="rollback")).json()["run_id"]
    gate.open_all()
    found = server.get(f"/threads/t/runs/{new}/join").json()
    assert [message["content"] for message in found["messages"]] == [*before, "quick", "first", "second"]
    eventually(lambda: server.get(f"/threads/t/runs/{run}").status_code == 404)
    assert serving({"agent": two_steps(gate)}, checkpointer=saver).get("/threads/t").status_code == 200


def test_a_run_that_has_ended_stays(serving: Serving) -> None:
    gate = Gate()
    gate.open_all()
    server = serving({"agent": two_steps(gate)})
    run = server.post("/threads/t/runs", body("quick")).json()["run_id"]
    eventually(lambda: server.get(f"/threads/t/runs/{run}").json()["status"] == "success")
    assert server.post(f"/threads/t/runs/{run}/cancel?action=rollback").status_code == 409
    assert contents(server) == ["quick", "first", "second"]


def test_what_is_not_done_is_refused_with_the_reason(serving: Serving) -> None:
    server = serving({"agent": asking()})
    for key, given, why in (("webhook", "http://10.0.0.1/", "calls nobody"), ("after_seconds", 5, "when it is due")):
        answer = server.post("/runs", {"assistant_id": "agent", "input": HI, key: given})
        assert answer.status_code == 422 and why in answer.json()["detail"]


def test_a_question_that_was_open_before_is_not_lost(serving: Serving) -> None:
    gate = Gate()

    def ask(state: Any) -> Any:
        return {"messages": [("ai", interrupt("may I?"))]}

    async def act(state: Any) -> Any:
        if state["messages"][-1].content == "lost":
            await gate.await_()

    builder = StateGraph(MessagesState).add_sequence([("ask", ask), ("act", act)])
    server = serving({"agent": builder.add_edge(START, "ask").compile()})
    assert server.post("/threads/t/runs/wait", body("hi")).status_code == 200
    run = server.post("/threads/t/runs", {"assistant_id": "agent", "command": {"resume": "lost"}}).json()["run_id"]
    eventually(lambda: server.get("/threads/t/state").json()["next"] == ["act"])
    refused = server.post(f"/threads/t/runs/{run}/cancel?wait=true&action=rollback")
    assert refused.status_code == 409
    (where,) = re.findall(r"checkpoint_id '(.+)'", refused.json()["detail"])
    answer = {"assistant_id": "agent", "command": {"resume": "yes"}, "multitask_strategy": "rollback"}
    assert server.post("/threads/t/runs/wait", answer).status_code == 422
    assert server.post(f"/threads/t/runs/{run}/cancel?wait=true").status_code == 204
    answer = {"assistant_id": "agent", "command": {"resume": "yes"}, "checkpoint_id": where}
    done = server.post("/threads/t/runs/wait", answer).json()
    assert [message["content"] for message in done["messages"]] == ["hi", "yes"]
