"""Validation of node names."""

from __future__ import annotations

from typing import Container, Optional

from streamgraph.constants import END, START
from streamgraph.errors import NodeNameError

_RESERVED_CHARACTERS = "|:"


def checked_name(name: Optional[str], target: object, taken: Container[str]) -> str:
    """Validate a node name and return it.

    Args:
        name: The name.
        target: The node, for the error message.
        taken: The names already in use.

    Raises:
        NodeNameError: The name is missing, reserved, taken or malformed.
    """
    if not name:
        raise NodeNameError(f"No name can be taken from {target!r}", hint="Give one: add_node(name, node).")
    if name in (START, END):
        raise NodeNameError(f"Node `{name}` is reserved", hint="Choose another name.")
    if name in taken:
        raise NodeNameError(f"Node `{name}` already present", hint="Give the second node another name.")
    for character in _RESERVED_CHARACTERS:
        if character in name:
            raise NodeNameError(
                f"{character!r} is a reserved character and is not allowed in the node names: {name!r}",
                hint="Namespaces use it to separate names and ids.",
            )
    return name
