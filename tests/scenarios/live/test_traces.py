"""Tracers see a question as a pause: no run of theirs has an error, and each ends once."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest
from langchain_core.tracers import BaseTracer

from scenarios.live.answering import aread, read
from scenarios.live.asking_graphs import PLACES


class Tracer(BaseTracer):
    """Keeps all runs that have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: List[Any] = []
        self.begun = 0

    def _persist_run(self, run: Any) -> None:
        """Nothing is sent anywhere."""

    def _on_run_create(self, run: Any) -> None:
        self.begun += 1

    def _on_run_update(self, run: Any) -> None:
        self.ended.append(run)


@pytest.mark.parametrize("live", [False, True], ids=["paused", "live"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_question_is_no_error(name: str, asynchronous: bool, live: bool) -> None:
    place, tracer = PLACES[name], Tracer()
    compiled = place.build(lambda: None, None)
    options: Any = {"version": "v2", "interrupts": "live"} if live else {"version": "v2"}
    config: Any = {"callbacks": [tracer]}

    async def main() -> None:
        stream = compiled.astream(place.given, config, **options)
        if live:
            await aread(stream)
        else:
            await stream.run()

    if asynchronous:
        asyncio.run(main())
    else:
        stream = compiled.stream(place.given, config, **options)
        if live:
            read(stream)
        else:
            stream.run()
    errors = {run.name: run.error for run in tracer.ended if run.error is not None}
    if name == "chain" and not live:
        # These two are langchain-core's own runs, and what it tells of them is the exception that goes through them.
        assert errors.pop("RunnableSequence").startswith("GraphInterrupt")
        assert errors.pop("ask").startswith("GraphInterrupt")
    assert errors == {}
    assert len(tracer.ended) == tracer.begun
    assert len({run.id for run in tracer.ended}) == tracer.begun
