"""A run of a graph that a server serves, read through LangGraph's protocol."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Dict, Iterator, List, Mapping, Optional, Sequence
from urllib.parse import quote, urlencode, urlsplit

from streamgraph.errors import UnknownOptionError
from streamgraph.terminal._source import Ending
from streamgraph.terminal._wire import Answer, Server, ServerError
from streamgraph.watching import QuestionView

_TRIES = 5
"""How often a lost stream is asked for again before the run counts as lost."""

_NOT_VALID = 422
_ENDINGS: Dict[str, Ending] = {"success": "done", "interrupted": "interrupted", "error": "failed", "timeout": "failed"}


class RemoteRun:
    """A run on a server; see `Source`.

    It is started on a thread, and goes on by itself: a lost connection is taken up where it was lost, and a question
    that has ended the run is answered by another run on the thread.

    Args:
        server: The server.
        name: The name of the graph; may be empty if a run is read that somebody else has started.
        given: The input.
        thread: The id of the thread; `None` for a new one.
        run: The id of a run to read instead of a new one.
        modes: The modes to show.
        optional: Those of the modes that are left out if the server does not have them.
        config: The config of the run.
        context: Its context.
        nodes: Patterns of names: only parts of these nodes are shown.
        tags: Likewise, only messages of models with one of these tags.
    """

    def __init__(
        self,
        server: Server,
        name: str,
        given: object,
        *,
        thread: Optional[str],
        run: Optional[str] = None,
        modes: Sequence[str],
        optional: Sequence[str] = (),
        config: Optional[Mapping[str, object]] = None,
        context: Optional[Mapping[str, object]] = None,
        nodes: Sequence[str] = (),
        tags: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.ending: Optional[Ending] = None
        self.error: object = None
        self._server = server
        self._modes = ["messages-tuple" if mode == "messages" else mode for mode in modes]
        self._optional = frozenset(optional)
        self._questions: Dict[str, QuestionView] = {}
        self._answers: Dict[str, object] = {}
        self._wanted = (tuple(nodes), tuple(tags))
        self._cancelling = False
        self._settings: Dict[str, object] = {}
        if config:
            self._settings["config"] = dict(config)
        if context:
            self._settings["context"] = dict(context)
        self._thread = thread or self._new_thread()
        self._last_id = ""
        self._path = f"/threads/{_q(self._thread)}/runs/{_q(run or '')}/stream"
        self._answer: Optional[Answer] = None
        if run is not None:
            self._answer = self._join(whole=True)
            return
        if given is None and thread is not None:
            self._questions = {asked.id: asked for asked in waiting_questions(server, thread)}
        if self._questions:
            self.ending = "interrupted"  # answers are what it goes on with
        else:
            self._answer = self._start({"input": given})

    def _new_thread(self) -> str:
        made = self._server.ask("POST", "/threads", {}).json()
        id_ = made.get("thread_id") if isinstance(made, dict) else None
        if not isinstance(id_, str):
            raise ServerError(f"{self._server.url} does not speak LangGraph's protocol")
        return id_

    def _start(self, what: Dict[str, object]) -> Answer:
        body = {
            "assistant_id": self.name,
            **what,
            **self._settings,
            "stream_mode": self._modes,
            "stream_subgraphs": True,
            "stream_resumable": True,
            "on_disconnect": "continue",
            "if_not_exists": "create",
            "multitask_strategy": "reject",
        }
        path = f"/threads/{_q(self._thread)}/runs/stream"
        try:
            answer = self._server.ask("POST", path, body)
        except ServerError as error:
            if error.status != _NOT_VALID or self._optional.isdisjoint(self._modes):
                raise
            # LangGraph's server refuses a mode that it does not have with all that was asked for.
            self._modes = [mode for mode in self._modes if mode not in self._optional]
            answer = self._server.ask("POST", path, {**body, "stream_mode": self._modes})
        self._last_id = ""
        where = answer.header("location") or f"{answer.header('content-location')}/stream"
        self._path = urlsplit(where).path  # of this server, whatever host it names
        return answer

    def _join(self, *, whole: bool = False) -> Answer:
        query = urlencode([("stream_mode", mode) for mode in self._modes])
        after = {"last-event-id": "-1" if whole else self._last_id or "-1"}
        return self._server.ask("GET", f"{self._path}?{query}", headers=after)

    def chunks(self) -> Iterator[object]:
        """Yield the parts of the run."""
        lost = 0
        while self.ending is None:
            got = False
            for event in () if self._answer is None else self._answer.events():
                lost, self._last_id = 0, event.id or self._last_id
                if event.name == "end":
                    self.ending = "interrupted" if self._questions else "done"
                elif event.name == "error":
                    self._failed(event.data)
                elif event.name != "metadata":
                    got = True
                    part = self._part(event.name, event.data)
                    if is_wanted(part, *self._wanted):
                        yield part
            # Also of a run that is over there may be more to read, unless the last answer had nothing.
            if self.ending is None and (got or not self._is_over()):
                lost += 1
                self._answer = None
                if lost > _TRIES:
                    self.ending, self.error = "failed", "The connection to the server is lost."
                    return
                if lost > 1:
                    time.sleep(min(0.1 * 2**lost, 5.0))
                with suppress(ServerError):  # it is asked again
                    self._answer = self._join()

    def _part(self, name: str, data: object) -> Dict[str, object]:
        mode, *levels = name.split("|")
        mode = "messages" if mode == "messages-tuple" else mode
        part: Dict[str, object] = {"type": mode, "ns": tuple(levels), "data": data}
        if mode == "messages" and isinstance(data, list):
            part["data"] = tuple(data)
        asked = data.get("__interrupt__") if isinstance(data, dict) else None
        if mode == "values" and isinstance(data, dict):
            part["interrupts"] = tuple(asked or ())
            part["data"] = {key: value for key, value in data.items() if key != "__interrupt__"}
        for question in asked if isinstance(asked, list) else ():
            if isinstance(question, dict) and question.get("id"):
                id_ = str(question["id"])
                self._questions[id_] = QuestionView(id_, question.get("value"), question.get("response_schema"))
        return part

    def _failed(self, data: object) -> None:
        kind = data.get("error") if isinstance(data, dict) else None
        if kind == "ResumeGap":
            return  # what is missing is missing, and the run goes on
        if kind == "UserInterrupt" or self._cancelling:
            self.ending = "cancelled"
        else:
            self.ending, self.error = "failed", data

    def _is_over(self) -> bool:
        """Ask how the run has ended, if its stream has ended without saying so."""
        try:
            found = self._server.ask("GET", self._path[: -len("/stream")]).json()
        except ServerError:
            return False
        status = str(found.get("status")) if isinstance(found, dict) else ""
        ending = _ENDINGS.get(status)
        if ending == "interrupted" and self._cancelling and not self._questions:
            ending = "cancelled"
        if ending == "done" and self._questions:  # LangGraph's server calls that a success
            ending = "interrupted"
        self.ending = ending
        return ending is not None

    def open_questions(self) -> List[QuestionView]:
        """Return the questions with which the run has ended."""
        return list(self._questions.values()) if self.ending == "interrupted" else []

    def answer(self, answers: Dict[str, object]) -> bool:
        """Start the run that goes on with the answers, when all questions have one."""
        for id_ in answers:
            self._questions.pop(id_, None)
        self._answers.update(answers)
        if self._questions:
            return False
        given, self._answers = dict(self._answers), {}
        self.ending, self._answer = None, self._start({"command": {"resume": given}})
        return True

    def due(self) -> List[str]:
        """Return the nodes before which the run has paused."""
        state = self._server.ask("GET", f"/threads/{_q(self._thread)}/state").json()
        return list(map(str, state.get("next") or ())) if isinstance(state, dict) else []

    def go_on(self) -> None:
        """Start the run that goes on."""
        self.ending, self._answer = None, self._start({"input": None})

    def cancel(self) -> None:
        """Ask the server to cancel the run; in another thread, since this one may be reading."""
        self._cancelling = True
        threading.Thread(target=self._cancel, daemon=True).start()

    def _cancel(self) -> None:
        with suppress(ServerError):  # a second Ctrl-C does not ask
            self._server.ask("POST", f"{self._path[: -len('/stream')]}/cancel", {}).json()

    def how_to_go_on(self) -> str:
        """Return the command that goes on with the thread."""
        return f"streamgraph run --url {self._server.url} {self.name} --thread {self._thread}"


def is_wanted(part: Mapping[str, object], nodes: Sequence[str], tags: Sequence[str]) -> bool:
    """Return whether a part passes the filters, which work as `include_nodes` and `include_tags` of a stream.

    Args:
        part: The part.
        nodes: Patterns of names of nodes; empty for all.
        tags: Patterns of tags; empty for all.
    """
    data, metadata = part["data"], None
    names: List[str] = []
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], dict):
        metadata = data[1]
        names = [str(metadata.get("langgraph_node"))]
    elif part["type"] == "tasks" and isinstance(data, dict):
        names = [str(data.get("name"))]
    elif part["type"] == "updates" and isinstance(data, dict):
        names = [name for name in data if not name.startswith("__")]
    if nodes and names and not any(fnmatchcase(name, pattern) for name in names for pattern in nodes):
        return False
    if not tags or metadata is None:
        return True
    own = metadata.get("tags")
    return any(fnmatchcase(str(tag), pattern) for tag in (own if isinstance(own, list) else ()) for pattern in tags)


def waiting_questions(server: Server, thread: str) -> List[QuestionView]:
    """Return the questions with which a thread waits.

    Args:
        server: The server.
        thread: Its id.
    """
    state = server.ask("GET", f"/threads/{_q(thread)}/state").json()
    found = state.get("interrupts") if isinstance(state, dict) else None
    return [
        QuestionView(str(one.get("id")), one.get("value"), one.get("response_schema"))
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict)
    ]


def input_schema(server: Server, name: str) -> Optional[Dict[str, object]]:
    """Return the JSON schema of the input of a graph, if the server tells it.

    Args:
        server: The server.
        name: The name of the graph, or the id of an assistant, which is the only name that some servers take here.
    """
    assistants = server.ask("POST", "/assistants/search", {"graph_id": name, "limit": 1}).json()
    first = assistants[0] if isinstance(assistants, list) and assistants else None
    id_ = str(first.get("assistant_id") or name) if isinstance(first, dict) else name
    found = server.ask("GET", f"/assistants/{_q(id_)}/schemas").json()
    schema = found.get("input_schema") if isinstance(found, dict) else None
    return schema if isinstance(schema, dict) else None


def read_headers(given: Sequence[str]) -> Dict[str, str]:
    """Return headers that were given as `NAME: VALUE`.

    Raises:
        UnknownOptionError: One has no colon, or a line break.
    """
    found = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or "\n" in text or "\r" in text:
            raise UnknownOptionError(f"The header {name!r:.80} has no value", hint="Give NAME: VALUE.")
        found[name.strip()] = value.strip()
    return found


def _q(text: str) -> str:
    return quote(text, safe="")
