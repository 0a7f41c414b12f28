"""Makes the calls of work, and waits where it yields `Sleep` or `Join`, in the calling thread."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar, Union

from streamgraph._drivers.exceptions import wrap_for_throw
from streamgraph._drivers.portal import Portal
from streamgraph._drivers.workers import RunThreads
from streamgraph._propagation import propagates
from streamgraph._protocols import Call, Join, Sleep, Work
from streamgraph._streams.cancellation import CancelToken

T = TypeVar("T")


@propagates
def drive(work: Work[T], pool: RunThreads, portal: Portal, stop: CancelToken) -> T:
    """Make the calls of `work` one after the other, and return its result.

    Args:
        work: The calls.
        pool: Threads for calls with a time limit.
        portal: Awaits actions that have no sync form.
        stop: Cancel token of the work; cancels calls in the portal.
    """
    try:
        call = next(work)
        while True:
            try:
                if type(call) is not Call:
                    value = _wait(call)
                elif call.watch is not None:
                    value = _call_with_timeout(call, pool, portal)
                else:
                    sync, asyn = call.action
                    if sync is not None:
                        value = sync(*call.args)
                    else:
                        assert asyn is not None
                        value = portal.call(asyn, call.args, CancelToken() if call.shielded else stop)
            except BaseException as error:
                call = work.throw(wrap_for_throw(error))
            else:
                call = work.send(value)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]


def _wait(what: Union[Call, Sleep, Join]) -> Any:
    if isinstance(what, Join):
        wait(what.futures)
        return None
    assert isinstance(what, Sleep)
    awake, stop = threading.Event(), what.stop
    stop.on_set(awake.set)
    try:
        awake.wait(what.seconds)
    finally:
        stop.forget(awake.set)
    if stop.is_set:
        stop.check()
    return None


def _call_with_timeout(call: Call, pool: RunThreads, portal: Portal) -> Any:
    """Make a call with a time limit.

    Raises:
        NodeTimeoutError: It took too long. A call in a thread cannot be cancelled: its token is set, it ends at its
            next token or writer call, and its end is not waited for.
    """
    sync, asyn = call.action
    watch = call.watch
    assert watch is not None
    if sync is not None:
        running = pool.submit(copy_context().run, sync, *call.args)
    else:
        assert asyn is not None
        running = pool.submit(copy_context().run, partial(portal.call, asyn, call.args, watch.stop))
    while not wait([running], watch.remaining()).done:
        error = watch.error()
        if error is not None:
            watch.expire()
            if sync is None:
                wait([running])
            raise error
    return running.result()
