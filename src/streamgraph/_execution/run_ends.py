"""How a run has ended, as callback handlers are told."""

from __future__ import annotations

from typing import Optional, Tuple, cast

from streamgraph._core.control import is_signal
from streamgraph._core.run import Run
from streamgraph._execution.saving import Saving
from streamgraph._langchain.lifecycle import GraphLifecycleStatus, Pause
from streamgraph._peers import passes_through


def traced_outcome(
    run: Run, saving: Optional[Saving], error: Optional[BaseException]
) -> Tuple[object, Optional[BaseException], Optional[Pause]]:
    """Return the output or the failure of a run, and how it has paused if it has; a pause is none of its failures.

    Args:
        run: The run.
        saving: How it is saved.
        error: The exception with which it has ended.
    """
    if error is not None and not is_signal(error, run.ns) and not passes_through(error):
        return None, error, None
    head = None if saving is None else saving.saved.head
    pause = (
        Pause(cast("GraphLifecycleStatus", run.paused), head or "", run.interrupts)
        if run.paused and not run.ns
        else None
    )
    return run.output(asked=False), None, pause
