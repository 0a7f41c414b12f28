"""The demo shows everything that a stream can hold, offline, whoever reads it and whatever the environment says."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import pytest
from langchain_core.messages import AIMessageChunk, RemoveMessage

from streamgraph.testing import check_stream
from streamgraph.types import Command
from streamgraph_integrations import openai as integration
from streamgraph_integrations.demo import QUESTION, desk_model, research_desk
from support.leaks import no_complaint, no_thread_left

__all__ = ["no_complaint", "no_thread_left"]

MODES: Any = ["values", "updates", "messages", "custom", "tools", "tasks", "objects"]
Parts = List[Dict[str, Any]]


def questions_in(part: Dict[str, Any]) -> Sequence[Any]:
    """The questions that a part of the root graph asks."""
    return part["data"].get("__interrupt__", ()) if part["type"] == "updates" and not part["ns"] else ()


def watch(graph: Any, given: Any, answers: Sequence[str]) -> Tuple[Parts, Dict[str, Any]]:
    """Read a run, answer its questions in turn where it stands, and return its parts and its output."""
    left, parts = list(answers), []
    options: Any = {"stream_mode": MODES, "version": "v2", "subgraphs": True, "interrupts": "live"}
    with graph.stream(given, **options) as stream:
        for part in stream:
            parts.append(part)
            for question in questions_in(part):
                stream.answer(question.id, left.pop(0))
    assert not left
    return parts, stream.output


def awatch(graph: Any, given: Any, answers: Sequence[str]) -> Tuple[Parts, Dict[str, Any]]:
    """The same on an event loop."""

    async def main() -> Tuple[Parts, Dict[str, Any]]:
        left, parts = list(answers), []
        options: Any = {"stream_mode": MODES, "version": "v2", "subgraphs": True, "interrupts": "live"}
        async with graph.astream(given, **options) as stream:
            async for part in stream:
                parts.append(part)
                for question in questions_in(part):
                    stream.answer(question.id, left.pop(0))
        assert not left
        return parts, stream.output

    return asyncio.run(main())


both = pytest.mark.parametrize("watching", [watch, awatch], ids=["sync", "async"])


@pytest.fixture(scope="module", autouse=True)
def one_server() -> Iterator[None]:
    """One scripted model for the module, closed in the end."""
    with pytest.MonkeyPatch.context() as patch:
        servers: List[Callable[[], object]] = []

        class AtExit:
            @staticmethod
            def register(close: Callable[[], object]) -> None:
                servers.append(close)

        patch.setattr(integration, "atexit", AtExit)
        yield
        for close in servers:
            close()


@pytest.fixture(scope="module")
def desk(one_server: None) -> Any:
    """The desk without pauses."""
    return research_desk(pace=0)


def of(parts: Parts, mode: str) -> Parts:
    """The parts of a mode."""
    return [part for part in parts if part["type"] == mode]


def levels(part: Dict[str, Any]) -> Tuple[str, ...]:
    """The nodes that a part lies in."""
    return tuple(level.partition(":")[0] for level in part["ns"])


@both
def test_it_shows_everything(desk: Any, watching: Any) -> None:
    parts, output = watching(desk, {}, ["publish"])

    check_stream(parts)
    assert output["question"] == QUESTION and output["decision"] == "publish"
    assert output["messages"][-1].content == output["article"]
    assert {levels(part) for part in parts} == {(), ("research",), ("write",)}  # nested graphs

    tags: Set[str] = {tag for part in of(parts, "messages") for tag in part["data"][1]["tags"]}
    assert tags == {"plan", "search", "notes", "outline", "draft", "check", "newsletter", "post"}

    grown = [part["data"][0] for part in of(parts, "objects")]
    assert {} in grown and output["plan"] in grown and len(grown) > 20  # structured objects

    customs = [next(iter(part["data"])) for part in of(parts, "custom")]
    assert set(customs) == {"searching", "cover", "publishing"}


def starts_and_ends(parts: Parts, name: str) -> List[str]:
    """What happens to the tasks of a node, in order: each one's start and end."""
    tasks = [part["data"] for part in of(parts, "tasks") if part["data"]["name"] == name]
    return ["end" if "result" in task else "start" for task in tasks]


@both
def test_nodes_run_side_by_side(desk: Any, watching: Any) -> None:
    parts, _ = watching(desk, {}, ["publish"])

    assert starts_and_ends(parts, "research") == ["start"] * 3 + ["end"] * 3
    order = [
        (part["data"]["name"], "result" in part["data"])
        for part in of(parts, "tasks")
        if part["data"]["name"] in ("newsletter", "post")
    ]
    assert sorted(order[:2]) == [("newsletter", False), ("post", False)]


@both
def test_arguments_of_tools_are_streamed_and_tools_report(desk: Any, watching: Any) -> None:
    parts, _ = watching(desk, {}, ["publish"])

    pieces: Dict[str, int] = {}
    for part in of(parts, "messages"):
        message = part["data"][0]
        for piece in message.tool_call_chunks if isinstance(message, AIMessageChunk) else ():
            pieces[f"{message.id} {piece['index']}"] = pieces.get(f"{message.id} {piece['index']}", 0) + 1
    assert len(pieces) == 5 and min(pieces.values()) > 1

    events = [part["data"]["event"] for part in of(parts, "tools")]
    assert events.count("tool-started") == events.count("tool-finished") == 5
    books = [part["data"] for part in of(parts, "custom") if "book" in part["data"]]
    assert len(books) == 5 * 3


@both
def test_what_the_lost_line_had_shown_is_taken_back(desk: Any, watching: Any) -> None:
    parts, output = watching(desk, {}, ["publish"])

    texts: Dict[str, str] = {}
    taken_back = []
    for part in of(parts, "messages"):
        message, metadata = part["data"]
        if isinstance(message, RemoveMessage):
            taken_back.append(texts.pop(str(message.id)))
        elif metadata["langgraph_node"] == "draft":
            texts[str(message.id)] = texts.get(str(message.id), "") + str(message.content)
    assert len(taken_back) == 1 and len(taken_back[0]) > 50
    assert output["article"].startswith(taken_back[0].strip())
    assert [text.strip() for text in texts.values()] == [output["article"]]


def nodes_in(parts: Parts) -> List[str]:
    """The nodes of the root graph in the order of their updates, those of one step sorted."""
    return [name for part in of(parts, "updates") if not part["ns"] for name in part["data"] if name != "__interrupt__"]


@both
def test_the_editor_decides(desk: Any, watching: Any) -> None:
    dropped, output = watching(desk, {}, ["no"])
    assert nodes_in(dropped)[-1] == "ask_editor" and output["decision"] == "drop" and not output["messages"]

    changed, output = watching(desk, {}, ["Say less about the vet.", "Yes"])
    assert nodes_in(changed).count("write") == 2 and nodes_in(changed)[-1] == "publish"
    assert "Say less about the vet." in output["article"]
    assert sum(isinstance(part["data"][0], RemoveMessage) for part in of(changed, "messages")) == 1


def test_a_saved_thread_is_asked_and_answered_and_asks_again(desk: Any) -> None:
    memory = pytest.importorskip("langgraph.checkpoint.memory")
    saved = desk.copy(update={"checkpointer": memory.InMemorySaver()})
    config: Any = {"configurable": {"thread_id": "a"}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = saved.invoke({"messages": [("user", "Why do cats purr, then?")]}, config)
        (question,) = asked["__interrupt__"]
        assert question.value.startswith("Publish “The motor in the cat”? Answer publish, drop, or ")
        first = saved.invoke(Command(resume="publish"), config)
        again = saved.invoke({"question": "What is jazz?"}, config)
    assert first["question"] == "Why do cats purr, then?" and len(first["notes"]) == 3
    assert again["question"] == "What is jazz?" and len(again["notes"]) == 3  # not those of the article before
    assert "What is jazz?" in again["article"] and "--model local" in again["article"]


def test_it_is_offline_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key that would be used")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    model: Any = desk_model(pace=0)
    assert str(model.root_client.base_url).startswith("http://127.0.0.1:")
    assert str(model.root_client.base_url) != "http://127.0.0.1:9/v1/"
    assert model.invoke("?").content == "The script has no such part."


def test_the_input_says_what_it_is_about(desk: Any) -> None:
    question = desk.get_input_jsonschema()["properties"]["question"]
    assert question["examples"] == [QUESTION] and question["description"]


def test_its_picture_has_the_nested_graphs(desk: Any) -> None:
    nodes = set(desk.get_graph(xray=True).nodes)
    assert {"research:ask", "research:tools", "write:draft", "write:check", "ask_editor", "choose_cover"} <= nodes


@pytest.mark.parametrize("topic", [None, "What is jazz?"])
def test_every_topic_has_a_story(desk: Any, topic: Optional[str]) -> None:
    _, output = watch(desk, {} if topic is None else {"question": topic}, ["publish"])
    empty = [name for name in ("outline", "article", "check", "newsletter", "post", "cover") if not output[name]]
    assert empty == [] and all(output["notes"]) and all(output["plan"].values())
