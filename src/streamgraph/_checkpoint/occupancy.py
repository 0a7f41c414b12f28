"""Which threads have a run in this process: a second run at the same time would lose what one of them stores."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock
from typing import Any, Dict, Optional, Tuple

from streamgraph._protocols import Join, Work
from streamgraph._types import MultitaskStrategy
from streamgraph.errors import StreamClosed, ThreadBusyError

_Key = Tuple[int, str]

_lock = Lock()
_runs: Dict[_Key, Future[Any]] = {}


class Occupancy:
    """The claim of one run on its thread.

    Args:
        saver: The user's saver; the same thread id in another saver is another thread.
        thread_id: The thread.
        strategy: What to do if there is a run already: `"reject"` raises an error, `"enqueue"` waits for its end.
    """

    def __init__(self, saver: object, thread_id: str, strategy: MultitaskStrategy) -> None:
        self._saver = saver  # kept, so that its id is not given to another
        self._key = (id(saver), thread_id)
        self._thread_id = thread_id
        self._strategy = strategy
        self._over: Optional[Future[Any]] = None
        self._left = False

    def enter(self) -> Work[None]:
        """Claim the thread.

        Raises:
            ThreadBusyError: Another run has it, and is not to be waited for.
            StreamClosed: The run was left while it was being opened.
        """
        over: Future[Any] = Future()
        while True:
            with _lock:
                if self._left:
                    raise StreamClosed("the run has ended")
                other = _runs.setdefault(self._key, over)
                if other is over:
                    self._over = over
                    return
            if self._strategy == "reject":
                raise ThreadBusyError(
                    f"Thread {self._thread_id!r} has a run already, and two at once would overwrite each other",
                    hint='Wait for its end, close its stream, or give multitask_strategy="enqueue".',
                )
            yield Join([other])

    def leave(self) -> None:
        """Give the thread back, or see to it that it is not claimed any more."""
        with _lock:
            over, self._over, self._left = self._over, None, True
            if over is not None:
                del _runs[self._key]
        if over is not None:
            over.set_result(None)
