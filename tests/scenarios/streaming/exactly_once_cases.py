"""A real ChatOpenAI for each API and each way of giving ids, ways to return its message, and what must be shown."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Set, Tuple

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from typing_extensions import Annotated

from scenarios.streaming.provider import CALLS, DRIVERS, ServerProvider
from streamgraph import MessageAccumulator
from streamgraph.graph import add_messages
from streamgraph.types import Command
from streamgraph_integrations.openai_server import Reply, ToolCall

TEXT = "Why did the cat sit on the ice cream? It wanted a purrfait!"
TOOL_CALLS = [ToolCall("ask", {"topic": "text"}, id="call_1"), ToolCall("ask", {"topic": "reasoning"}, id="call_2")]
REPLIES = {
    "text": Reply(TEXT, usage=(11, 7)),
    "calls": Reply("Let me look this up.", tool_calls=TOOL_CALLS, interleaved=True, usage=(12, 9)),
    "reasoning": Reply("It is five, I think.", reasoning="One and four.\n\nThat is all.", usage=(13, 8)),
    "summary": Reply("In short: it is what it is.", usage=(14, 6)),
}
IDS = ("every", "first", "last", "null", "missing", "changing")
_RESPONSES = {"use_responses_api": True, "reasoning": {"summary": "auto"}}
APIS: Dict[str, Dict[str, Any]] = {
    "chat": {},
    "responses": {**_RESPONSES, "output_version": "responses/v1"},
    "responses v0": {**_RESPONSES, "output_version": "v0"},
}
Models = Callable[[str, str], ChatOpenAI]


def answer(body: Dict[str, Any]) -> Reply:
    """What the last message asks for, or a summary of what tools have said."""
    last = body["messages"][-1]
    return REPLIES["summary"] if last["role"] == "tool" else REPLIES[last["content"]]


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    """A model for each API and each way of giving ids."""
    with ExitStack() as stack:
        servers = {ids: stack.enter_context(ServerProvider(answer, ids=ids, message_ids=True)) for ids in IDS}
        made = {(api, ids): servers[ids].model(**options) for ids in IDS for api, options in APIS.items()}
        yield lambda api, ids: made[api, ids]


# What nodes return


@dataclass
class DataState:
    """A state object that is a dataclass."""

    messages: Annotated[List[Any], add_messages] = field(default_factory=list)


class PydanticState(BaseModel):
    """A state object that is a pydantic model."""

    messages: Annotated[List[Any], add_messages] = []


def copied(message: BaseMessage, **update: Any) -> BaseMessage:
    """A deep copy of a message."""
    return message.model_copy(deep=True, update=update)


def text_of(message: BaseMessage) -> str:
    """The text of a message, without its reasoning and calls."""
    blocks = [message.content] if isinstance(message.content, str) else message.content
    return "".join(block if isinstance(block, str) else block.get("text", "") for block in blocks)


def like(message: Any, content: Any) -> AIMessage:
    """A new message that makes the same calls."""
    return AIMessage(content, tool_calls=message.tool_calls)


FORMS: Dict[str, Callable[[Any, List[Any]], Any]] = {
    "the same object": lambda message, _: {"messages": message},
    "a list": lambda message, _: {"messages": [message]},
    "a list with the history": lambda message, history: {"messages": [*history, message]},
    "a copy": lambda message, _: {"messages": copied(message)},
    "a copy under a new id": lambda message, _: {"messages": [copied(message, id="mine")]},
    "a copy without id": lambda message, _: {"messages": [copied(message, id=None)]},
    "its content in a new message": lambda message, _: {"messages": [like(message, message.content)]},
    "its text in a new message": lambda message, _: {"messages": [like(message, text_of(message))]},
    "its text in a dict": lambda message, _: {"messages": [{"role": "assistant", "content": text_of(message)}]},
    "a command": lambda message, _: Command(update={"messages": [message]}),
    "a list of commands": lambda message, _: [Command(update={"messages": [message]}), Command(update={})],
    "a dataclass": lambda message, _: DataState(messages=[message]),
    "a pydantic object": lambda message, _: PydanticState(messages=[message]),
}
STATES = {"a dataclass": DataState, "a pydantic object": PydanticState}


# Which of all the cases are run


class Case(NamedTuple):
    """One way to run a graph."""

    form: str
    ids: str
    api: str
    reply: str
    call: str
    driver: str

    def __str__(self) -> str:
        return ", ".join(self)

    @property
    def possible(self) -> bool:
        """A dict with the text alone would be another message than one with calls."""
        return (self.form, self.reply) != ("its text in a dict", "calls")

    @property
    def pairs(self) -> Set[Tuple[Any, ...]]:
        """Any two of its values."""
        return set(combinations(enumerate(self), 2))


def cases_of(head: Sequence[str]) -> List[Case]:
    """All cases of a form, a way of giving ids and an API."""
    rest = product(("text", "calls", "reasoning"), CALLS, DRIVERS)
    return [case for case in (Case(*head, *values) for values in rest) if case.possible]


def covering(heads: Sequence[Any]) -> List[Case]:
    """For each head the case that has the most pairs of values which no case before it has."""
    cases: List[Case] = []
    covered: Set[Tuple[Any, ...]] = set()
    for turn, head in enumerate(heads):
        possible = cases_of(head)
        start = turn % len(possible)  # so that those which have nothing new are of all kinds
        cases.append(max(possible[start:] + possible[:start], key=lambda case: len(case.pairs - covered)))
        covered |= cases[-1].pairs
    return cases


def alternating(*factors: Sequence[str]) -> List[Tuple[str, ...]]:
    """All combinations, each with one of the drivers, so that any two values are combined."""
    combined = [tuple(zip(*values)) for values in product(*(tuple(enumerate(values)) for values in factors))]
    return [(*values, DRIVERS[sum(places) % len(DRIVERS)]) for places, values in combined]


# What is run


def history(question: str) -> List[BaseMessage]:
    """A conversation in which the answer has been given before, word for word."""
    earlier = AIMessage(REPLIES[question].text, id="earlier answer")
    return [HumanMessage("earlier", id="earlier question"), earlier, HumanMessage(question, id="question")]


def speaker(ask: Callable[[Any], Any], form: Callable[[Any, List[Any]], Any], seen: List[Any]) -> Callable[[Any], Any]:
    """A node that asks with the whole conversation and returns the answer in some form; it goes into `seen`, too."""

    def done(messages: List[Any], message: Any) -> Any:
        seen.append(message)
        return form(message, messages)

    def messages_of(state: Any) -> List[Any]:
        return list(state["messages"] if isinstance(state, Mapping) else state.messages)

    if inspect.iscoroutinefunction(ask):

        async def atalk(state: Any) -> Any:
            messages = messages_of(state)
            return done(messages, await ask(messages))

        return atalk
    return lambda state: done(messages_of(state), ask(messages_of(state)))


# What must be shown


def essence(message: Any) -> Tuple[Any, ...]:
    """What there is to a message, apart from its id."""
    return message.content, message.tool_calls, message.invalid_tool_calls, message.usage_metadata


def check_tokens(shown: Sequence[Any], final: Any) -> None:
    """What was shown are tokens under one id, which add up to the final message."""
    assert {type(message) for message, _ in shown} == {AIMessageChunk}
    ((id_, whole),) = MessageAccumulator(shown).messages.items()
    assert id_
    assert {message.id for message, _ in shown} == {id_}
    assert essence(whole) == essence(final)
    assert whole.additional_kwargs == final.additional_kwargs
    assert len(shown) > 3


def check_usage(message: Any, reply: str) -> None:
    """The counts are those of the reply, once."""
    used = message.usage_metadata
    assert (used["input_tokens"], used["output_tokens"]) == REPLIES[reply].usage


def check_each_once(shown: Sequence[Any], finals: Sequence[Any], tools: Sequence[str]) -> None:
    """What was shown are the tokens of some messages, and of each call of a tool its answer."""
    ids = dict.fromkeys(message.id for message, _ in shown)
    groups = [[item for item in shown if item[0].id == id_] for id_ in ids]
    answers = [message for ((message, _), *_) in groups if isinstance(message, ToolMessage)]
    assert sorted(str(message.tool_call_id) for message in answers) == sorted(tools)
    told = [group for group in groups if not isinstance(group[0][0], ToolMessage)]
    assert len(shown) == sum(map(len, told)) + len(answers)
    by_text = {text_of(message): message for message in finals}
    assert len(told) == len(by_text) == len(finals)
    for group in told:
        check_tokens(group, by_text.pop("".join(text_of(message) for message, _ in group)))
