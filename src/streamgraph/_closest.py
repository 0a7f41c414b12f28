"""Suggestions for wrong names."""

from __future__ import annotations

import difflib
from typing import Iterable, Optional


def closest(name: object, known: Iterable[object], *, cutoff: float = 0.6) -> Optional[str]:
    """Return the known name most similar to `name`, or `None` if none is similar enough.

    Args:
        name: The wrong name.
        known: The valid names.
        cutoff: The minimum similarity, from 0 to 1.
    """
    lower = {str(candidate).lower(): str(candidate) for candidate in known}
    found = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=cutoff)
    return lower[found[0]] if found else None
