"""One scenario in every mode: both drivers show the same, in the order that the modes promise."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from typing_extensions import TypedDict, get_args

from scenarios.streaming.model_call_graphs import graph_of
from scenarios.streaming.provider import DRIVERS, JOKE, POEM, collect, finish
from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, StateGraph
from streamgraph.types import StreamMode

MODES = list(get_args(StreamMode))
ALL = ["values", "updates", "custom", "messages", "tasks", "debug"]
GIVEN = {"topic": "cats"}
OPTIONS: List[Dict[str, Any]] = [
    {"stream_mode": mode, "subgraphs": subgraphs, "version": version}
    for mode in [*MODES, MODES]
    for subgraphs in (None, True, False)
    for version in ("v1", "v2")
]


class State(TypedDict, total=False):
    """The state of the scenario, and of the graph nested in it."""

    topic: str
    plan: str
    found: str
    poem: str


class Part(NamedTuple):
    """A chunk in whatever shape, taken apart; `ns` is None where the shape has none."""

    ns: Any
    mode: str
    data: Any


def scenario(model: Any) -> Any:
    """Two steps: a plan, then a tool that writes beside a nested graph."""

    @tool
    def look_up(topic: str) -> str:
        """Look something up."""
        writer = get_stream_writer()
        for done in range(3):
            writer({"looked_up": done})
        return f"all about {topic}"

    def plan(state: State) -> State:
        get_stream_writer()("planning")
        return {"plan": model.invoke(f"a joke about {state['topic']}").content}

    async def find(state: State) -> State:
        return {"found": await look_up.ainvoke({"topic": state["topic"]})}

    def write(state: State) -> State:
        writer = get_stream_writer()
        writer("writing")
        poem = model.invoke("a poem").content
        writer("written")
        return {"poem": poem}

    nested = graph_of(State, write=write)
    builder = StateGraph(State)
    for name, node in (("plan", plan), ("find", find), ("nested", nested)):
        builder.add_node(name, node)
    builder.add_edge(START, "plan")
    for name in ("find", "nested"):
        builder.add_edge("plan", name)
        builder.add_edge(name, END)
    return builder.compile()


def parts_of(chunks: List[Any], stream_mode: Any, subgraphs: Any, version: str) -> List[Part]:
    """Take chunks apart, and with it check their shape."""
    parts = []
    for chunk in chunks:
        if version == "v2":
            extra = {"interrupts"} if chunk["type"] == "values" else set()
            assert set(chunk) == {"type", "ns", "data", *extra}
            parts.append(Part(chunk["ns"], chunk["type"], chunk["data"]))
            continue
        rest = chunk if isinstance(chunk, tuple) and (subgraphs or isinstance(stream_mode, list)) else (chunk,)
        assert len(rest) == 1 + bool(subgraphs) + isinstance(stream_mode, list)
        parts.append(Part(rest[0] if subgraphs else None, stream_mode if len(rest) == 1 else rest[-2], rest[-1]))
        if subgraphs and not isinstance(stream_mode, list):
            parts[-1] = parts[-1]._replace(mode=stream_mode)
    return parts


def normal(value: Any) -> Any:
    """A value without what differs from run to run: ids and times."""
    if isinstance(value, BaseMessage):
        usage = getattr(value, "usage_metadata", None)
        return (type(value).__name__, value.content, repr(usage), value.response_metadata.get("finish_reason"))
    if isinstance(value, dict):
        return {key: "TIME" if key == "timestamp" else normal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(normal(item) for item in value)
    if isinstance(value, str):
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", value)
    return value


def source_of(part: Part) -> Tuple[str, ...]:
    """What made a part: parts of one source have one order, whatever runs beside it."""
    data = part.data
    if part.mode == "messages":
        name = data[1]["langgraph_node"]
    elif part.mode == "custom":
        name = "look_up" if isinstance(data, dict) else "other"
    elif part.mode == "updates":
        (name,) = data
    elif part.mode in ("values", "patches"):
        name = ""
    elif part.mode == "tools":
        name = "look_up"
    else:
        name = (data if part.mode == "tasks" else data["payload"])["name"]
    return (repr(normal(part.ns)), part.mode, name)


def by_source(parts: List[Part]) -> Dict[Tuple[str, ...], List[str]]:
    """The parts of each source, in their order."""
    sources: Dict[Tuple[str, ...], List[str]] = defaultdict(list)
    for part in parts:
        sources[source_of(part)].append(repr(normal(part.data)))
    return sources


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_drivers_agree(server: Any, options: Any) -> None:
    """Sync and async show the same parts, and the same order wherever there is one."""
    graph = scenario(server.model())

    blocking, looping = (parts_of(collect(graph, GIVEN, driver, **options), **options) for driver in DRIVERS)

    assert by_source(blocking) == by_source(looping)
    assert bool(blocking) == (options["stream_mode"] not in ("checkpoints", "objects", "retries"))


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
def test_shapes_agree(server: Any, driver: str) -> None:
    """The parts of a mode are the same alone and among all, in both versions."""
    graph = scenario(server.model())
    for subgraphs in (None, True, False):
        together = by_source(_parts(graph, driver, MODES, subgraphs, "v2"))
        for version in ("v1", "v2"):
            alone = Counter()  # type: Counter[Any]
            for mode in MODES:
                parts = _parts(graph, driver, mode, subgraphs, version)
                alone.update((mode, repr(normal(part.data))) for part in parts)
            assert alone == Counter((key[1], data) for key, datas in together.items() for data in datas)


def _parts(graph: Any, driver: str, stream_mode: Any, subgraphs: Any, version: str) -> List[Part]:
    options = {"stream_mode": stream_mode, "subgraphs": subgraphs, "version": version}
    return parts_of(collect(graph, GIVEN, driver, **options), **options)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_content(server: Any, driver: str, version: str) -> None:
    """Each mode shows what it is for."""
    parts = _parts(scenario(server.model()), driver, MODES, None, version)
    data = {mode: [part.data for part in parts if part.mode == mode] for mode in MODES}

    found = "all about cats"
    assert data["values"] == [
        GIVEN,
        {**GIVEN, "plan": JOKE},
        {**GIVEN, "plan": JOKE, "found": found, "poem": POEM},
    ]
    assert data["updates"][0] == {"plan": {"plan": JOKE}}
    nested = {"nested": {**GIVEN, "plan": JOKE, "poem": POEM}}
    assert sorted(data["updates"][1:], key=str) == sorted([{"find": {"found": found}}, nested], key=str)
    assert [item for item in data["custom"] if isinstance(item, str)] == ["planning", "writing", "written"]
    assert [item for item in data["custom"] if isinstance(item, dict)] == [{"looked_up": done} for done in range(3)]
    assert "".join(message.content for message, _ in data["messages"]) == JOKE + POEM
    assert [event["name"] for event in data["tasks"] if "input" in event] == ["plan", "find", "nested"]
    assert [normal(event["payload"]) for event in data["debug"]] == normal(data["tasks"])
    assert [event["step"] for event in data["debug"]] == [1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("subgraphs", [None, False])
def test_nested_parts(server: Any, driver: str, subgraphs: Any) -> None:
    """`subgraphs=True` adds every mode of the nested graph; `None` has its live modes, `False` has none of it."""
    graph = scenario(server.model())
    everything = _parts(graph, driver, ALL, True, "v2")
    below = [part for part in everything if part.ns]

    assert {part.mode for part in below} == set(ALL)
    assert {normal(part.ns) for part in below} == {("nested:ID",)}
    kept = ("messages", "custom") if subgraphs is None else ()
    expected = [part for part in everything if not part.ns or part.mode in kept]
    shown = _parts(graph, driver, ALL, subgraphs, "v2")
    assert Counter(repr(normal(tuple(p))) for p in shown) == Counter(repr(normal(tuple(p))) for p in expected)


@pytest.mark.parametrize("subgraphs", [None, True, False])
@pytest.mark.parametrize("driver", DRIVERS)
def test_order(server: Any, driver: str, subgraphs: Any) -> None:
    """A task starts, emits, writes its update and ends; `values` come after a step and before the next one."""
    parts = _parts(scenario(server.model()), driver, ALL, subgraphs, "v2")
    for ns, steps in (((), 2), *(((part.ns), 1) for part in parts if part.ns and part.mode == "values")):
        level = [part for part in parts if part.ns[: len(ns)] == ns]
        assert (level[0].mode, level[0].ns) == ("values", ns)
        found = list(_steps(level[1:], ns))
        assert len(found) == steps
        for step in found:
            _check_step(step, ns)


def _steps(level: List[Part], ns: Tuple[str, ...]) -> Iterator[List[Part]]:
    step: List[Part] = []
    for part in level:
        step.append(part)
        if part.mode == "values" and part.ns == ns:
            yield step
            step = []
    assert step == []


def _check_step(step: List[Part], ns: Tuple[str, ...]) -> None:
    events = [part for part in step if part.ns == ns and part.mode == "tasks"]
    tasks = {part.data["id"]: part.data["name"] for part in events if "input" in part.data}
    assert [part.data["id"] for part in events[: len(tasks)]] == list(tasks)
    for task_id, name in tasks.items():
        own = [part for part in step if _belongs(part, ns, task_id, name)]
        assert own[0].mode == "tasks"
        assert [(part.mode, part.ns) for part in own[-2:]] == [("updates", ns), ("tasks", ns)]
        inside = own[1:-2]
        assert {part.mode for part in inside if part.ns == ns} <= {"messages", "custom"}


def _belongs(part: Part, ns: Tuple[str, ...], task_id: str, name: str) -> bool:
    """Whether a part was made by a task, or by a graph that ran in it."""
    inner = (*ns, f"{name}:{task_id}")
    if part.ns != ns:
        return part.ns[: len(inner)] == inner
    if part.mode == "tasks":
        return part.data["id"] == task_id
    if part.mode == "updates":
        return name in part.data
    if part.mode == "messages":
        return part.data[1]["langgraph_checkpoint_ns"] == "|".join(inner)
    if part.mode == "custom":
        writers = {"planning": "plan", "writing": "write", "written": "write"}
        return writers.get(str(part.data), "find") == name
    return False


@pytest.mark.parametrize("driver", DRIVERS)
def test_output(server: Any, driver: str) -> None:
    """The output is that of the last `values`, with or without a stream."""
    graph = scenario(server.model())
    output = finish(graph, GIVEN, driver)

    assert output == {**GIVEN, "plan": JOKE, "found": "all about cats", "poem": POEM}
    assert collect(graph, GIVEN, driver, stream_mode="values")[-1] == output
