"""A question that a node asks: the data type, and how its id is made."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Dict, Generic, Optional, Sequence, Type, Union

from typing_extensions import TypeVar, deprecated, final

from streamgraph._compat.hashes import xxh3_128_hex
from streamgraph._reserved import NS_SEP
from streamgraph.warnings import LangGraphDeprecatedSinceV10

ResponseT = TypeVar("ResponseT", default=Any)

Response = Union[Type[ResponseT], Dict[str, Any], None]

_PLACEHOLDER = "placeholder-id"
"""The id of an interrupt that was made without one, as in LangGraph."""


def interrupt_id(ns: str, answered: int = 0) -> str:
    """Return the id of a question, the same as LangGraph's.

    Args:
        ns: The namespace of the task that asks, in one string.
        answered: How many questions of the task were answered before.
    """
    return xxh3_128_hex(f"{ns}{NS_SEP}{answered}" if answered else ns)


@final
@dataclass(init=False)
class Interrupt(Generic[ResponseT]):
    """A question that a node has asked with `interrupt()`, and that waits for an answer.

    Args:
        value: The question: whatever was passed to `interrupt()`.
        id: The id of the question, under which it is answered: `Command(resume={id: answer})`.
        response_schema: The JSON schema of the answer, or its type.
        ns: Deprecated: the namespace to make the id from, level by level.
        when: Deprecated, without effect.
        resumable: Deprecated, without effect.

    Attributes:
        value: See above.
        id: See above.
        response_schema: See above.
    """

    value: Any
    id: str
    response_schema: Response[ResponseT]

    def __init__(
        self,
        value: object,
        id: str = _PLACEHOLDER,  # noqa: A002  (LangGraph's name)
        *,
        response_schema: Response[ResponseT] = None,
        ns: Optional[Sequence[str]] = None,
        when: Optional[str] = None,
        resumable: Optional[bool] = None,
    ) -> None:
        for name, given in (("ns", ns), ("when", when), ("resumable", resumable)):
            if given is not None:
                instead = "Give the id instead" if name == "ns" else "It has no effect"
                warnings.warn(
                    f"Interrupt({name}=...) is deprecated. {instead}.", LangGraphDeprecatedSinceV10, stacklevel=2
                )
        self.value = value
        self.response_schema = response_schema
        self.id = xxh3_128_hex(NS_SEP.join(ns)) if ns is not None and id == _PLACEHOLDER else id

    @classmethod
    def from_ns(cls, value: object, ns: str, *, response_schema: Response[ResponseT] = None) -> Interrupt[ResponseT]:
        """Return the first question of a task.

        Args:
            value: The question.
            ns: The namespace of the task, in one string.
            response_schema: The JSON schema of the answer, or its type.
        """
        return cls(value, interrupt_id(ns), response_schema=response_schema)

    @property
    @deprecated("`interrupt_id` is deprecated. Use `id` instead.", category=None)
    def interrupt_id(self) -> str:
        """The id of the question; deprecated, use `id`."""
        warnings.warn("`interrupt_id` is deprecated. Use `id` instead.", LangGraphDeprecatedSinceV10, stacklevel=2)
        return self.id
