"""Who sees structured output: `nostream`, the filters of a stream, and `include_raw` for the JSON behind it."""

from __future__ import annotations

from functools import cache
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from streamgraph import START, StateGraph
from streamgraph._messages import structured as structured_module
from streamgraph._messages import token_part
from streamgraph._streams import part as parts
from streamgraph.types import RetryPolicy
from support.parts import Part, normal, parts_of, passes
from support.structured import CALLS, DRIVERS, GIVEN, METHODS, OBJECT, Echo, Joke, State, asker, chain, read

AGAIN = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=2, retry_on=Exception)
TWO = ("messages", "objects")


def structured(*tags: str, size: int = 30, **how: Any) -> Any:
    """A model that answers with an object."""
    return Echo(size=size, tags=[*tags]).with_structured_output(Joke, **how)


def keeps(runnable: Any, invent: bool = False) -> Any:
    """A node that keeps the raw message of a structured answer, as it is or as a message of its own."""

    def node(state: Any) -> Any:
        raw = runnable.invoke(state["asked"])["raw"]
        return {"messages": [AIMessage(f"changed: {raw.content}") if invent else raw]}

    return node


def prose(state: Any) -> Any:
    """A node that asks a model which answers in JSON of its own accord, and one that calls a tool."""
    model = Echo(size=30)
    return {
        "messages": [model.with_config(tags=["prose"]).invoke(state["asked"]), model.bind_tools([Joke]).invoke("{}")]
    }


def scenario() -> Any:
    """Structured and other models: in nodes of one step, with other tags and methods, and in nested graphs."""
    inner = chain(
        inner_joke=asker(structured("inner", "joke", method="json_mode"), "astream", ""),
        inner_raw=keeps(structured("inner", include_raw=True)),
        inner_prose=prose,
    )
    called = chain(called_joke=asker(structured("called"), "stream", ""))
    nodes = {
        "joke": asker(structured("joke"), "invoke", ""),
        "raw": keeps(structured("joke", "raw", include_raw=True, method="json_schema")),
        "changed": keeps(structured(include_raw=True), invent=True),
        "prose": prose,
        "quiet": asker(structured("nostream"), "ainvoke", ""),
        "caller": lambda state: {"messages": called.invoke(state)["messages"]},
        "nested": lambda state: {"messages": inner.invoke(state)["messages"]},
    }
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
    return builder.compile()


GRAPH = scenario()

FILTERS: List[Dict[str, Any]] = [
    {},
    {"include_nodes": ["joke", "inner_*"]},
    {"include_nodes": []},
    {"exclude_nodes": "*joke"},
    {"exclude_nodes": ["raw", "nested", "called_*"]},
    {"include_tags": ["joke"]},
    {"include_tags": "r?w", "exclude_tags": ["inner"]},
    {"exclude_tags": ["joke", "inner"]},
    {"include_keys": ["nothing at all"]},
    {"exclude_keys": "messages"},
]


def source_of(part: Part) -> str:
    """What a part belongs to, for an order that does not depend on what runs beside it."""
    return repr((part.mode, part.data[1]["langgraph_node"], normal(part.data[1]["langgraph_checkpoint_ns"])))


def told(driver: str, modes: Any, subgraphs: Any = None, version: str = "v1", **rules: Any) -> Any:
    """The parts of each source, and the output."""
    got = read(GRAPH, GIVEN, driver, stream_mode=modes, subgraphs=subgraphs, version=version, **rules)
    parts: Dict[str, List[Any]] = {}
    for part in parts_of(got.chunks, modes, subgraphs, version):
        parts.setdefault(source_of(part), []).append(part)
    return parts, normal(got.output)


@cache
def untold(driver: str, modes: Any, subgraphs: Any, version: str) -> Any:
    """The same without rules."""
    return told(driver, modes, subgraphs, version)


def written(part: Part) -> bool:
    """Whether a message is one that a node has written; such have no tags of a model."""
    return part.mode == "messages" and "run_id" not in part.data[1]


def wanted(rules: Dict[str, Any], part: Part) -> bool:
    """Whether a consumer with these rules in its loop would keep a part."""
    metadata = part.data[1]
    return (
        passes(rules, "nodes", [metadata["langgraph_node"]])
        and passes(rules, "tags", metadata["tags"])
        and (not written(part) or passes(rules, "keys", ["messages"]))
        and (rules.get("include_raw", True) or part.mode != "messages" or "structured_output" not in metadata)
    )


def comparable(parts: Dict[str, List[Part]]) -> Dict[str, List[Any]]:
    """Parts without what differs from run to run."""
    return {
        source: [
            (normal(part.ns), part.mode, repr(normal(part.data[0])), repr(normal(part.data[1]))) for part in several
        ]
        for source, several in parts.items()
        if several
    }


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("include_raw", [True, False])
@pytest.mark.parametrize("rules", FILTERS, ids=str)
def test_same_as_loop(rules: Dict[str, Any], include_raw: bool, driver: str) -> None:
    """With any rules, in any shape: what is left is what a consumer would have kept in its loop; the output stays."""
    rules = {**rules, "include_raw": include_raw}
    for modes, subgraphs, version in (("objects", None, "v1"), (TWO, True, "v1"), (TWO, False, "v2")):
        everything, expected = untold(driver, modes, subgraphs, version)
        parts, output = told(driver, modes, subgraphs, version, **rules)
        kept = {source: [part for part in several if wanted(rules, part)] for source, several in everything.items()}
        assert comparable(parts) == comparable(kept)
        assert output == expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_scenario_has_everything(driver: str) -> None:
    """Objects of all structured models that are not hidden, raw JSON of the same, and messages of the others."""
    parts, _ = told(driver, TWO)
    nodes: Dict[Any, Any] = {}
    for several in parts.values():
        for part in several:
            metadata = part.data[1]
            key = (part.mode, "structured_output" in metadata, written(part))
            nodes.setdefault(key, set()).add(metadata["langgraph_node"])
    answering = {"joke", "raw", "changed", "inner_joke", "inner_raw", "called_joke"}
    assert nodes.pop(("objects", True, False)) == answering
    assert nodes.pop(("messages", True, False)) == answering
    assert nodes.pop(("messages", False, False)) == {"prose", "inner_prose"}
    assert nodes.pop(("messages", False, True)) == {"changed"}
    assert nodes == {}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", METHODS)
def test_include_raw(method: str, call: str, driver: str) -> None:
    """`include_raw=False` leaves out the JSON, in tokens or whole, and only that."""
    for options in ({}, {"disable_streaming": True}):
        model = Echo(size=30, **options).with_structured_output(Joke, method=method)
        graph = chain(node=asker(model, call if not options else "ainvoke"), prose=prose)
        everything = read(graph, GIVEN, driver, stream_mode=TWO).chunks
        left = read(graph, GIVEN, driver, stream_mode=TWO, include_raw=False).chunks
        kept = [(mode, data) for mode, data in everything if mode == "objects" or "structured_output" not in data[1]]
        assert len(kept) < len(everything)
        assert [(mode, normal(data[0])) for mode, data in left] == [(mode, normal(data[0])) for mode, data in kept]
        assert read(graph, GIVEN, driver, stream_mode="messages", include_raw=False).chunks != []


def hidden_by_config(call: str) -> Any:
    """The tag is in the config of the call."""
    return chain(node=asker(structured(), call, config={"tags": ["nostream"]}))


def hidden_by_binding(call: str) -> Any:
    """The tag is on the whole Runnable."""
    return chain(node=asker(structured().with_config(tags=["nostream"]), call))


def hidden_by_model(call: str) -> Any:
    """The tag is on the model."""
    return chain(node=asker(structured("nostream"), call))


def hidden_by_node(call: str) -> Any:
    """The tag is on the node."""
    return chain(node=RunnableLambda(asker(structured(), call)).with_config(tags=["nostream"]))


def hidden_by_graph(call: str) -> Any:
    """The tag is on the graph."""
    return chain(node=asker(structured(), call)).with_config(tags=["nostream"])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "hide", [hidden_by_config, hidden_by_binding, hidden_by_model, hidden_by_node, hidden_by_graph]
)
def test_nostream(hide: Any, call: str, driver: str) -> None:
    """The tag `nostream` hides the object as it hides the tokens; the node gets it all the same."""
    got = read(hide(call), GIVEN, driver, stream_mode=TWO)
    assert got.chunks == []
    assert got.output["out"] == Joke(**OBJECT)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("rules", [{"exclude_nodes": "node"}, {"include_tags": "other"}, {"exclude_tags": ["own"]}])
def test_never_made(rules: Dict[str, Any], driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is filtered out is not even read: no JSON parsed, nothing put together."""
    made: List[Any] = []
    for owner, name in (
        (structured_module.PartialJson, "add"),
        (parts.Part, "__init__"),
        (token_part.TokenPart, "__init__"),
        (token_part, "private_copy"),
    ):
        original = getattr(owner, name)

        def counted(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            made.append(args[0])
            return _original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    graph = chain(node=asker(structured("own")))
    assert read(graph, GIVEN, driver, stream_mode=TWO, **rules).chunks == []
    assert made == []
    assert read(graph, GIVEN, driver, stream_mode="messages").chunks != []
    assert not any(isinstance(one, structured_module.PartialJson) for one in made), (
        "read though nobody asked for objects"
    )


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("inside", [True, False])
def test_two_consumers(inside: bool, driver: str) -> None:
    """A graph that is streamed in a node: each consumer gets what it has asked for, and the other its own."""
    got: List[Any] = []
    joke = chain(joke=asker(structured("own")))
    shown, hidden = {"stream_mode": [*TWO]}, {"stream_mode": [*TWO], "exclude_tags": "own"}

    def node(state: Any) -> Any:
        got.extend(joke.stream(state, **(shown if inside else hidden)))

    outside = read(chain(node=node), GIVEN, driver, **(hidden if inside else shown)).chunks
    left, right = (got, outside) if inside else (outside, got)
    assert right == []
    assert [part for mode, (part, _) in left if mode == "objects"][-1] == Joke(**OBJECT)
    assert len([mode for mode, _ in left if mode == "messages"]) > 3


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("inside", [True, False])
def test_two_consumers_raw(inside: bool, driver: str) -> None:
    """The same for the raw JSON, which only one of them wants."""
    got: List[Any] = []
    joke = chain(joke=asker(structured("own")))
    plain: Dict[str, Any] = {"stream_mode": "messages"}
    less = {**plain, "include_raw": False}

    def node(state: Any) -> Any:
        got.extend(joke.stream(state, **(plain if inside else less)))

    outside = read(chain(node=node), GIVEN, driver, **(less if inside else plain)).chunks
    left, right = (got, outside) if inside else (outside, got)
    assert right == []
    assert len(left) > 3


@pytest.mark.parametrize("driver", DRIVERS)
def test_retraction_of_raw(driver: str) -> None:
    """A failed attempt takes the JSON back that was shown; JSON that was left out needs no taking back."""
    failed: List[int] = []

    def node(state: Any) -> Any:
        joke = structured().invoke(state["asked"])
        failed.append(1)
        if len(failed) % 2:
            raise ConnectionError("not yet")
        return {"out": joke}

    graph = StateGraph(State).add_node("node", node, retry_policy=AGAIN).add_edge(START, "node").compile()
    kinds = [type(message).__name__ for message, _ in read(graph, GIVEN, driver, stream_mode="messages").chunks]
    assert kinds.count("RemoveMessage") == 1
    assert read(graph, GIVEN, driver, stream_mode="messages", include_raw=False).chunks == []
    left = read(graph, GIVEN, driver, stream_mode=TWO, include_raw=False).chunks
    assert {mode for mode, _ in left} == {"objects"}
    assert [part for _, (part, metadata) in left if metadata["complete"]] == [Joke(**OBJECT)] * 2
