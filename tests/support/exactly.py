"""Whether two values are the same all through: of the same classes, with the same contents, NaN included."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel


def exactly(one: Any, other: Any) -> bool:
    """Return whether two values cannot be told from each other."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        same_sign = math.copysign(1, one) == math.copysign(1, other)
        return (math.isnan(one) and math.isnan(other)) or (one == other and same_sign)
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            exactly(*keys) and exactly(*values)
            for (keys, values) in (((a, b), (c, d)) for (a, c), (b, d) in zip(one.items(), other.items()))
        )
    if isinstance(one, (set, frozenset)):
        return len(one) == len(other) and all(any(exactly(a, b) for b in other) for a in one)
    if isinstance(one, (list, tuple)) or hasattr(one, "maxlen"):
        same_length = getattr(one, "maxlen", None) == getattr(other, "maxlen", None)
        return same_length and len(one) == len(other) and all(map(exactly, one, other))
    if isinstance(one, BaseModel):
        return exactly(one.__dict__, other.__dict__) and exactly(
            one.__pydantic_extra__ or {}, other.__pydantic_extra__ or {}
        )
    if is_dataclass(one) and not isinstance(one, type):
        return all(exactly(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, BaseException):
        return exactly(one.args, other.args) and exactly(*(dict(sorted(vars(error).items())) for error in (one, other)))
    return bool(one == other) or repr(one) == repr(other)  # NaN is not itself
