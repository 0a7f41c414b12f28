"""The fold makes the same view of a run, whichever modes tell of it."""

from __future__ import annotations

from typing import Any, Dict, List

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage

from streamgraph.types import Gap, Interrupt, RunFailure
from streamgraph.watching import Read, ViewFold

SUB = ("sub:1",)


def fold(*reads: Any, nodes: Any = ()) -> ViewFold:
    """A fold that was given parts, one in each second."""
    made = ViewFold(nodes)
    for second, read in enumerate(reads):
        made.take(Read(*read), float(second))
    return made


def start(name: str, id_: str, ns: Any = ()) -> Any:
    return ns, "tasks", {"id": id_, "name": name, "input": {}, "triggers": ()}


def end(name: str, id_: str, ns: Any = (), error: Any = None, interrupts: Any = ()) -> Any:
    return ns, "tasks", {"id": id_, "name": name, "result": {}, "error": error, "interrupts": list(interrupts)}


def token(text: str, id_: str = "m", where: str = "say:1", ns: Any = (), last: bool = False, **more: Any) -> Any:
    extra: Dict[str, Any] = {"chunk_position": "last"} if last else {}
    metadata = {"langgraph_node": where.split("|")[-1].split(":")[0], "langgraph_checkpoint_ns": where, **more}
    # As JSON, since langchain-core 0.3 has no `chunk_position`.
    return ns, "messages", ({"type": "AIMessageChunk", "content": text, "id": id_, **extra}, metadata)


def statuses(made: ViewFold) -> Dict[str, str]:
    return {"/".join(path): node.status for path, node in made.view.nodes.items()}


def test_tasks_and_nested_graphs() -> None:
    made = fold(
        start("sub", "1"), start("ask", "2", SUB), end("ask", "2", SUB), nodes=[("sub",), ("sub", "ask"), ("z",)]
    )
    assert statuses(made) == {"sub": "running", "sub/ask": "done", "z": "idle"}
    assert made.view.nodes["sub", "ask"].seconds == 1.0
    assert made.view.nodes[("sub",)].elapsed(5.0) == 5.0
    made.take(Read(*end("sub", "1")), 3.0)
    made.end("done", 4.0)
    assert (made.view.status, made.view.elapsed(99.0), statuses(made)["sub"]) == ("done", 4.0, "done")
    assert [node.path for node in made.view.tree()] == [("sub",), ("sub", "ask"), ("z",)]


def test_tasks_of_one_node_at_once_and_again() -> None:
    made = fold(start("a", "1"), start("a", "2"), end("a", "1"))
    node = made.view.nodes[("a",)]
    assert (node.status, node.done, node.elapsed(3.0)) == ("running", 1, 3.0)  # at the same time, which counts once
    made.take(Read(*end("a", "2", error=ValueError("no"))), 4.0)
    assert (node.status, node.failed, node.error) == ("failed", 1, "ValueError: no")
    made.take(Read(*start("a", "3")), 5.0)
    assert node.status == "running"


def test_the_end_of_the_run_stops_every_timer() -> None:
    made = fold(start("a", "1"), token("x", where="a:1"))
    made.end("cancelled", 5.0)
    assert statuses(made) == {"a": "stopped"}
    assert made.view.nodes[("a",)].elapsed(50.0) == 5.0
    assert made.view.texts[0].over
    assert made.end("failed", 9.0, ValueError()) == ()
    assert made.view.status == "cancelled"


def test_texts_grow_and_are_taken_back() -> None:
    made = fold(
        start("say", "1"),
        token("Hel"),
        token("lo", tags=["joke"]),
        token("", last=True),
        ((), "messages", (RemoveMessage(id="m"), {})),
        token("Bye", id_="m"),
        token("!", id_="m", last=True),
    )
    first, second = made.view.texts
    assert (first.text, first.retracted, first.over) == ("Hello", True, True)
    assert (second.text, second.retracted, second.over) == ("Bye!", False, True)
    assert made.view.nodes[("say",)].retries == 1
    assert (second.tail(2), second.length) == ("e!", 4)


def test_without_task_events_tokens_and_updates_tell() -> None:
    made = fold(token("x", where="sub:1|say:2"), token("y", where="sub:1|say:2", last=True))
    assert statuses(made) == {"sub": "idle", "sub/say": "running"}
    made.take(Read(SUB, "updates", {"say": {"a": 1}}), 2.0)
    assert statuses(made)["sub/say"] == "done"
    assert made.view.nodes["sub", "say"].seconds == 2.0
    made.take(Read((), "updates", {"sub": None, "__metadata__": {"cached": True}}), 3.0)
    assert statuses(made) == {"sub": "done", "sub/say": "done"}
    assert made.view.nodes[("sub",)].seconds is None


def test_debug_events_are_task_events() -> None:
    wrapped = [((), "debug", {"type": "task", "payload": start("a", "1")[2]})]
    wrapped.append(((), "debug", {"type": "task_result", "payload": end("a", "1")[2]}))
    assert statuses(fold(*wrapped)) == {"a": "done"}


def test_whole_messages_and_tool_calls() -> None:
    call = {"name": "look", "args": {"at": "ice"}, "id": "c"}
    piece: Dict[str, Any] = {"name": "look", "args": "", "id": "c", "index": 0}
    where = {"langgraph_node": "a", "langgraph_checkpoint_ns": "a:1"}
    made = fold(
        ((), "messages", (AIMessage("I look.", id="1", tool_calls=[call]), where)),
        ((), "messages", (AIMessageChunk("", id="2", tool_call_chunks=[piece]), where)),
        ((), "messages", (AIMessageChunk("", id="2", tool_call_chunks=[{**piece, "name": None, "args": "{}"}]), where)),
        ((), "messages", (HumanMessage("hi", id="3"), where)),
        # Tokens, and then the message as a whole.
        token("one ", id_="4"),
        ((), "messages", (AIMessage("one two", id="4"), where)),
        ((), "messages", (AIMessage("one two", id="4"), where)),
    )
    assert [text.text for text in made.view.texts] == ["I look. → look(at='ice')", " → look {}", "hi", "one two"]
    assert [text.role for text in made.view.texts] == ["ai", "ai", "human", "ai"]


def test_state_questions_and_answers() -> None:
    question = Interrupt("May I?", id="q", response_schema={"type": "boolean"})
    made = fold(((), "values", {"a": 1}), (SUB, "values", {"b": 2}), ((), "updates", {"__interrupt__": (question,)}))
    assert made.view.state == {"a": 1}
    assert [tuple(asked) for asked in made.view.questions.values()] == [("q", "May I?", {"type": "boolean"})]
    assert made.take(Read((), "values", {"a": 1}, (question,)), 3.0)[1:] == []  # it is known
    made.take(Read((), "values", {"a": 2}), 4.0)
    assert made.view.questions == {}
    made = fold(((), "updates", {"__interrupt__": [{"id": "q", "value": 1}]}), end("a", "1", interrupts=["q"]))
    assert statuses(made) == {"a": "asking"}
    made.answered("q")
    assert made.view.questions == {}


def test_patches_make_the_state() -> None:
    whole = [{"op": "replace", "path": "", "value": {"a": 1}}]
    made = fold(((), "patches", whole), ((), "patches", [{"op": "add", "path": "/b", "value": 2}]))
    assert made.view.state == {"a": 1, "b": 2}
    events = made.take(Read((), "patches", [{"op": "remove", "path": "/none"}]), 2.0)
    assert [event.kind for event in events] == ["data"]
    assert made.take(Read((), "patches", "no patch"), 3.0)[0].kind == "data"


def test_other_parts() -> None:
    made = ViewFold()
    seen: List[str] = []
    for read in (
        Read(SUB, "custom", {"n": 1}),
        Read((), "objects", ({"a": 1}, {"langgraph_checkpoint_ns": "a:1"})),
        Read((), "tools", {"event": "tool-started", "tool_call_id": "1", "tool_name": "look", "input": 1}),
        Read((), "tools", {"event": "tool-output-delta", "tool_call_id": "1", "delta": 2}),
        Read((), "tools", {"event": "tool-finished", "tool_call_id": "1", "output": 3}),
        Read((), "tools", {"event": "tool-error", "tool_call_id": "2", "message": "no"}),
        Read((), "gap", Gap(7, {})),
        Read((), "checkpoints", {}),
        Read((), "unheard_of", 1),
        Read((), "error", RunFailure(ValueError("no"))),
    ):
        seen += [event.kind for event in made.take(read, 0.0)]
    assert seen == ["custom", "object", "tool", "tool", "tool", "tool", "gap", "checkpoint", "data"]
    assert [(tool.name, tool.status) for tool in made.view.tools.values()] == [("look", "done"), ("tool", "failed")]
    assert (made.view.missing, made.view.error, made.view.parts) == (7, "ValueError: no", 10)


def test_payloads_of_another_form_break_nothing() -> None:
    """A view of foreign streams never raises: what is of another form is shown as data."""
    made = ViewFold()
    for mode in ("tasks", "debug", "messages", "updates", "patches", "objects", "tools", "values", "custom", "gap"):
        for data in (None, 1, "text", [], [1], {}, (1, 2), {"name": 1}, (AIMessage("x"), None)):
            made.take(Read((), mode, data), 0.0)
    made.end("done", 1.0)


def test_names_of_nodes_and_tags_are_made_harmless() -> None:
    made = fold(start("a\x1b[2J\n", "1"), token("\x1b[2J", where="b:1", tags=["\x1b"]))
    assert list(made.view.nodes) == [("a␛[2J↵",)]
    assert (made.view.texts[0].text, made.view.texts[0].tags) == ("␛[2J", ("␛",))
