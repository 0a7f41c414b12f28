"""Backpressure for awaited model calls: hold the model until the consumer has caught up.

In a thread, emitting a part blocks. An event loop must not be blocked, but langchain-core awaits a handler's method if
it is a coroutine function.
"""

from __future__ import annotations

from typing import Any

from streamgraph._compat.langchain_core import looked_up_each_time
from streamgraph._drivers.handover import never_block
from streamgraph._langchain.scope import Scope
from streamgraph._messages.tap import Tap
from streamgraph._messages.tracker import MessageTracker
from streamgraph._propagation import current_loop
from streamgraph._streams.backpressure import Capacity


class BackpressureTap(Tap):
    """Tap of a stream with a limited number of chunks waiting for the consumer.

    Args:
        scope: The task.
        messages: The message tracker of the stream.
        capacity: The capacity for the parts that the task emits.
    """

    def __init__(self, scope: Scope, messages: MessageTracker, capacity: Capacity) -> None:
        super().__init__(scope, messages)
        self._capacity = capacity

    @looked_up_each_time
    def on_llm_new_token(self) -> Any:
        """Handler for a new token; a coroutine function if it must wait for capacity on an event loop."""
        take, capacity = vars(self)["on_llm_new_token"], self._capacity
        if not capacity.full:
            return take
        loop = current_loop()
        if loop is None:
            return take

        async def take_with_capacity(*args: Any, **kwargs: Any) -> None:
            if current_loop() is loop:
                await capacity.wait()
            else:
                # The model is called synchronously: langchain-core runs this in a thread, and the loop, possibly with
                # the consumer on it, waits for that thread.
                never_block.set(True)
            take(*args, **kwargs)

        return take_with_capacity


def tap_of(scope: Scope, messages: MessageTracker) -> Tap:
    """Return the tap for the model calls of a task."""
    capacity = scope.run.capacity
    return Tap(scope, messages) if capacity is None else BackpressureTap(scope, messages, capacity)
