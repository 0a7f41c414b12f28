"""What a run is given: read and checked before it starts."""

from __future__ import annotations

import inspect
from typing import Mapping, Optional, Type

from pydantic import BaseModel

from streamgraph._core.plan import ROOT_KEY, Plan
from streamgraph._core.results import Pairs
from streamgraph._core.state import State
from streamgraph._core.unknown_keys import check_keys
from streamgraph._runnable.schema import Schema, all_fields
from streamgraph.constants import START
from streamgraph.errors import EmptyInputError, InvalidUpdateError


def read_input(plan: Plan, schema: Schema, given: object, *, lenient: bool = False) -> Pairs:
    """Turn the input of a run into writes to state keys.

    A mapping for a pydantic schema is validated here, once.

    Args:
        plan: The graph.
        schema: The schema of its input.
        given: The input.
        lenient: It is the state of another graph, which may well have other keys.

    Raises:
        EmptyInputError: There is no input.
        InvalidUpdateError: The input is no mapping and no state object, or has a key that the state must not have.
        pydantic.ValidationError: The input does not fit the pydantic model.
    """
    if given is None:
        raise EmptyInputError(
            f"Received no input for {START}", hint="Start a run with a dict of the state's keys; {} if it needs none."
        )
    if schema.root:
        return ((ROOT_KEY, given),)
    if isinstance(given, (dict, Mapping)):  # dict is said as well since asking an abstract class takes longer
        mapping: Optional[Mapping[str, object]] = given
        if not lenient and not schema.channels.keys() >= given.keys():
            _check_keys(schema, given)
        if schema.build is not None and isinstance(schema.source, type) and issubclass(schema.source, BaseModel):
            mapping = _validated(plan, schema, given)
    else:
        mapping = all_fields(given)
    if mapping is None:
        raise InvalidUpdateError(
            f"Expected dict, got {given!r:.80} of type {type(given).__name__} as input",
            hint=f"Give a dict with some of {', '.join(map(repr, schema.channels))}.",
        )
    return tuple([(key, mapping[key]) for key in schema.channels if key in mapping])


def _check_keys(schema: Schema, given: Mapping[str, object]) -> None:
    if inspect.isclass(schema.source) and issubclass(schema.source, BaseModel):
        if schema.closed:
            return  # pydantic says it itself
        given = {_field_of(schema.source, key): value for key, value in given.items()}
    check_keys(given, schema.channels, schema.managed, closed=schema.closed, node=None)


def _validated(plan: Plan, schema: Schema, given: Mapping[str, object]) -> Mapping[str, object]:
    """Check the input of a graph whose state is a pydantic model; return it under the names of the fields.

    It is checked in the form in which it becomes the state, after the reducers: a list of messages may be given as
    tuples, which the model itself would refuse. It is only checked: as in LangGraph the state holds what was given,
    and nodes get it validated.
    """
    assert schema.build is not None
    named = {_field_of(schema.source, key): value for key, value in given.items()}
    try:
        folded = State(plan).fold([(START, [(key, value) for key, value in named.items() if key in schema.channels])])
    except Exception:
        schema.build(named)  # what the model says about it, if it refuses it as well, tells more
        raise
    model = schema.build({**named, **folded})
    return {**{key: getattr(model, key) for key in model.model_fields_set}, **named}


def _field_of(source: Type[BaseModel], key: str) -> str:
    """Return the name of the field that a key of the input is for, by its name or its alias."""
    if key in source.model_fields:
        return key
    for name, item in source.model_fields.items():
        if key in (item.alias, item.validation_alias):
            return name
    return key


def coerce_context(schema: Optional[type], context: object) -> object:
    """Return the context of a run, made an instance of its schema if it was given as a dict.

    Raises:
        TypeError: The dict has other keys than the schema.
    """
    if schema is None or not isinstance(context, dict):
        return context
    if issubclass(schema, BaseModel):
        return schema.model_validate(context)
    return schema(**context) if hasattr(schema, "__dataclass_fields__") else context
