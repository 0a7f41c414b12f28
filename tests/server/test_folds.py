"""Each protocol is a fold: the same parts give the same frames, which the golden files hold.

`python tests/server/test_folds.py` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage, ToolMessage

from streamgraph.runs import Part
from streamgraph.serialization import to_json
from streamgraph.types import Interrupt
from streamgraph_server.frames import Encoder, Frame, RunEnd, RunFacts, framed
from streamgraph_server.protocols.ag_ui import AgUiEncoder
from streamgraph_server.protocols.langgraph.encoder import LangGraphEncoder
from streamgraph_server.protocols.openai_chat import ChatEncoder
from streamgraph_server.protocols.openai_responses import ResponseEncoder
from streamgraph_server.protocols.thread_stream.encoder import ThreadEncoder
from streamgraph_server.protocols.ui_messages import UIMessageEncoder

GOLDEN = Path(__file__).parent / "golden"
RUN = RunFacts("run-1", "thread-1", "agent", 1_700_000_000.0)


def part(kind: str, data: Any, *ns: str, **more: Any) -> Any:
    """A part of a stream."""
    return {"type": kind, "ns": ns, "data": data, **more}


def token(id: str, text: str, task: str = "t1", **fields: Any) -> Any:  # noqa: A002
    """A part with a chunk of a message."""
    place = {"langgraph_node": "say", "langgraph_checkpoint_ns": f"say:{task}"}
    return part("messages", (AIMessageChunk(text, id=id, **fields), place))


def task(id: str, **fields: Any) -> Any:  # noqa: A002
    """A part about a task."""
    return part("tasks", {"id": id, "name": "say", **fields})


def call(args: str, name: Any = None, id: Any = None) -> Any:  # noqa: A002
    """A chunk of a tool call."""
    return [{"index": 0, "args": args, "name": name, "id": id, "type": "tool_call_chunk"}]


USER, RIGHT = HumanMessage("hi", id="u"), AIMessage("right", id="m2")
USAGE: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
PARTS: List[Any] = [
    part("values", {"messages": [USER], "n": float("nan")}, interrupts=()),
    task("t1", input={}, triggers=(), interrupts=[]),
    token("m1", "wrong", additional_kwargs={"reasoning_content": "hm"}),
    part("messages", (RemoveMessage(id="m1"), {"langgraph_node": "say", "langgraph_checkpoint_ns": "say:t1"})),
    token("m2", "ri"),
    token("m3", "beside \ud800", task="t2"),
    token("m2", "ght", usage_metadata=USAGE),
    part("custom", {"at": 1}),
    part("updates", {"say": {"messages": [RIGHT]}}),
    task("t1", result={"messages": [RIGHT]}, error=None, interrupts=[]),
    token("m3", "", task="t2", tool_call_chunks=call('{"wo', "look_up", "c1")),
    token("m3", "", task="t2", tool_call_chunks=call('rd": "ice"}')),
    task("t2", result={}, error=None, interrupts=[]),
    part("messages", (ToolMessage("a word", id="r1", tool_call_id="c1"), {"langgraph_node": "tools"})),
    part("values", {"messages": [USER, RIGHT], "n": 1}, interrupts=(Interrupt("may I?", id="q1"),)),
]


class ThreadFrames:
    """The fold of the thread stream, whose events the journal numbers, as an encoder of frames."""

    modes: Any = ()
    subgraphs = True

    def __init__(self) -> None:
        self._fold = ThreadEncoder(repr, ["q0"])

    def begin(self, run: RunFacts) -> List[Frame]:
        return self._frames(self._fold.begin(run))

    def part(self, part: Any) -> List[Frame]:
        data = part["data"]
        if part.get("interrupts"):
            data = {**data, "__interrupt__": part["interrupts"]}
        return self._frames(self._fold.part(Part(part["ns"], part["type"], data, "say")))

    def gap(self, count: int) -> List[Frame]:
        return self._frames(self._fold.gap(count))

    def end(self, end: RunEnd) -> List[Frame]:
        return self._frames(self._fold.end(end))

    def _frames(self, events: Any) -> List[Frame]:
        return [
            Frame(to_json({"ns": event.ns, "node": event.node, "data": event.data}), event.method) for event in events
        ]


ENCODERS: Dict[str, Callable[[], Encoder]] = {
    "langgraph": lambda: LangGraphEncoder(["values", "updates", "custom", "messages-tuple", "messages", "tasks"], True),
    "ui_messages_7": lambda: UIMessageEncoder(7),
    "ui_messages_6": lambda: UIMessageEncoder(6),
    "ag_ui": lambda: AgUiEncoder("thread-1", "run-1"),
    "openai_chat": lambda: ChatEncoder(True),
    "openai_responses": ResponseEncoder,
    "thread_stream": ThreadFrames,
}
ENDS = [RunEnd("interrupted"), RunEnd("done"), RunEnd("failed", "ValueError", "no"), RunEnd("cancelled")]


def folded(make: Callable[[], Encoder]) -> List[bytes]:
    """The frames of all parts, and those of each way to end."""
    encoder, frames = make(), []
    pieces = [encoder.begin(RUN), *(encoder.part(part) for part in PARTS), encoder.gap(3)]
    for number, piece in enumerate(pieces):
        frames += [framed(frame, (number, index)) for index, frame in enumerate(piece)]
    for end in ENDS:
        again = make()
        for _ in [*again.begin(RUN), *(frame for part in PARTS for frame in again.part(part))]:
            pass
        frames.append(f": {end.status}\n".encode())
        frames += [framed(frame, (len(PARTS) + 1, index)) for index, frame in enumerate(again.end(end))]
    return frames


def written(make: Callable[[], Encoder]) -> str:
    """The frames as a text; what not every version of langchain-core has in a message is left out."""
    text = b"".join(folded(make)).decode()
    for field in ("chunk_position", "usage_metadata", "example"):
        text = text.replace(f',"{field}":null', "").replace(f',"{field}":false', "")
    return text


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_the_frames_are_those_of_the_golden_file(name: str) -> None:
    assert written(ENCODERS[name]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_second_fold_gives_the_same(name: str) -> None:
    assert folded(ENCODERS[name]) == folded(ENCODERS[name])


# Tokens of messages that open, pause, grow side by side and in nested graphs, are taken back, and come after a gap.
GROWING: List[Any] = [
    token("m0", "a"),
    *PARTS[:5],
    *(token(of, text) for of, text in [("m2", "ght"), ("m2", ""), ("m3", "be"), ("m2", " \ud800"), ("m3", '"side"')]),
    token("m2", "", additional_kwargs={"reasoning_content": "hm"}),
    *(token("m2", text) for text in ("more ", "and more")),
    token("m2", "", tool_call_chunks=call("{}", "look_up", "c1")),
    token("m2", "after the call"),
    token("m0", " b"),
    {**token("n1", "in"), "ns": ("sub:t9",)},
    {**token("n1", "side"), "ns": ("sub:t9",)},
    part("messages", (RemoveMessage(id="m3"), {"langgraph_node": "say", "langgraph_checkpoint_ns": "say:t2"})),
    token("m3", "again"),
    token("m3", " and again"),
    token("m3", "", chunk_position="last"),
    *PARTS[5:],
    token("m4", "one"),
    token("m4", "two"),
]


@pytest.mark.parametrize("name", sorted(name for name in ENCODERS if name != "thread_stream"))
def test_tokens_that_are_written_from_their_texts_are_the_same_on_the_wire(name: str) -> None:
    """Whatever the tokens come between; and only those are made parts that do more than add a text."""

    def frames(fast: bool) -> List[bytes]:
        encoder: Any = ENCODERS[name]()
        made = [encoder.begin(RUN)]
        for number, part in enumerate(GROWING):
            message = part["data"][0] if part["type"] == "messages" else None
            write = None
            if fast and isinstance(message, AIMessageChunk) and isinstance(message.content, str):
                empty = message.model_copy(update={"content": ""})
                write = encoder.tokens({**part, "data": (empty, part["data"][1])})
            frame = encoder.part(part) if write is None else write(message.content)
            made.append([frame] if isinstance(frame, Frame) else list(frame))
            if number == len(GROWING) - 2:
                made.append(list(encoder.gap(2)))
        made.append(encoder.end(RunEnd("done")))
        return [framed(frame, (0, 0)) for frames in made for frame in frames]

    assert frames(True) == frames(False)


@pytest.mark.parametrize("name", sorted(name for name in ENCODERS if name != "thread_stream"))
def test_tokens_that_only_add_text_are_not_made_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder: Any = LangGraphEncoder(["messages-tuple"], True) if name == "langgraph" else ENCODERS[name]()
    for _ in (*encoder.begin(RUN), *encoder.part(token("m1", "one "))):
        pass
    write = encoder.tokens(token("m1", ""))
    monkeypatch.setattr(type(encoder), "part", None)
    assert all(isinstance(write(text), Frame) for text in ("two ", "three"))


if __name__ == "__main__":
    for name, make in ENCODERS.items():
        (GOLDEN / f"{name}.txt").write_text(written(make), encoding="utf-8")
