"""What front ends go through: several on one run, cut connections, stale answers, conversations of others."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List

import pytest
from pydantic import BaseModel

from server.graphs import TEXT, WORDS, asking, failing, full_of_events, one_node, speaking
from server.hard_cases import counting, reviewed
from server.loopback import Loopback, events_in
from server.retracting import retrying
from server.test_folds import PARTS, RUN
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Gate
from streamgraph.types import RetryPolicy, interrupt
from streamgraph_integrations.openai import chat_model
from streamgraph_server.frames import RunEnd
from streamgraph_server.protocols.openai_responses import ResponseEncoder
from support.waiting import PATIENCE, eventually

Serving = Callable[..., Loopback]


def user(text: str = "hi", key: str = "u1") -> Dict[str, Any]:
    """A message of the user, for `useChat`."""
    return {"id": key, "role": "user", "parts": [{"type": "text", "text": text}]}


def ag_ui(thread: str, **fields: Any) -> Dict[str, Any]:
    """A request of AG-UI."""
    return {"threadId": thread, "runId": "r", "messages": [{"id": "u1", "role": "user", "content": "hi"}], **fields}


def chunks(answer: Any) -> List[Any]:
    """The chunks of a UI message stream, or events of AG-UI."""
    assert answer.status_code == 200, answer.text
    return [event.data for event in events_in(answer.text) if event.data != "[DONE]"]


def text_of(found: List[Any]) -> str:
    """The text of a UI message stream."""
    return "".join(chunk["delta"] for chunk in found if chunk["type"] == "text-delta")


class Reader(threading.Thread):
    """A client that reads a stream in a thread of its own."""

    def __init__(self, server: Loopback, path: str, body: Any = None) -> None:
        super().__init__()
        self.body = ""
        self._begin = lambda: server._client.stream(
            "GET" if body is None else "POST", path, json=body, timeout=PATIENCE
        )
        self.start()

    def run(self) -> None:
        """Read to the end."""
        with self._begin() as answer:
            for piece in answer.iter_text():
                self.body += piece

    def chunks(self) -> List[Any]:
        """All that came."""
        self.join(PATIENCE)
        return [event.data for event in events_in(self.body) if event.data != "[DONE]"]


def test_who_comes_at_any_time_gets_the_whole_message_once(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)}, heartbeat=0.05)
    readers = [Reader(server, "/chat/agent", {"id": "c", "messages": [user()]})]
    eventually(lambda: "start" in readers[0].body and gate.waiting)
    for word in WORDS[:-1]:
        gate.open(1)
        eventually(lambda word=word: word.strip() in readers[0].body)
        readers.append(Reader(server, "/chat/agent/c/stream"))
        eventually(lambda: "start" in readers[-1].body)
    gate.open_all()
    first, *others = [reader.chunks() for reader in readers]
    assert text_of(first) == TEXT and first[-1]["type"] == "finish"
    assert all(other == first for other in others)
    assert ": heartbeat" in readers[0].body or len(first) > 5


def test_a_run_ends_when_its_last_reader_has_left(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    with server._client.stream("POST", "/chat/agent", json={"id": "c", "messages": [user()]}) as one:
        first = one.iter_lines()  # without a name it would be closed at once, and the connection with it
        next(first)
        with server._client.stream("GET", "/chat/agent/c/stream") as other:
            lines = other.iter_lines()
            next(lines)
            one.close()
            gate.open(2)
            assert any(WORDS[1] in line for line in lines) and server.runs.going_on() != []
    eventually(lambda: server.runs.going_on() == [] and gate.waiting == 0)


def test_a_response_goes_on_after_each_of_its_events() -> None:
    def frames(after: int) -> List[Any]:
        encoder = ResponseEncoder(after)
        made = [*encoder.begin(RUN), *(frame for part in PARTS for frame in encoder.part(part))]
        return [*made, *encoder.end(RunEnd("done"))]

    everything = frames(-1)
    for number in range(len(everything)):
        assert frames(number) == everything[number + 1 :]


@pytest.mark.parametrize("kind", ["chat", "agui"])
def test_a_question_is_answered_once(serving: Serving, kind: str) -> None:
    asked: List[str] = []

    def ask(state: Any) -> Any:
        asked.append(str(interrupt("one?")))
        asked.append(str(interrupt("two?")))
        return {"messages": [("ai", " ".join(asked[-2:]))]}

    server = serving({"agent": one_node(ask, "ask")})

    def send(**more: Any) -> Any:
        body = {"id": "c", "messages": [user()], **more} if kind == "chat" else ag_ui("c", **more)
        return server.post(f"/{kind}/agent", body)

    def question(answer: Any) -> str:
        last = chunks(answer)
        if kind == "agui":
            return str(last[-1]["outcome"]["interrupts"][0]["id"])
        return str(next(chunk["id"] for chunk in last if chunk["type"] == "data-interrupt"))

    first = question(send())
    second = question(send(resume=[{"interruptId": first, "payload": "A"}]))
    # The same answer again, from another tab, is not taken for one to the second question, which has the same node.
    stale = send(resume=[{"interruptId": "0" * 32, "payload": "stale"}])
    assert stale.status_code == 422 and second in stale.json()["detail"]
    done = chunks(send(resume=[{"interruptId": second, "payload": "B"}]))
    assert "A B" in str(done) and "stale" not in str(asked)


def test_other_peoples_conversations(serving: Serving) -> None:
    async def login(request: Any) -> Any:
        return request.headers.get("x-user")

    gate = Gate()
    server = serving({"agent": speaking(gate=gate), "asking": asking()}, auth=login)
    ada, bob = {"x-user": "ada"}, {"x-user": "bob"}
    path, body = "/chat/agent?on_disconnect=continue", {"id": "c", "messages": [user()]}
    with server._client.stream("POST", path, json=body, headers=ada) as answer:
        next(answer.iter_lines())
    response = server.post("/v1/responses", {"model": "agent", "input": "hi", "background": True}, headers=ada).json()
    assert server.get("/chat/agent/c/stream", headers=bob).status_code == 204
    assert server.post("/chat/agent/c/stop", {}, headers=bob).status_code == 404
    assert server.post("/chat/agent", body, headers=bob).status_code == 409
    assert server.post("/agui/agent", ag_ui("c"), headers=bob).status_code == 409
    assert server.get(f"/v1/responses/{response['id']}", headers=bob).status_code == 404
    assert server.post(f"/v1/responses/{response['id']}/cancel", {}, headers=bob).status_code == 404
    continued = {"model": "agent", "input": "hi", "previous_response_id": response["id"]}
    assert server.post("/v1/responses", continued, headers=bob).status_code == 404
    assert server.get("/chat/agent/c/stream").status_code == 401
    assert len(server.runs.going_on()) == 2
    gate.open_all()
    eventually(lambda: server.runs.going_on() == [])
    asked = chunks(server.post("/chat/asking", {"id": "q", "messages": [user()]}, headers=ada))
    resume = {"interruptId": asked[-2]["id"], "value": "mine"}
    stolen = server.post("/chat/asking", {"id": "q", "messages": [user()], "resume": resume}, headers=bob)
    assert stolen.status_code == 409


@pytest.mark.parametrize(
    "approval",
    [
        {"id": "other", "approved": True},
        {"id": 3, "approved": True},
        {"id": "other"},
        {"id": "other", "approved": "yes"},
    ],
)
def test_approvals_of_nothing_are_refused(serving: Serving, approval: Any) -> None:
    server = serving({"agent": reviewed()})
    chunks(server.post("/chat/agent", {"id": "c", "messages": [user()]}))
    part = {
        "type": "dynamic-tool",
        "toolName": "pay",
        "toolCallId": "call-1",
        "state": "approval-responded",
        "input": {},
    }
    message = {"id": "a", "role": "assistant", "parts": [{**part, "approval": approval}]}
    assert server.post("/chat/agent", {"id": "c", "messages": [user(), message]}).status_code == 422


def test_one_of_two_approvals_leaves_the_other_question(serving: Serving) -> None:
    server = serving({"agent": reviewed(), "nested": one_node(reviewed(), "agent")})
    for graph in ("agent", "nested"):
        found = chunks(server.post(f"/chat/{graph}", {"id": graph, "messages": [user()]}))
        asked = [chunk for chunk in found if chunk["type"] == "tool-approval-request"]
        assert [chunk["toolCallId"] for chunk in asked] == ["call-1", "call-2"]
        part = {"type": "dynamic-tool", "toolName": "pay", "toolCallId": "call-1", "state": "approval-responded"}
        approval = {"id": asked[0]["approvalId"], "approved": True}
        message = {
            "id": found[0]["messageId"],
            "role": "assistant",
            "parts": [{**part, "input": {}, "approval": approval}],
        }
        more = chunks(server.post(f"/chat/{graph}", {"id": graph, "messages": [user(), message]}))
        assert more[0]["messageId"] == found[0]["messageId"]  # the client goes on with its message
        asked = [chunk for chunk in more if chunk["type"] == "tool-approval-request"]
        assert [chunk["toolCallId"] for chunk in asked] == ["call-2"]
        paid = [chunk["output"] for chunk in more if chunk["type"] == "tool-output-available"]
        assert paid == ["paid ada"]


def test_a_client_without_the_message_gets_the_call_before_its_answer(serving: Serving) -> None:
    server = serving({"agent": reviewed()})
    found = chunks(server.post("/chat/agent", {"id": "c", "messages": [user()]}))
    ids = [chunk["id"] for chunk in found if chunk["type"] == "data-interrupt"]
    resume = [{"interruptId": id, "value": {"approved": True}} for id in ids]  # noqa: A001
    more = chunks(server.post("/chat/agent", {"id": "c", "messages": [], "resume": resume}))
    kinds = [(chunk["type"], chunk.get("input")) for chunk in more if chunk.get("toolCallId") == "call-2"]
    assert kinds == [
        ("tool-input-start", None), ("tool-input-available", {"word": "bob"}), ("tool-output-available", None),
    ]  # fmt: skip


def test_errors_before_and_in_the_middle(serving: Serving) -> None:
    server = serving({"failing": failing(KeyError("secret")), "agent": full_of_events()}, errors="type")
    end = chunks(server.post("/chat/failing", {"id": "c", "messages": [user()]}))[-1]
    assert end == {"type": "error", "errorText": "The run has failed."}
    end = chunks(server.post("/agui/failing", ag_ui("t")))[-1]
    assert (end["message"], end["code"]) == ("The run has failed.", "KeyError")
    for path, body in (
        ("/chat/agent", {"id": "c2", "messages": 3}),
        ("/chat/agent?ai_sdk=5", {"id": "c2", "messages": [user()]}),
        ("/chat/agent?on_disconnect=maybe", {"id": "c2", "messages": [user()]}),
        ("/chat/agent", {"id": "a\nb", "messages": [user()]}),
        ("/chat/agent", {"id": "c2", "messages": [user()], "resume": []}),
        ("/agui/agent", ag_ui("t2", tools="all")),
        ("/agui/agent", ag_ui("t2", state=[])),
        ("/v1/chat/completions", {"model": "agent", "messages": [{"role": "king"}]}),
    ):
        assert server.post(path, body).status_code in (400, 422), path
    assert server.post("/chat/agnt", {"messages": []}).json()["detail"].endswith("Did you mean 'agent'?")
    assert server.runs.going_on() == []


def test_a_conversation_waits_for_the_run_before(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    first = Reader(server, "/chat/agent", {"id": "c", "messages": [user()]})
    eventually(lambda: gate.waiting)
    second = Reader(server, "/chat/agent", {"id": "c", "messages": [user(), user("more", "u2")]})
    eventually(lambda: "start" in second.body)
    gate.open_all()
    assert text_of(first.chunks()) == text_of(second.chunks()) == TEXT
    kept = server.get("/threads/c/state").json()["values"]["messages"]
    assert [message["content"] for message in kept] == ["hi", TEXT, "more", TEXT]


def test_what_is_open_beside_a_message_that_is_taken_back(serving: Serving) -> None:
    """A node's text that is taken back deletes nothing of what another node says at the same time."""
    builder = StateGraph(MessagesState)
    for name, graph in (("right", speaking()), ("retrying", retrying())):
        builder.add_node(name, graph).add_edge(START, name)
    server = serving({"agent": builder.compile()})
    found = chunks(server.post("/chat/agent", {"id": "c", "messages": [user()]}))
    texts: Dict[str, str] = {}
    for chunk in found:
        if chunk["type"] == "reset-step":
            texts.clear()
        elif chunk["type"] == "text-delta":
            texts[chunk["id"]] = texts.get(chunk["id"], "") + chunk["delta"]
    assert sorted(texts.values()) == [TEXT, "right words"]


def test_a_graph_without_messages(serving: Serving) -> None:
    server = serving({"counting": counting()})
    for path, body in (
        ("/chat/counting", {"id": "c", "messages": [user()]}),
        ("/v1/chat/completions", {"model": "counting", "messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/responses", {"model": "counting", "input": "hi"}),
    ):
        refused = server.post(path, body)
        assert refused.status_code in (400, 422) and "Its input: count, pages, words." in refused.text
    # `useChat` sends what the graph takes in its body; AG-UI has it in its state.
    found = chunks(server.post("/chat/counting", {"id": "c", "messages": [user()], "input": {"count": 4}}))
    assert text_of(found) == TEXT
    assert server.get("/threads/c/state").json()["values"]["count"] == 5
    state = [event["snapshot"] for event in chunks(server.post("/agui/counting", ag_ui("t", state={"count": 6})))
             if event["type"] == "STATE_SNAPSHOT"]  # fmt: skip
    assert state[-1]["count"] == 7


class Joke(BaseModel):
    """A joke."""

    setup: str
    rating: int


def test_an_object_of_a_failed_attempt_is_taken_back(serving: Serving) -> None:
    model = chat_model(delay=0).with_structured_output(Joke, method="function_calling")
    tried: List[int] = []

    async def write(state: Any) -> Any:
        found: Any = await model.ainvoke("A joke about ice")
        tried.append(1)
        if len(tried) % 2:
            raise ConnectionError("gone")
        return {"messages": [("ai", found.setup)]}

    policy = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    builder = StateGraph(MessagesState).add_node("write", write, retry_policy=policy).add_edge(START, "write")
    server = serving({"agent": builder.compile()})
    found = chunks(server.post("/chat/agent", {"id": "c", "messages": [user()]}))
    objects = {chunk["id"]: chunk["data"] for chunk in found if chunk["type"] == "data-object"}
    assert list(objects.values()) == [None, {"setup": "Setup about ice", "rating": 3}]
    assert text_of(found) == "Setup about ice" and found[-1]["messageMetadata"]["usage"]["output_tokens"] > 0
    events = [
        event["value"] for event in chunks(server.post("/agui/agent", ag_ui("t"))) if event.get("name") == "object"
    ]
    last = {value["runId"]: value["data"] for value in events}
    assert list(last.values()) == [None, {"setup": "Setup about ice", "rating": 3}]


def test_a_run_that_another_protocol_has_begun_can_be_read(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    begun = {
        "assistant_id": "agent",
        "input": {"messages": [{"role": "user", "content": "hi"}]},
        "if_not_exists": "create",
    }
    assert server.post("/threads/c/runs", begun).status_code == 200
    eventually(lambda: gate.waiting)
    reader = Reader(server, "/chat/agent/c/stream")
    eventually(lambda: "start" in reader.body)
    gate.open_all()
    assert text_of(reader.chunks()) == TEXT
