"""A run that was started on its own asks, and ends with its question or goes on with the answer."""

from __future__ import annotations

import asyncio

import pytest

from scenarios.live.asking_graphs import PLACES


@pytest.mark.parametrize("starter", ["start", "astart"])
def test_it_ends_with_a_question(starter: str) -> None:
    """A run that ends with a question has an output, and is interrupted, as one at a breakpoint."""
    place = PLACES["nodes"]
    graph = place.build(lambda: None, None)

    async def main() -> None:
        run = graph.start(place.given) if starter == "start" else await graph.astart(place.given)
        output = await run
        assert run.status == "interrupted"
        assert sorted(question.value for question in output["__interrupt__"]) == ["a1", "b"]

    asyncio.run(main())
