"""Privates of pydantic do what they are used for, and can do without."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr

from streamgraph._compat import pydantic as compat


class Model(BaseModel):
    """Refuses what it does not know, if it can."""

    model_config = ConfigDict(extra="allow", frozen=True, validate_assignment=True)
    number: int = 1
    text: Optional[str] = None
    _hidden: str = PrivateAttr("none")


def values(fields: Dict[str, Any], names: Any, extra: Any, private: Any) -> Dict[str, Any]:
    """What a model consists of, by where pydantic keeps it."""
    return {
        "__dict__": fields,
        "__pydantic_fields_set__": names,
        "__pydantic_extra__": extra,
        "__pydantic_private__": private,
    }


GIVEN = values({"number": 2, "text": None}, {"number"}, {"more": [3]}, {"_hidden": "some"})


def check(made: Model) -> None:
    """A model is the same as one that was made in the usual way."""
    expected = Model(number=2, more=[3])
    expected._hidden = "some"
    assert made == expected
    assert made.model_dump() == {"number": 2, "text": None, "more": [3]}
    assert made.model_dump(exclude_unset=True) == {"number": 2, "more": [3]}
    assert made._hidden == "some"
    assert made.model_copy() == expected


def test_setters() -> None:
    """A model can be put together without validation, past all that guards it."""
    made = Model.__new__(Model)
    compat.set_fields(made, dict(GIVEN["__dict__"]))
    compat.set_names(made, set(GIVEN["__pydantic_fields_set__"]))
    compat.set_extra(made, dict(GIVEN["__pydantic_extra__"]))
    compat.set_private(made, dict(GIVEN["__pydantic_private__"]))
    check(made)


def test_they_take_no_detour() -> None:
    """They are C functions: a token would feel any other."""
    for setter in (compat.set_fields, compat.set_names, compat.set_extra, compat.set_private):
        assert type(setter).__name__ == "method-wrapper"


def test_without_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no slot is set as an attribute is."""
    monkeypatch.setattr(compat, "vars", lambda kind: {}, raising=False)
    made = Model.__new__(Model)
    for name, value in GIVEN.items():
        compat.setter(name)(made, value.copy())
    check(made)
