"""Runs that other processes drive, as this one serves them: followed through what the processes share."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, cast

from streamgraph.runs import AsyncRunReader, Dispatcher, RunHandle, RunLostError, RunRecord, SharedEvents
from streamgraph.runs import RunEnd as LogEnd
from streamgraph_server._moments import Moment
from streamgraph_server._requests import Fields
from streamgraph_server._settings import Settings
from streamgraph_server.frames import RunEnd
from streamgraph_server.orders import Order
from streamgraph_server.served import ServedRun, Tasks, answers_in, begin_in, failure

_log = logging.getLogger("streamgraph_server")

SIGN = 5.0
"""Seconds between two words to the process of a run that clients read it here."""


def notes_of(order: Order, created: float, dispatched: bool = False) -> str:
    """Return what other processes have to know of a run, as JSON.

    Args:
        order: What was asked for.
        created: When, in seconds since 1970.
        dispatched: Whether a worker starts it that the servers do not know.
    """
    return json.dumps(
        {
            "graph": order.name,
            "thread": None if order.thread is None else order.thread.id,
            "owner": order.owner,
            "modes": list(order.modes),
            "wire_modes": list(order.wire_modes),
            "subgraphs": order.subgraphs,
            "cancels": order.cancels,
            "multitask": order.multitask,
            "metadata": order.metadata,
            "remarks": order.remarks,
            "answers": answers_in(order.given),
            "created": created,
            "dispatched": dispatched,
        }
    )


class RunElsewhere(ServedRun):
    """A run that another process drives.

    Args:
        record: What is known of it.
        notes: What was noted about it.
        order: The same as an order, without its input.
        events: What the processes share.
        settings: The limits.
        process: The name of this process among those that read runs of others.
        tasks: Where what it does besides is kept until it is done.
    """

    def __init__(
        self,
        record: RunRecord,
        notes: Mapping[str, Any],
        order: Order,
        events: SharedEvents,
        settings: Settings,
        process: str,
        tasks: Tasks,
    ) -> None:
        super().__init__(record.run_id, order, notes["thread"], settings, notes["created"])
        self._events = events
        self._process = process
        self._answers: List[str] = notes["answers"]
        self.is_dispatched = bool(notes["dispatched"])
        self.dispatcher: Optional[Dispatcher] = None
        self._tasks = tasks
        self._readers: Set[AsyncRunReader[Any]] = set()
        self._changed = Moment()
        self._opening = asyncio.Lock()
        self._following: Optional[asyncio.Task[None]] = None
        self._telling: Optional[asyncio.Task[None]] = None
        self._take(record)

    def _take(self, record: RunRecord) -> None:
        """Take over what is known now."""
        self.began = record.begun
        self.updated = record.over or record.begun or self.facts.created
        if record.end is not None:
            self._ended(record.status, record.end)

    @property
    def status(self) -> str:
        """The state of the run; see `ServedRun`."""
        if self.over.is_set():
            return self.end.status
        return "pending" if self.began is None else "running"

    @property
    def answers(self) -> List[str]:
        """The ids of the questions that it has answers to."""
        return self._answers

    async def open(self) -> None:
        """Make the run ready to be read: attach to it, and follow it from now on."""
        async with self._opening:
            if self._following is None:
                self._following = begin_in(self._tasks, self._follow())
                if self.began is not None or self.over.is_set():
                    await self.begun.wait()

    async def _follow(self) -> None:
        """Follow the run through its attempts to its end."""
        attempt = 0
        try:
            while True:
                log = await self._events.anext(self.id, attempt)
                if log is None:  # it was taken back, or has expired
                    self.is_withdrawn = True
                    break
                attempt = log.attempt
                self.facts = replace(self.facts, attempt=attempt)
                if log.facts.modes:
                    self.handle = self.order.graph.attach(log)
                    self.began = self.began or self.facts.created
                    self.begun.set()
                    self._change()
                    await self.handle.ajoin()
                end = log.end
                if end is not None and isinstance(end.error, RunLostError) and self._goes_on(end.error):
                    continue
                if not self.over.is_set():
                    (record,) = await self._events.afind([self.id])
                    if record is not None and record.end is not None:
                        self._take(record)
                    elif end is not None:
                        self._ended(log.status, end)
                break
        except Exception as error:
            self.end = failure(error, self.settings)
        self._finish()

    def _goes_on(self, error: RunLostError) -> bool:
        return self.is_dispatched or error.newest > error.attempt

    def _ended(self, status: str, end: LogEnd) -> None:
        found = RunEnd(cast("Any", status))
        self.end = failure(end.error, self.settings) if status == "failed" and end.error is not None else found
        if self.left:
            return
        self.over.set()

    def _finish(self) -> None:
        self.begun.set()
        self.over.set()
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, Moment()
        changed.set()

    async def following(self, handle: Optional[RunHandle[object]]) -> Optional[RunHandle[object]]:
        """Wait for the end of the run, or for the attempt that goes on with it; see `ServedRun`."""
        await self.open()
        while self.handle is handle and not self.over.is_set():
            await self._changed.wait()
        return None if self.handle is handle or self.left else self.handle

    async def prompt(self, call: str) -> Optional[Mapping[str, object]]:
        """Ask the process of the run what a model was asked in a call, as long as it drives the run."""
        if self.over.is_set():
            return None
        return cast("Optional[Fields]", await self._events.arequest(self.id, "prompt", call))

    def join(self) -> None:
        """Note that a client reads the run, and tell its process, which may cancel it when nobody does."""
        super().join()
        if self.readers == 1 and not self.over.is_set():
            self._telling = begin_in(self._tasks, self._tell_that_it_is_read())

    def leave(self, *, cancels: bool) -> None:
        """Note that a client reads it no more; its process decides what that means."""
        self.readers -= 1
        if not self.readers and self._telling is not None:
            self._telling.cancel()
            self._telling = None
            self._tell("left", self._process, cancels)

    def cancel(self, *, rolls_back: bool = False) -> None:
        """Ask the process of the run to end it."""
        if self.over.is_set():
            return
        if self.dispatcher is not None:
            begin_in(self._tasks, self._cancel_dispatched(self.dispatcher))
        else:
            self._tell("rollback" if rolls_back else "cancel")

    async def _cancel_dispatched(self, dispatcher: Dispatcher) -> None:
        """Cancel a run that a worker may have begun, or will begin, or never gets."""
        await self._send("cancel")
        await dispatcher.cancel(self.id)
        (record,) = await self._events.afind([self.id])
        if record is not None and not record.attempt:
            log = await self._events.aaccept(self.id, record.notes)
            await self._events.afinish(log, "cancelled")

    def let_go(self) -> None:
        """End all readers here: this process ends, and the run goes on without it."""
        self.left = True
        for reader in tuple(self._readers):
            begin_in(self._tasks, reader.aclose())
        if self._following is not None:
            self._following.cancel()
        self._finish()

    def reading(self, reader: AsyncRunReader[Any]) -> Callable[[], None]:
        """Note a reader, and return what forgets it."""
        self._readers.add(reader)
        return lambda: self._readers.discard(reader)

    async def _tell_that_it_is_read(self) -> None:
        while not self.over.is_set():
            await self._send("reads", self._process)
            await asyncio.sleep(SIGN)

    def _tell(self, kind: str, *details: object) -> None:
        if not self.over.is_set():
            begin_in(self._tasks, self._send(kind, *details))

    async def _send(self, kind: str, *details: object) -> None:
        try:
            await self._events.asignal(self.id, kind, *details)
        except Exception as error:
            _log.warning("The process of run %s could not be told %r: %s", self.id, kind, error)


def read_notes(text: str) -> Dict[str, Any]:
    """Return what `notes_of` has written."""
    notes: Dict[str, Any] = json.loads(text)
    return notes
