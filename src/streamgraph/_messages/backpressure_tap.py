"""Holding models back that are awaited, while the consumer of their tokens has not caught up.

In a thread the way into the stream is where one waits. On an event loop nothing may wait there, but langchain-core
awaits a handler's method that is a coroutine function.
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
    """A tap of a stream in which only so many chunks may wait for the consumer.

    Args:
        scope: The task.
        messages: Remembers what was shown.
        capacity: The room there is for what it emits.
    """

    def __init__(self, scope: Scope, messages: MessageTracker, capacity: Capacity) -> None:
        super().__init__(scope, messages)
        self._capacity = capacity

    @looked_up_each_time
    def on_llm_new_token(self) -> Any:
        """A model has made a token: a coroutine function if that has to wait, on an event loop, until there is room."""
        loop = current_loop()
        if not self._capacity.full or loop is None:
            return super().on_llm_new_token
        capacity, take = self._capacity, super().on_llm_new_token

        async def take_when_there_is_room(*args: Any, **kwargs: Any) -> None:
            if current_loop() is loop:
                await capacity.wait()
            else:
                # The model is called without being awaited: langchain-core runs this in a thread, for which the
                # loop waits, and with it maybe the consumer.
                never_block.set(True)
            take(*args, **kwargs)

        return take_when_there_is_room


def tap_of(scope: Scope, messages: MessageTracker) -> Tap:
    """Return what listens to the models of a task."""
    capacity = scope.run.capacity
    return Tap(scope, messages) if capacity is None else BackpressureTap(scope, messages, capacity)
