"""Validation of a run's input and context before the run starts."""

from __future__ import annotations

import inspect
from typing import Mapping, Optional, Type

from pydantic import BaseModel

from streamgraph._core.plan import ROOT_KEY, Plan
from streamgraph._core.results import Pairs
from streamgraph._core.state import State
from streamgraph._core.unknown_keys import check_keys
from streamgraph._runnable.schema import Schema, all_fields
from streamgraph._streams.copying import CopyOnAccess
from streamgraph.constants import START
from streamgraph.errors import EmptyInputError, InvalidUpdateError


def read_input(plan: Plan, schema: Schema, given: object, *, lenient: bool = False) -> Pairs:
    """Convert the input of a run to writes to state keys.

    A mapping for a pydantic schema is validated here, once.

    Args:
        plan: The graph.
        schema: The input schema.
        given: The input.
        lenient: True if the input is the state of another graph, which may have other keys.

    Raises:
        EmptyInputError: The input is `None`.
        InvalidUpdateError: The input is neither a mapping nor a state object, or has a key that the state excludes.
        pydantic.ValidationError: The input does not fit the pydantic model.
    """
    if given is None:
        raise EmptyInputError(
            f"Received no input for {START}", hint="Start a run with a dict of the state's keys; {} if it needs none."
        )
    if schema.root:
        return ((ROOT_KEY, given),)
    if isinstance(given, CopyOnAccess):
        given = given.raw()  # the state of this graph has containers of its own in any case
    if isinstance(given, (dict, Mapping)):  # `dict` first: the check of the abstract class is slower
        mapping: Optional[Mapping[str, object]] = given
        if not lenient and not schema.channels.keys() >= given.keys():
            _check_keys(schema, given)
        if schema.build is not None and isinstance(schema.source, type) and issubclass(schema.source, BaseModel):
            mapping = _validated(plan, schema, given)
    else:
        mapping = _without_unset(given) if isinstance(given, BaseModel) else all_fields(given)
    if mapping is None:
        raise InvalidUpdateError(
            f"Expected dict, got {given!r:.80} of type {type(given).__name__} as input",
            hint=f"Give a dict with some of {', '.join(map(repr, schema.channels))}.",
        )
    return tuple([(key, mapping[key]) for key in schema.channels if key in mapping])


def _check_keys(schema: Schema, given: Mapping[str, object]) -> None:
    if inspect.isclass(schema.source) and issubclass(schema.source, BaseModel):
        if schema.closed:
            return  # pydantic reports unknown keys itself
        given = {_field_of(schema.source, key): value for key, value in given.items()}
    check_keys(given, schema.channels, schema.managed, closed=schema.closed, node=None)


def _validated(plan: Plan, schema: Schema, given: Mapping[str, object]) -> Mapping[str, object]:
    """Validate the input for a pydantic state model; return it under the field names.

    It is validated in the form in which it becomes the state, after the reducers: a list of messages may contain
    tuples, which the model itself would refuse. Validation does not replace the input: as in LangGraph the state holds
    the given values, and nodes get the validated ones.
    """
    assert schema.build is not None
    named = {_field_of(schema.source, key): value for key, value in given.items()}
    try:
        folded = State(plan).fold([(START, [(key, value) for key, value in named.items() if key in schema.channels])])
    except Exception:
        schema.build(named)  # if the model refuses the input as well, its error is more helpful
        raise
    model = schema.build({**named, **folded})
    return {**{key: getattr(model, key) for key in model.model_fields_set}, **named}


def _without_unset(given: BaseModel) -> Mapping[str, object]:
    """Return the fields of a model, without those that nobody has set and that are `None` by default.

    As in LangGraph: such a field is no write, and its reducer need not know `None`.
    """
    return {
        key: getattr(given, key)
        for key, item in type(given).model_fields.items()
        if key in given.model_fields_set or getattr(given, key) is not None or item.default is not None
    }


def _field_of(source: Type[BaseModel], key: str) -> str:
    """Return the field name for an input key, which may be the field's name or alias."""
    if key in source.model_fields:
        return key
    for name, item in source.model_fields.items():
        if key in (item.alias, item.validation_alias):
            return name
    return key


def coerce_context(schema: Optional[type], context: object) -> object:
    """Return the context of a run; a dict is converted to an instance of the schema.

    Raises:
        TypeError: The dict has keys that the schema does not have.
    """
    if schema is None or not isinstance(context, dict):
        return context
    if issubclass(schema, BaseModel):
        return schema.model_validate(context)
    return schema(**context) if hasattr(schema, "__dataclass_fields__") else context
