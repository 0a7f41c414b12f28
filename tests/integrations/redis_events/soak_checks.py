"""What the runs of the soak stream, and what a reader checks of it, event by event."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph.types import Gap

MODES = ("values", "updates", "custom", "messages")
"""The modes that every run records."""

UNKNOWN = -1
"""Stands for a count that a reader cannot know, because events are missing that it was told of."""


class Disorder(Exception):
    """A reader was given something else than what follows."""


class State(TypedDict, total=False):
    seed: int
    tag: str
    length: int
    pause: float
    customs: int
    tokens: int


class Numbers(BaseChatModel):
    """A model that says the numbers that it is asked for, `"first count pause"`."""

    @property
    def _llm_type(self) -> str:
        return "numbers"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        text = "".join(chunk.message.content for chunk in self._stream(messages))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        first, count, pause = messages[-1].content.split()
        for number in range(int(first), int(first) + int(count)):
            time.sleep(float(pause))
            chunk = ChatGenerationChunk(message=AIMessageChunk(f"{number} "))
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def talk(state: State) -> State:
    """Write numbered data and say numbers, by turns."""
    chance, writer, model = random.Random(state["seed"]), get_stream_writer(), Numbers()  # noqa: S311
    customs = tokens = 0
    while customs + tokens < state["length"]:
        count = chance.randrange(1, 20)
        if chance.random() < 0.5:
            for _ in range(count):
                time.sleep(state["pause"])
                writer({"n": customs, "tag": state["tag"], "padding": "x" * chance.randrange(300)})
                customs += 1
        else:
            model.invoke(f"{tokens} {count} {state['pause']}")
            tokens += count
    return {"customs": customs, "tokens": tokens}


GRAPH = StateGraph(State).add_node("talk", talk).add_edge(START, "talk").compile()


class Reading:
    """What one reader of a run has got so far. It is kept in a file, so that a reader elsewhere goes on behind it.

    Args:
        path: The file.
        modes: The modes that it reads.

    Attributes:
        attempt: The attempt that it reads; 0 before the first event.
        number: The number of the last event.
    """

    def __init__(self, path: Path, modes: Sequence[str]) -> None:
        self.modes = modes
        self.attempt = self.number = self.customs = self.tokens = 0
        self.tag = "-"
        self._file = path.open("ab+", buffering=0)
        self._file.seek(0)
        *lines, rest = self._file.read().split(b"\n")
        if lines:
            attempt, number, customs, tokens, tag = lines[-1].decode().split()
            self.attempt, self.number = int(attempt), int(number)
            self.customs, self.tokens, self.tag = int(customs), int(tokens), tag
        if rest:  # a line that was cut off by a kill
            self._note(b"\n")

    @property
    def id(self) -> Optional[str]:
        """The id of the last event."""
        return f"{self.attempt}-{self.number}" if self.number else None

    def turn_to(self, attempt: int) -> None:
        """Begin with another attempt, if it is another one.

        Raises:
            Disorder: It is an earlier one.
        """
        if attempt < self.attempt:
            raise Disorder(f"attempt {attempt} after {self.attempt}")
        if attempt > self.attempt:
            self.attempt, self.number, self.customs, self.tokens, self.tag = attempt, 0, 0, 0, "-"
            self._note()

    def take(self, event: str, given: Any) -> None:
        """Check a chunk.

        Args:
            event: The id of its event.
            given: The chunk, with its mode.

        Raises:
            Disorder: It is not what follows.
        """
        attempt, number = (int(word) for word in event.split("-"))
        if attempt != self.attempt:
            raise Disorder(f"event {event} in attempt {self.attempt}")
        if isinstance(given[1], Gap):
            self._skip(given[1], number)
        else:
            follows = self.number + 1
            if number != follows if len(self.modes) == len(MODES) else number < follows:
                raise Disorder(f"event {event} follows {self.id}")
            self._look(*given)
        self.number = number
        self._note()

    def _skip(self, gap: Gap, number: int) -> None:
        first, last = (int(str(event).split("-")[1]) for event in (gap.first, gap.last))
        if first != self.number + 1 and len(self.modes) == len(MODES) or last != number or last < first:
            raise Disorder(f"a gap from {gap.first} to {gap.last} follows {self.id}")
        self.customs = self.tokens = UNKNOWN

    def _look(self, mode: str, chunk: Any) -> None:
        if mode == "custom":
            self._belongs(chunk["tag"])
            self.customs = self._next("data", chunk["n"], self.customs)
        elif mode == "messages" and chunk[0].content:
            self.tokens = self._next("a token", int(chunk[0].content), self.tokens)
        elif mode == "values":
            self._belongs(chunk["tag"])

    def _belongs(self, tag: str) -> None:
        if self.tag not in ("-", tag):
            raise Disorder(f"an event of {tag} in the attempt of {self.tag}")
        self.tag = tag

    def _next(self, what: str, number: int, expected: int) -> int:
        if expected not in (UNKNOWN, number):
            raise Disorder(f"{what} {number} instead of {expected}")
        return number + 1

    def finish(self, output: Dict[str, Any]) -> None:
        """Check that nothing is missing at the end of a run that was done.

        Args:
            output: Its output.

        Raises:
            Disorder: Something is.
        """
        for mode, name, count in (("custom", "customs", self.customs), ("messages", "tokens", self.tokens)):
            if mode in self.modes and count not in (UNKNOWN, output[name]):
                raise Disorder(f"{count} of {output[name]} {name} at the end")

    def _note(self, before: bytes = b"") -> None:
        line = f"{self.attempt} {self.number} {self.customs} {self.tokens} {self.tag}\n"
        self._file.write(before + line.encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_stored(ids: List[str]) -> Optional[str]:
    """Return what is wrong with the ids of the entries of a run on the server; `None` if they are as they must be.

    Args:
        ids: All of them.
    """
    before = (0, 0)
    for each in ids:
        attempt, number = (int(word) for word in each.split("-"))
        begins = attempt > before[0] and (number == 0 or before == (0, 0))  # the first ones may have been trimmed
        if not begins and (attempt, number) != (before[0], before[1] + 1):
            return f"{each} follows {before[0]}-{before[1]}"
        before = (attempt, number)
    return None
