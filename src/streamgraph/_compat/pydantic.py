"""Private features of pydantic: the storage of a model's fields."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from pydantic import BaseModel

__all__ = ["new", "set_extra", "set_fields", "set_names", "set_private"]

new = object.__new__
"""Make an empty instance of a model class, whose four slots the caller sets.

`BaseModel` defines no `__new__`, in all versions, and looking it up on a class takes longer than calling it.
"""

Setter = Callable[[Any, Any], None]


def setter(name: str) -> Setter:
    """Return a function that sets an attribute of a model without pydantic's checks.

    It uses the slots of `BaseModel`, from pydantic 2.0 on. `BaseModel.__copy__` sets the same attributes but is slower,
    and this runs for every token. An attribute that is no longer a slot is set with `object.__setattr__`.

    Args:
        name: The attribute.
    """
    slot = vars(BaseModel).get(name)
    found: Any = getattr(slot, "__set__", None)
    return found or partial(_set, name)


def _set(name: str, model: Any, value: Any) -> None:
    object.__setattr__(model, name, value)


set_fields = setter("__dict__")
"""Set the values of a model's fields, a dict by field name."""

set_names = setter("__pydantic_fields_set__")
"""Set the names of the fields that were given."""

set_extra = setter("__pydantic_extra__")
"""Set the values of extra fields, or `None`."""

set_private = setter("__pydantic_private__")
"""Set the values of the private attributes, or `None`."""
