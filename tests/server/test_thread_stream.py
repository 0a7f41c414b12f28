"""The thread stream on the wire: numbers, order, resuming, filters, questions, errors."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from server.graphs import HI, TEXT, agent, asking, failing, full_of_events, one_node, speaking
from server.loopback import Loopback
from server.retracting import retrying, thinking
from server.thread_events import ALL, command, data_of, ending, events, lines, start, texts
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Gate, ScriptedModel
from streamgraph.types import RetryPolicy, interrupt
from support.waiting import eventually

Serving = Callable[..., Loopback]


def test_numbers_order_and_ids(serving: Serving) -> None:
    server = serving({"agent": full_of_events()})
    run = start(server)
    found = events(server)
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert len({event["event_id"] for event in found}) == len(found)
    assert all(run in event["event_id"] for event in found)
    assert ending(found[-1]) == "completed" and [ending(event) for event in found[:-1]] == [None] * (len(found) - 1)
    assert found[0]["params"]["data"] == {"event": "running", "graph_name": "agent"}
    assert sorted(texts(found).values()) == [TEXT, "the end"]
    inner = [event for event in found if event["params"]["namespace"]]
    assert {event["params"]["namespace"][0].partition(":")[0] for event in inner} == {"inner"}
    assert [event["params"]["data"]["event"] for event in inner if event["method"] == "lifecycle"] == [
        "started",
        "completed",
    ]
    assert inner[0]["method"] == inner[-1]["method"] == "lifecycle"
    assert data_of(found, "custom") == [{"payload": {"at": 1}}]
    nodes = [said["node"] for said in data_of(found, "updates")]
    assert nodes == ["write", "shout", "inner", "end"]


def test_a_state_follows_its_checkpoint(serving: Serving) -> None:
    server = serving({"agent": full_of_events()})
    start(server)
    found = [event for event in events(server, ["values", "checkpoints"]) if not event["params"]["namespace"]]
    paired = [
        (before["params"]["data"]["step"], len(event["params"]["data"]["messages"]))
        for before, event in zip(found, found[1:])
        if event["method"] == "values" and before["method"] == "checkpoints"
    ]
    assert paired == [(-1, 1), (2, 2), (3, 3)]
    ids = [said["id"] for said in data_of(found, "checkpoints")]
    assert [said.get("parent_id") for said in data_of(found, "checkpoints")] == [None, *ids[:-1]]


def test_resuming_after_every_event(serving: Serving) -> None:
    server = serving({"agent": full_of_events()})
    start(server)
    found = events(server)
    for place, event in enumerate(found[:-1]):
        assert events(server, since=event["seq"]) == found[place + 1 :]
    assert events(server, since=0) == found
    values = [event for event in found if event["method"] == "values"]
    assert events(server, ["values"], since=values[0]["seq"]) == values[1:]


def test_a_connection_that_is_cut_after_every_event_of_a_run_that_goes_on(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    start(server)
    found: List[Dict[str, Any]] = []
    while not found or ending(found[-1]) is None:
        body = {"channels": ALL, "since": len(found)}
        found.append(next(json.loads(line[6:]) for line in lines(server, "t", "", body) if line[:6] == "data: "))
        if found[-1]["method"] in ("tasks", "messages"):
            gate.open(1)
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert list(texts(found).values()) == [TEXT]
    assert found == events(server)


def test_last_event_id_is_a_number_as_well(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    start(server)
    found = events(server)
    assert events(server, query="?last_event_id=4") == found[4:]


def test_clients_that_come_before_during_and_after_a_run(serving: Serving) -> None:
    import threading

    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    seen: Dict[str, List[Dict[str, Any]]] = {}

    def read(name: str, channels: List[str]) -> threading.Thread:
        thread = threading.Thread(target=lambda: seen.update({name: events(server, channels)}))
        thread.start()
        return thread

    early = read("early", ALL)
    eventually(lambda: server.app.state.service.threads.get("t") is not None)
    start(server)
    gate.open(2)
    eventually(lambda: gate.passed == 2)
    late = read("late", ["messages"])
    gate.open_all()
    early.join()
    late.join()
    assert seen["early"] == events(server)
    assert seen["late"] == [event for event in seen["early"] if event["method"] == "messages"]
    assert list(texts(seen["late"]).values()) == [TEXT]


def test_the_stream_goes_on_from_run_to_run(serving: Serving) -> None:
    server = serving({"agent": speaking(), "full": full_of_events()})
    runs = [start(server), start(server, graph="full")]
    found = events(server, runs=2)
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert [event["event_id"].split(":")[1] for event in found if ending(event)] == runs
    first = next(place for place, event in enumerate(found) if ending(event)) + 1
    start(server)  # the run before it is kept, and the one before that is not
    eventually(lambda: server.runs.going_on() == [])
    again = events(server, runs=2)
    assert again[: len(found) - first] == found[first:]
    refused = server.post("/threads/t/stream/events", {"channels": ALL, "since": 2})
    assert refused.status_code == 409 and "from 3 to" in refused.json()["detail"]
    ahead = server.post("/threads/t/stream/events", {"channels": ALL, "since": 10_000})
    assert ahead.status_code == 409 and "started again" in ahead.json()["detail"]


def test_a_run_of_the_classic_protocol_is_in_the_stream(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    body = {"assistant_id": "agent", "input": HI, "if_not_exists": "create"}
    for _ in range(2):
        server.post("/threads/t/runs/wait", body)
        found = events(server)  # the first one began before anybody read the thread in this way
        assert list(texts(found).values())[0] == TEXT
    assert [len(said["messages"]) for said in data_of(events(server, runs=2), "values")][-1] == 4


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"namespaces": [[]]}, {"", "inner"}),
        ({"namespaces": [[]], "depth": 0}, {""}),
        ({"depth": 0}, {"", "inner"}),
        ({"namespaces": [["inner"]]}, {"inner"}),
        ({"namespaces": [["inner:other"]]}, set()),
        ({"namespaces": [["other"], []], "depth": 1}, {"", "inner"}),
    ],
)
def test_namespaces(serving: Serving, body: Dict[str, Any], expected: Any) -> None:
    server = serving({"agent": full_of_events()}, heartbeat=0.05)
    start(server)
    eventually(lambda: server.runs.going_on() == [])
    seen = set()
    for line in lines(server, "t", "", {"channels": ["values", "messages", "lifecycle"], **body}):
        if line == ": heartbeat":
            break
        if line[:6] == "data: ":
            seen.add("".join(json.loads(line[6:])["params"]["namespace"]).partition(":")[0])
    assert seen == expected


def test_nodes_and_tags(serving: Serving) -> None:
    loud = ScriptedModel([["LOUD"]], cycle=True).with_config(tags=["loud"])
    soft = ScriptedModel([["soft"]], cycle=True)

    async def say(state: Any) -> Any:
        get_stream_writer()("said")
        return {"messages": [await loud.ainvoke("?"), await soft.ainvoke("?")]}

    async def more(state: Any) -> Any:
        get_stream_writer()("more")
        return {"messages": [await soft.ainvoke("?")]}

    builder = StateGraph(MessagesState).add_sequence([("say", say), ("more", more)]).add_edge(START, "say")
    server = serving({"agent": builder.compile()})
    start(server)
    everything = events(server)
    said = events(server, query="?include_nodes=say")
    assert sorted(texts(said).values()) == ["LOUD", "soft"] and data_of(said, "custom") == [{"payload": "said"}]
    assert data_of(said, "values") == data_of(everything, "values") and said[-1] == everything[-1]
    assert sorted(texts(events(server, query="?include_tags=loud")).values()) == ["LOUD"]
    assert sorted(texts(events(server, query="?exclude_tags=lo*")).values()) == ["soft", "soft"]
    without = events(server, query="?exclude_nodes=sa*")
    assert data_of(without, "custom") == [{"payload": "more"}]
    wrong = server.post("/threads/t/stream/events?include_nodes=sya", {"channels": ALL})
    assert wrong.status_code == 422 and "say" in wrong.json()["detail"]


def test_custom_data_with_a_name_has_a_channel_of_its_own(serving: Serving) -> None:
    def write(state: Any) -> None:
        writer = get_stream_writer()
        writer({"name": "progress", "payload": 0.5})
        writer({"name": "progress"})

    server = serving({"agent": one_node(write)})
    start(server)
    named, plain = {"name": "progress", "payload": 0.5}, {"payload": {"name": "progress"}}
    assert data_of(events(server, ["custom"]), "custom") == [named, plain]
    assert data_of(events(server, ["custom:progress"]), "custom") == [named]


class Joke(BaseModel):
    """A joke."""

    setup: str


def test_structured_output_is_custom_data_with_a_name(serving: Serving) -> None:
    call = AIMessage("", tool_calls=[{"name": "Joke", "args": {"setup": "Why?"}, "id": "j1"}])
    model = ScriptedModel([call, call]).with_structured_output(Joke)
    tried: List[int] = []

    async def say(state: Any) -> None:
        await model.ainvoke("?")
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionError("gone")

    policy = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    builder = StateGraph(MessagesState).add_node("say", say, retry_policy=policy).add_edge(START, "say")
    server = serving({"agent": builder.compile()})
    start(server)
    found = [said["payload"] for said in data_of(events(server, ["custom:object"]), "custom")]
    made = [(item["complete"], item["data"]) for item in found if item["complete"] or item["data"] is None]
    assert made == [(True, {"setup": "Why?"}), (False, None), (True, {"setup": "Why?"})]
    assert found[0]["run_id"] != found[-1]["run_id"]


def test_reasoning_and_tool_calls(serving: Serving) -> None:
    server = serving({"thinking": thinking(), "agent": agent()})
    start(server, graph="thinking")
    finished = [
        said["content"] for said in data_of(events(server), "messages") if said["event"] == "content-block-finish"
    ]
    assert finished == [{"type": "reasoning", "reasoning": "hm so"}, {"type": "text", "text": "it is"}]
    start(server, thread="u")
    found = events(server, thread="u")
    blocks = [said["content"] for said in data_of(found, "messages") if said["event"] == "content-block-finish"]
    call = {"type": "tool_call", "id": "call-1", "name": "look_up", "args": {"word": "ice"}}
    assert blocks == [call, {"type": "text", "text": "It is."}]
    deltas = [said["delta"] for said in data_of(found, "messages") if said["event"] == "content-block-delta"]
    assert json.loads("".join(delta.get("args", "") for delta in deltas)) == {"word": "ice"}
    assert [said["event"] for said in data_of(found, "tools")] == ["tool-started", "tool-finished"]


def test_messages_that_grow_side_by_side(serving: Serving) -> None:
    models = [ScriptedModel([[f"{name}{count} " for count in range(3)]], cycle=True) for name in "abc"]
    builder: Any = StateGraph(MessagesState)
    for name, model in zip("abc", models):

        async def say(state: Any, model: Any = model) -> Any:
            return {"messages": [await model.ainvoke("?"), await model.ainvoke("!")]}

        builder.add_node(name, say).add_edge(START, name)
    server = serving({"agent": builder.compile()})
    start(server)
    assert sorted(texts(events(server)).values()) == sorted(f"{name}0 {name}1 {name}2 " for name in "abcabc")


def test_what_a_failed_attempt_has_shown_is_taken_back(serving: Serving) -> None:
    server = serving({"agent": retrying()})
    start(server)
    found = events(server)
    assert list(texts(found).items())[0][1] == "wrong words"
    assert sorted((kind, text) for (_, kind), text in texts(found).items()) == [
        ("message-finish", "right words"),
        ("message-finish", "wrong words"),
        ("retracted", ""),
    ]


def test_a_run_that_fails(serving: Serving) -> None:
    server = serving({"agent": failing(ValueError("no, see /home/me/secrets.txt"))})
    start(server)
    found = events(server)
    assert found[-1]["params"]["data"] == {"event": "failed", "graph_name": "agent", "error": "no, see <path>"}
    assert [said["error"] for said in data_of(found, "tasks") if "result" in said] == ["no, see <path>"]
    quiet = serving({"agent": failing(ValueError("no"))}, errors="type")
    start(quiet)
    assert '"no"' not in json.dumps(events(quiet))


def test_a_run_that_is_cancelled(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    run = start(server)
    gate.open(2)
    eventually(lambda: gate.passed == 2)
    eventually(lambda: "two" in str(server.runs.find(run, None).handle.partial.messages))
    assert server.post(f"/threads/t/runs/{run}/cancel?wait=1").status_code == 204
    found = events(server)
    assert ending(found[-1]) == "interrupted" and data_of(found, "input.requested") == []
    assert "".join(texts(found).values()).startswith("one two")
    gate.open_all()
    start(server)
    later = events(server, since=found[-1]["seq"])
    assert later[0]["seq"] == found[-1]["seq"] + 1 and list(texts(later).values()) == [TEXT]


def test_a_question_and_its_answer(serving: Serving) -> None:
    inner = asking()
    outer = StateGraph(MessagesState).add_node("sub", inner).add_edge(START, "sub").compile()
    server = serving({"agent": outer})
    start(server)
    found = events(server)
    [asked] = [event for event in found if event["method"] == "input.requested"]
    assert asked["params"]["data"]["payload"] == asked["params"]["data"]["value"] == "may I?"
    ns, question = asked["params"]["namespace"], asked["params"]["data"]["interrupt_id"]
    assert ns[0].startswith("sub:") and ending(found[-1]) == "interrupted"
    assert [said["event"] for said in data_of(found, "lifecycle")] == [
        "running",
        "started",
        "interrupted",
        "interrupted",
    ]
    wrong = command(server, "input.respond", namespace=ns, interrupt_id=question[:-1] + "x", response="yes")
    assert wrong["error"] == "no_such_interrupt" and question in wrong["message"]
    answer = command(server, "input.respond", namespace=ns, interrupt_id=question, response="yes")
    assert answer["meta"]["applied_through_seq"] == found[-1]["seq"]
    later = events(server, since=found[-1]["seq"])
    assert data_of(later, "input.answered") == [{"interrupt_ids": [question]}]
    assert list(texts(later).values()) == ["you said yes"] and ending(later[-1]) == "completed"
    again = command(server, "input.respond", namespace=ns, interrupt_id=question, response="yes")
    assert again["error"] == "no_such_interrupt"


def test_several_questions_are_answered_one_by_one_or_at_once(serving: Serving) -> None:
    builder: Any = StateGraph(MessagesState)
    for name in "ab":

        def ask(state: Any, name: str = name) -> Any:
            return {"messages": [("ai", f"{name}: {interrupt(name)}")]}

        builder.add_node(name, ask).add_edge(START, name)
    server = serving({"agent": builder.compile()})
    for thread in "tu":
        start(server, thread=thread)
        found = events(server, thread=thread)
        asked = {said["value"]: said["interrupt_id"] for said in data_of(found, "input.requested")}
        assert set(asked) == {"a", "b"}
        answers = [{"namespace": [], "interrupt_id": asked[name], "response": f"{name}!"} for name in asked]
        if thread == "t":
            for params in answers:
                assert command(server, "input.respond", **params)["type"] == "success"
            later = events(server, since=found[-1]["seq"], runs=2)
            assert [said["value"] for said in data_of(later, "input.requested")] == ["b"]
        else:
            assert command(server, "input.respond", "u", responses=answers)["type"] == "success"
            later = events(server, thread=thread, since=found[-1]["seq"])
        assert sorted(texts(later).values()) == ["a: a!", "b: b!"]


def test_an_input_is_an_answer_if_a_question_is_open_and_it_is_no_input_of_the_graph(serving: Serving) -> None:
    server = serving({"agent": asking()})
    start(server)
    events(server)
    start(server, input="certainly")
    assert "you said certainly" in texts(events(server, runs=2)).values()
    start(server)
    start(server, multitask_strategy="enqueue")
    eventually(lambda: server.runs.going_on() == [])
    state = server.get("/threads/t/state").json()
    assert [message["content"] for message in state["values"]["messages"]].count("hi") == 3
    assert state["next"] == ["ask"]


def test_answers_with_an_update(serving: Serving) -> None:
    server = serving({"agent": asking()})
    start(server)
    [asked] = data_of(events(server), "input.requested")
    update = {"messages": [{"type": "human", "content": "one more"}]}
    command(server, "input.respond", namespace=[], interrupt_id=asked["interrupt_id"], response="yes", update=update)
    eventually(lambda: server.runs.going_on() == [])
    values = command(server, "state.get", namespace=[])["result"]["values"]
    assert {message["content"] for message in values["messages"]} == {"hi", "one more", "you said yes"}


def test_states_checkpoints_and_forks(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    start(server)
    events(server)
    got = command(server, "state.get", namespace=[], keys=["messages"])["result"]
    assert [message["content"] for message in got["values"]["messages"]] == ["hi", TEXT]
    listed = command(server, "state.listCheckpoints", limit=2)["result"]["checkpoints"]
    assert [(item["step"], item["id"] == got["checkpoint"]["id"]) for item in listed] == [(1, True), (0, False)]
    before = command(server, "state.listCheckpoints", before=listed[0]["id"])["result"]["checkpoints"]
    assert before[0]["id"] == listed[1]["id"]
    forked = command(server, "state.fork", checkpoint_id=listed[1]["id"])["result"]
    assert forked["thread_id"] == "t"
    assert list(texts(events(server, runs=2)[-20:]).values())[-1] == TEXT
    assert command(server, "state.fork", checkpoint_id="x")["error"] == "no_such_checkpoint"


def test_commands_that_are_refused(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate), "asking": asking()})

    def refused(method: str, thread: str = "t", **params: Any) -> Any:
        answer = command(server, method, thread, **params)
        assert (answer["type"], answer["id"]) == ("error", 7)
        return answer["error"], answer["message"]

    assert refused("run.strat") == ("unknown_command", "There is no command 'run.strat'. Did you mean 'run.start'?")
    assert refused("subscription.subscribe")[0] == refused("input.inject")[0] == "not_supported"
    assert refused("input.respond", interrupt_id="x", response=1)[0] == "no_such_run"
    assert refused("run.start", assistant_id="agnet") == (
        "invalid_argument",
        "There is no graph 'agnet'. Did you mean 'agent'?",
    )
    assert refused("run.start", assistant_id="agent", multitask_strategy="x")[0] == "invalid_argument"
    assert refused("run.start", assistant_id="agent", input="hi")[0] == "invalid_argument"
    assert refused("run.start", assistant_id="agent", config={"configurable": {"model": 1}})[0] == "invalid_argument"
    start(server)
    assert refused("run.start", assistant_id="agent", input=HI, multitaskStrategy="reject")[0] == "invalid_argument"
    second = start(server, multitask_strategy="interrupt")
    gate.open_all()
    found = events(server, runs=2)
    assert [ending(event) for event in found if ending(event)] == ["interrupted", "completed"]
    assert second in found[-1]["event_id"]
    assert server.post("/threads/t/commands", {"method": "run.start"}).json() == {
        "type": "error",
        "id": None,
        "error": "invalid_argument",
        "message": "A command has a number as its id.",
    }
    for channels in ([], ["values", "massages"], ["custom:"], "x", {}):
        assert server.post("/threads/t/stream/events", {"channels": channels}).status_code == 422
    for wrong in ({"namespaces": [1]}, {"namespaces": [[1]]}, {"depth": -1}, {"since": "x"}, {"since": -1}):
        assert server.post("/threads/t/stream/events", {"channels": ALL, **wrong}).status_code == 422


def test_a_thread_belongs_to_who_made_it(serving: Serving) -> None:
    async def login(request: Any) -> Any:
        return request.headers.get("x-user")

    server = serving({"agent": asking()}, auth=login)
    body = {"id": 1, "method": "run.start", "params": {"assistant_id": "agent", "input": HI}}
    anna, bert = {"x-user": "anna"}, {"x-user": "bert"}
    assert server.post("/threads/t/commands", body, headers=anna).json()["type"] == "success"
    assert server.post("/threads/t/commands", body, headers=bert).json()["error"] == "invalid_argument"
    assert server.post("/threads/t/stream/events", {"channels": ALL}, headers=bert).status_code == 409
    look = {"id": 1, "method": "state.get", "params": {}}
    assert server.post("/threads/t/commands", look, headers=bert).json()["error"] == "no_such_run"
    assert server.post("/threads/t/commands", body).status_code == 401


def test_streams_end_when_the_server_does(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    start(server)
    stream = lines(server, "t", "", {"channels": ["lifecycle"]})
    assert next(stream) == ": connected"
    server.stop()
    assert [line[7:] for line in stream if line[:6] == "event:"] == ["lifecycle", "lifecycle"]


def test_events_that_are_gone(serving: Serving) -> None:
    server = serving({"agent": speaking(script=[["word "] * 60])}, max_events=20)
    start(server)
    eventually(lambda: server.runs.going_on() == [])
    found = events(server)  # who does not say where to begin gets what there is
    assert found[0]["seq"] > 1 and ending(found[-1]) == "completed" and len(found) <= 25
    refused = server.post("/threads/t/stream/events", {"channels": ALL, "since": 1})
    assert refused.status_code == 409


def test_content_that_is_neither_text_nor_a_call(serving: Serving) -> None:
    quoted = {
        "type": "text",
        "text": "see",
        "annotations": [{"type": "citation", "url": "https://x.example", "title": "X"}],
    }
    picture = {"type": "image", "url": "https://example.com/x.png"}
    held = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    search = {"type": "server_tool_call", "id": "s1", "name": "search", "args": {"query": "ice"}}
    answer = {"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": "found"}

    def show(state: Any) -> Any:
        return {"messages": [AIMessage([quoted, picture, held, search, answer])]}

    server = serving({"agent": one_node(show)})
    start(server)
    blocks = [item for item in data_of(events(server), "messages") if item["event"] == "content-block-finish"]
    assert [item["index"] for item in blocks] == [0, 1, 2, 3, 4]
    shown = [item["content"] for item in blocks]
    assert shown == [quoted, {**picture, "mime_type": "image/png"}, held, search, answer]
