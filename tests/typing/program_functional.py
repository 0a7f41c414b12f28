"""What type checkers know of tasks and entrypoints. It is checked, never run."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Optional, Tuple

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableLambda
from typing_extensions import TypedDict, assert_type

from streamgraph.func import TaskFunction, entrypoint, task
from streamgraph.types import GraphOutput, RetryPolicy, StreamWriter


class Report(TypedDict):
    text: str


@task
def count(text: str, times: int = 1) -> int:
    return len(text) * times


@task
async def fetch(url: str) -> bytes:
    return url.encode()


@task(name="counting", retry_policy=RetryPolicy(), timeout=3)
def configured(text: str) -> int:
    return len(text)


@task(name="fetching")
async def configured_async(url: str) -> bytes:
    return url.encode()


def plain(number: int) -> str:
    return str(number)


class Owner:
    @task
    def method(self, number: int) -> str:
        return str(number)


named = task(plain, name="named")
assert_type(named(1).result(), str)
assert_type(count("a").result(), int)
assert_type(count("a", times=2).result(), int)
assert_type(count.func, "Any")  # error
assert_type(fetch("a").result(), bytes)
assert_type(configured("a").result(), int)
assert_type(configured_async("a").result(), bytes)
assert_type(Owner().method(1).result(), str)
double: TaskFunction[[int], int] = task(RunnableLambda[int, int](lambda number: number * 2))
assert_type(double(1).result(), int)

count(5)  # error
count("a", many=2)  # error
count()  # error
fetch(5)  # error
configured(5)  # error
configured_async(5)  # error
Owner().method("a")  # error
named("a")  # error
task(plain, names="named")  # error
task(5)  # error


@entrypoint()
def essay(topics: List[str], writer: StreamWriter) -> Report:
    futures = [count(topic) for topic in topics]
    assert_type([future.result() for future in futures], List[int])
    return {"text": ""}


@entrypoint()
async def aessay(topic: str, *, previous: Optional[int] = None) -> int:
    assert_type(await fetch(topic), bytes)
    assert_type(await count(topic), int)
    one, two = await asyncio.gather(count(topic), fetch(topic))
    assert_type(one, int)
    assert_type(two, bytes)
    return 1


@entrypoint()
def loosely(given: Any, previous: Any = None) -> entrypoint.final[Report, Any]:
    return entrypoint.final(value={"text": ""}, save=given)


@entrypoint()
def saved(number: int) -> entrypoint.final[str, int]:
    return entrypoint.final(value=str(number), save=number)


@entrypoint()
async def asaved(number: int) -> entrypoint.final[str, int]:
    return entrypoint.final(value=str(number), save=number)


assert_type(essay.invoke(["cats"]), Report)
assert_type(essay.invoke(["cats"], version="v2"), GraphOutput[Report])
assert_type(aessay.invoke("cats"), int)
assert_type(loosely.invoke(1), Report)
assert_type(saved.invoke(1), str)
assert_type(asaved.invoke(1), str)
for message, metadata in essay.stream(["cats"], stream_mode="messages"):
    assert_type(message, BaseMessage)
for value in aessay.stream("cats", stream_mode="values"):
    assert_type(value, int)
for update in aessay.stream("cats"):
    assert_type(update, Dict[str, Any])
for pair in saved.stream(1, stream_mode=["values", "messages"]):
    if pair[0] == "values":
        assert_type(pair[1], str)
    elif pair[0] == "messages":
        assert_type(pair[1], Tuple[BaseMessage, Dict[str, Any]])
for part in saved.stream(1, version="v2"):
    if part["type"] == "values":
        assert_type(part["data"], str)


async def main() -> None:
    assert_type(await aessay.ainvoke("cats"), int)
    assert_type(await saved.ainvoke(1), str)


essay.invoke(5)  # error
aessay.invoke(["cats"])  # error
saved.stream(1, stream_modes="values")  # error
entrypoint(caches=None)  # error
