"""Graphs that ask a model in every place where a model can be asked; none of them passes a config on by hand."""

from __future__ import annotations

import asyncio
import inspect
from functools import reduce
from operator import add
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from typing_extensions import TypedDict

from scenarios.streaming.provider import JOKE, POEM
from streamgraph.graph import START, StateGraph

QUESTION = "a joke"


class State(TypedDict, total=False):
    """A question and what became of it."""

    question: str
    answer: str
    joke: str
    poem: str


class Asked(NamedTuple):
    """A model call that a graph makes: what it answers, in which node, under which nodes of graphs around."""

    text: str
    node: str
    around: Tuple[str, ...] = ()


Builder = Callable[[Any, str], Any]
SHAPES: Dict[str, Tuple[Builder, List[Asked]]] = {}


def shape(*asked: Asked) -> Callable[[Builder], Builder]:
    """Enter a function that makes a graph into `SHAPES`, with the model calls of that graph."""

    def enter(build: Builder) -> Builder:
        SHAPES[build.__name__] = (build, list(asked))
        return build

    return enter


def asker(runnable: Any, call: str) -> Callable[[Any], Any]:
    """A function, or an async function, that asks `runnable` by `call`."""
    if call in ("invoke", "ainvoke"):
        return getattr(runnable, call)

    def stream(given: Any) -> Any:
        return reduce(add, runnable.stream(given))

    async def astream(given: Any) -> Any:
        return reduce(add, [chunk async for chunk in runnable.astream(given)])

    return stream if call == "stream" else astream


def followed(function: Callable[[Any], Any], then: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Call `function`, then `then` with its result; an async function if `function` is one."""
    if inspect.iscoroutinefunction(function):

        async def acall(given: Any) -> Any:
            return then(await function(given))

        return acall
    return lambda given: then(function(given))


def talker(ask: Callable[[Any], Any], question: str = QUESTION, key: str = "answer") -> Callable[[Any], Any]:
    """A node that asks `question` and writes the answer's text."""
    if inspect.iscoroutinefunction(ask):

        async def atalk(state: State) -> State:
            return {key: text_of(await ask(question))}  # type: ignore[misc]

        return atalk

    def talk(state: State) -> State:
        return {key: text_of(ask(question))}  # type: ignore[misc]

    return talk


def node_returning(ask: Callable[[Any], Any], form: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A node that asks and returns the answer in some form."""
    if inspect.iscoroutinefunction(ask):

        async def atalk(state: Any) -> Any:
            return form(await ask("a joke"))

        return atalk
    return lambda state: form(ask("a joke"))


def text_of(answer: Any) -> str:
    """The text of a message, or the text itself."""
    return answer if isinstance(answer, str) else answer.content


def graph_of(state: Any = State, /, **nodes: Any) -> Any:
    """A graph that runs all nodes in one step."""
    builder = StateGraph(state)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
    return builder.compile()


def prompt() -> Any:
    """A prompt that turns an input into a question."""
    return ChatPromptTemplate.from_template("Please tell {question}")


def to_question(given: Any) -> Any:
    """The prompt's input."""
    return {"question": given if isinstance(given, str) else given.get("question", QUESTION)}


def to_answer(text: Any) -> State:
    """A node's update."""
    return {"answer": text_of(text)}


@shape(Asked(JOKE, "talk"))
def node_function(model: Any, call: str) -> Any:
    """The node is a function that asks the model."""
    return graph_of(talk=talker(asker(model, call)))


@shape(Asked(JOKE, "talk"))
def chain_as_node(model: Any, call: str) -> Any:
    """The node is a chain, which the run itself calls; by `call` only for what comes between prompt and parser."""
    middle = model if call in ("invoke", "ainvoke") else RunnableLambda(asker(model, call))
    return graph_of(talk=to_question | prompt() | middle | StrOutputParser() | to_answer)


@shape(Asked(JOKE, "talk"))
def chain_in_node(model: Any, call: str) -> Any:
    """The node is a function that asks a chain."""
    chain = RunnableLambda(to_question) | prompt() | model | StrOutputParser()
    return graph_of(talk=talker(asker(chain, call)))


@shape(Asked(JOKE, "talk"))
def function_in_chain(model: Any, call: str) -> Any:
    """The node is a chain with a function in it that asks the model."""
    inner = followed(asker(model, call), text_of)
    return graph_of(talk=to_question | prompt() | RunnableLambda(inner) | to_answer)


@shape(Asked(JOKE, "talk"))
def tool_in_node(model: Any, call: str) -> Any:
    """The node calls a tool that asks the model."""
    ask = asker(model, call)
    if inspect.iscoroutinefunction(ask):

        @tool
        async def aconsult(question: str) -> str:
            """Ask the model."""
            return text_of(await ask(question))

        async def acall(question: str) -> Any:
            return await aconsult.ainvoke({"question": question})

        return graph_of(talk=talker(acall))

    @tool
    def consult(question: str) -> str:
        """Ask the model."""
        return text_of(ask(question))

    return graph_of(talk=talker(lambda question: consult.invoke({"question": question})))


@shape(Asked(JOKE, "talk", ("outer",)))
def graph_as_node(model: Any, call: str) -> Any:
    """The node is a graph whose node asks the model."""
    return graph_of(outer=node_function(model, call))


@shape(Asked(JOKE, "talk", ("outer", "middle")))
def graph_as_node_twice(model: Any, call: str) -> Any:
    """The node is a graph whose node is a graph."""
    return graph_of(outer=graph_of(middle=node_function(model, call)))


@shape(Asked(JOKE, "talk", ("outer",)))
def graph_in_node(model: Any, call: str) -> Any:
    """The node is a function that runs a graph."""
    inner = node_function(model, call)

    async def aouter(state: State) -> State:
        return {"answer": (await inner.ainvoke(state))["answer"]}

    def outer(state: State) -> State:
        return {"answer": inner.invoke(state)["answer"]}

    return graph_of(outer=aouter if call.startswith("a") else outer)


@shape(Asked(JOKE, "talk"), Asked(POEM, "talk"))
def gathered(model: Any, call: str) -> Any:
    """The node asks twice at once."""
    ask = asker(model, call)

    async def talk(state: State) -> State:
        if inspect.iscoroutinefunction(ask):
            both = [ask("a joke"), ask("a poem")]
        else:
            both = [asyncio.to_thread(ask, "a joke"), asyncio.to_thread(ask, "a poem")]
        joke, poem = await asyncio.gather(*both)
        return {"joke": text_of(joke), "poem": text_of(poem), "answer": text_of(joke)}

    return graph_of(talk=talk)


@shape(Asked(JOKE, "one"), Asked(POEM, "other"))
def parallel_nodes(model: Any, call: str) -> Any:
    """Two nodes ask in the same step."""
    ask = asker(model, call)
    return graph_of(one=talker(ask), other=talker(ask, "a poem", "poem"))
