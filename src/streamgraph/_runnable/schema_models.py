"""Convert state schemas to pydantic models, and states to instances of their schemas."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Set, Tuple, Type

from pydantic import BaseModel, Field, JsonValue, RootModel, create_model
from typing_extensions import (
    Annotated,
    NotRequired,
    Required,
    TypedDict,
    get_args,
    get_type_hints,
    is_typeddict,
)

from streamgraph._compat.cpython import with_arguments
from streamgraph._runnable.schema import Hint, Schema, hints_of, origin_of


def model_of(schema: Schema, name: str, *, lenient: bool = True) -> Type[BaseModel]:
    """Return a pydantic model with the keys of a schema, for input forms and JSON schemas.

    Args:
        schema: The schema.
        name: The name of the model if the schema has none.
        lenient: True if fields of a dataclass that may be `None` can be omitted, as in the input of a graph.
    """
    source = schema.source
    if schema.root:
        root: Any = RootModel[_portable(source)]  # type: ignore[misc]
        return create_model(name, __base__=root)
    if isinstance(source, type) and issubclass(source, BaseModel):
        return source
    optional = _maybe_none(source) if lenient and dataclasses.is_dataclass(source) else set()
    required = _required(source) - optional
    fields: Dict[str, Any] = {
        key: (_portable(hint), _field(source, key, required=key in required))
        for key, hint in hints_of(source).items()
        if key in schema.channels
    }
    # A dataclass without a docstring has its signature as `__doc__`.
    about = None if dataclasses.is_dataclass(source) else source.__doc__
    return create_model(getattr(source, "__name__", name), __doc__=about, **fields)


def _maybe_none(source: Hint) -> Set[str]:
    """Return the keys whose values may be `None`; these fields of a dataclass may be omitted from a form."""
    return {key for key, hint in hints_of(source).items() if type(None) in get_args(_portable(hint))}


def _field(source: Hint, key: str, *, required: bool) -> object:
    if required:
        return Field()
    for item in dataclasses.fields(source) if dataclasses.is_dataclass(source) else ():
        if item.name == key and item.default is not dataclasses.MISSING:
            return Field(default=item.default)
        if item.name == key and item.default_factory is not dataclasses.MISSING:
            return Field(default_factory=item.default_factory)
    # An optional key has no default that a form could show.
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: Dict[str, JsonValue]) -> None:
    schema.pop("default", None)


def _portable(hint: Hint) -> Hint:
    """Return `hint` without features that pydantic refuses.

    These are some metadata of `Annotated`, and `typing.TypedDict` before Python 3.12.
    """
    if is_typeddict(hint):
        required = _required_keys(hint)
        fields: Dict[str, Hint] = {
            key: Required[_portable(value)] if key in required else NotRequired[_portable(value)]
            for key, value in hints_of(hint).items()
        }
        make: Any = TypedDict
        made = make(hint.__name__, fields)
        made.__doc__ = hint.__doc__
        return made
    arguments = get_args(hint)
    if origin_of(hint) is Annotated:
        return _annotated(_portable(_unmarked(arguments[0])), arguments[1:])
    return with_arguments(hint, _portable)


def _unmarked(hint: Hint) -> Hint:
    mark = origin_of(hint)
    return _unmarked(get_args(hint)[0]) if mark is Required or mark is NotRequired else hint


def _annotated(hint: Hint, marks: Tuple[object, ...]) -> Hint:
    """Return an annotated hint with only the metadata about values: without reducers and channels."""
    kept = tuple(mark for mark in marks if not callable(mark))
    make: Any = Annotated
    return make[(hint, *kept)] if kept else hint


def typed_state(schema: Schema, state: object) -> object:
    """Return a state as an instance of its schema's class if that is a dataclass or a pydantic model.

    An incomplete state, as before the first step, is returned as the dict it is.
    """
    source = schema.source
    if not isinstance(state, dict) or schema.build is None or not isinstance(source, type):
        return state
    values = {key: state[key] for key in schema.channels if key in state}
    return schema.build(values) if _required(source) <= set(values) else state


def _required(source: type) -> Set[str]:
    """Return the keys that a state of this schema must have."""
    if is_typeddict(source):
        return _required_keys(source)
    if issubclass(source, BaseModel):
        return {key for key, item in source.model_fields.items() if item.is_required()}
    if dataclasses.is_dataclass(source):
        missing = dataclasses.MISSING
        return {
            item.name
            for item in dataclasses.fields(source)
            if item.default in (missing, ...) and item.default_factory is missing
        }
    return {key for key in hints_of(source) if not hasattr(source, key)}


def _required_keys(source: Hint) -> Set[str]:
    required = set(source.__required_keys__)
    # typing.TypedDict before Python 3.11 does not know the marks of typing_extensions.
    for key, hint in get_type_hints(source, include_extras=True).items():
        mark = origin_of(hint)
        while mark is Annotated:
            hint = get_args(hint)[0]
            mark = origin_of(hint)
        if mark is Required:
            required.add(key)
        elif mark is NotRequired:
            required.discard(key)
    return required
