"""Entrypoints and tasks as things: what they are made of, what they are called, where they can be used."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional

import pytest
from langchain_core.runnables import Runnable
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from streamgraph.errors import EmptyInputError, UnknownKeywordError
from streamgraph.func import entrypoint, task
from streamgraph.graph import END, START
from streamgraph.warnings import LangGraphDeprecatedSinceV05
from support.leaks import light_collections as light_collections
from support.leaks import no_complaint as no_complaint
from support.leaks import no_thread_left as no_thread_left
from support.workflows import DRIVERS, finish


class Model(BaseModel):
    """An input or output with a schema of its own."""

    number: int


class Mapping(TypedDict):
    """A dict with known keys."""

    number: int


def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


# Schemas and drawings


def untyped(value):  # type: ignore[no-untyped-def]
    return value


def from_int(value: int) -> str:
    return str(value)


def from_optional(value: Optional[int] = None) -> List[str]:
    return []


def from_model(value: Model) -> Mapping:
    return {"number": value.number}


def final_with_types(value: int) -> entrypoint.final[str, int]:
    return entrypoint.final(value="", save=1)


def final_alone(value: int) -> entrypoint.final:  # type: ignore[type-arg]
    return entrypoint.final(value="", save=1)


def unresolvable(value: NotThere) -> NotThere:  # type: ignore[name-defined]  # noqa: F821
    return value


@pytest.mark.parametrize(
    ("function", "takes", "gives"),
    [
        (untyped, {}, {}),
        (from_int, {"type": "integer"}, {"type": "string"}),
        (from_optional, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "array"}),
        (from_model, {"type": "object"}, {"type": "object"}),
        (final_with_types, {"type": "integer"}, {"type": "string"}),
        (final_alone, {"type": "integer"}, {}),
        (unresolvable, {}, {}),
    ],
)
def test_schemas(function: Any, takes: Dict[str, Any], gives: Dict[str, Any]) -> None:
    """Input and output schema are the annotations, strings included; what says nothing allows anything."""
    flow = entrypoint()(function)

    for schema, expected in ((flow.get_input_jsonschema(), takes), (flow.get_output_jsonschema(), gives)):
        assert {key: schema[key] for key in expected} == expected
        if not expected:
            assert set(schema) <= {"title"}
    if function is from_model:
        assert list(flow.get_input_jsonschema()["properties"]) == ["number"]
        with pytest.raises(ValidationError):
            flow.get_input_schema()(number="no")


def test_schema_titles() -> None:
    """The titles are LangGraph's."""
    flow = entrypoint()(from_int)

    assert flow.get_input_jsonschema()["title"] == "LangGraphInput"
    assert flow.get_output_jsonschema()["title"] == "LangGraphOutput"


def test_graph() -> None:
    """It is drawn as a node between start and end."""
    graph = entrypoint()(shout).get_graph()

    assert set(graph.nodes) == {START, "shout", END}
    assert [(edge.source, edge.target) for edge in graph.edges] == [(START, "shout"), ("shout", END)]
    assert "shout(shout)" in graph.draw_mermaid()


def test_what_an_entrypoint_is() -> None:
    """A Runnable with the name of LangGraph's, the function's documentation, and the function in its `repr`."""
    flow = entrypoint()(shout)

    assert isinstance(flow, Runnable)
    assert (flow.name, flow.get_name(), repr(flow), flow.__doc__) == (
        "LangGraph",
        "LangGraph",
        "entrypoint('shout')",
        "Say it louder.",
    )


def test_what_a_task_is() -> None:
    """It looks like its function, and the function can be reached."""
    call = task(shout)
    named = task(name="loud")(shout)

    assert (call.__name__, call.__doc__, call.__wrapped__, call.func) == ("shout", "Say it louder.", shout, shout)
    assert (repr(call), repr(named), named.name) == ("task('shout')", "task('loud')", "loud")
    assert shout.__name__ == "shout"


def test_final() -> None:
    """`final` takes its two values by name and by position, and cannot be changed."""
    final = entrypoint.final(value=1, save=2)

    assert final == entrypoint.final(1, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        final.value = 3  # type: ignore[misc]


# Mistakes


def test_entrypoint_of_no_parameter() -> None:
    """An entrypoint has an input."""
    with pytest.raises(ValueError, match="at least one parameter"):
        entrypoint()(lambda: None)


def test_entrypoint_of_generators() -> None:
    """Generators are refused, with what to do instead."""

    def generate(value: Any) -> Any:
        yield value

    async def agenerate(value: Any) -> Any:
        yield value

    for function in (generate, agenerate):
        with pytest.raises(NotImplementedError, match="Generators .*stream writer"):
            entrypoint()(function)


def test_entrypoint_without_parentheses() -> None:
    """Missing parentheses are told where they are missing."""
    with pytest.raises(TypeError, match=r"@entrypoint\(\)"):
        entrypoint(shout)  # type: ignore[arg-type]


def test_entrypoint_with_a_checkpointer() -> None:
    """What is no saver is refused and not ignored."""
    with pytest.raises(TypeError, match="Invalid checkpointer"):
        entrypoint(checkpointer=object())  # type: ignore[arg-type]
    assert entrypoint(checkpointer=None)(shout).invoke("a") == "A"


@pytest.mark.parametrize(
    ("call", "name", "closest"),
    [
        (lambda: entrypoint(retry_polices=None), "retry_polices", "retry_policy"),  # type: ignore[call-arg]
        (lambda: entrypoint(storr=None), "storr", "store"),  # type: ignore[call-arg]
        (lambda: task(retry_polcy=None), "retry_polcy", "retry_policy"),  # type: ignore[call-overload]
        (lambda: task(shout, timeot=1), "timeot", "timeout"),  # type: ignore[call-overload]
        (lambda: entrypoint()(shout).stream("a", stream_modes="values"), "stream_modes", "stream_mode"),
    ],
)
def test_unknown_keyword(call: Any, name: str, closest: str) -> None:
    """A keyword that does not exist is refused, with the closest one that does."""
    with pytest.raises(UnknownKeywordError) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert (caught.value.name, caught.value.suggestion) == (name, closest)


def test_deprecated_keyword() -> None:
    """LangGraph's old name of `retry_policy` is taken under its warning, as the contract says."""
    with pytest.warns(LangGraphDeprecatedSinceV05, match="retry_policy"):
        task(retry=None)  # type: ignore[call-overload]
    with pytest.raises(UnknownKeywordError, match="retry_policy"):
        task(retries=None)  # type: ignore[call-overload]


def test_function_by_name() -> None:
    """The function can be given by the name of the parameter, as the documentation has it."""
    assert task(func=shout).func is shout  # type: ignore[call-overload]


def test_task_of_something_else() -> None:
    """A name in the place of the function, or a number, is refused where it is written."""
    for wrong in ("name", 5):
        with pytest.raises(TypeError, match="name="):
            task(wrong)  # type: ignore[call-overload]


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_input(driver: str) -> None:
    """`None` is no input."""
    with pytest.raises(EmptyInputError, match="Received no input"):
        finish(entrypoint()(shout), None, driver)


@pytest.mark.parametrize("driver", DRIVERS)
def test_wrong_arguments_of_a_task(driver: str) -> None:
    """A task that is called with wrong arguments fails as its function does."""
    call = task(shout)

    @entrypoint()
    def flow(text: str) -> Any:
        return call(text, 2).result()  # type: ignore[call-arg]

    with pytest.raises(TypeError, match=r"shout\(\) takes 1 positional argument"):
        finish(flow, "in", driver)
