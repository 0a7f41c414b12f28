"""Privates of Python's standard library and of anyio do what they are used for, and can do without."""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Literal, Optional, Tuple, Union

import anyio.to_thread
import pytest

from streamgraph._compat import cpython


def codes_on_stack() -> List[Any]:
    """The code of the functions that run in this thread."""
    frame, found = cpython.current_frame(), []
    while frame is not None:
        found.append(frame.f_code)
        frame = frame.f_back
    return found


def test_current_frame() -> None:
    """The frame is that of the caller, and those it is called by are above it."""

    def inner() -> Tuple[Any, Any]:
        return cpython.current_frame(), cpython.current_frame(1)

    own, above = inner()
    assert own.f_code is inner.__code__
    assert above.f_code is test_current_frame.__code__
    assert own.f_back is above


def test_without_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that has none gives none."""
    spec = importlib.util.spec_from_file_location("compat_without_frames", cpython.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.delattr(sys, "_getframe")
        spec.loader.exec_module(module)
    assert module.current_frame() is module.current_frame(1) is None


ENDING = """
import threading
from streamgraph._compat.cpython import before_threads_are_awaited

wanted = threading.Event()

def work():
    wanted.wait(20)
    print("ended")

def tell():
    print("told", before_threads_are_awaited(print))
    wanted.set()

threading.Thread(target=work).start()
print(before_threads_are_awaited(tell))
"""


def test_before_threads_are_awaited() -> None:
    """What threads wait for can still be done when the main thread has ended; more can't be asked for then."""
    ended = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=150, check=True)
    assert ended.stdout.split("\n") == ["True", "told False", "ended", ""]
    assert ended.stderr == ""


def test_without_a_place_before_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the private, the public one has to do."""
    registered: List[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.delattr(threading, "_register_atexit")
    assert cpython.before_threads_are_awaited(codes_on_stack) is True
    assert registered == [codes_on_stack]


def test_executor_worker() -> None:
    """It is what the threads of an executor run."""
    worker = cpython.executor_worker()
    assert worker is not None
    with ThreadPoolExecutor(1) as executor:
        assert worker.__code__ in executor.submit(codes_on_stack).result()
    assert worker.__code__ not in codes_on_stack()


def test_without_executor_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be gone."""
    monkeypatch.delattr("concurrent.futures.thread._worker")
    assert cpython.executor_worker() is None


def test_anyio_worker() -> None:
    """It is what anyio's threads run."""

    async def main() -> List[Any]:
        return await anyio.to_thread.run_sync(codes_on_stack)

    codes = asyncio.run(main())
    worker = cpython.anyio_worker()
    assert worker is not None
    assert worker.__code__ in codes


@pytest.mark.parametrize("module", [None, object()])
def test_without_anyio_worker(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may not be loaded, or have another name."""
    monkeypatch.setitem(sys.modules, "anyio._backends._asyncio", module)
    assert cpython.anyio_worker() is None


def test_is_waited_for() -> None:
    """A task that somebody awaits is waited for; one that only runs, or has lost who awaited it, is not."""

    async def main() -> None:
        task = asyncio.ensure_future(asyncio.sleep(20))
        assert not cpython.is_waited_for(task)
        waiting = asyncio.ensure_future(asyncio.wait([task], timeout=20))
        await asyncio.sleep(0)
        assert cpython.is_waited_for(task)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not cpython.is_waited_for(task)
        task.cancel()

    asyncio.run(main())


def test_nobody_is_known_to_wait() -> None:
    """A task that does not tell is waited for by nobody."""
    unknown: Any = object()
    assert not cpython.is_waited_for(unknown)


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (List[int], List[str]),
        (Dict[int, List[int]], Dict[str, str]),
        (Optional[int], str),
        (Union[int, List[int]], str),
        (Tuple[int, ...], Tuple[str, str]),
        (Literal["a"], Literal[str]),  # type: ignore[valid-type]
        (int, int),
        (List, List),
        (list[int], list[int]),
    ],
)
def test_with_arguments(hint: Any, expected: Any) -> None:
    """The arguments of hints from `typing` can be changed."""
    assert cpython.with_arguments(hint, lambda argument: str) == expected


def test_current_executor() -> None:
    """It is found from below any call in one of its threads, and nowhere else."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: cpython.current_executor()).result() is pool
    assert cpython.current_executor() is None


def test_widen() -> None:
    """What waits for a thread gets one while another thread of the executor waits for a person."""
    answered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(answered.wait, 10)
        other = pool.submit(str, "done")
        cpython.widen(pool, 1)
        assert other.result(10) == "done"
        cpython.widen(pool, -1)
        answered.set()
    assert pool._max_workers == 1


def test_an_executor_that_is_shut_down_is_not_widened() -> None:
    """Its threads are being waited for, so another one would be one that nobody has counted."""
    answered, pool = threading.Event(), ThreadPoolExecutor(1)
    pool.submit(answered.wait, 10)
    pool.shutdown(wait=False)
    before = set(pool._threads)
    cpython.widen(pool, 1)
    assert pool._threads == before
    answered.set()


def test_without_the_privates_of_executors() -> None:
    """Nothing is widened."""
    other: Any = object()
    cpython.widen(other, 1)
