"""Await a coroutine in a context of its own, on every Python.

`asyncio.create_task` takes a context only from Python 3.11 on, and a task of its own would hide the awaiting task from
those who read the call stack.
"""

from __future__ import annotations

from contextvars import Context
from typing import Any, Coroutine, Generator, Generic, TypeVar

T = TypeVar("T")


class AwaitedIn(Generic[T]):
    """An awaitable that runs every step of a coroutine in a context, inside the awaiting task.

    Args:
        context: The context; no other code may be running in it.
        coroutine: The coroutine.
    """

    def __init__(self, context: Context, coroutine: Coroutine[Any, Any, T]) -> None:
        self._context = context
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        """Run the coroutine to its end, and return its result."""
        run, coroutine = self._context.run, self._coroutine
        try:
            waiting = run(coroutine.send, None)
            while True:
                try:
                    value = yield waiting
                except GeneratorExit:
                    run(coroutine.close)
                    raise
                except BaseException as error:
                    waiting = run(coroutine.throw, error)
                else:
                    waiting = run(coroutine.send, value)
        except StopIteration as result:
            return result.value  # type: ignore[no-any-return]
