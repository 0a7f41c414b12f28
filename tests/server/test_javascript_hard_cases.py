"""The JavaScript clients of AG-UI, the AI SDK and OpenAI on what is hard to show: their parsers know the rules.

What is on the screen in the end is compared: each text once, whatever has grown beside it, in it or after it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessageChunk, message_chunk_to_message
from pydantic import BaseModel

from server.graphs import TEXT, asking, failing, one_node, speaking
from server.hard_cases import (
    counting,
    graphs_in_tools,
    nested_twice,
    redacting,
    reviewed,
    side_by_side,
    slow_tool,
    with_blocks,
)
from server.loopback import Loopback
from streamgraph_integrations.openai import chat_model
from support.waiting import soon

REFUSED = "A person has rejected this call of pay; it was not run. Call it again only if the user asks for it."
CALLED = 'dynamic-tool: output-available "'
PAID = "dynamic-tool: output-denied"
SCREENS: Dict[str, List[str]] = {
    "side_by_side": [f"text: {name}1 {name}2" for name in "abcde"],
    "graphs_in_tools": [
        f'{CALLED}{TEXT}"',
        f'{CALLED}{TEXT}"',
        'data-custom: {"word":"ice"}',
        'data-custom: {"word":"tea"}',
        f"text: {TEXT}",
        f"text: {TEXT}",
        "text: done",
    ],
    "nested_twice": [f"text: {TEXT}"] * 3,
    "with_blocks": [
        "reasoning: hm",
        'dynamic-tool: output-available [{"url":"https://ice"}]',
        "text: Ice is.",
        "source-url: https://ice",
        "file: data:image/png;base64,aWNl",
    ],
    "slow_tool": [f'{CALLED}ice"', "text: done"],
}
AG_UI: Dict[str, List[str]] = {
    "side_by_side": [f"assistant: {name}1 {name}2" for name in "abcde"],
    "graphs_in_tools": [
        "assistant: ",
        f"tool: {TEXT}",
        f"tool: {TEXT}",
        f"assistant (tools): {TEXT}",
        f"assistant (tools): {TEXT}",
        "assistant: done",
    ],
    "nested_twice": [f"assistant (outer): {TEXT}", f"assistant (twice): {TEXT}", f"assistant (twice): {TEXT}"],
    "redacting": ["assistant: redacted"],
    "with_blocks": ["reasoning: hm", "assistant: Ice is.", 'tool: [{"url":"https://ice"}]'],
    "slow_tool": ["assistant: ", "tool: ice", "assistant: done"],
}


class Joke(BaseModel):
    """A joke."""

    setup: str
    rating: int


def structured() -> Any:
    """A node that asks for structured output."""
    model = chat_model(delay=0).with_structured_output(Joke, method="function_calling")

    async def write(state: Any) -> Any:
        found: Any = await model.ainvoke("A joke about ice")
        return {"messages": [("ai", found.setup)]}

    return one_node(write)


def slow(folder: Path) -> Any:
    """A node that waits in the middle of what it says until its page was left, and another one reads it."""
    model, versions = chat_model(delay=0), iter("67")
    for left in folder.glob("read_again*"):
        left.unlink()

    async def say(state: Any) -> Any:
        said: Any = AIMessageChunk("")
        read_again = folder / f"read_again{next(versions)}"
        async for chunk in model.astream(state["messages"]):
            before, said = len(said.content), said + chunk
            if before < 40 <= len(said.content):
                await soon(read_again.exists)
        return {"messages": [message_chunk_to_message(said)]}

    return one_node(say)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_on_the_screen(serving: Callable[..., Loopback], node: Callable[..., Any]) -> None:
    graphs = {
        "side_by_side": side_by_side(),
        "graphs_in_tools": graphs_in_tools(),
        "nested_twice": nested_twice(),
        "redacting": redacting(),
        "with_blocks": with_blocks(),
        "slow_tool": slow_tool(),
        "objects": structured(),
        "counting": counting(),
        "reviewed": reviewed(),
        "inbox": reviewed("agent_inbox"),
        "speaking": speaking(),
        "slow": slow(node.folder),  # type: ignore[attr-defined]
    }
    found = node("hard_cases.mjs", serving(graphs).url)

    for name, screen in SCREENS.items():
        for client in ("ai6", "ai7"):
            assert sorted(found[name][client][1]) == sorted(screen), name
            assert found[name][client][2:] == [], name  # no error
    for name, screen in AG_UI.items():
        user, *shown = found[name]["agui"]["screen"]
        assert (user, sorted(shown), found[name]["agui"]["open"]) == ("user: hi", sorted(screen), 0), name
    assert found["nested_twice"]["agui"]["begun"] == ["inner", "outer", "twice", "twice"]

    for client in ("ai6", "ai7"):
        first, _, last = found["redacting"][client][1]
        assert (first, last) == (f"text: {TEXT}", "text: redacted")
        assert found["objects"][client][1] == [
            'data-object: {"setup":"Setup about ice","rating":3}', "text: Setup about ice",
        ]  # fmt: skip

    # The state of AG-UI's client is that of the graph, though it sends all of it back with each run.
    first, count, third, screen = found["counting"]
    assert first == {"pages": ["a page", "more"], "count": 1, "words": {"a/b": {"~": 0}, "c": None}}
    assert (count, third["count"], third["pages"]) == (2, 3, ["mine", "a page", "more"])
    assert screen == ["user: hi", *[f"assistant: {TEXT}"] * 3]

    # Approvals of tool calls.
    assert found["answers"]["asked"] == ["tool_call call-1", "tool_call call-2"]
    assert sorted(found["answers"]["screen"][2:]) == [
        "assistant: done", "tool: " + REFUSED, "tool: ice is a word", "tool: paid ada",
    ]  # fmt: skip
    for version in ("6", "7"):
        for name, answers in (
            ("approvals", [f'{CALLED}paid ada"', PAID]),
            ("inbox", [PAID, f'{CALLED}paid bob"']),
        ):
            asked = found[name + version]
            assert (asked["before"], asked["errors"]) == (["call-1", "call-2"], [])
            assert asked["after"] == [
                "user",
                [*answers, f'{CALLED}ice is a word"', "data-interrupt: ", "data-interrupt: ", "text: done"],
            ]

    # After a reload in the middle the text is there whole, and once.
    for version in ("6", "7"):
        is_longer, person, (shown,), status = found[f"reloaded{version}"]
        assert (is_longer, person, status) == (True, "user", "ready")
        assert shown.startswith("text: Here is a joke about ice") and shown.count("joke") == 1

    # A question that is asked again, or changed, takes back what came after it.
    assert found["again"] == ["user: hi", f"assistant: {TEXT}", "user: other", f"assistant: {TEXT}"]
    assert found["edited6"] == found["edited7"] == [4]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_openais_client(serving: Callable[..., Loopback], node: Callable[..., Any]) -> None:
    graphs = {
        "speaking": speaking(),
        "side_by_side": side_by_side(),
        "with_blocks": with_blocks(),
        "objects": structured(),
        "failing": failing(ValueError("no")),
        "asking": asking(),
    }
    found = node("openai.mjs", serving(graphs).url)

    assert found["chat"] == TEXT
    assert found["side"] == [f"{name}1 {name}2" for name in "abcde"]
    assert found["quoting"] == [["reasoning", []], ["message", ["https://ice"]]]
    assert found["object"] == {"setup": "Setup about ice", "rating": 3}
    failed, asked, unknown, refused = found["errors"]
    assert "no" in failed and "cannot ask" in asked
    assert "Did you mean 'speaking'?" in unknown and "runs its own tools" in refused
