"""Model calls that no run can hear, since they were made where its context is not known: in a thread of one's own."""

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
    """Keeps what is known of the model calls of a run."""

    unstreamed: List[Unstreamed]

    def hears(self, run_id: UUID) -> bool:
        """Whether a model call is known to the run."""


_MOST = 1000

_lock = threading.Lock()
_logs: WeakSet[CallLog] = WeakSet()


def listen(log: CallLog) -> None:
    """Tell `log` of model calls that are made outside of any run from now on."""
    with _lock:
        _logs.add(log)


def forget(log: CallLog) -> None:
    """Stop telling `log`."""
    with _lock:
        _logs.discard(log)


def untracked_call_handler() -> Optional[BaseCallbackHandler]:
    """Return what listens to a model call outside of any run, if any run wants to know."""
    return _handler if _logs else None


class UntrackedCallHandler(BaseCallbackHandler):
    """Notes model calls of which no run hears."""

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
        # With a config passed by hand the right run hears of it as well, and before: then it is no stray.
        if any(log.hears(run_id) for log in logs):
            return
        name = kwargs.get("name") or (serialized or {}).get("name") or "A model call"
        why = f"it was made in thread {threading.current_thread().name!r}, where no run's context is known"
        for log in logs:
            if len(log.unstreamed) >= _MOST:
                continue  # a server's other requests are not to fill the memory
            log.unstreamed.append(Unstreamed("outside", why, _HINT, model=str(name), run_id=str(run_id)))


_handler = UntrackedCallHandler()
