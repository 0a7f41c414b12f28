"""Hundreds of clients at the same time on one server: each gets everything."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any, Callable, List, Optional

import pytest
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from server.loopback import Loopback
from streamgraph.graph import START, StateGraph
from streamgraph.testing import ScriptedModel
from support.waiting import PATIENCE, run

Serving = Callable[..., Loopback]

WORDS = ["one ", "two ", "three ", "four ", "five"]


class State(TypedDict, total=False):
    """Nothing: what a client asks for does not matter."""

    number: int


class Together:
    """A graph whose runs wait for each other after the second word, so that all of them go on at the same time."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._all_here: Optional[asyncio.Event] = None  # on Python 3.9 it belongs to the loop that it is made on
        self.graph = StateGraph(State).add_node("speak", self.speak).add_edge(START, "speak").compile()

    async def speak(self, state: State, config: RunnableConfig) -> None:
        words = 0
        async for _ in ScriptedModel([WORDS]).astream("?", config):
            words += 1
            if words == 2:
                self._missing -= 1
                self._all_here = self._all_here or asyncio.Event()
                if not self._missing:
                    self._all_here.set()
                await self._all_here.wait()


async def ask(port: int, number: int) -> str:
    """Ask for a run, and return all that comes."""
    body = json.dumps({"assistant_id": "agent", "input": {"number": number}, "stream_mode": "messages-tuple"}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /runs/stream HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    return answer.decode()


def check(answers: List[str]) -> None:
    """Each client has got each word once, in order, and the end."""
    for answer in answers:
        assert answer.startswith("HTTP/1.1 200 ")
        assert "event: error" not in answer
        assert "".join(re.findall(r'"content":"([a-z ]*)"', answer)) == "".join(WORDS)
        assert answer.count("event: end") == 1


def all_at_once(serving: Serving, count: int) -> None:
    """Let so many clients ask at the same time."""
    _allow_files(2 * count + 200)
    server = serving({"agent": Together(count).graph})

    async def everyone() -> List[Any]:
        return await asyncio.wait_for(
            asyncio.gather(*(ask(server.port, number) for number in range(count))), 2 * PATIENCE
        )

    check(run(everyone()))
    assert all(kept.status == "done" for kept in server.runs._runs.values())
    assert server.runs.going_on() == []


def _allow_files(count: int) -> None:
    """Let this process open so many files, of which each end of a connection is one."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < count:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def test_200_clients(serving: Serving) -> None:
    all_at_once(serving, 200)


@pytest.mark.slow
def test_1000_clients(serving: Serving) -> None:
    all_at_once(serving, 1000)
