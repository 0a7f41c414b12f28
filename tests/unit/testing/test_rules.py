"""Real streams keep the rules, in any modes; a stream with one part moved, dropped or doubled breaks the right one."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, List, Optional

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage
from langchain_core.tools import tool

from streamgraph import START, MessagesState, StateGraph, get_stream_writer
from streamgraph.func import entrypoint, task
from streamgraph.prebuilt import create_react_agent
from streamgraph.testing import RULES, Answer, Collected, ScriptedModel, StreamRuleError, acheck_stream, check_stream
from streamgraph.types import Command, RetryPolicy, Send

ALL = ["values", "updates", "messages", "custom", "tasks", "tools"]
MODES = [
    ALL,
    ["messages", "updates"],
    ["messages", "updates", "values"],
    ["messages", "values"],
    ["updates", "values"],
    ["messages", "tasks"],
    ["debug", "messages", "updates", "custom"],
    ["custom", "tasks", "updates"],
    ["objects", "messages", "updates", "debug", "tasks"],
]
GIVEN = {"messages": [HumanMessage("?", id="question")]}


@tool
def search(query: str) -> str:
    """Search."""
    get_stream_writer()({"from": "tools", "query": query})
    return f"found {query}"


def talking(*script: Any) -> Any:
    """A node that says what comes next, and something on the side."""
    model = ScriptedModel(script or ["one two three"], cycle=True)

    def talk(state: Any) -> Any:
        get_stream_writer()({"from": "?"})
        return {"messages": [model.invoke("?")]}

    return talk


def line(**nodes: Any) -> Any:
    """Nodes one after the other."""
    builder: Any = StateGraph(MessagesState)
    before = START
    for name, node in nodes.items():
        builder.add_node(name, node).add_edge(before, name)
        before = name
    return builder.compile()


def agent() -> Any:
    calls = [{"name": "search", "args": {"query": text}, "id": text} for text in ("cats", "dogs")]
    return create_react_agent(ScriptedModel([AIMessage("Let me see.", tool_calls=calls), "They sleep."]), [search])


def nested() -> Any:
    return line(before=talking(), around=line(deep=talking(), deeper=line(deepest=talking())), after=talking())


def parallel() -> Any:
    builder: Any = StateGraph(MessagesState)
    for name in "abc":
        builder.add_node(name, talking(f"{name} says this")).add_edge(START, name).add_edge(name, "end")
    return builder.add_node("end", talking()).compile()


def sent() -> Any:
    builder: Any = StateGraph(MessagesState).add_node("plan", lambda state: None).add_node("work", talking())
    builder.add_edge(START, "plan")
    builder.add_conditional_edges("plan", lambda state: [Send("work", {}) for _ in range(3)], ["work"])
    return builder.compile()


def looping() -> Any:
    def again(state: Any) -> Any:
        return "talk" if len(state["messages"]) < 4 else "__end__"

    builder: Any = StateGraph(MessagesState).add_node("talk", talking()).add_edge(START, "talk")
    return builder.add_conditional_edges("talk", again).compile()


def retried() -> Any:
    model = ScriptedModel([Answer(["one", " two"], error=ValueError("cut")), "one two three"])
    policy = RetryPolicy(retry_on=ValueError, initial_interval=0.001, jitter=False)
    builder: Any = StateGraph(MessagesState)
    builder.add_node("talk", lambda state: {"messages": [model.invoke("?")]}, retry_policy=policy)
    return builder.add_edge(START, "talk").compile()


def handled() -> Any:
    builder: Any = StateGraph(MessagesState)
    model = ScriptedModel([Answer(["one"], error=ValueError("cut"))])
    sorry = {"messages": [AIMessage("sorry")]}
    builder.add_node("talk", lambda state: model.invoke("?"), error_handler=lambda state: sorry)
    return builder.add_edge(START, "talk").compile()


def leaving_its_graph() -> Any:
    model = ScriptedModel(["one two"])
    inner = line(deep=lambda state: Command(graph=Command.PARENT, update={"messages": [model.invoke("?")]}))
    return line(around=inner, after=talking())


def calling() -> Any:
    inner = line(deep=talking())

    async def call(state: Any) -> None:
        await asyncio.gather(*(inner.ainvoke({"messages": []}) for _ in range(2)))

    return line(call=call)


def functional() -> Any:
    model = ScriptedModel(["one two three"], cycle=True)

    @task
    def ask(text: str) -> Any:
        return model.invoke(text)

    @entrypoint()
    def main(given: Any) -> Any:
        both = [ask("a"), ask("b")]
        return {"messages": [*(future.result() for future in both), ask("c").result(), model.invoke("d")]}

    return main


GRAPHS: Dict[str, Callable[[], Any]] = {
    made.__name__: made
    for made in (
        agent,
        nested,
        parallel,
        sent,
        looping,
        retried,
        handled,
        leaving_its_graph,
        calling,
        functional,
    )
}


def checked(graph: Any, driver: str, modes: Any = ALL, subgraphs: Optional[bool] = True, **options: Any) -> Collected:
    """A checked stream, by either driver."""
    how = {"stream_mode": modes, "version": "v2", "subgraphs": subgraphs}
    if driver == "stream":
        return check_stream(graph.stream(GIVEN, **how), **options)
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(acheck_stream(graph.astream(GIVEN, **how), **options))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("subgraphs", [None, True, False])
def test_real_streams_keep_the_rules(name: str, driver: str, subgraphs: Optional[bool]) -> None:
    for modes in MODES:
        shown = checked(GRAPHS[name](), driver, modes, subgraphs)
        assert shown.parts
        check_stream(shown)
        check_stream(shown.parts[: len(shown.parts) // 2], complete=False)


# Tampered streams


Parts = List[Any]
Where = Callable[[Any], bool]


def start(name: str) -> Where:
    return lambda part: part["type"] == "tasks" and part["data"]["name"] == name and "input" in part["data"]


def result(name: str) -> Where:
    return lambda part: part["type"] == "tasks" and part["data"]["name"] == name and "result" in part["data"]


def update(name: str) -> Where:
    return lambda part: part["type"] == "updates" and name in part["data"]


def token(name: str) -> Where:
    return lambda part: part["type"] == "messages" and part["data"][1]["langgraph_node"] == name


def mode(name: str, ns: Any = None) -> Where:
    return lambda part: part["type"] == name and (ns is None or len(part["ns"]) == ns)


def places(parts: Parts, where: Where) -> List[int]:
    return [index for index, part in enumerate(parts) if where(part)]


def moved(what: Where, behind: Where, number: int = -1) -> Callable[[Parts], Parts]:
    """Put the part, the last one that fits unless said otherwise, behind the last one that fits."""

    def tamper(parts: Parts) -> Parts:
        source, target = places(parts, what)[number], places(parts, behind)[-1]
        rest = parts[:source] + parts[source + 1 :]
        return rest[: target + (target < source)] + [parts[source]] + rest[target + (target < source) :]

    return tamper


def moved_before(what: Where, before: Where) -> Callable[[Parts], Parts]:
    """Put the first part that fits before the first one that fits."""

    def tamper(parts: Parts) -> Parts:
        source, target = places(parts, what)[0], places(parts, before)[0]
        assert target < source
        return parts[:target] + [parts[source]] + parts[target:source] + parts[source + 1 :]

    return tamper


def dropped(what: Where) -> Callable[[Parts], Parts]:
    return lambda parts: [part for index, part in enumerate(parts) if index != places(parts, what)[-1]]


def doubled(what: Where) -> Callable[[Parts], Parts]:
    def tamper(parts: Parts) -> Parts:
        place = places(parts, what)[-1]
        return parts[: place + 1] + parts[place:]

    return tamper


def added(make: Callable[[Any], Any], behind: Where) -> Callable[[Parts], Parts]:
    """Put another message behind the last token that fits, made of it."""

    def tamper(parts: Parts) -> Parts:
        place = places(parts, behind)[-1]
        chunk, metadata = parts[place]["data"]
        return [*parts[: place + 1], {**parts[place], "data": make((chunk, metadata))}, *parts[place + 1 :]]

    return tamper


def last_chunk(parts: Parts) -> Parts:
    """Mark the end of the message before its last chunk, as newer versions of langchain-core do in any case."""
    place = places(parts, token("before"))[0]
    return [*parts[: place + 1], {**parts[place], "data": (Last(id_of(parts, place)), {})}, *parts[place + 1 :]]


def late_start(parts: Parts) -> Parts:
    """Let the task whose result is the last one of its step start behind the first result."""
    ends = [place for name in "abc" for place in places(parts, result(name))]
    return moved(start(parts[max(ends)]["data"]["name"]), lambda part: part is parts[min(ends)])(parts)


def last_position(message: Any) -> bool:
    return getattr(message, "chunk_position", None) == "last"


def id_of(parts: Parts, place: int) -> str:
    return str(parts[place]["data"][0].id)


class Last(AIMessageChunk):
    """The empty chunk at the end of a message."""

    chunk_position: Any = "last"

    def __init__(self, id_: str) -> None:
        super().__init__(content="", id=id_)


def _without_run(metadata: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in metadata.items() if key != "run_id"}


TEXT = "one two three"
SAYING = ["messages", "updates"]
TAMPERED = [
    ("error-last", nested, ALL, lambda parts: [*parts[:-1], {"type": "error", "ns": (), "data": None}, parts[-1]]),
    ("task-start", nested, ALL, dropped(start("before"))),
    ("task-start", nested, ALL, doubled(start("before"))),
    ("task-start", nested, ALL, moved_before(token("before"), start("before"))),
    ("task-start", parallel, ["tasks"], moved_before(result("a"), start("a"))),
    ("task-start", nested, ["tasks", "updates"], moved_before(update("before"), start("before"))),
    ("task-result", nested, ["messages", "tasks"], dropped(result("after"))),
    ("task-result", nested, ["tasks"], doubled(result("before"))),
    ("task-result", nested, ALL, moved(token("before"), result("before"))),
    ("task-result", nested, ["debug", "messages"], lambda parts: [*parts[:-1][:-1], parts[-1], parts[-2]]),
    ("task-result", nested, ["custom", "tasks"], moved(mode("custom"), result("after"))),
    ("update-before-result", nested, ALL, dropped(update("before"))),
    ("update-before-result", nested, ALL, doubled(update("before"))),
    ("update-before-result", sent, ["tasks", "updates"], moved(update("work"), result("work"))),
    ("update-last", nested, ALL, moved(token("before"), update("before"))),
    ("update-last", nested, SAYING, moved(token("before"), update("before"))),
    ("update-last", nested, SAYING, moved(token("deep"), update("around"))),
    ("update-last", nested, SAYING, dropped(update("before"))),
    ("update-last", sent, SAYING, moved(token("work"), update("work"))),
    ("update-last", looping, SAYING, moved(token("talk"), update("talk"))),
    ("update-last", nested, ALL, moved(mode("custom", 0), update("after"))),
    ("nested-inside", nested, ALL, moved(mode("values", 2), update("around"))),
    ("nested-inside", nested, ALL, moved_before(mode("values", 1), start("around"))),
    ("nested-inside", nested, ["messages", "tasks"], moved(token("deepest"), result("around"))),
    ("step-order", nested, ALL, moved_before(start("around"), result("before"))),
    ("step-order", parallel, ["tasks"], late_start),
    ("step-order", parallel, ["tasks"], moved(result("c"), start("end"))),
    ("step-order", nested, ["values", "tasks"], moved(mode("values", 0), start("after"))),
    ("step-order", nested, ["values", "messages"], moved(token("after"), mode("values", 0))),
    ("step-order", nested, ["messages"], moved(token("before"), token("after"))),
    ("step-order", nested, ["updates", "values"], moved(update("after"), mode("values", 0))),
    ("message-once", nested, ALL, added(lambda data: (AIMessage(TEXT, id=data[0].id), data[1]), token("deep"))),
    ("message-once", nested, SAYING, added(lambda data: (AIMessage(TEXT), _without_run(data[1])), token("after"))),
    ("message-once", agent, SAYING, doubled(token("tools"))),
    ("message-once", nested, ALL, added(lambda data: (GIVEN["messages"][0], data[1]), token("before"))),
    ("message-end", nested, ["messages"], last_chunk),
    (
        "message-end",
        handled,
        ["messages"],
        added(lambda data: (AIMessageChunk("x", id=data[0].id), {}), lambda part: True),
    ),
    ("message-ends", nested, SAYING, dropped(token("after"))),
    ("message-ends", nested, ALL, dropped(token("deepest"))),
    ("message-ends", handled, ["messages"], dropped(lambda part: last_position(part["data"][0]))),
    ("message-one-id", nested, ALL, added(lambda data: (AIMessageChunk("x", id="new"), data[1]), token("deepest"))),
    ("tool-order", agent, ["tools"], lambda parts: parts[::-1]),
    ("tool-order", agent, ["tools"], doubled(lambda part: part["data"]["event"] == "tool-finished")),
]


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize(
    "rule, made, modes, tamper", TAMPERED, ids=[f"{rule} {number}" for number, (rule, *_) in enumerate(TAMPERED)]
)
def test_tampered_streams_break_their_rule(rule: str, made: Any, modes: Any, tamper: Any, driver: str) -> None:
    parts = checked(made(), driver, modes).parts
    tampered = [_with_id(part) for part in tamper(parts)]
    with pytest.raises(StreamRuleError) as caught:
        check_stream(tampered)
    assert caught.value.rule == rule
    assert tampered[caught.value.index] is caught.value.part
    assert f"Rule {rule!r} is broken by part {caught.value.index}" in str(caught.value)
    assert all(id_ in str(caught.value) for id_ in caught.value.ids)

    async def read() -> Any:
        for part in tampered:
            yield part

    with pytest.raises(StreamRuleError, match=rule):
        asyncio.run(acheck_stream(read()))


def _with_id(part: Any) -> Any:
    if part["type"] == "messages" and part["data"][0].id is None:
        return {**part, "data": (part["data"][0].model_copy(update={"id": "new"}), part["data"][1])}
    return part


def test_each_rule_is_tried() -> None:
    assert {rule for rule, *_ in TAMPERED} == set(RULES)


# Options


def failing() -> Any:
    return line(before=talking(), bad=lambda state: [][0])


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_a_stream_that_fails_raises_its_own_error(driver: str) -> None:
    with pytest.raises(IndexError):
        checked(failing(), driver)


@pytest.mark.parametrize("modes", MODES)
def test_the_parts_of_a_stream_that_fails(modes: Any) -> None:
    parts = []
    with pytest.raises(IndexError):
        for part in failing().stream(GIVEN, stream_mode=modes, version="v2"):
            parts.append(part)
    assert parts[-1]["type"] == "error"
    check_stream(parts)


def test_rules_can_be_ignored() -> None:
    tampered = moved(token("before"), update("before"))(checked(nested(), "stream", SAYING).parts)
    with pytest.raises(StreamRuleError):
        check_stream(tampered)
    check_stream(tampered, ignore=["update-last"])
    check_stream(tampered, ignore="update-last")
    with pytest.raises(ValueError, match="Did you mean 'update-last'"):
        check_stream(tampered, ignore=["update_last"])


def test_ignoring_a_rule_breaks_no_other() -> None:
    tampered = dropped(start("before"))(checked(nested(), "stream").parts)
    check_stream(tampered, ignore=["task-start", "update-before-result"])


def test_who_knows_where_custom_data_comes_from() -> None:
    def custom_node(data: Any) -> Any:
        return data["from"]

    shown = checked(agent(), "stream", ["custom", "updates", "tasks"], custom_node=custom_node)
    assert [data["query"] for data in shown.custom()] == ["cats", "dogs"]
    tampered = moved(mode("custom"), start("agent"))(shown.parts)
    check_stream(tampered)
    with pytest.raises(StreamRuleError, match="task-result"):
        check_stream(tampered, custom_node=custom_node)


def test_what_was_taken_back_may_come_again() -> None:
    def part(message: Any) -> Any:
        return {"type": "messages", "ns": (), "data": (message, {})}

    one, end = AIMessageChunk("one", id="1"), part(Last("1"))
    first = [part(one), end, part(AIMessage("two", id="2"))]
    again = [part(RemoveMessage(id="1")), part(RemoveMessage(id="2"))]
    check_stream([*first, *again, *first])
    with pytest.raises(StreamRuleError, match="message-end"):
        check_stream([*first, *first])
    with pytest.raises(StreamRuleError, match="message-once"):
        check_stream([*first, first[-1]])
    check_stream([*first, part(AIMessage("changed", id="1"))])


def test_after_a_gap_only_the_end_is_checked() -> None:
    tampered = moved(token("before"), update("before"))(checked(nested(), "stream").parts)
    gap = {"type": "gap", "ns": (), "data": None}
    check_stream([gap, *tampered])
    with pytest.raises(StreamRuleError, match="error-last"):
        check_stream([gap, {"type": "error", "ns": (), "data": None}, *tampered])


def test_other_versions_are_refused() -> None:
    with pytest.raises(TypeError, match=r'Call stream\(\) or astream\(\) with version="v2"'):
        check_stream(nested().stream(GIVEN, stream_mode="messages"))


def test_an_empty_stream() -> None:
    assert check_stream([]).parts == []
