"""Whoever is answered when, also if the run is left meanwhile: each question gets its own answer, and once."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Dict, List, NamedTuple, Set

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from scenarios.live.answering import CONFIG, questions_of
from scenarios.live.asking_graphs import GIVEN, asker, awaiting, graph, plain
from streamgraph.testing import check_stream
from streamgraph.types import Command

KINDS = {"sync": asker, "async": awaiting, "plain": plain}


class Asker(NamedTuple):
    """A node: how it asks, how often, and whether it lies in a nested graph."""

    kind: str
    questions: int
    nested: bool


askers = st.lists(
    st.builds(Asker, st.sampled_from(sorted(KINDS)), st.integers(0, 3), st.booleans()), min_size=1, max_size=4
)


class Person:
    """Reads a run, and answers what is open in any order, at any time, at the latest if nothing else happens.

    Args:
        compiled: The graph.
        random: Decides.
        leaves: The person may leave the run, and open it again, with some answers or none.
    """

    def __init__(self, compiled: Any, random: Random, leaves: bool) -> None:
        self.compiled = compiled
        self.random = random
        self.leaves = leaves
        self.given: Any = GIVEN
        self.parts: List[Any] = []
        self.shown: Dict[str, Any] = {}
        self.answered: Set[str] = set()

    def open(self, method: str) -> Any:
        options = {"stream_mode": ["updates", "values", "tasks"], "heartbeat": 0.004, "interrupts": "live"}
        self.parts, self.shown, self.answered = [], {}, set()
        if self.leaves and self.given is GIVEN and self.compiled.get_state(CONFIG).created_at is not None:
            self.given = None  # it was stored while the run was left; given again, it would be another input
        return getattr(self.compiled, method)(self.given, CONFIG, version="v2", subgraphs=True, **options)

    def sees(self, stream: Any, part: Any) -> bool:
        """Take a part, answer what is to be answered now, and return whether the person leaves."""
        if part["type"] == "heartbeat":
            urgent = True
        else:
            self.parts.append(part)
            self.shown.update({question.id: question for question in questions_of(part)})
            urgent = False
        if self.leaves and self.random.random() < 0.1:
            asked = [one for id_, one in self.shown.items() if id_ not in self.answered]
            some = {one.id: f"<{one.value}>" for one in asked if self.random.random() < 0.5}
            stored = {question.id for question in self.compiled.get_state(CONFIG).interrupts}
            some = {id_: answer for id_, answer in some.items() if id_ in stored}
            if self.compiled.get_state(CONFIG).created_at is not None:  # else there is nothing to go on with yet
                self.given = Command(resume=some) if some else None
            return True
        asked = stream.questions  # as they are now: nodes go on asking meanwhile
        for one in self.random.sample(asked, len(asked)):
            if urgent or self.random.random() < 0.3:
                stream.answer(one.id, f"<{one.value}>")
                self.answered.add(one.id)
                urgent = False
        return False

    def read(self) -> Any:
        while True:
            with self.open("stream") as stream:
                if not any(self.sees(stream, part) for part in stream):
                    return stream.output

    async def aread(self) -> Any:
        while True:
            async with self.open("astream") as stream:
                left = False
                async for part in stream:
                    left = self.sees(stream, part)
                    if left:
                        break
                if not left:
                    return stream.output


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(askers, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 10**6))
@example([Asker("sync", 2, False), Asker("async", 2, True), Asker("plain", 2, True)], False, True, True, 1)
@example([Asker("sync", 2, False), Asker("async", 2, True), Asker("plain", 2, True)], True, True, True, 2)
def test_each_gets_its_own_answer(nodes: List[Asker], asynchronous: bool, saved: bool, leaves: bool, seed: int) -> None:
    def nothing() -> None:
        """Is called at the top of code that asks."""

    def made(nested: bool) -> Dict[str, Any]:
        return {
            f"n{at}": KINDS[one.kind](nothing, *(f"{at}.{number}" for number in range(one.questions)))
            for at, one in enumerate(nodes)
            if one.nested is nested
        }

    outer, inner = made(nested=False), made(nested=True)
    if inner:
        below = graph(None, **inner)
        outer["inner"] = below
    compiled = graph(InMemorySaver() if saved else None, **outer)
    person = Person(compiled, Random(seed), leaves=saved and leaves)
    output = asyncio.run(person.aread()) if asynchronous else person.read()
    asked = [f"{at}.{number}" for at, one in enumerate(nodes) for number in range(one.questions)]
    answers = [answer for answer in output["seen"] if answer != "in"]
    assert sorted(answers) == sorted(f"<{question}>" for question in asked)
    for at, one in enumerate(nodes):  # a node's answers are in its own order
        own = [answer for answer in answers if answer.startswith(f"<{at}.")]
        assert own == [f"<{at}.{number}>" for number in range(one.questions)]
    shown = [question.value for part in person.parts for question in questions_of(part)]
    assert len(shown) == len(set(shown))
    if not person.leaves:
        assert sorted(shown) == sorted(asked)
        check_stream(person.parts)
