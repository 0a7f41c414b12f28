"""Placement of ids in the chunks of an answer, as by OpenAI and compatible servers."""

from __future__ import annotations

from typing import Dict, Literal, NamedTuple, Optional, get_args

IdScheme = Literal["every", "first", "last", "changing", "null", "missing"]
"""Placement of an answer's id: in every chunk, the first or the last, a different id per chunk, null, or missing."""


class Ids(NamedTuple):
    """Ids of one answer.

    Args:
        own: The unique part of all ids of the answer.
        scheme: The chunks that carry an id.
        in_messages: True if messages and their deltas carry the id as well.
    """

    own: str
    scheme: IdScheme
    in_messages: bool

    def field(self, prefix: str, index: int = 0, *, last: bool = True) -> Dict[str, Optional[str]]:
        """Return the field `id` of a chunk.

        Args:
            prefix: OpenAI's prefix for ids of this kind.
            index: The number of chunks before this one.
            last: True for the last chunk.

        Returns:
            A dict with the field, or an empty dict if the chunk has no such field.
        """
        if self.scheme == "null":
            return {"id": None}
        carries = {"first": index == 0, "last": last, "missing": False}
        return {"id": self.of(prefix, index)} if carries.get(self.scheme, True) else {}

    def of(self, prefix: str, index: int) -> str:
        """Return an id for a part of the answer that needs one under every scheme.

        Args:
            prefix: OpenAI's prefix for ids of this kind.
            index: The number of chunks before this one; used only by the scheme `changing`.
        """
        return f"{prefix}{self.own}{index:04x}" if self.scheme == "changing" else f"{prefix}{self.own}"


def check_scheme(ids: Optional[str]) -> None:
    """Validate an id scheme.

    Raises:
        ValueError: `ids` is neither `None` nor an `IdScheme`.
    """
    if ids is not None and ids not in get_args(IdScheme):
        raise ValueError(f"ids must be one of {', '.join(map(repr, get_args(IdScheme)))}, not {ids!r}")
