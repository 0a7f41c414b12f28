"""`streamgraph run --url`: a served run is watched, answered and cancelled as one in this process."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from uuid import UUID

import pytest

from server.graphs import HI, speaking
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.terminal._remote import RemoteRun
from streamgraph.terminal._wire import Server, ServerError
from streamgraph.testing import Gate, ScriptedModel
from streamgraph.types import RetryPolicy, interrupt
from streamgraph.watching import ViewFold, reader_of
from streamgraph_server import serve
from support.waiting import PATIENCE, eventually

MODES = ("tasks", "messages", "tools", "custom", "values")


def asking() -> Any:
    model = ScriptedModel(["Cats sleep."], cycle=True)

    def say(state: Any) -> Any:
        return {"messages": model.invoke(state["messages"])}

    def ask(state: Any) -> Any:
        return {"messages": [("ai", f"You said {interrupt('May I?')!r}.")]}

    inner = StateGraph(MessagesState).add_node("say", say).add_edge(START, "say").compile()
    builder = StateGraph(MessagesState).add_node("sub", inner).add_node("ask", ask)
    return builder.add_edge(START, "sub").add_edge("sub", "ask").compile()


class Watched:
    """A remote run, and the view of it."""

    def __init__(self, url: str, given: Any = HI, **options: Any) -> None:
        self.run = RemoteRun(Server(url), "agent", given, **{"thread": None, "modes": MODES, **options})
        self.fold = ViewFold()

    def read(self) -> Any:
        read = reader_of(())
        for chunk in self.run.chunks():
            self.fold.take(read(chunk), 0.0)
        return self.fold.view


def test_a_run_that_asks_and_goes_on(serving: Any) -> None:
    server = serving({"agent": asking()})
    watched = Watched(server.url)
    view = watched.read()
    assert watched.run.ending == "interrupted"
    assert [text.text for text in view.texts] == ["Cats sleep."]
    assert view.texts[0].path == ("sub", "say")
    assert [question.value for question in watched.run.open_questions()] == ["May I?"]
    assert watched.run.answer({watched.run.open_questions()[0].id: 5})
    view = watched.read()
    assert watched.run.ending == "done"
    assert view.state["messages"][-1]["content"] == "You said 5."
    assert {"/".join(path): node.status for path, node in view.nodes.items()} == {
        "sub": "done", "sub/say": "done", "ask": "done",
    }  # fmt: skip


def test_a_thread_that_waits_is_answered_later(serving: Any) -> None:
    server = serving({"agent": asking()})
    first = Watched(server.url, thread="t")
    first.read()
    assert "--thread t" in first.run.how_to_go_on()
    later = Watched(server.url, None, thread="t")
    assert [question.value for question in later.run.open_questions()] == ["May I?"]
    later.run.answer({later.run.open_questions()[0].id: "yes"})
    assert later.read().state["messages"][-1]["content"] == "You said 'yes'."


def test_attempts_of_a_served_run_are_seen(serving: Any) -> None:
    tries = []

    def fetch(state: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("no")
        return {}

    policy = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    graph = StateGraph(MessagesState).add_node("fetch", fetch, retry_policy=policy).add_edge(START, "fetch").compile()
    view = Watched(serving({"agent": graph}).url, modes=[*MODES, "retries"]).read()
    assert [(node.retries, node.status) for node in view.nodes.values()] == [(1, "done")]


def test_a_failed_run(serving: Any) -> None:
    def fail(state: Any) -> Any:
        raise ValueError("no")

    server = serving({"agent": StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail").compile()})
    watched = Watched(server.url)
    watched.read()
    assert watched.run.ending == "failed"
    assert "ValueError" in str(watched.run.error)


def test_cancelling_and_reading_another_run(serving: Any) -> None:
    """One client has started it, a second one reads it from its beginning, and cancels it."""
    with Gate() as gate:
        server = serving({"agent": speaking(asynchronous=False, gate=gate)})
        starter = Watched(server.url, thread="t")
        gate.wait_for_arrival()
        gate.open()
        run_id = server.get("/threads/t/runs").json()[0]["run_id"]
        reader = Watched(server.url, None, thread="t", run=run_id)
        done = threading.Thread(target=reader.read)
        done.start()
        eventually(lambda: reader.fold.view.texts)
        reader.run.cancel()
        eventually(lambda: server.runs.of(server.app.state.service.threads.get("t"))[0].handle.status != "running")
    done.join(PATIENCE)
    assert not done.is_alive()
    assert reader.run.ending == "cancelled"
    assert [text.text for text in reader.fold.view.texts] == ["one "]
    starter.read()
    assert starter.run.ending == "cancelled"


def test_a_lost_connection_is_taken_up_where_it_was(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer ends after three events; nothing is missing, and nothing comes twice."""
    from streamgraph.terminal import _remote, _wire

    whole = _wire.Answer.events

    def cut(self: Any) -> Any:
        for number, event in enumerate(whole(self)):
            if number == 3:
                return
            yield event

    monkeypatch.setattr(_wire.Answer, "events", cut)
    monkeypatch.setattr(_remote.time, "sleep", lambda seconds: None)
    server = serving({"agent": asking()})
    watched = Watched(server.url)
    assert [text.text for text in watched.read().texts] == ["Cats sleep."]
    assert watched.run.ending == "interrupted"


def test_a_server_says_what_is_wrong(serving: Any) -> None:
    server = serving({"agent": asking()})
    with pytest.raises(ServerError, match=r"\(404\)"):
        RemoteRun(Server(server.url), "agnet", HI, thread=None, modes=MODES)
    with pytest.raises(ServerError, match=r"\(422\): .*mode"):
        RemoteRun(Server(server.url), "agent", HI, thread=None, modes=["patches"])


def test_the_whole_command(serving: Any) -> None:
    from click.testing import CliRunner

    from streamgraph.terminal._cli import run_command

    server = serving({"agent": asking()})
    arguments = ["agent", "--url", server.url, "--input", "Tell me about cats", "--answer", "yes"]
    result = CliRunner().invoke(run_command, arguments)
    assert result.exit_code == 0, result.output
    assert "sub / say: Cats sleep." in result.output
    assert "    ai: You said 'yes'." in result.output


class LikeLangGraph:
    """An application as LangGraph's development server is: what it does not know it refuses, and some it does not say.

    It has no mode `tools`, knows assistants by their UUIDs only, says nothing at the end of a stream, and calls a run
    that has ended with a question a success.
    """

    def __init__(self, app: Any) -> None:
        self.app, self.state = app, app.state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        message = await receive()
        path = scope["path"].split("/")
        refused = "tools" in json.loads(message["body"] or b"{}").get("stream_mode", ())
        if path[1] == "assistants" and path[-1] == "schemas":
            try:
                UUID(path[2])
            except ValueError:
                refused = True
        if refused:
            await send({"type": "http.response.start", "status": 422, "headers": []})
            await send({"type": "http.response.body", "body": b'{"detail": "It is not valid."}'})
            return
        given = [message]

        async def body() -> Any:
            return given.pop() if given else await receive()

        async def changed(sent: Any) -> None:
            if "body" in sent:
                said = re.sub(rb"event: end\ndata: null\n(id: .*\n)?\n", b"", sent["body"])
                sent = {**sent, "body": said.replace(b'"status":"interrupted"', b'"status":"success"    ')}
            await send(sent)

        await self.app(scope, body, changed)


def test_the_whole_command_with_a_server_like_langgraphs(serving: Any) -> None:
    from click.testing import CliRunner

    from streamgraph.terminal._cli import run_command

    server = serving.app(LikeLangGraph(serve({"agent": asking()}, drain=0.2)))
    arguments = ["agent", "--url", server.url, "--input", "Tell me about cats"]
    result = CliRunner().invoke(run_command, [*arguments, "--answer", "yes"])
    assert result.exit_code == 0, result.output
    assert "sub / say: Cats sleep." in result.output
    assert "    ai: You said 'yes'." in result.output
    asked = CliRunner().invoke(run_command, [*arguments, "--json"])
    assert asked.exit_code == 3  # its question is left open
    wanted = CliRunner().invoke(run_command, [*arguments, "--mode", "tools,messages"])
    assert wanted.exit_code == 2 and "It is not valid." in wanted.output  # it was asked for
