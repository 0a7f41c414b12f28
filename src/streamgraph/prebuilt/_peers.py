"""LangGraph's own classes, if the user's program has loaded them: tools written for LangGraph work unchanged.

Nothing is imported: without LangGraph the only cost is a lookup in `sys.modules`.
"""

from __future__ import annotations

import sys
from typing import Any, Optional, Tuple

from typing_extensions import TypeGuard

from streamgraph.types import Command, Send


def peer_class(module: str, name: str) -> Optional[type]:
    """Return a class of LangGraph, or `None` if it is not loaded or does not exist.

    Args:
        module: The module that defines the class, such as `"langgraph.types"`.
        name: The name of the class.
    """
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def with_peer(own: type, module: str, name: Optional[str] = None) -> Tuple[type, ...]:
    """Return a class of this package and LangGraph's class of the same name, for `isinstance` and `issubclass`."""
    peer = peer_class(module, name or own.__name__)
    return (own,) if peer is None else (own, peer)


def is_command(value: object) -> TypeGuard[Command]:
    """Return whether `value` is a `Command` of this package or of LangGraph."""
    return isinstance(value, with_peer(Command, "langgraph.types"))


def own_command(value: Command) -> Command:
    """Convert a `Command` of LangGraph, including its `Send`s, to this package's class."""
    goto = value.goto
    if isinstance(goto, (list, tuple)):
        goto = type(goto)([own_send(item) for item in goto])
    else:
        goto = own_send(goto)
    return Command(graph=value.graph, update=value.update, resume=value.resume, goto=goto)


def own_send(value: Any) -> Any:
    """Convert a `Send` of LangGraph to this package's class; other values are returned unchanged."""
    peer: Any = peer_class("langgraph.types", "Send")
    return Send(value.node, value.arg) if peer is not None and isinstance(value, peer) else value


def passes_through(error: BaseException) -> bool:
    """Return whether an exception is LangGraph's control flow for the parent graph, and not a failure of the tool."""
    peer = peer_class("langgraph.errors", "GraphBubbleUp")
    return peer is not None and isinstance(error, peer)
