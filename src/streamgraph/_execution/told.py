"""What callback handlers and the messages of a stream are told of runs that go on, and of their ends."""

from __future__ import annotations

from typing import Optional, Tuple, cast

from streamgraph._core.control import is_signal
from streamgraph._core.run import Run
from streamgraph._execution.saving import Saving
from streamgraph._langchain.lifecycle import GraphLifecycleStatus, Pause
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.traces import Trace
from streamgraph._messages.matching import messages_in
from streamgraph._messages.tracker import MessageTracker
from streamgraph._peers import passes_through
from streamgraph._protocols import Work


def went_on(
    run: Run, saving: Saving, parent: Optional[Scope], trace: Optional[Trace], messages: Optional[MessageTracker]
) -> Work[None]:
    """Tell callback handlers that a saved run goes on; what it has shown before is not shown as new by the task around.

    Args:
        run: The run, as it was loaded.
        saving: How it is saved.
        parent: The task that it is nested in.
        trace: Its trace.
        messages: The messages of the stream, if they are asked for.
    """
    if parent is not None and messages is not None:
        for value in (*run.state.values.values(), *saving.finished_values()):
            for message in messages_in(value):
                messages.remember(parent, message)
    if trace is not None:
        yield from trace.resumed(saving.saved.head or "", run.ns)


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
