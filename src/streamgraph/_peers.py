"""Values and control signals of LangGraph, converted where they enter and leave our graphs.

A program may hold classes of both libraries, as libraries that import `langgraph` by name return its own. What nodes,
branches and tools return of LangGraph's becomes ours before the core reads it; what leaves one of our graphs for a task
of LangGraph becomes LangGraph's. If LangGraph is not loaded, there is nothing to convert.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Mapping, Tuple, cast

from typing_extensions import TypeGuard

from streamgraph._compat.langgraph import PEER, PeerClass, is_peer, peer_class, with_peer
from streamgraph._interrupts import Interrupt
from streamgraph._policies import timeout_policy
from streamgraph._types import Command as CoreCommand
from streamgraph._types import Overwrite, Send
from streamgraph.errors import GraphBubbleUp, GraphDrained, GraphInterrupt, NotSupportedError, ParentCommand
from streamgraph.types import Command

_TYPES, _ERRORS = "langgraph.types", "langgraph.errors"


class PeerSignalError(GraphBubbleUp):
    """Another control signal of LangGraph on its way to the caller of the run.

    Args:
        original: LangGraph's exception.
    """

    def __init__(self, original: BaseException) -> None:
        super().__init__(f"LangGraph's {type(original).__name__} passes through: {original}")
        self.original = original


def is_command(value: object) -> TypeGuard[Command]:
    """Return whether `value` is a `Command` of this package or of LangGraph."""
    return isinstance(value, with_peer(CoreCommand, _TYPES, "Command"))


def own_result(value: Any) -> Any:
    """Return what a node, branch or tool has returned, with what is LangGraph's in it converted to this package's.

    That is a `Command`, `Send` or `Overwrite`, alone, in a list, in a dict, or inside a `Command`.
    """
    if type(value) is dict or isinstance(value, Mapping):
        return _own_writes(value)
    if PEER not in sys.modules:
        return value
    peers = (peer_class(_TYPES, name) for name in ("Command", "Send", "Overwrite"))
    kinds: Tuple[type, ...] = (CoreCommand, *(kind for kind in peers if kind is not None))
    if isinstance(value, (list, tuple)):
        if not any(isinstance(item, kinds) for item in value):
            return value
        return type(value)([_own_item(item) for item in value]) if type(value) in (list, tuple) else value
    return _own_item(value) if isinstance(value, kinds) else value


def own_command(value: Any) -> Command:
    """Convert a `Command` of LangGraph, or what is LangGraph's in one of this package."""
    update, goto = _own_update(value.update), own_result(value.goto)
    if isinstance(value, CoreCommand):
        same = update is value.update and goto is value.goto
        return cast("Command", value if same else replace(value, update=update, goto=goto))
    return Command(graph=value.graph, update=update, resume=value.resume, goto=goto)


def _own_update(update: object) -> object:
    """Convert the update of a `Command`, which may also be a list of `(key, value)` pairs."""
    overwrite = peer_class(_TYPES, "Overwrite")
    if overwrite is not None and isinstance(update, (list, tuple)):
        pairs = [item for item in update if isinstance(item, tuple) and len(item) == 2]
        if len(pairs) == len(update) and any(isinstance(value, overwrite) for _, value in pairs):
            return [(key, _own_item(value)) for key, value in pairs]
    return own_result(update)


def _own_writes(writes: Mapping[object, object]) -> object:
    for value in writes.values():
        if type(value).__name__ == "Overwrite":  # which costs less than to look for LangGraph's class in each step
            return {key: _own_item(value) for key, value in writes.items()}
    return writes


def _own_item(value: object) -> object:
    if isinstance(value, Mapping):
        return _own_writes(value)
    if is_command(value):
        return own_command(value)
    return _own_single(value) if is_peer(value, _TYPES, "Send") or is_peer(value, _TYPES, "Overwrite") else value


def _own_single(value: Any) -> object:
    """Convert a `Send` or an `Overwrite`."""
    if is_peer(value, _TYPES, "Overwrite"):
        return Overwrite(value.value)
    return Send(value.node, value.arg, getattr(value, "timeout", None))


def passes_through(error: BaseException) -> bool:
    """Return whether an exception is LangGraph's control flow, and not a failure of the tool that raises it."""
    return is_peer(error, _ERRORS, "GraphBubbleUp")


def own_error(error: Exception) -> Exception:
    """Return the exception of a node with LangGraph's control signals converted; others are returned unchanged.

    The command of a `ParentCommand` is for the graph of the node, unless it still names the graph around that.
    """
    if not passes_through(error):
        return error
    own: Exception
    if is_peer(error, _ERRORS, "ParentCommand"):
        # A command that has passed through a graph of LangGraph has the namespace that it is for instead of `PARENT`.
        command = own_command(error.args[0])
        own = ParentCommand(command if command.graph == Command.PARENT else replace(command, graph=None))
    elif is_peer(error, _ERRORS, "GraphInterrupt"):
        asked = error.args[0] if error.args else ()
        own = GraphInterrupt(tuple(_own_interrupt(item) for item in asked))
    elif is_peer(error, _ERRORS, "GraphDrained"):
        own = GraphDrained(getattr(error, "reason", "shutdown"))
    else:
        own = PeerSignalError(error)
    own.__cause__ = error
    return own


def _own_interrupt(item: Any) -> Interrupt:
    return Interrupt(item.value, item.id, response_schema=getattr(item, "response_schema", None))


def peer_error(error: BaseException, ns: str) -> BaseException:
    """Return a control signal as a task of LangGraph expects it; other exceptions are returned unchanged.

    Args:
        error: The exception with which one of our graphs ends.
        ns: The namespace of the task, which is the one that LangGraph addresses a command for the parent graph to.
    """
    if isinstance(error, PeerSignalError):
        return error.original
    if isinstance(error, ParentCommand):
        made = peer_class(_ERRORS, "ParentCommand")
        return error if made is None else made(replace(peer_command(error.command), graph=ns))
    if isinstance(error, GraphInterrupt):
        made = peer_class(_ERRORS, "GraphInterrupt")
        return error if made is None else made(tuple(map(_peer_interrupt, error.interrupts)))
    if isinstance(error, GraphDrained):
        made = peer_class(_ERRORS, "GraphDrained")
        return error if made is None else made(error.reason)
    return error


def _peer_interrupt(item: Interrupt) -> object:
    kind = _peer("Interrupt")
    if item.response_schema is None:
        return kind(value=item.value, id=item.id)
    return kind(value=item.value, id=item.id, response_schema=item.response_schema)


def _peer(name: str) -> PeerClass:
    """Return a class of LangGraph.

    Raises:
        NotSupportedError: The installed version does not have it.
    """
    kind = peer_class(_TYPES, name)
    if kind is None:
        raise NotSupportedError(
            f"The installed LangGraph has no {name}, which a command for its graph needs",
            hint="Leave it out of the command, or install a newer LangGraph.",
        )
    return kind


def peer_command(command: CoreCommand) -> Any:
    """Return a `Command` as one of LangGraph, with the `Send`s and `Overwrite`s in it."""
    kind = _peer("Command")
    goto = command.goto
    return kind(
        graph=command.graph,
        update=_peer_update(command.update),
        resume=command.resume,
        goto=[_peer_item(item) for item in goto] if isinstance(goto, (list, tuple)) else _peer_item(goto),
    )


def peer_result(result: object) -> object:
    """Return what one of our nodes has returned as LangGraph's callback handlers know it: with commands of its own."""
    if peer_class(_TYPES, "Command") is None:
        return result
    if isinstance(result, CoreCommand):
        return peer_command(result)
    if isinstance(result, (list, tuple)) and any(isinstance(item, CoreCommand) for item in result):
        return [peer_command(item) if isinstance(item, CoreCommand) else item for item in result]
    return result


def _peer_update(update: object) -> object:
    if isinstance(update, Mapping):
        return {key: _peer_item(value) for key, value in update.items()}
    if isinstance(update, (list, tuple)):
        return [
            (item[0], _peer_item(item[1])) if isinstance(item, tuple) and len(item) == 2 else item for item in update
        ]
    return _peer_item(update)


def _peer_item(value: object) -> object:
    if isinstance(value, Overwrite):
        return _peer("Overwrite")(value.value)
    if not isinstance(value, Send):
        return value
    kind, limit = _peer("Send"), timeout_policy(value.timeout)
    if limit is None:
        return kind(value.node, value.arg)
    policy = _peer("TimeoutPolicy")
    return kind(
        value.node,
        value.arg,
        timeout=policy(run_timeout=limit.run_timeout, idle_timeout=limit.idle_timeout, refresh_on=limit.refresh_on),
    )
