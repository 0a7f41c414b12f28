"""Written values that replace the current one instead of being reduced."""

from __future__ import annotations

import sys
from typing import Iterable, List, Tuple, Type

from streamgraph._types import Overwrite
from streamgraph.errors import InvalidUpdateError

KEY = "__overwrite__"


def overwriting(value: object) -> Tuple[bool, object]:
    """Return whether a written value replaces the current one, and the value without its wrapper.

    Args:
        value: An `Overwrite` of this package or of LangGraph, one of the two forms that it has in JSON, or a plain
            value.
    """
    peer: Type[Overwrite] = getattr(sys.modules.get("langgraph.types"), "Overwrite", Overwrite)
    if isinstance(value, (Overwrite, peer)):
        return True, value.value
    if isinstance(value, dict):
        if len(value) == 1 and KEY in value:
            return True, value[KEY]
        if value.get("type") == KEY and "value" in value:
            return True, value["value"]
    return False, value


def read_all(key: str, values: Iterable[object]) -> List[Tuple[bool, object]]:
    """Return `overwriting` for each value of a step.

    Args:
        key: The key of the channel.
        values: The values.

    Raises:
        InvalidUpdateError: More than one of them replaces the current value.
    """
    found = [overwriting(value) for value in values]
    if sum(replaces for replaces, _ in found) > 1:
        raise InvalidUpdateError(
            "Can receive only one Overwrite value per super-step",
            key=key,
            hint="Let one of the nodes write through the reducer, or put them in different steps.",
        )
    return found
