"""Which chunks of an answer carry an id: the ways of OpenAI and of those who imitate it."""

from __future__ import annotations

from typing import Dict, Literal, NamedTuple, Optional, get_args

IdScheme = Literal["every", "first", "last", "changing", "null", "missing"]
"""Where the ids of an answer are: on every chunk, the first or the last only, another one on each, null, left out."""


class Ids(NamedTuple):
    """The ids of one answer.

    Args:
        own: What they are all made of; no other answer has it.
        scheme: Which chunks carry an id.
        in_messages: Whether a message and its deltas carry the id as well, not only what is around them.
    """

    own: str
    scheme: IdScheme
    in_messages: bool

    def field(self, prefix: str, index: int = 0, *, last: bool = True) -> Dict[str, Optional[str]]:
        """The field `id` of a chunk.

        Args:
            prefix: What OpenAI begins ids of this kind with.
            index: How many chunks come before this one.
            last: Whether none comes after it.

        Returns:
            What to put into the chunk; nothing if it is to have no such field.
        """
        if self.scheme == "null":
            return {"id": None}
        carries = {"first": index == 0, "last": last, "missing": False}
        return {"id": self.of(prefix, index)} if carries.get(self.scheme, True) else {}

    def of(self, prefix: str, index: int) -> str:
        """An id that is always there, of a part of the answer that is told from others by it.

        Args:
            prefix: What OpenAI begins ids of this kind with.
            index: How many chunks come before this one; only matters where each has another id.
        """
        return f"{prefix}{self.own}{index:04x}" if self.scheme == "changing" else f"{prefix}{self.own}"


def check_scheme(ids: Optional[str]) -> None:
    """Refuse what is no way to give ids.

    Raises:
        ValueError: If `ids` is neither `None` nor an `IdScheme`.
    """
    if ids is not None and ids not in get_args(IdScheme):
        raise ValueError(f"ids must be one of {', '.join(map(repr, get_args(IdScheme)))}, not {ids!r}")
