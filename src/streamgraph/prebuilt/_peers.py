"""LangGraph's own classes, where the user's program has loaded them: tools written for it work here as they are.

Nothing is imported: who does not use LangGraph pays for a look into `sys.modules`.
"""

from __future__ import annotations

import sys
from typing import Any, Optional, Tuple

from typing_extensions import TypeGuard

from streamgraph.types import Command, Send


def peer_class(module: str, name: str) -> Optional[type]:
    """Return a class of LangGraph, or `None` if it is not loaded or has no such class.

    Args:
        module: The module that defines the class, such as `"langgraph.types"`.
        name: The name of the class.
    """
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def with_peer(own: type, module: str, name: Optional[str] = None) -> Tuple[type, ...]:
    """Return a class of this package together with LangGraph's of the same name, for `isinstance` and the like."""
    peer = peer_class(module, name or own.__name__)
    return (own,) if peer is None else (own, peer)


def is_command(value: object) -> TypeGuard[Command]:
    """Whether `value` is a `Command`, of this package or of LangGraph."""
    return isinstance(value, with_peer(Command, "langgraph.types"))


def own_command(value: Command) -> Command:
    """Return a `Command` as one of this package, with the `Send`s in it."""
    goto = value.goto
    if isinstance(goto, (list, tuple)):
        goto = type(goto)([own_send(item) for item in goto])
    else:
        goto = own_send(goto)
    return Command(graph=value.graph, update=value.update, goto=goto)


def own_send(value: Any) -> Any:
    """Return a `Send` of LangGraph as one of this package, and anything else as it is."""
    peer: Any = peer_class("langgraph.types", "Send")
    return Send(value.node, value.arg) if peer is not None and isinstance(value, peer) else value


def passes_through(error: BaseException) -> bool:
    """Whether an exception of LangGraph is not a tool's failure but a message to the graph around it."""
    peer = peer_class("langgraph.errors", "GraphBubbleUp")
    return peer is not None and isinstance(error, peer)
