"""The page on clients is true: its requests with curl are sent, and its React page is opened and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.runnables import RunnableLambda

from server.loopback import Loopback, events_in
from streamgraph_integrations.openai import chat_model
from streamgraph_integrations.openai_server import Reply
from support.waiting import eventually

PAGE = Path(__file__).parents[2] / "cookbook" / "clients.md"
JOKE = "Here is a joke about ice"


def blocks(language: str) -> List[str]:
    """The blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def server(serving: Callable[..., Loopback]) -> Loopback:
    """The graphs of the page, served."""
    return serving(graphs_of_the_page()["graphs"])


def graphs_of_the_page() -> Dict[str, Any]:
    """What the program of the page defines."""
    namespace: Dict[str, Any] = {}
    exec(compile(blocks("python")[0], PAGE.name, "exec", dont_inherit=True), namespace)
    return namespace


def text_in(answer: str) -> str:
    """All texts that an answer has, in the order in which they come."""
    return "".join(re.findall(r'"(?:content|delta|text)":"([^"]*)"', answer))


@pytest.mark.slow
def test_curl(server: Loopback) -> None:
    if shutil.which("curl") is None and not os.environ.get("CI"):
        pytest.skip("There is no curl on this machine.")
    answers = []
    for command in [block for block in blocks("bash") if block.startswith("curl")]:
        done = subprocess.run(
            command.replace("http://127.0.0.1:2024", server.url),
            shell=True,
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=30,
        )
        answers.append(done.stdout)
    plain, asked, answered, state, chat, ag_ui, completion, response = answers

    for answer in answers[:3] + answers[4:]:
        assert JOKE in text_in(answer) or answer is answered
    assert [event.event for event in events_in(plain)][-1] == "end"
    assert events_in(asked)[-2].data["__interrupt__"][0]["value"] == "Shall I publish it?"
    assert "It is published." in answered
    assert "It is published." in state
    assert events_in(chat)[-1].data == "[DONE]"
    assert events_in(ag_ui)[-1].data["type"] == "RUN_FINISHED"
    assert events_in(completion)[-2].data["usage"]["completion_tokens"] > 0
    assert '"status":"completed"' in response


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_react_page(serving: Callable[..., Loopback], node: Callable[..., Any]) -> None:
    page = graphs_of_the_page()
    # A long answer has no end, so that it can be stopped in the middle of it however long the browser takes.
    short, long = page["model"], chat_model(reply=Reply("word " * 20_000))
    page["model"] = RunnableLambda(lambda asked: long if "long" in asked[-1].content else short)
    server = serving(page["graphs"])
    (node.folder / "chat.jsx").write_text(blocks("jsx")[0], encoding="utf-8")  # type: ignore[attr-defined]
    found = node("react_page.mjs", server.url)

    assert found["asked"] == "Shall I publish it?"
    user, answer, published = found["first"]
    assert (user, published) == ("human: A joke about ice", "ai: It is published.")
    assert answer.count(JOKE) == 1
    assert found["lengths"] > 5  # the text has grown
    assert found["again"] == found["first"]
    assert len(found["resumed"]) == 5 and found["resumed"][4].count("Here is a joke about") == 1
    eventually(lambda: server.runs.going_on() == [])
