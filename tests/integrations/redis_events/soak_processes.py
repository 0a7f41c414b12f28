"""The processes of the soak: those that drive runs, and those that read them.

Each has a pipe. It takes orders from it, tuples with what to do first, and tells what has come of them.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Dict, List, Sequence

from integrations.redis_events.soak_checks import GRAPH, MODES, Disorder, Reading
from streamgraph_integrations.redis_events import RedisEvents, RunLostError, UnknownRunError


class Pipe(logging.Handler):
    """The end of the pipe in the process: any thread may tell something.

    Args:
        connection: The connection.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(logging.WARNING)
        self._connection = connection
        self._telling = threading.Lock()

    def tell(self, *what: object) -> None:
        """Tell something."""
        with self._telling:
            self._connection.send(what)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell what was logged."""
        trace = "" if record.exc_info is None else "".join(traceback.format_exception(*record.exc_info))[-1500:]
        self.tell("logged", f"{record.getMessage()} {trace}")

    def take(self) -> Any:
        """Wait for the next order."""
        return self._connection.recv()


def _begin(connection: Connection) -> Pipe:
    pipe = Pipe(connection)
    logging.getLogger().addHandler(pipe)
    threading.excepthook = lambda what: pipe.tell("logged", f"in a thread: {what.exc_value!r}")
    # redis-py leaves the transport of a broken connection to the collector.
    sys.unraisablehook = lambda what: None
    return pipe


def memory() -> int:
    """The resident bytes of this process; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def left_behind(events: RedisEvents) -> List[str]:
    """What is left in a process that has nothing to do any more."""
    hub = events._hub
    deadline = time.monotonic() + 3 * events._settings.alive
    while True:
        gc.collect()
        found = [f"writes {key}" for key in hub._sender.logs] if hub._thread is not None else []
        found += [
            f"reads {log.facts.run_id}, attempt {log.attempt}, {log.status}: {log.following} of {log.last} events"
            for log in hub._follower.all()
        ]
        if hub._thread is not None:
            found += [f"listens to {channel}" for channel in hub._news._wanted]
            found += [repr(task) for task in tuple(hub._tasks)][3:]  # it has three of its own
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def write(connection: Connection, options: Dict[str, Any]) -> None:
    """Be a process that drives runs.

    Args:
        connection: The pipe.
        options: The arguments of `RedisEvents`.
    """
    pipe, events = _begin(connection), RedisEvents(**options)

    def drive(run_id: str, given: Dict[str, Any]) -> None:
        attempt = 0
        try:
            log = events.open(run_id)
            attempt = log.attempt
            run = GRAPH.start({**given, "tag": f"{os.getpid()}/{attempt}"}, log=log, record=MODES)
            pipe.tell("opened", run_id, attempt)
            run.join()
            status, error = run.status, run._run._error if run.status == "failed" else None
        except Exception as raised:
            status, error = "failed", raised
        pipe.tell("ended", run_id, attempt, status, type(error).__name__, str(error))

    while True:
        order, *given = pipe.take()
        if order == "run":
            threading.Thread(target=drive, args=given, name="driver").start()
        elif order == "left":
            pipe.tell("left", left_behind(events), memory())
        else:
            events.close()
            return


def read(connection: Connection, options: Dict[str, Any]) -> None:
    """Be a process that reads runs, in threads and on an event loop.

    Args:
        connection: The pipe.
        options: The arguments of `RedisEvents`.
    """
    asyncio.run(_Readers(_begin(connection), RedisEvents(**options)).take_orders())


class _Readers:
    def __init__(self, pipe: Pipe, events: RedisEvents) -> None:
        self._pipe = pipe
        self._events = events
        self._tasks: List[Any] = []

    async def take_orders(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            order, *given = await loop.run_in_executor(None, self._pipe.take)
            if order == "read":
                on_loop, *given = given
                if on_loop:
                    self._tasks = [task for task in self._tasks if not task.done()]
                    self._tasks.append(loop.create_task(self.aread(*given)))
                else:
                    threading.Thread(target=self.read, args=given, name="reader").start()
            elif order == "left":
                self._tasks.clear()
                left = await loop.run_in_executor(None, left_behind, self._events)
                self._pipe.tell("left", left, memory())
            else:
                await loop.run_in_executor(None, self._events.close)
                return

    def read(self, reader: int, run_id: str, path: Path, modes: Sequence[str], most: int, cancels: bool) -> None:
        """Read so many events of a run behind those of a file, and say what has come of it."""
        reading = Reading(path, modes)
        try:
            run: Any = GRAPH.attach(self._events.log(run_id))
            reading.turn_to(run._run.log.attempt)
            with run.stream(list(modes), after=reading.id) as stream:
                for chunk in stream:
                    reading.take(stream.id, chunk)
                    most -= 1
                    if most == 0:
                        if cancels:
                            run.cancel()
                        self._said(reader, reading, "left")
                        return
            self._over(reader, reading, run, run.result() if run.status == "done" else None)
        except BaseException as error:
            self._raised(reader, reading, error)

    async def aread(self, reader: int, run_id: str, path: Path, modes: Sequence[str], most: int, cancels: bool) -> None:
        """The same on the loop."""
        reading = Reading(path, modes)
        try:
            run: Any = GRAPH.attach(await self._events.alog(run_id))
            reading.turn_to(run._run.log.attempt)
            async with run.astream(list(modes), after=reading.id) as stream:
                async for chunk in stream:
                    reading.take(stream.id, chunk)
                    most -= 1
                    if most == 0:
                        if cancels:
                            run.cancel()
                        self._said(reader, reading, "left")
                        return
            self._over(reader, reading, run, await run if run.status == "done" else None)
        except BaseException as error:
            self._raised(reader, reading, error)

    def _over(self, reader: int, reading: Reading, run: Any, output: Any) -> None:
        if output is not None:
            reading.finish(output)
        self._said(reader, reading, "ended", run.status)

    def _raised(self, reader: int, reading: Reading, error: BaseException) -> None:
        if isinstance(error, RunLostError):
            self._said(reader, reading, "lost", error.newest)
        elif isinstance(error, UnknownRunError):
            self._said(reader, reading, "unknown", str(error))
        elif isinstance(error, Disorder):
            self._said(reader, reading, "disorder", str(error))
        else:
            self._said(reader, reading, "raised", type(error).__name__, str(error))

    def _said(self, reader: int, reading: Reading, what: str, *more: object) -> None:
        reading.close()
        self._pipe.tell(what, reader, reading.attempt, reading.number, *more)
