"""Makes objects of classes: models, dataclasses, enums, named tuples, messages and exceptions."""

from __future__ import annotations

import builtins
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, Dict, List, Mapping, Protocol, Type

from langchain_core.messages import BaseMessage
from pydantic import AliasChoices, AliasPath, BaseModel, RootModel

from streamgraph._locations import ErrorLocation, add_note
from streamgraph.serialization._errors import RemoteError, SerializationError
from streamgraph.serialization._registry import MESSAGES, Registry


class Reading(Protocol):
    """What is asked of a reader here."""

    registry: Registry

    def value(self, given: Any) -> Any: ...
    def fields(self, given: object, what: str = "fields") -> Dict[str, Any]: ...


def made_message(fields: Dict[str, Any]) -> BaseMessage:
    """Return a message of a class of langchain-core.

    Args:
        fields: Its fields, of which `type` says what it is.

    Raises:
        SerializationError: There is no such message, or the fields are not those of one.
    """
    typ = fields.get("type")
    cls = MESSAGES.get(typ) if isinstance(typ, str) else None
    if cls is None:
        raise SerializationError(f"There is no message of type {typ!r:.100}", name=typ, known=MESSAGES)
    message = _instance(cls, fields)
    assert isinstance(message, BaseMessage)
    return message


def made_model(reader: Reading, given: Dict[str, Any]) -> BaseModel:
    """Return a pydantic model."""
    cls = _found(reader, given, lambda cls: issubclass(cls, BaseModel), "a pydantic model")
    made = _instance(cls, reader.fields(given["fields"]))
    if "set" in given:
        names = given["set"]
        if (
            not isinstance(names, list)
            or not set(names) <= made.__dict__.keys() | (made.__pydantic_extra__ or {}).keys()
        ):
            raise SerializationError(f"The fields of {cls.__name__} that were set are given as {names!r:.100}")
        object.__setattr__(made, "__pydantic_fields_set__", set(names))
    return made


def _instance(cls: Type[BaseModel], fields: Dict[str, Any]) -> BaseModel:
    """Return a model with exactly these values, after the class itself has found them valid.

    Validation may change what it is given: what is stored is what the model held.
    """
    known = cls.model_fields
    extra = {name: value for name, value in fields.items() if name not in known}
    if extra and cls.model_config.get("extra") != "allow":
        raise SerializationError(
            f"The class {cls.__name__} has no field {next(iter(extra))!r}", name=next(iter(extra)), known=known
        )
    given: object = fields["root"] if issubclass(cls, RootModel) else _by_alias(cls, fields)
    try:
        made: BaseModel = cls.__pydantic_validator__.validate_python(given, strict=True)
    except Exception as error:
        raise SerializationError(f"The class {cls.__name__} refuses its values: {error!s:.1000}") from error
    values = {name: value for name, value in fields.items() if name in known}
    made.__dict__.update(values)
    if extra:
        object.__setattr__(made, "__pydantic_extra__", extra)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    return made


def _by_alias(cls: Type[BaseModel], fields: Mapping[str, Any]) -> Dict[str, Any]:
    """Return fields under the names by which their class takes them."""
    given: Dict[str, Any] = {}
    for name, value in fields.items():
        field = cls.model_fields.get(name)
        alias: object = name if field is None else field.validation_alias or name
        if isinstance(alias, AliasChoices):
            alias = alias.choices[0]
        if isinstance(alias, AliasPath):
            given = _filled(given, alias, value)
        else:
            given[str(alias)] = value
    return given


def _filled(given: Dict[str, Any], alias: AliasPath, value: object) -> Dict[str, Any]:
    """Return an input in which a value is at the place that a path names.

    Args:
        given: The input so far.
        alias: The path: names in objects, and places in arrays.
        value: The value.
    """
    at: Any = given
    path: List[Any] = [*alias.path, None]
    for here, after in zip(path, path[1:]):
        if isinstance(at, list):
            at.extend([None] * (here + 1 - len(at)))
        if after is None:
            at[here] = value
        elif isinstance(at, list):
            at[here] = at[here] or ([] if isinstance(after, int) else {})
            at = at[here]
        else:
            at = at.setdefault(here, [] if isinstance(after, int) else {})
    return given


def made_dataclass(reader: Reading, given: Dict[str, Any]) -> Any:
    """Return a dataclass's object with exactly these values, after its own `__init__` has taken them."""
    cls = _found(reader, given, is_dataclass, "a dataclass")
    values = reader.fields(given["fields"])
    declared = {field.name: field for field in fields_of(cls)}
    for name in values:
        if name not in declared:
            raise SerializationError(f"The class {cls.__name__} has no field {name!r}", name=name, known=declared)
    made = object.__new__(cls)
    if _takes_fields(cls):
        made = cls(**{name: value for name, value in values.items() if declared[name].init})
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _takes_fields(cls: Any) -> bool:
    """Return whether the `__init__` of a dataclass is made of its fields: it needs nothing else."""
    return bool(cls.__dataclass_params__.init) and not any(
        field._field_type.name == "_FIELD_INITVAR" for field in cls.__dataclass_fields__.values()
    )


def made_enum(reader: Reading, given: Dict[str, Any]) -> Enum:
    """Return a member of an enum."""
    cls = _found(reader, given, lambda cls: issubclass(cls, Enum), "an enum")
    made = cls[given["name"]] if "name" in given else cls(reader.value(given["value"]))
    assert isinstance(made, Enum)
    return made


def made_named_tuple(reader: Reading, given: Dict[str, Any]) -> Any:
    """Return a named tuple."""
    cls = _found(reader, given, lambda cls: issubclass(cls, tuple) and hasattr(cls, "_fields"), "a named tuple")
    values = reader.value(given["value"])
    if not isinstance(values, list) or len(values) != len(cls._fields):
        raise SerializationError(f"A {cls.__name__} has {len(cls._fields)} items, and the JSON {given['value']!r:.100}")
    return tuple.__new__(cls, values)


def made_error(reader: Reading, given: Dict[str, Any]) -> BaseException:
    """Return an exception; one of a class that is not allowed is a `RemoteError` that says what it was."""
    name, message = given["class"], given.get("message")
    if not isinstance(name, str) or not (message is None or isinstance(message, str)):
        raise SerializationError(f"An exception is of class {name!r:.100} with the message {message!r:.100}")
    error: BaseException = RemoteError(name.rpartition(":")[2] if name.startswith("builtins:") else name, message)
    if reader.registry.knows(name):
        cls = _found(reader, given, lambda cls: issubclass(cls, BaseException), "an exception")
        args = reader.value(given["args"])
        if not isinstance(args, tuple):
            raise SerializationError(f"The arguments of an exception are {given['args']!r:.100}, not a tuple")
        # The `__init__` of a user's class may take other arguments than those that it passes on.
        if cls.__module__ == builtins.__name__:
            error = cls(*args)
        else:
            error = cls.__new__(cls, *args)
            error.args = args
        error.__dict__.update(reader.fields(given.get("state", {}), "attributes"))
    for note in given.get("notes", ()):
        add_note(error, str(note))
    if "place" in given:
        node, step, namespace = given["place"]
        object.__setattr__(error, "__streamgraph_location__", ErrorLocation(str(node), int(step), tuple(namespace)))
    return error


def _found(reader: Reading, given: Mapping[str, Any], fits: Any, what: str) -> Any:
    """Return the class that the JSON names, if it is of the kind that the tag says.

    Raises:
        SerializationError: It is none.
    """
    cls = reader.registry.find(given["class"])
    if not fits(cls):
        raise SerializationError(f"The class {cls.__name__} is not {what}")
    return cls
