"""State schemas: read keys, reducers and node inputs from classes."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Type

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import (
    Annotated,
    NotRequired,
    ReadOnly,
    Required,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from streamgraph._core.plan import ROOT_KEY, Channel, StateView
from streamgraph._runnable.channel_marks import channel_mark
from streamgraph._runnable.reducers import reduced_channel
from streamgraph.channels import LastValue
from streamgraph.errors import StateSchemaError
from streamgraph.managed.base import ManagedValueSpec, StepInfo, is_managed_value

Hint = Any
"""Any type hint: a class, a TypedDict, a special form."""


@dataclass(frozen=True)
class Schema:
    """A parsed state schema.

    Attributes:
        source: The class or type it was read from.
        channels: The keys of the state.
        managed: The keys that are computed for each step.
        build: Makes an instance from a mapping of the keys; `None` if the mapping itself is used.
    """

    source: Hint
    channels: Mapping[str, Channel]
    managed: Mapping[str, Callable[[int, int], object]]
    build: Optional[Callable[[Dict[str, object]], Any]] = None

    @property
    def root(self) -> bool:
        """True if the state is a single value instead of a mapping."""
        return ROOT_KEY in self.channels

    @property
    def closed(self) -> bool:
        """True if the schema excludes other keys."""
        if is_typeddict(self.source):
            return getattr(self.source, "__closed__", None) is True
        if not inspect.isclass(self.source):
            return False
        if issubclass(self.source, BaseModel):
            return self.source.model_config.get("extra") == "forbid"
        return dataclasses.is_dataclass(self.source)

    def reader(self, all_keys: Mapping[str, Channel]) -> StateView:
        """Return the view of this schema's keys on a state that has `all_keys`."""
        keys = None if set(self.channels) == set(all_keys) else tuple(self.channels)
        return StateView(keys, self.build, self.managed, self.root)


def read_schema(source: Hint) -> Schema:
    """Parse a state schema.

    Args:
        source: A TypedDict, a dataclass, a pydantic model, or any other type for a state of one value.

    Raises:
        StateSchemaError: The schema has no hints, hints that cannot be evaluated, or an unusable reducer or channel.
    """
    if not _has_keys(source):
        return Schema(source, {ROOT_KEY: _channel(ROOT_KEY, source)}, {})
    channels: Dict[str, Channel] = {}
    managed: Dict[str, Callable[[int, int], object]] = {}
    for key, hint in hints_of(source).items():
        mark = next((item for item in _annotations(hint) if is_managed_value(item)), None)
        if mark is not None:
            managed[key] = computed_by(mark)
        else:
            channels[key] = _channel(key, hint)
    return Schema(source, channels, managed, _builder(source))


def computed_by(kind: ManagedValueSpec) -> Callable[[int, int], object]:
    """Return the function of superstep and recursion limit that computes a managed value."""
    return lambda step, limit: kind.get(StepInfo(step, limit))


def _has_keys(source: Hint) -> bool:
    """Return whether a schema has keys; otherwise it is the type of a single value."""
    if is_typeddict(source) or dataclasses.is_dataclass(source):
        return True
    if source is Any or not inspect.isclass(source) or source.__module__ == "builtins":
        return False
    if issubclass(source, BaseModel):
        return True
    if any("__annotations__" in vars(base) for base in source.__mro__):
        return True
    if issubclass(source, (dict, list, set, str, int, float, bytes, tuple)) or get_origin(source) is not None:
        return False
    raise StateSchemaError(
        f"The state schema {source.__name__} has no annotated keys",
        hint="Use a TypedDict, a dataclass or a pydantic model with a type hint for each key of the state.",
    )


def is_keyed(hint: object) -> bool:
    """Return whether a type hint is a TypedDict, a dataclass or a pydantic model."""
    if is_typeddict(hint) or (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        return True
    return inspect.isclass(hint) and issubclass(hint, BaseModel)


def hints_of(source: Hint) -> Dict[str, Hint]:
    """Return the type hints of a schema, with their `Annotated` extras.

    Raises:
        StateSchemaError: A hint cannot be evaluated.
    """
    # A class created by `exec` may have no module, which `get_type_hints` of Python 3.9 does not expect.
    names: Optional[Dict[str, object]] = None if getattr(source, "__module__", None) in sys.modules else {}
    try:
        hints: Dict[str, Hint] = get_type_hints(source, globalns=names, include_extras=True)
    except Exception as error:
        newer = sys.version_info < (3, 10) and isinstance(error, TypeError)
        raise StateSchemaError(
            f"The type hints of {getattr(source, '__name__', source)} cannot be evaluated: {error}",
            hint="On Python 3.9 write Optional[X] and Union[X, Y] instead of X | None and X | Y."
            if newer
            else "Define the class, and what its hints name, at the top level of a module.",
        ) from error
    return {key: _required(hint) for key, hint in hints.items()}


def origin_of(hint: object) -> object:
    """Return `get_origin(hint)`, typed so that it is comparable with special forms."""
    return get_origin(hint)


def _required(hint: Hint) -> Hint:
    while origin_of(hint) in (Required, NotRequired, ReadOnly):
        hint = get_args(hint)[0]
    return hint


def _annotations(hint: Hint) -> Tuple[object, ...]:
    return tuple(hint.__metadata__) if origin_of(hint) is Annotated else ()


def _channel(key: str, hint: Hint) -> Channel:
    marks = _annotations(hint)
    typ = _required(get_args(hint)[0]) if marks else hint
    found = channel_mark(key, typ, marks)
    if found is not None:
        return found
    reduce: Any = marks[-1] if marks and callable(marks[-1]) and not inspect.isclass(marks[-1]) else None
    return Channel(key, shown=LastValue(hint, key)) if reduce is None else reduced_channel(key, typ, reduce)


def _builder(source: Hint) -> Optional[Callable[[Dict[str, object]], object]]:
    if issubclass(source, dict) or is_typeddict(source):
        return None
    if issubclass(source, BaseModel):
        if _TAKES_NAMES:
            return lambda values: source.model_validate(values, by_alias=True, by_name=True)
        aliases = _aliases(source)
        return lambda values: source.model_validate({aliases.get(key, key): value for key, value in values.items()})
    return lambda values: source(**values)


# From pydantic 2.11 on; before, a field with an alias is accepted only under the alias.
_TAKES_NAMES = "by_name" in inspect.signature(BaseModel.model_validate).parameters


def _aliases(source: Type[BaseModel]) -> Dict[str, str]:
    """Return an accepted alias for each field that has one."""
    found: Dict[str, str] = {}
    for name, item in source.model_fields.items():
        alias = item.validation_alias
        choices: Sequence[object] = alias.choices if isinstance(alias, AliasChoices) else (alias,)
        key = next((choice for choice in choices if isinstance(choice, str)), None)
        if key is not None:
            found[name] = key
    return found


def as_mapping(value: object) -> Optional[Mapping[str, object]]:
    """Return the keys that a state object sets, or `None` if `value` is not a state object.

    A pydantic object sets the fields that were given, and those whose default was changed in place, such as a list with
    an appended item.
    """
    if isinstance(value, BaseModel):
        given = value.model_fields_set
        return {
            key: getattr(value, key)
            for key, item in type(value).model_fields.items()
            if key in given or _differs(getattr(value, key), item)
        }
    return all_fields(value)


def _differs(value: object, item: FieldInfo) -> bool:
    """Return whether the value of an unset field differs from its default."""
    if item.default_factory is not None:
        try:
            return bool(value != item.default_factory())  # type: ignore[call-arg]
        except TypeError:
            return False  # the default depends on other fields; a change cannot be detected
    return type(value).__hash__ is None and bool(value != item.default)


def all_fields(value: object) -> Optional[Mapping[str, object]]:
    """Return all fields of a state object, or `None` if `value` is not a state object."""
    if isinstance(value, BaseModel):
        return {key: getattr(value, key) for key in type(value).model_fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, (str, bytes, int, float, list, set, tuple)) or value is None:
        return None
    annotations = [vars(base).get("__annotations__") for base in type(value).__mro__]
    names = [name for hints in annotations if isinstance(hints, dict) for name in hints]
    return {name: getattr(value, name) for name in names if hasattr(value, name)} if names else None
