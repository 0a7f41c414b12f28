"""What a run is given: read and checked before it starts."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple, Type

from pydantic import BaseModel

from streamgraph._core._plan import ROOT_KEY, Plan
from streamgraph.constants import START
from streamgraph.errors import EmptyInputError, InvalidUpdateError
from streamgraph.graph.schema import Schema, all_fields

Writes = Tuple[Tuple[str, Any], ...]


def read_input(plan: Plan, schema: Schema, given: Any) -> Writes:
    """Turn the input of a run into writes to state keys.

    A mapping for a pydantic schema is validated here, once; other keys than the schema's are ignored.

    Raises:
        EmptyInputError: There is no input.
        InvalidUpdateError: The input is neither a mapping nor a state object.
        pydantic.ValidationError: The input does not fit the pydantic model.
    """
    if given is None:
        raise EmptyInputError(
            f"Received no input for {START}", hint="Start a run with a dict of the state's keys; {} if it needs none."
        )
    if schema.root:
        return ((ROOT_KEY, given),)
    if isinstance(given, Mapping):
        mapping: Optional[Mapping[str, Any]] = given
        if schema.build is not None and isinstance(schema.source, type) and issubclass(schema.source, BaseModel):
            # Only checked: as in LangGraph the state holds what was given, and nodes get it validated.
            model = schema.build(dict(given))
            mapping = {**{key: getattr(model, key) for key in model.model_fields_set}, **given}
    else:
        mapping = all_fields(given)
    if mapping is None:
        raise InvalidUpdateError(
            f"Expected dict, got {given!r:.80} of type {type(given).__name__} as input",
            hint=f"Give a dict with some of {', '.join(map(repr, schema.channels))}.",
        )
    return tuple((key, mapping[key]) for key in schema.channels if key in mapping)


def coerce_context(schema: Optional[Type[Any]], context: Any) -> Any:
    """Return the context of a run, made an instance of its schema if it was given as a dict.

    Raises:
        TypeError: The dict has other keys than the schema.
    """
    if schema is None or not isinstance(context, dict):
        return context
    if issubclass(schema, BaseModel):
        return schema.model_validate(context)
    return schema(**context) if hasattr(schema, "__dataclass_fields__") else context
