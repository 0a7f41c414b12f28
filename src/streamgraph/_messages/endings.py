"""Shows that messages are over, where nothing else does.

The last chunk of a message has langchain-core's mark, `chunk_position`. From version 1 on, langchain-core sets it for
models that end well. The others get an empty chunk with the mark here: messages of older versions and of other clients,
and those that were cut off.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from streamgraph._langchain.scope import RunScope, Scope
from streamgraph._messages.copying import last_chunk
from streamgraph._messages.model_call import ModelCall
from streamgraph._messages.token_part import TokenPart
from streamgraph.errors import StreamClosed, StreamOverflowError


class Endings:
    """The ends of the messages of a stream that are still to be shown, each with the task of its call."""

    def __init__(self) -> None:
        self._left: List[Tuple[ModelCall, Scope]] = []

    def show(self, call: ModelCall) -> None:
        """Show the end of a call's message, behind its last token, if nothing shows it yet; never raises.

        What cannot be shown now, since the task was cancelled with its run or the buffer is full, is left to the end of
        the run.
        """
        scope = call.scope
        if scope is None or call.unended is None:
            return
        if not scope.run.stop.is_set:
            try:
                scope.put(_end_of(call))
            except (StreamClosed, StreamOverflowError):
                pass
            else:
                call.unended = None
                return
        self._left.append((call, scope))

    def leave_open(self, call: ModelCall) -> None:
        """End a call that its run does not wait for: it was cancelled with it, or continues and shows nothing more."""
        scope, call.scope, call.open = call.scope, None, False
        call.stop()
        if scope is not None:
            self._left.append((call, scope))

    def parts(self, run: RunScope) -> List[TokenPart]:
        """Return what is left to be shown of the messages of a run, and of the runs nested in it."""
        # Each consumer of the run, or of one around it, gets them at the end of what it reads.
        left = [call for call, scope in self._left if is_inside(scope, run)]
        return [_end_of(call) for call in left if call.unended is not None]


def _end_of(call: ModelCall) -> TokenPart:
    assert call.unended is not None
    return TokenPart(call, last_chunk(call.unended), lasting=True)


def is_inside(scope: Optional[Scope], run: RunScope) -> bool:
    """Return whether a task is one of a run, or of a run nested in that."""
    while scope is not None and scope.run is not run:
        scope = scope.parent
    return scope is not None
