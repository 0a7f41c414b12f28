"""What is filtered out is not thrown away late: no part is built, no message copied and nothing queued for it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, NamedTuple

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from scenarios.filters.all_modes_graph import ALL, CONFIG, DRIVERS, GIVEN, chain, model, scenario
from scenarios.filters.reference import FILTERS, collect, sources_of
from streamgraph import MessagesState
from streamgraph._core import parts
from streamgraph._langchain import tool_events
from streamgraph._messages import token_part, tracker
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router
from streamgraph.config import get_stream_writer
from support.parts import parts_of

GRAPH = scenario()


class Work(NamedTuple):
    """What was done for a stream.

    Attributes:
        built: The parts that were made, those of the run itself included.
        copied: The messages that were copied.
        queued: The parts that were put into an inbox.
        detached: The values that were copied for updates, tasks and states.
        tool_taps: How many tasks had their tools listened to.
    """

    built: List[Part]
    copied: List[Any]
    queued: List[Part]
    detached: List[Any]
    tool_taps: List[Any]

    def clear(self) -> None:
        """Start anew."""
        for done in self:
            done.clear()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Count what is done from now on."""
    done = Work([], [], [], [], [])

    def counting(owner: Any, name: str, into: List[Any]) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            into.append(args[0])
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    counting(Part, "__init__", done.built)
    counting(token_part.TokenPart, "__init__", done.built)
    counting(token_part, "private_copy", done.copied)
    counting(tracker, "private_copy", done.copied)
    counting(parts, "copy_containers", done.detached)
    counting(parts, "as_view", done.detached)
    counting(parts, "as_result", done.detached)
    counting(tool_events.ToolTap, "__init__", done.tool_taps)
    sender = Router.sender

    def counting_sender(router: Router, inbox: Any) -> Any:
        def put(part: Part) -> None:
            done.queued.append(part)
            inbox(part)

        return sender(router, put)

    monkeypatch.setattr(Router, "sender", counting_sender)
    return done


def modes_and_sources(parts: List[Any]) -> Any:
    """How many parts there are of each mode and node."""
    return Counter((part.mode, part.source or "") for part in parts)


@pytest.mark.parametrize(("driver", "subgraphs"), [("stream", True), ("astream", None), ("astream", False)])
@pytest.mark.parametrize("rules", FILTERS, ids=str)
def test_only_what_is_shown_is_built(work: Work, rules: Dict[str, Any], driver: str, subgraphs: Any) -> None:
    """There are as many parts as chunks, of each mode and node, and no more messages copied or parts queued."""
    chunks, _ = collect(GRAPH, GIVEN, driver, CONFIG, stream_mode=ALL, subgraphs=subgraphs, **rules)
    parts = parts_of(chunks, ALL, subgraphs, "v1")
    shown = Counter((part.mode, source) for part, source in zip(parts, sources_of(parts)))

    assert modes_and_sources(work.built) == shown
    assert not modes_and_sources(work.queued) - shown
    assert {part.mode for part in work.queued} <= {*ALL}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", FILTERS, ids=str)
def test_only_what_is_shown_is_copied(work: Work, rules: Dict[str, Any], driver: str) -> None:
    """Each message that is shown was copied, and no other."""
    chunks, _ = collect(GRAPH, GIVEN, driver, CONFIG, stream_mode="messages", **rules)
    shown = Counter(message.content for message, _ in chunks)
    copied = Counter(message.content for message in work.copied)
    for word in shown.keys() & {"told ", "twice"}:  # of a generator: they are copied once more, to get an id
        copied[word] = shown[word]
    assert copied == shown


def told(driver: str, node: Any, modes: Any, **rules: Any) -> List[Any]:
    """The chunks of a graph of one node, called `node`, in every mode."""
    return collect(chain(MessagesState, node=node), {"messages": []}, driver, stream_mode=modes, **rules)[0]


def answers(state: Any) -> Any:
    """A node that asks a model and returns its message."""
    return {"messages": [model("one two", "tag").invoke("q")]}


def makes_up(state: Any) -> Any:
    """A node that returns a message of its own."""
    return {"messages": [AIMessage("made up")]}


def words(state: Any) -> Any:
    """A generator of words."""
    yield "one "
    yield "two"


async def awords(state: Any) -> Any:
    """A generator of chunks."""
    yield AIMessageChunk("one ")
    yield AIMessageChunk("two")


HIDDEN = [
    (answers, {"exclude_nodes": "node"}),
    (answers, {"exclude_tags": "tag"}),
    (answers, {"include_tags": ["other"]}),
    (makes_up, {"exclude_nodes": "n*"}),
    (makes_up, {"exclude_keys": "messages"}),
    (makes_up, {"include_tags": "tag"}),
    (words, {"exclude_nodes": "node"}),
    (words, {"include_tags": ["tag"]}),
    (awords, {"include_nodes": ["zz[z]"]}),
    (awords, {"include_tags": []}),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("node", "rules"), HIDDEN, ids=lambda value: getattr(value, "__name__", str(value)))
def test_hidden_messages_are_not_copied(work: Work, node: Any, rules: Any, driver: str) -> None:
    """Neither tokens nor messages that a node makes or yields are copied, put into a part or queued."""
    assert told(driver, node, "messages") != []
    assert work.copied != []
    work.clear()

    assert told(driver, node, "messages", **rules) == []
    assert (work.built, work.queued) == ([], [])
    assert [message.content for message in work.copied] == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["updates", "tasks", "debug", "custom", "tools"])
def test_hidden_nodes(work: Work, mode: str, driver: str) -> None:
    """Of a node that is left out no update, no task and no value is so much as copied, and its tools go unheard."""
    collect(GRAPH, GIVEN, driver, stream_mode=mode, subgraphs=True, include_nodes=[])
    assert work == Work([], [], [], [], [])


@pytest.mark.parametrize("driver", DRIVERS)
def test_states_are_built(work: Work, driver: str) -> None:
    """The state is of no node: it is all that is left when every node is left out."""
    chunks, _ = collect(GRAPH, GIVEN, driver, stream_mode=ALL, include_nodes=[])
    assert [mode for mode, _ in chunks] == ["values"] * 4
    assert {part.mode for part in work.built} == {"values"}
    assert work.queued == work.copied == work.tool_taps == []


class Inner:
    """A graph that is streamed inside a node, with rules and modes of its own."""

    def __init__(self, modes: Any, **rules: Any) -> None:
        self.got: List[Any] = []
        self._how = {"stream_mode": modes, **rules}
        self._graph = chain(MessagesState, asked=self._asked, made=makes_up)

    @staticmethod
    def _asked(state: Any) -> Any:
        get_stream_writer()({"from": "asked"})
        return answers(state)

    def node(self, state: Any) -> None:
        """The node that streams it."""
        self.got.extend(self._graph.stream({"messages": []}, **self._how))


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_of_two_consumers_is_left(work: Work, driver: str) -> None:
    """What only the consumer inside wants is copied and built for that one alone."""
    inner = Inner("messages")
    assert told(driver, inner.node, "messages", exclude_nodes=["asked", "made"]) == []
    assert len(inner.got) == len(work.queued) >= 4
    assert len(work.built) == len(inner.got), "parts were built anew for a consumer who has filtered them out"
    assert len(work.copied) == len(inner.got), "messages were copied for a consumer who has filtered them out"


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_other_of_two_consumers_is_left(work: Work, driver: str) -> None:
    """What only the consumer outside wants is copied and built for that one alone."""
    inner = Inner("messages", exclude_nodes=["asked", "made"])
    outside = told(driver, inner.node, "messages")
    assert (len(outside) >= 4, inner.got) == (True, [])
    assert len(work.built) == len(work.copied) == len(work.queued) == len(outside)


@pytest.mark.parametrize("driver", DRIVERS)
def test_modes_of_two_consumers(work: Work, driver: str) -> None:
    """A node of which one consumer wants its tasks and nobody its updates has no updates built."""
    inner = Inner(["updates"], exclude_nodes=["asked"])
    told(driver, inner.node, ["tasks"], subgraphs=True, include_nodes="aske[d]")
    assert [next(iter(update)) for _, update in inner.got] == ["made"]
    built = modes_and_sources(work.built)
    assert built.keys() == {("tasks", "asked"), ("updates", "made")}, "parts were built that both have filtered out"
    assert built == {("tasks", "asked"): 2, ("updates", "made"): 1}
