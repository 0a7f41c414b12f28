"""State schemas as pydantic models, and states as instances of their schemas."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Set, Type

from pydantic import BaseModel, RootModel, create_model
from typing_extensions import Annotated, TypedDict, get_args, get_origin, is_typeddict

from streamgraph.graph.schema import Schema, hints_of


def model_of(schema: Schema, name: str, *, required: bool) -> Type[BaseModel]:
    """Return a pydantic model with the keys of a schema, for validation forms and JSON schemas.

    Args:
        schema: The schema.
        name: The name of the model, for a schema that has none.
        required: Whether every key must be there.
    """
    source = schema.source
    if schema.root:
        root: Any = RootModel[_portable(source)]  # type: ignore[misc]
        return create_model(name, __base__=root)
    if isinstance(source, type) and issubclass(source, BaseModel):
        return source
    fields: Dict[str, Any] = {
        key: (_portable(hint), ... if required else None)
        for key, hint in hints_of(source).items()
        if key in schema.channels
    }
    title = getattr(source, "__name__", name)
    return create_model(title, **fields)


def _portable(hint: Any) -> Any:
    """Return `hint` without `typing.TypedDict`, which pydantic refuses before Python 3.12."""
    if is_typeddict(hint):
        fields = {key: _portable(value) for key, value in hints_of(hint).items()}
        return TypedDict(hint.__name__, fields, total=hint.__total__)  # type: ignore[operator]
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        return _portable(arguments[0])
    if not arguments or not hasattr(hint, "copy_with"):
        return hint
    return hint.copy_with(tuple(map(_portable, arguments)))


def typed_state(schema: Schema, state: Any) -> Any:
    """Return a state as an instance of its schema's class, where that is a dataclass or a pydantic model.

    A state that is not complete yet, as before the first step, stays the dict it is.
    """
    source = schema.source
    if not isinstance(state, dict) or schema.build is None or not isinstance(source, type):
        return state
    values = {key: state[key] for key in schema.channels if key in state}
    return schema.build(values) if _required(source) <= set(values) else state


def _required(source: Type[Any]) -> Set[str]:
    if issubclass(source, BaseModel):
        return {key for key, item in source.model_fields.items() if item.is_required()}
    if dataclasses.is_dataclass(source):
        missing = dataclasses.MISSING
        return {
            item.name
            for item in dataclasses.fields(source)
            if item.default is missing and item.default_factory is missing
        }
    return set()
