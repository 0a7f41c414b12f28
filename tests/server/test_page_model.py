"""What the page makes of the events of a run, without a browser: its modules without a DOM run under Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from server.graphs import TEXT, agent, asking, failing, full_of_events, speaking
from server.loopback import Loopback, events_in
from server.page_graphs import PLAN, SIGHTS, WRONG, journey
from server.retracting import retrying
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.types import RetryPolicy
from streamgraph_server.page.files import FOLDER

SCRIPT = Path(__file__).parent / "folding.mjs"
MODES = ["tasks", "values", "messages-tuple", "custom", "tools", "retries"]
HI: Dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}

Fold = Callable[..., Any]


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """Run the modules of the page."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI"):
            raise AssertionError("Node is not here")
        pytest.skip("Node is not here")
    folder = tmp_path_factory.mktemp("page")
    for file in FOLDER.glob("*.js"):
        shutil.copy(file, folder)
    (folder / "package.json").write_text('{"type": "module"}')

    def fold(**given: Any) -> Any:
        script = [str(node), str(SCRIPT), str(folder)]
        done = subprocess.run(script, input=json.dumps(given), capture_output=True, encoding="utf-8", timeout=150)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return fold


def recorded(server: Loopback, name: str, **body: Any) -> List[Dict[str, Any]]:
    """The records of a run, as the page reads them."""
    given = {"assistant_id": name, "stream_mode": MODES, "stream_subgraphs": True, "if_not_exists": "create", **body}
    answer = server.post("/threads/t/runs/stream?times=true", given)
    times = [float(line[4:]) * 1000 for line in answer.text.split("\n") if line.startswith("at: ")]
    events = events_in(answer.text)
    assert len(times) == len(events) and times == sorted(times)
    return [{"event": event.event, "data": event.data, "at": at} for event, at in zip(events, times)]


def drawn(server: Loopback, name: str) -> Any:
    return server.get(f"/assistants/{name}/graph?xray=true").json()


def test_a_journey_to_its_question_and_on(serving: Callable[..., Loopback], fold: Fold) -> None:
    server = serving({"trip": journey()})
    records = recorded(server, "trip", input={"place": "Bergen"})
    graph = drawn(server, "trip")
    found = fold(records=records, graph=graph)
    assert found["run"]["status"] == "asking"
    assert found["questions"] == [{"value": "Shall I book the boat for this day?", "open": True, "path": "approve"}]
    assert [(task["path"], task["step"], task["status"]) for task in found["tasks"] if ":" not in task["path"]] == [
        ("plan", 1, "done"),
        ("sights", 2, "done"),
        ("weather", 2, "done"),
        ("draft", 3, "done"),
        ("edit", 4, "done"),
        ("approve", 5, "asking"),
    ]
    texts = {(message["path"], message["text"].strip()): message["retracted"] for message in found["messages"]}
    assert texts["plan", PLAN] is False and texts["sights", WRONG] is True and texts["sights", SIGHTS] is False
    assert found["nodes"]["sights"] == ["done", 1, 1] and found["nodes"]["weather:agent"] == ["done", 2, 0]
    assert found["tools"] == [{"name": "forecast", "status": "done"}]
    edges = {f"{edge['source']}>{edge['target']}" for edge in graph["edges"]}
    assert edges - set(found["taken"]) == {"approve>book", "approve>__end__", "book>__end__"}
    assert [state["step"] for state in found["states"]] == [0, 1, 2, 3, 4]

    (question,) = server.get("/threads/t/state").json()["interrupts"]
    answer = {"event": "answer", "data": {"id": question["id"], "value": "yes"}, "at": records[-1]["at"]}
    more = [answer, *recorded(server, "trip", command={"resume": {question["id"]: "yes"}})]
    found = fold(records=[*records, *more], graph=graph)
    assert found["run"]["status"] == "done" and found["questions"][0]["open"] is False
    assert [(task["path"], task["step"], task["status"]) for task in found["tasks"]][-2:] == [
        ("approve", 5, "done"),
        ("book", 6, "done"),
    ]
    assert edges - set(found["taken"]) == {"approve>__end__"}
    assert [state["step"] for state in found["states"]] == [0, 1, 2, 3, 4, 5, 6]


def test_a_thread_whose_runs_are_forgotten_is_told_by_what_is_saved(
    serving: Callable[..., Loopback], fold: Fold
) -> None:
    server = serving({"trip": journey(), "failing": failing(ValueError("no"))})
    recorded(server, "trip", input={"place": "Bergen"})
    graph = drawn(server, "trip")

    def told() -> Any:
        return fold(history=server.post("/threads/t/history", {"limit": 100}).json(), graph=graph)

    found = told()
    assert found["run"]["status"] == "asking" and found["questions"][0]["open"] is True
    steps = [(task["path"], task["step"], task["status"]) for task in found["tasks"]]
    assert sorted(steps, key=lambda task: task[1:2] + task[:1]) == [
        ("plan", 1, "done"),
        ("sights", 2, "done"),
        ("weather", 2, "done"),
        ("draft", 3, "done"),
        ("edit", 4, "done"),
        ("approve", 5, "asking"),
    ]
    assert (found["messages"][0]["path"], found["messages"][0]["text"].strip()) == ("plan", PLAN)
    (question,) = server.get("/threads/t/state").json()["interrupts"]
    recorded(server, "trip", command={"resume": {question["id"]: "yes"}})
    found = told()
    assert found["run"]["status"] == "done" and found["states"][-1]["values"]["approved"] is True
    assert "approve>book" in found["taken"] and "book>__end__" in found["taken"]
    # Another input begins another run of the thread.
    recorded(server, "trip", input={"place": "Oslo"})
    found = told()
    assert found["run"]["status"] == "asking" and found["states"][-1]["values"]["place"] == "Oslo"


def test_a_failure_ends_every_timer(serving: Callable[..., Loopback], fold: Fold) -> None:
    found = fold(records=recorded(serving({"failing": failing(ValueError("no"))}), "failing", input=HI))
    assert found["run"]["status"] == "failed" and found["run"]["error"] == {"error": "ValueError", "message": "no"}
    assert [(task["path"], task["status"]) for task in found["tasks"]] == [("fail", "failed")]
    assert all(span["end"] is not None for task in found["tasks"] for span in task["spans"])
    assert [message["open"] for message in found["messages"]] == [False]


def test_a_cut_stream_leaves_what_runs_running_until_it_is_cancelled(
    serving: Callable[..., Loopback], fold: Fold
) -> None:
    records = recorded(serving({"agent": full_of_events()}), "agent", input=HI)
    place = next(at for at, record in enumerate(records) if record["event"].startswith("messages|"))
    cut = records[: place + 1]
    assert [task["status"] for task in fold(records=cut)["tasks"]] == ["done", "running", "running"]
    ended = [*cut, {"event": "error", "data": {"error": "UserInterrupt", "message": "stop"}, "at": cut[-1]["at"] + 5}]
    found = fold(records=ended)
    assert found["run"]["status"] == "cancelled"
    assert [task["status"] for task in found["tasks"]] == ["done", "cancelled", "cancelled"]
    gone = {"event": "error", "data": {"error": "ResumeGap", "message": "7 events before this one are not kept."}}
    assert fold(records=[records[0], gone, *records[5:]])["run"]["missing"] == 7


def test_attempts_tools_and_nested_graphs(serving: Callable[..., Loopback], fold: Fold) -> None:
    server = serving({"retrying": retrying(), "agent": agent(), "nested": full_of_events()})
    records = recorded(server, "retrying", input=HI)
    found = fold(records=records)
    assert [(task["attempts"], task["status"]) for task in found["tasks"]] == [(2, "done")]
    assert [(said["text"], said["retracted"]) for said in found["messages"]] == [
        ("wrong words", True),
        ("right words", False),
    ]
    # What an older server has not told is known from what was taken back.
    without = [record for record in records if record["event"] != "retries"]
    assert len(without) == len(records) - 1
    assert [task["attempts"] for task in fold(records=without)["tasks"]] == [2]
    found = fold(records=recorded(server, "agent", input=HI), graph=drawn(server, "agent"))
    assert sorted(found["taken"]) == ["__start__>agent", "agent>__end__", "agent>tools", "tools>agent"]
    found = fold(records=recorded(server, "nested", input=HI), graph=drawn(server, "nested"))
    assert sorted(found["taken"]) == ["__start__>write", "end>__end__", "inner:shout>end", "write>inner:shout"]
    assert [said["text"] for said in found["messages"] if said["path"] == "inner:shout"] == [TEXT]


@pytest.mark.parametrize("errors", ["message", "type"])
def test_an_attempt_that_has_shown_nothing(serving: Callable[..., Loopback], fold: Fold, errors: str) -> None:
    tries: List[int] = []

    def fetch(state: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("no way to db.example")
        return {}

    policy = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    graph = StateGraph(MessagesState).add_node("fetch", fetch, retry_policy=policy).add_edge(START, "fetch").compile()
    found = fold(records=recorded(serving({"agent": graph}, errors=errors), "agent", input=HI))
    (task,) = found["tasks"]
    assert (task["attempts"], task["status"], found["nodes"]["fetch"]) == (3, "done", ["done", 1, 2])
    assert [(failure["attempt"], failure["error"]["error"]) for failure in task["failures"]] == [
        (1, "ConnectionError"), (2, "ConnectionError"),
    ]  # fmt: skip
    assert ("db.example" in repr(task["failures"])) == (errors == "message")


def test_a_run_that_waits_is_answered_where_it_stands(serving: Callable[..., Loopback], fold: Fold) -> None:
    server = serving({"asking": asking()})
    body = {"assistant_id": "asking", "input": HI, "interrupts": "live", "if_not_exists": "create"}
    run = server.post("/threads/t/runs", {**body, "stream_mode": MODES}).json()["run_id"]
    found = server.runs.find(run, None)
    from support.waiting import eventually

    eventually(lambda: found.handle.questions)
    (question,) = found.handle.questions
    where = f"/threads/t/runs/{run}/answers"
    assert server.post(where, {"id": "nothing", "value": 1}).status_code == 422
    assert server.post(where, {"id": question.id, "value": "yes"}).status_code == 204
    assert server.get(f"/threads/t/runs/{run}/join").json()["messages"][-1]["content"] == "you said yes"
    assert server.post(where, {"id": question.id, "value": "yes"}).status_code == 409
    modes = "&".join(f"stream_mode={mode}" for mode in MODES)
    stream = server.get(f"/threads/t/runs/{run}/stream?{modes}", headers={"last-event-id": "-1"}).text
    records = [{"event": event.event, "data": event.data, "at": place} for place, event in enumerate(events_in(stream))]
    folded = fold(records=records)
    assert folded["run"]["status"] == "done" and folded["questions"][0]["open"] is False
    assert [(task["status"], len(task["spans"])) for task in folded["tasks"]] == [("done", 2)]


def test_prompts_are_kept_for_who_asks(serving: Callable[..., Loopback]) -> None:
    def call_of(server: Loopback, query: str) -> Any:
        body = {"assistant_id": "agent", "input": HI, "if_not_exists": "create", "stream_mode": "messages-tuple"}
        answer = server.post(f"/threads/t/runs/stream{query}", body)
        calls = [event.data[1]["run_id"] for event in events_in(answer.text) if event.event == "messages"]
        return server.get(f"{answer.headers['content-location']}/prompts/{calls[0]}"), answer.headers[
            "content-location"
        ]

    server = serving({"agent": speaking()})
    found, where = call_of(server, "?prompts=true")
    assert found.json()["model"] == "ScriptedModel" and found.json()["options"] == {}
    assert [message["content"] for message in found.json()["messages"]] == ["hi"]
    assert server.get(f"{where}/prompts/nothing").status_code == 404
    refused, _ = call_of(server, "")
    assert refused.status_code == 404 and "?prompts=true" in refused.json()["detail"]
    server = serving({"agent": speaking()}, live=True)
    kept, _ = call_of(server, "")
    assert kept.status_code == 200
    server.post("/agui/agent", {
        "threadId": "of-ag-ui", "runId": "r", "state": {}, "messages": [{"id": "m", "role": "user", "content": "hi"}],
        "tools": [], "context": [], "forwardedProps": {},
    })  # fmt: skip
    kept_of = [run.prompts._kept for run in server.runs._runs.values()]
    assert len(kept_of) == 2 and all(kept_of)  # whichever protocol has begun it


def test_keys_in_the_options_of_a_call_are_not_shown() -> None:
    from uuid import uuid4

    from streamgraph_server._prompts import MOST, Prompts

    prompts, ids = Prompts(), [uuid4() for _ in range(MOST + 1)]
    given = {"model": "m", "api_key": "secret", "tools": [{"name": "t"}], "temperature": None}
    for call in ids:
        prompts.on_chat_model_start(None, [[]], run_id=call, invocation_params=given)
    found = prompts.get(str(ids[-1]))
    assert found is not None and found.model == "m" and found.options == {"tools": [{"name": "t"}]}
    assert prompts.get(str(ids[0])) is None and prompts.get(str(ids[1])) is not None
    prompts.on_llm_start({"id": ["x", "Llm"]}, ["say"], run_id=ids[0])
    found = prompts.get(str(ids[0]))
    assert found is not None and (found.model, found.messages) == ("Llm", ("say",))


CIRCLES = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c"), ("c", "c")]


@pytest.mark.parametrize(
    "edges",
    [
        [],
        [("a", "b"), ("b", "c")],
        CIRCLES,
        [("a", "f:x"), ("f:x", "f:y"), ("f:y", "b"), ("f:y", "a"), ("b", "a")],
        [("a", "f:g:x"), ("f:g:x", "f:y"), ("f:y", "f:g:x"), ("f:y", "b"), ("f:y", "h:z"), ("h:z", "b")],
    ],
)
def test_nothing_is_drawn_over_something_else(fold: Fold, edges: Any) -> None:
    ids = dict.fromkeys(["a", "b", *(end for edge in edges for end in edge)])
    graph = {"nodes": [{"id": node} for node in ids], "edges": [{"source": a, "target": b} for a, b in edges]}
    drawing = fold(graph=graph)
    boxes = drawing["nodes"]
    for one in boxes:
        assert 0 <= one["x"] and one["x"] + one["width"] <= drawing["width"] + 1
        assert 0 <= one["y"] and one["y"] + one["height"] <= drawing["height"] + 1
        for other in boxes:
            assert one is other or not _overlap(one, other), (one, other)
    for frame in drawing["frames"]:
        for one in boxes:
            inside = one["id"].startswith(frame["id"] + ":")
            assert _within(one, frame) if inside else not _overlap(one, frame), (one, frame)
    assert len(drawing["edges"]) == len(edges)
    for edge in drawing["edges"]:
        assert len(edge["points"]) >= 2 and "NaN" not in edge["path"]
    folded = fold(graph=graph, closed=["f", "h"])
    assert all(":" not in one["id"] for one in folded["nodes"]) and folded["frames"] == []


def _overlap(a: Any, b: Any) -> bool:
    return bool(
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def _within(a: Any, b: Any) -> bool:
    return bool(
        a["x"] >= b["x"]
        and a["y"] >= b["y"]
        and a["x"] + a["width"] <= b["x"] + b["width"]
        and a["y"] + a["height"] <= b["y"] + b["height"]
    )


def _said(name: str, text: str) -> Dict[str, str]:
    return {"id": name, "type": "ai", "content": text}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({}, {"a": 1}, [("added", ["a"])]),
        ({"a": 1, "b": {"c": 1}}, {"b": {"c": 2}}, [("removed", ["a"]), ("changed", ["b", "c"])]),
        ({"l": [1]}, {"l": [1, 2, 3]}, [("added", ["l", 1]), ("added", ["l", 2])]),
        ({"l": [1, 2]}, {"l": [1, 3]}, [("changed", ["l", 1])]),
        (
            {"m": [_said("1", "a")]},
            {"m": [_said("2", "b"), _said("1", "c")]},
            [("added", ["m", 0]), ("changed", ["m", 1])],
        ),
        ({"m": [_said("1", "a"), _said("2", "b")]}, {"m": [_said("2", "b")]}, [("removed", ["m", "1"])]),
    ],
)
def test_what_a_step_has_changed(fold: Fold, before: Any, after: Any, found: Any) -> None:
    assert [(change["kind"], change["path"]) for change in fold(states=[before, after])] == found
