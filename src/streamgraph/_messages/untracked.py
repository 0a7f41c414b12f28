"""Detect model calls made outside of any run's context, such as in a thread started by the user."""

from __future__ import annotations

import threading
from typing import Dict, List, Optional
from uuid import UUID
from weakref import WeakSet

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from typing_extensions import Protocol

from streamgraph._signals import Unstreamed

_HINT = (
    "If a node has started that thread, let it run the call in a copy of the node's context "
    "(contextvars.copy_context().run), or pass the node's config to the call."
)


class CallLog(Protocol):
    """Records the model calls of a run."""

    unstreamed: List[Unstreamed]

    def hears(self, run_id: UUID) -> bool:
        """Return whether a model call is open and registered in this run."""


_MOST = 1000

_lock = threading.Lock()
_logs: WeakSet[CallLog] = WeakSet()


def listen(log: CallLog) -> None:
    """Report model calls made outside of any run to `log` from now on; thread-safe."""
    with _lock:
        _logs.add(log)


def forget(log: CallLog) -> None:
    """Stop reporting to `log`; thread-safe."""
    with _lock:
        _logs.discard(log)


def untracked_call_handler() -> Optional[BaseCallbackHandler]:
    """Return the handler for model calls outside of any run, or `None` if no log is registered."""
    return _handler if _logs else None


class UntrackedCallHandler(BaseCallbackHandler):
    """Records model calls outside of any run."""

    run_inline = True
    ignore_llm = ignore_chain = ignore_agent = ignore_retriever = True

    def on_chat_model_start(
        self,
        serialized: Optional[Dict[str, object]],
        messages: List[List[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: object,
    ) -> None:
        with _lock:
            logs = list(_logs)
        # A call with an explicit config has already been reported to the right run, and is not untracked.
        if any(log.hears(run_id) for log in logs):
            return
        name = kwargs.get("name") or (serialized or {}).get("name") or "A model call"
        why = f"it was made in thread {threading.current_thread().name!r}, where no run's context is known"
        for log in logs:
            if len(log.unstreamed) >= _MOST:
                continue  # bounds the memory that other requests of a server can take
            log.unstreamed.append(Unstreamed("outside", why, _HINT, model=str(name), run_id=str(run_id)))


_handler = UntrackedCallHandler()
