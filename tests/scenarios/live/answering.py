"""Reads streams, and answers each question when it is shown."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, List

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def questions_of(part: Any) -> List[Any]:
    """The questions in a part of `updates`, version 2, of the root graph."""
    if part["type"] != "updates" or part["ns"]:
        return []
    return list(part["data"].get("__interrupt__", ()))


def answer(question: Any) -> str:
    return f"<{question.value}>"


def read(stream: Any, wait_for: int = 1) -> List[Any]:
    """Read a stream, and answer its questions all that are open as soon as there are so many, the last one first."""
    parts, waiting = [], []
    for part in stream:
        parts.append(part)
        waiting += questions_of(part)
        for question in waiting[::-1] if len(waiting) >= wait_for else ():
            waiting.remove(question)
            stream.answer(question.id, answer(question))
    return parts


async def aread(stream: Any, wait_for: int = 1) -> List[Any]:
    """Read an async stream; see `read`."""
    parts, waiting = [], []
    async for part in stream:
        parts.append(part)
        waiting += questions_of(part)
        for question in waiting[::-1] if len(waiting) >= wait_for else ():
            waiting.remove(question)
            await stream.aanswer(question.id, answer(question))
    return parts


def play(graph: Any, given: Any, asynchronous: bool, **options: Any) -> Any:
    """Return the parts and the output of a run whose questions are all answered while it goes on."""
    options = {"stream_mode": ["updates"], "version": "v2", "interrupts": "live", **options}
    if not asynchronous:
        stream = graph.stream(given, CONFIG, **options)
        return read(stream), stream.output

    async def main() -> Any:
        stream = graph.astream(given, CONFIG, **options)
        return await aread(stream), stream.output

    return asyncio.run(main())


def until(stream: Any, found: Callable[[], Any]) -> None:
    """Pull a stream until something holds."""
    while not found():
        next(stream)


def finish(stream: Any) -> None:
    """Pull a stream to its end, and answer whatever is asked, also what was asked and not answered before."""
    ended = object()
    while True:
        for question in stream.questions:
            stream.answer(question.id, answer(question))
        if next(stream, ended) is ended:
            return
