"""`stream_mode="objects"`: structured output while it is being written, and in the end what the node gets."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any, AsyncIterator, Dict, Iterator, List, Tuple

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnableParallel, RunnableSequence
from pydantic import BaseModel
from typing_extensions import Literal, TypedDict

from streamgraph import START, StateGraph
from streamgraph.func import entrypoint, task
from streamgraph.types import RetryPolicy
from support.json_checks import check_growth, faults
from support.structured import (
    CALLS,
    DRIVERS,
    GIVEN,
    METHODS,
    NAMES,
    OBJECT,
    SCHEMA,
    SCHEMAS,
    SCHEMAS_READ,
    TEXT,
    Author,
    Echo,
    Joke,
    asker,
    chain,
    read,
)

AGAIN = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3, retry_on=Exception)
EXTRA = {"structured_output", "message_id", "complete"}


def objects(graph: Any, given: Any, driver: str, **options: Any) -> Tuple[List[Any], Any]:
    """What the mode shows of a run, and the run's output."""
    got = read(graph, given, driver, stream_mode="objects", **options)
    return got.chunks, got.output


def check(chunks: List[Any], result: Any, whole: Any = OBJECT, schema: Any = SCHEMA) -> None:
    """An object has grown piece by piece, each one valid, and the last one is what the node got."""
    *growing, (last, told) = chunks
    check_growth([part for part, _ in growing], whole)
    for part, metadata in growing:
        assert isinstance(part, dict)
        assert faults(part, schema) == []
        assert metadata["complete"] is False
    assert len(growing) > 3
    assert growing[-1][0] == whole
    assert told["complete"] is True
    assert type(last) is type(result)
    assert last == result


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_grows(kind: str, method: str, call: str, driver: str) -> None:
    """However the schema is given, and however the model is told and called."""
    structured = Echo().with_structured_output(SCHEMAS[kind], method=method)
    chunks, output = objects(chain(node=asker(structured, call)), GIVEN, driver)
    check(chunks, output["out"], schema=SCHEMAS_READ[kind])
    assert output["out"] == (Joke(**OBJECT) if kind == "pydantic" else OBJECT)
    assert {metadata["structured_output"] for _, metadata in chunks} == {NAMES[kind]}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_include_raw(kind: str, method: str, call: str, driver: str) -> None:
    """With the raw message beside it: the object is what has been parsed."""
    structured = Echo().with_structured_output(SCHEMAS[kind], method=method, include_raw=True)
    node = summed(structured, call) if "stream" in call else asker(structured, call)
    chunks, output = objects(chain(node=node), GIVEN, driver)
    check(chunks, output["out"]["parsed"], schema=SCHEMAS_READ[kind])
    assert output["out"]["parsing_error"] is None


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", METHODS)
def test_looked_at_before(method: str, call: str, driver: str) -> None:
    """What only passes the message on does not make the object: langchain-openai 1.7.4 looks for a refusal first."""
    model, *parsing = Echo().with_structured_output(Joke, method=method).steps
    looked = RunnableGenerator(_as_it_is, _as_it_is_async)
    structured = RunnableSequence(model, looked, RunnableLambda(lambda message: message), looked, *parsing)
    chunks, output = objects(chain(node=asker(structured, call)), GIVEN, driver)
    check(chunks, output["out"])


def _as_it_is(chunks: Iterator[Any]) -> Iterator[Any]:
    yield from chunks


async def _as_it_is_async(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        yield chunk


def summed(runnable: Any, call: str) -> Any:
    """A node that streams a Runnable whose chunks are parts of a mapping."""

    def put_together(chunks: List[Dict[str, Any]]) -> Any:
        whole: Dict[str, Any] = {}
        for chunk in chunks:
            whole.update(chunk)
        return {"out": whole}

    async def astream(state: Any) -> Any:
        return put_together([got async for got in runnable.astream(state["asked"])])

    return astream if call == "astream" else lambda state: put_together(list(runnable.stream(state["asked"])))


class Tiny(BaseModel):
    """Very small."""

    kind: Literal["a", "ab"]
    n: int
    text: str


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_by_one(driver: str) -> None:
    """Words of an enumeration and numbers are there when they are finished; other texts grow."""
    structured = Echo(size=1).with_structured_output(Tiny)
    chunks, _ = objects(chain(node=asker(structured)), {"asked": '{"kind": "ab", "n": 12, "text": "hey"}'}, driver)
    assert [part for part, _ in chunks] == [
        {},
        {"kind": "ab"},
        {"kind": "ab", "n": 12},
        {"kind": "ab", "n": 12, "text": ""},
        {"kind": "ab", "n": 12, "text": "h"},
        {"kind": "ab", "n": 12, "text": "he"},
        {"kind": "ab", "n": 12, "text": "hey"},
        Tiny(kind="ab", n=12, text="hey"),
    ]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("size", [1, 2, 5, 7, 40, 1000])
def test_pieces_of_any_size(size: int, driver: str) -> None:
    """However the provider cuts its answer."""
    structured = Echo(size=size).with_structured_output(Joke)
    chunks, output = objects(chain(node=asker(structured)), GIVEN, driver)
    check_growth([part for part, metadata in chunks if not metadata["complete"]], OBJECT)
    assert [faults(part, SCHEMA) for part, _ in chunks[:-1]] == [[]] * (len(chunks) - 1)
    assert chunks[-1][0] == output["out"] == Joke(**OBJECT)


@pytest.mark.parametrize("driver", DRIVERS)
def test_long(driver: str) -> None:
    """An answer of many pages, in which words, dates and texts come late."""
    whole = {**OBJECT, "setup": "why? " * 820, "words": [f"word {number}" for number in range(60)]}
    structured = Echo(size=4).with_structured_output(Joke)
    chunks, output = objects(chain(node=asker(structured)), {"asked": json.dumps(whole)}, driver)
    check(chunks, output["out"], whole)


@pytest.mark.parametrize("driver", DRIVERS)
def test_metadata(driver: str) -> None:
    """It is that of the tokens, with the name of the schema, the message's id, and whether the object is complete."""
    structured = Echo(tags=["own"], metadata={"mine": 1}).with_structured_output(Joke)
    config = {"tags": ["run"], "metadata": {"user": "u"}}
    chunks = read(chain(node=asker(structured)), GIVEN, driver, config, stream_mode=["objects", "messages"]).chunks
    tokens = [data for mode, data in chunks if mode == "messages"]
    shown = [data[1] for mode, data in chunks if mode == "objects"]
    expected = {**tokens[0][1], "message_id": tokens[0][0].id}
    assert expected["structured_output"] == "Joke"
    assert all({**metadata, "complete": None} == {**expected, "complete": None} for metadata in shown)
    assert [metadata["complete"] for metadata in shown] == [False] * (len(shown) - 1) + [True]
    assert sorted(expected["tags"]) == ["own", "run"]
    assert (expected["langgraph_node"], expected["langgraph_step"]) == ("node", 1)
    assert (expected["mine"], expected["user"]) == (1, "u")
    assert (expected["run_name"], expected["ls_provider"]) == ("Echo", "echo")
    assert expected["run_id"]
    assert set(expected) >= {"langgraph_path", "langgraph_triggers", "langgraph_checkpoint_ns", "checkpoint_ns"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_comes_with_its_token(driver: str) -> None:
    """The object follows the token that has made it grow."""
    structured = Echo(size=1).with_structured_output(Tiny, method="json_mode")
    given = {"asked": '{"kind": "a", "n": 1, "text": "x"}'}
    chunks = read(chain(node=asker(structured)), given, driver, stream_mode=["messages", "objects"]).chunks
    text, seen = "", []
    for mode, (what, metadata) in chunks:
        text += what.content if mode == "messages" else ""
        if mode == "objects" and not metadata["complete"]:
            seen.append((text, what))
    assert seen == [
        ("{", {}),
        ('{"kind": "a"', {"kind": "a"}),
        ('{"kind": "a", "n": 1,', {"kind": "a", "n": 1}),
        ('{"kind": "a", "n": 1, "text": "', {"kind": "a", "n": 1, "text": ""}),
        ('{"kind": "a", "n": 1, "text": "x', {"kind": "a", "n": 1, "text": "x"}),
    ]


class Told(TypedDict, total=False):
    """A state with the keys of the object."""

    asked: str
    setup: str
    kind: str
    stars: Any
    words: Any
    author: Any


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_chain_as_node(kind: str, method: str, driver: str) -> None:
    """The node is `prompt | model.with_structured_output(S)` itself, and its object the update."""
    prompt = ChatPromptTemplate.from_messages([("system", "Answer in JSON."), ("user", "{asked}")])
    node = prompt | Echo().with_structured_output(SCHEMAS[kind], method=method)
    graph = StateGraph(Told).add_node("node", node).add_edge(START, "node").compile()
    chunks, output = objects(graph, GIVEN, driver)
    check(chunks, Joke(**OBJECT) if kind == "pydantic" else OBJECT, schema=SCHEMAS_READ[kind])
    author = Author(**OBJECT["author"]) if kind == "pydantic" else OBJECT["author"]
    assert output == {**GIVEN, **OBJECT, "author": author}


def by_run(chunks: List[Any]) -> Dict[str, List[Any]]:
    """The chunks of each model call."""
    found = defaultdict(list)
    for chunk in chunks:
        found[chunk[1]["run_id"]].append(chunk)
    return found


STRUCTURED = Echo(size=5).with_structured_output(Joke)


def batched(state: Any) -> Any:
    """A node that asks several at once."""
    return {"out": STRUCTURED.batch(state["asked"])}


async def gathered(state: Any) -> Any:
    """A node on the loop that does."""
    return {"out": await asyncio.gather(*map(STRUCTURED.ainvoke, state["asked"]))}


def mapped(state: Any) -> Any:
    """A node with a Runnable of several."""
    several = {str(n): (lambda got, n=n: got[n]) | STRUCTURED for n in range(len(state["asked"]))}
    return {"out": [*RunnableParallel(several).invoke(state["asked"]).values()]}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("node", [batched, gathered, mapped])
def test_several_at_once(node: Any, driver: str) -> None:
    """Several in one node: the run ids tell them apart."""
    wholes = [{**OBJECT, "setup": f"joke {number}", "stars": number} for number in range(4)]
    chunks, output = objects(chain(node=node), {"asked": [json.dumps(whole) for whole in wholes]}, driver)
    runs = {told[-1][0].stars: told for told in by_run(chunks).values()}
    assert sorted(runs) == [0, 1, 2, 3]
    for number, told in runs.items():
        check(told, output["out"][number], wholes[number])
    assert len({told[0][1]["message_id"] for told in runs.values()}) == 4


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("calls", [("invoke", "invoke"), ("stream", "ainvoke"), ("astream", "astream")])
def test_parallel_nodes(calls: Any, driver: str) -> None:
    """Several in one step: they are told apart by their nodes as well."""
    builder = StateGraph(chain(node=batched).builder.state_schema)
    for name, call in zip("ab", calls):
        builder.add_node(name, asker(STRUCTURED, call, "out" if name == "a" else "more")).add_edge(START, name)
    chunks, output = objects(builder.compile(), GIVEN, driver)
    runs = {told[0][1]["langgraph_node"]: told for told in by_run(chunks).values()}
    check(runs["a"], output["out"])
    check(runs["b"], output["more"])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", METHODS)
def test_disable_streaming(method: str, call: str, driver: str) -> None:
    """A model that may not stream: only the complete object."""
    structured = Echo(disable_streaming=True).with_structured_output(Joke, method=method)
    if "stream" in call and list(structured.stream(TEXT)) == []:
        call = call.replace("stream", "invoke")  # langchain-core's parser of tool calls streams nothing then
    chunks, output = objects(chain(node=asker(structured, call)), GIVEN, driver)
    assert [part for part, _ in chunks] == [output["out"]] == [Joke(**OBJECT)]
    assert chunks[0][1]["complete"] is True
    assert chunks[0][1]["message_id"]


def until_error(graph: Any, given: Any, driver: str, **options: Any) -> Tuple[List[Any], Exception]:
    """What there was before the run failed, and how it failed."""
    seen: List[Any] = []

    async def main() -> None:
        async for chunk in graph.astream(given, stream_mode="objects", **options):
            seen.append(chunk)

    with pytest.raises(Exception) as failed:
        if driver == "stream":
            seen.extend(graph.stream(given, stream_mode="objects", **options))
        else:
            asyncio.run(main())
    return seen, failed.value


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("text", ["I'd rather not.", '{"setup": "why", "kind": "other"}', '{"setup": "why'])
def test_unparsable(text: str, method: str, call: str, driver: str) -> None:
    """What the parser refuses is never complete, and its error is that of the run."""
    structured = Echo().with_structured_output(Joke, method=method)
    seen, error = until_error(chain(node=asker(structured, call)), {"asked": text}, driver)
    assert isinstance(error, OutputParserException)
    assert all(metadata["complete"] is False for _, metadata in seen)
    assert seen == [] or faults(seen[-1][0], SCHEMA) == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_unparsable_call(driver: str) -> None:
    """The same for the arguments of a tool call; with `include_raw` the error is in the node's hands."""
    given = {"asked": '{"setup": "why", "kind": "other"}'}
    seen, error = until_error(chain(node=asker(Echo().with_structured_output(Joke))), given, driver)
    assert type(error).__name__ in ("ValidationError", "OutputParserException")
    assert [part for part, _ in seen][-1] == {"setup": "why"}
    assert not any(metadata["complete"] for _, metadata in seen)

    structured = Echo().with_structured_output(Joke, include_raw=True)
    chunks, output = objects(chain(node=asker(structured)), given, driver)
    assert output["out"]["parsed"] is None
    assert output["out"]["parsing_error"] is not None
    assert [(part, metadata["complete"]) for part, metadata in chunks][-1] == ({"setup": "why"}, False)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("how", ["policy", "with_retry"])
def test_tried_again(how: str, driver: str) -> None:
    """Another attempt is another call, with its own run and message; the last one is what the node got."""
    answers = [TEXT[:60], TEXT[:90], TEXT]
    structured = (lambda _: answers.pop(0)) | Echo().with_structured_output(Joke, method="json_mode")
    if how == "with_retry":
        structured = structured.with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
        structured.exponential_jitter_params = None
    builder = StateGraph(Told).add_node("node", lambda state: {"setup": structured.invoke("?")}, retry_policy=AGAIN)
    chunks, output = objects(builder.add_edge(START, "node").compile(), GIVEN, driver)
    first, second, third = by_run(chunks).values()
    assert [told[-1][1]["complete"] for told in (first, second, third)] == [False, False, True]
    check(third, output["setup"])
    assert len({metadata["message_id"] for _, metadata in chunks}) == 3


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_prose(call: str, driver: str) -> None:
    """A model that is not structured gives nothing, JSON or not, tools or not."""
    for model in (Echo(), Echo().bind_tools([Joke]), Echo() | (lambda message: message.content)):
        assert objects(chain(node=asker(model, call)), GIVEN, driver)[0] == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_tasks_and_workflows(driver: str) -> None:
    """A workflow and the tasks that it calls."""

    @task
    def tell(asked: str) -> Any:
        return STRUCTURED.invoke(asked)

    @entrypoint()
    def flow(given: Any) -> Any:
        return [tell(given["asked"]).result(), STRUCTURED.invoke(given["asked"])]

    chunks, output = objects(flow, GIVEN, driver)
    assert len(by_run(chunks)) == 2
    assert sorted(told[0][1]["langgraph_node"] for told in by_run(chunks).values()) == ["flow", "tell"]
    for told, result in zip(by_run(chunks).values(), output):
        check(told, result)
