"""Models that answer with the JSON they are asked for, schemas for it, and the ways to ask and to run."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any, AsyncIterator, Dict, Iterator, List, NamedTuple, Optional, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from pydantic import BaseModel, TypeAdapter
from typing_extensions import Annotated, Literal, TypedDict

from streamgraph import END, START, StateGraph, add_messages

DRIVERS = ("stream", "astream")
CALLS = ("invoke", "ainvoke", "stream", "astream")
METHODS = ("function_calling", "json_schema", "json_mode")


class Author(BaseModel):
    """Who has told it."""

    name: str
    born: datetime.date


class Joke(BaseModel):
    """A joke."""

    setup: str
    kind: Literal["pun", "punk", "story"]
    stars: Optional[int] = None
    words: List[str] = []
    author: Author


class AuthorDict(TypedDict):
    """Who has told it."""

    name: str
    born: str


class JokeDict(TypedDict):
    """A joke."""

    setup: str
    kind: Literal["pun", "punk", "story"]
    stars: Optional[int]
    words: List[str]
    author: AuthorDict


SCHEMA: Dict[str, Any] = Joke.model_json_schema()
"""The same as a JSON schema, with its references."""

SCHEMAS: Dict[str, Any] = {"pydantic": Joke, "TypedDict": JokeDict, "JSON schema": SCHEMA}
SCHEMAS_READ = {**dict.fromkeys(SCHEMAS, SCHEMA), "TypedDict": TypeAdapter(JokeDict).json_schema()}
"""What holds for their objects: in the TypedDict a date is any text."""

NAMES = {"pydantic": "Joke", "TypedDict": "JokeDict", "JSON schema": "Joke"}

OBJECT: Dict[str, Any] = {
    "setup": 'Why did the "cat" \\ the\ncat \N{SMILING FACE WITH OPEN MOUTH} sit?',
    "kind": "punk",
    "stars": 123,
    "words": ["ice", "cr\u00e8me"],
    "author": {"name": "Ann Bee", "born": "1999-12-31"},
}
TEXT = json.dumps(OBJECT)


class Echo(BaseChatModel):
    """Answers with its question: as arguments of the tool that is bound to it, else as text, in pieces.

    A `ScriptedModel` knows its answers beforehand, and not the ways in which `with_structured_output` asks for them.

    Attributes:
        size: How many characters a piece has.
        pause: How many turns the event loop gets before each piece.
        streaming: As some providers' models have it.
    """

    size: int = 3
    pause: int = 1
    streaming: bool = True

    @property
    def _llm_type(self) -> str:
        return "echo"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Answer with the arguments of a tool."""
        return self.bind(tools=[*tools], **kwargs)

    def with_structured_output(self, schema: Any, *, include_raw: bool = False, **kwargs: Any) -> Any:
        """By a tool as langchain-core does it, or by text as langchain-openai does it."""
        method = kwargs.get("method", "function_calling")
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        told = {"kwargs": {"method": method}, "schema": schema}
        model = self.bind(response_format={"type": method}, ls_structured_output_format=told)
        parser = PydanticOutputParser(pydantic_object=schema) if isinstance(schema, type(BaseModel)) else None
        parsed = parser or JsonOutputParser()
        if not include_raw:
            return model | parsed
        given = RunnablePassthrough.assign(
            parsed=(lambda got: got["raw"]) | parsed, parsing_error=lambda got: None
        ).with_fallbacks([RunnablePassthrough.assign(parsed=lambda got: None)], exception_key="parsing_error")
        return RunnableMap(raw=model) | given

    def _generate(
        self, messages: List[BaseMessage], *args: Any, tools: Sequence[Any] = (), **kwargs: Any
    ) -> ChatResult:
        text = str(messages[-1].content)
        if not tools:
            return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])
        return ChatResult(generations=[ChatGeneration(message=_called(tool_name(tools[0]), text))])

    def _stream(
        self, messages: List[BaseMessage], *args: Any, tools: Sequence[Any] = (), **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in pieces(str(messages[-1].content), self.size, tool_name(tools[0]) if tools else None):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(*args, **kwargs):
            for _ in range(self.pause):
                await asyncio.sleep(0)
            yield chunk


def tool_name(tool: Any) -> str:
    """The name of a tool that a schema was made into."""
    name = tool.get("title") if isinstance(tool, dict) else getattr(tool, "name", None)
    return str(name or tool.__name__)


def _called(name: str, text: str) -> AIMessage:
    try:
        return AIMessage("", tool_calls=[{"name": name, "args": json.loads(text), "id": "c1"}])
    except ValueError:
        return AIMessage("", invalid_tool_calls=[{"name": name, "args": text, "id": "c1", "error": None}])


def pieces(text: str, size: int, tool: Optional[str] = None) -> List[AIMessageChunk]:
    """An answer in pieces of so many characters."""
    cut = [text[start : start + size] for start in range(0, len(text), size)]
    if tool is None:
        return [AIMessageChunk(piece) for piece in cut]
    heads: List[Any] = [{"name": tool, "args": "", "id": "c1", "index": 0, "type": "tool_call_chunk"}]
    heads += [{"name": None, "args": piece, "id": None, "index": 0, "type": "tool_call_chunk"} for piece in cut]
    return [AIMessageChunk("", tool_call_chunks=[head]) for head in heads]


class State(TypedDict, total=False):
    """What is asked, what came of it."""

    asked: str
    out: Any
    more: Any
    messages: Annotated[List[Any], add_messages]


GIVEN = {"asked": TEXT}


def chain(**nodes: Any) -> Any:
    """A graph that runs these nodes one after the other."""
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for start, end in zip([START, *nodes], [*nodes, END]):
        builder.add_edge(start, end)
    return builder.compile()


def asker(runnable: Any, call: str = "invoke", key: str = "out", **how: Any) -> Any:
    """A node that asks in one of the four ways, and writes the (last) answer; nothing if it has no key for it."""

    def written(answer: Any) -> Any:
        return {key: answer} if key else {}

    def invoke(state: State) -> Any:
        return written(runnable.invoke(state["asked"], **how))

    async def ainvoke(state: State) -> Any:
        return written(await runnable.ainvoke(state["asked"], **how))

    def stream(state: State) -> Any:
        return written(list(runnable.stream(state["asked"], **how))[-1])

    async def astream(state: State) -> Any:
        return written([got async for got in runnable.astream(state["asked"], **how)][-1])

    return {"invoke": invoke, "ainvoke": ainvoke, "stream": stream, "astream": astream}[call]


class Read(NamedTuple):
    """A stream that was read to its end."""

    chunks: List[Any]
    output: Any
    unstreamed: List[Any]


def read(graph: Any, given: Any, driver: str, config: Any = None, **options: Any) -> Read:
    """Read a stream to its end, by either driver."""
    if driver == "stream":
        stream = graph.stream(given, config, **options)
        return Read(list(stream), stream.output, stream.explain())

    async def main() -> Read:
        stream = graph.astream(given, config, **options)
        return Read([chunk async for chunk in stream], stream.output, stream.explain())

    return run(main())


def leave(graph: Any, driver: str, mode: Any = "messages") -> None:
    """Read one chunk of a stream, and leave."""

    async def main() -> None:
        async with graph.astream({}, stream_mode=mode) as stream:
            await stream.__anext__()

    if driver == "astream":
        run(main())
        return
    with graph.stream({}, stream_mode=mode) as stream:
        next(stream)


def run(main: Any) -> Any:
    """Like `asyncio.run`, which would set up signal handlers each time."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
