"""Callbacks of what runs in a task elsewhere, for the handlers and tracers of its run.

A handler on the worker sends each event. Here the handlers of the run are told of it, with the ids that runs in traces
have there; what the node itself has called is a child of the node's run here.
"""

from __future__ import annotations

import asyncio
import pickle
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.callbacks.manager import ahandle_event

from streamgraph._langchain.activity import ActivityHandler
from streamgraph._langchain.handlers import TaskHandler
from streamgraph._messages.untracked import UntrackedCallHandler
from streamgraph.executors._failures import packed_error, unpacked_error

EVENTS: Dict[str, Optional[str]] = {
    "on_llm_start": "ignore_llm",
    "on_chat_model_start": "ignore_chat_model",
    "on_llm_new_token": "ignore_llm",
    "on_llm_end": "ignore_llm",
    "on_llm_error": "ignore_llm",
    "on_chain_start": "ignore_chain",
    "on_chain_end": "ignore_chain",
    "on_chain_error": "ignore_chain",
    "on_tool_start": "ignore_agent",
    "on_tool_end": "ignore_agent",
    "on_tool_error": "ignore_agent",
    "on_retriever_start": "ignore_retriever",
    "on_retriever_end": "ignore_retriever",
    "on_retriever_error": "ignore_retriever",
    "on_agent_action": "ignore_agent",
    "on_agent_finish": "ignore_agent",
    "on_custom_event": "ignore_custom_event",
    "on_retry": "ignore_retry",
    "on_text": None,
}
"""The events of handlers, with the attribute by which a handler says that it does not want them."""


class _Error(NamedTuple):
    """An exception among the arguments of an event."""

    data: List[Any]


class Forwarder(BaseCallbackHandler):
    """Sends the events of what runs in a task; made on the worker.

    Args:
        put: Takes an event, from any thread.
    """

    run_inline = True  # so that they are sent in their order

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put
        # The runs of the task itself, which are those of the node where the run is.
        self._own: Set[UUID] = set()
        for name in EVENTS:
            setattr(self, name, self._sender(name))

    def _sender(self, name: str) -> Callable[..., None]:
        def send(*args: object, **kwargs: Any) -> None:
            run_id, parent = kwargs.get("run_id"), kwargs.get("parent_run_id")
            if name == "on_chain_start" and len(self._own) < _OUTERMOST and run_id is not None:
                self._own.add(run_id)
            if run_id not in self._own:
                if parent in self._own:
                    kwargs["parent_run_id"] = None
                self._put(_packed((name, args, kwargs)))

        return send


_OUTERMOST = 2
"""The first two runs of a task on a worker: that of its run of one task, and its own."""


def listeners_of(callbacks: object) -> List[BaseCallbackHandler]:
    """Return the handlers that hear of what is called in a task, without those that make its stream.

    Args:
        callbacks: The callback manager of the task.
    """
    if not isinstance(callbacks, BaseCallbackManager):
        return []
    ours = (ActivityHandler, TaskHandler, UntrackedCallHandler)
    return [handler for handler in callbacks.inheritable_handlers if not isinstance(handler, ours)]


async def tell(callbacks: object, event: bytes) -> None:
    """Tell the handlers of a task what has happened on its worker.

    Args:
        callbacks: The callback manager of the task.
        event: What a `Forwarder` has sent.
    """
    assert isinstance(callbacks, BaseCallbackManager)
    name, args, kwargs = _unpacked(event)
    if name not in ("on_custom_event", "on_text", "on_retry") or "parent_run_id" in kwargs:
        kwargs["parent_run_id"] = kwargs.get("parent_run_id") or callbacks.parent_run_id
    await ahandle_event(listeners_of(callbacks), name, EVENTS[name], *args, **kwargs)


def _packed(event: Tuple[str, Tuple[object, ...], Dict[str, Any]]) -> bytes:
    name, args, kwargs = event
    try:
        return pickle.dumps((name, tuple(map(_sendable, args)), kwargs))
    except Exception:
        # Handlers are told of whatever code is given, which need not be data: they get its description.
        shown = {key: value if _is_data(value) else repr(value) for key, value in kwargs.items()}
        return pickle.dumps((name, tuple([_shown(value) for value in args]), shown))


def _unpacked(event: bytes) -> Tuple[str, List[object], Dict[str, Any]]:
    name, args, kwargs = pickle.loads(event)
    return name, [unpacked_error(value.data) if isinstance(value, _Error) else value for value in args], kwargs


def _sendable(value: object) -> object:
    return _Error(packed_error(value)) if isinstance(value, BaseException) else value


def _shown(value: object) -> object:
    if isinstance(value, BaseException):
        return _sendable(value)
    if _is_data(value):
        return value
    return {key: _shown(item) for key, item in value.items()} if isinstance(value, dict) else repr(value)


def _is_data(value: object) -> bool:
    try:
        pickle.dumps(value)
    except Exception:
        return False
    return True


def threadsafe(put: Callable[[bytes], None], loop: asyncio.AbstractEventLoop) -> Callable[[bytes], None]:
    """Return a function that may be called from any thread, for one that may only be called on a loop."""

    def called(event: bytes) -> None:
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            put(event)
        else:
            loop.call_soon_threadsafe(put, event)

    return called
