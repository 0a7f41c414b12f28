"""Runs that are read by other processes while all of them, and the server, are killed at random.

    python tests/integrations/redis_events/soak.py --seconds 120 --seed 1

Some processes drive runs, others read them: readers come at any time, leave, and go on in another process behind the
last event that they have seen. At random moments a process that drives or reads, or the server, is killed and another
one comes; or a process is stopped for longer than its lease, its runs are taken over, and it comes back late. Each
reader checks that no event is lost, doubled or out of order, that nothing comes of an attempt after a later one has
begun, and that it gets to know the end of the run in time. Prints numbers; the exit status is 1 after a fault.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[2]))

import redis

from integrations.redis_events.soak_checks import MODES, check_stored
from integrations.redis_events.soak_parts import Process, Reader, Run, prepare
from integrations.redis_events.soak_processes import read, write
from support.redis_servers import Server

ALIVE = 2.0
"""Seconds after which a process that drives a run counts as dead."""

LATE = 15.0
"""Seconds that a busy machine may take on top of that."""

END = 60.0
"""Seconds within which all must be over after the last fault."""

ONE = [("custom",), ("messages",), ("custom", "values"), ("messages", "updates")]
FAULTS = ("kill a writer", "kill a reader", "kill the server", "stop a writer")


class Soak:
    """A soak.

    Args:
        seed: All that is random comes from it, but for what the machine makes of it.
        folder: For the files of the server and of readers.
        processes: How many processes drive runs, and how many read.
        runs: How many runs go on at the same time.
    """

    def __init__(self, seed: int, folder: Path, *, processes: int = 2, runs: int = 8) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.counts: Counter[str] = Counter()
        self.faults: List[str] = []
        self.slowest = 0.0
        self._folder = folder
        self._limit = runs
        self._fsync = self.chance.choice(("always", "everysec"))
        self._server = Server(folder, "--appendonly", "yes", "--appendfsync", self._fsync)
        self._options = {
            "url": self._server.url,
            "alive": ALIVE,
            "patience": 30.0,
            "ttl": 60.0,
            "max_events": self.chance.choice((100_000, 100_000, 500)),
        }
        self.writers = [Process(write, self._options) for _ in range(processes)]
        self.readers = [Process(read, self._options) for _ in range(processes)]
        self.runs: Dict[str, Run] = {}
        self.waiting: Dict[int, Reader] = {}
        self._later: List[Tuple[float, int, Callable[[], None]]] = []
        self._unsettled = 0.0  # until then a server that was away is an excuse

    def go(self, seconds: float) -> None:
        """Let it run for so long, then wait until all is over, and look for what is left.

        Args:
            seconds: How long faults happen.
        """
        end = time.monotonic() + seconds
        self._plan_fault(end)
        while time.monotonic() < end:
            going_on = sum(run.goes_on for run in self.runs.values())
            if going_on < self._limit:
                self._start()
            self._tick()
        deadline = time.monotonic() + END
        while self._later or self.waiting or any(run.goes_on for run in self.runs.values()):
            if time.monotonic() > deadline:
                self._unfinished()
                break
            self._tick()
        self._look_at_processes()

    def close(self) -> None:
        """End what is still there."""
        for process in (*self.writers, *self.readers):
            process.kill()
        self._server.close()

    # What happens

    def _tick(self) -> None:
        now = time.monotonic()
        due = [each for each in self._later if each[0] <= now]
        self._later = [each for each in self._later if each[0] > now]
        for _, _, work in sorted(due, key=lambda each: each[:2]):
            work()
        for process in (*self.writers, *self.readers):
            for what in process.told():
                self._hear(process, *what)
        time.sleep(0.005)

    def _in(self, seconds: float, work: Callable[[], None]) -> None:
        self.counts["events"] += 0
        self._later.append((time.monotonic() + seconds, self.chance.randrange(10**9), work))

    def _start(self) -> None:
        chance = self.chance
        given = {"seed": chance.randrange(10**9), "length": int(10 ** chance.uniform(1, 3.4))}
        given["pause"] = chance.choice((0.0, 0.0005, 0.002, 0.01))
        run = Run(str(UUID(int=chance.getrandbits(128), version=4)), given)
        self.runs[run.run_id] = run
        self.counts["runs"] += 1
        self._drive(run)
        for _ in range(chance.randrange(1, 5)):
            modes = MODES if chance.random() < 0.6 else chance.choice(ONE)
            run.readers += 1
            self._in(chance.choice((0.0, 0.1, 1.0, 5.0)), lambda modes=modes: self._come(run, modes))  # type: ignore[misc]

    def _drive(self, run: Run) -> None:
        process = self.chance.choice([process for process in self.writers if not process.stopped] or self.writers)
        run.begun += 1
        run.drivers.append(process)
        process.runs.add(run.run_id)
        process.order("run", run.run_id, run.given)

    def _come(self, run: Run, modes: Tuple[str, ...]) -> None:
        number = self.counts["readers"]
        self.counts["readers"] += 1
        reader = self.waiting[number] = Reader(number, run, self._folder / f"{number}.seen", modes)
        self._read(reader)

    def _read(self, reader: Reader) -> None:
        process = self.chance.choice(self.readers)
        process.readers.add(reader.number)
        self.counts["visits"] += 1
        most = 0 if self.chance.random() < 0.4 else int(10 ** self.chance.uniform(0, 3))
        cancels = most > 0 and self.chance.random() < 0.02
        reader.run.cancelled |= cancels
        run_id = reader.run.run_id
        process.order(
            "read", self.chance.random() < 0.5, reader.number, run_id, reader.path, reader.modes, most, cancels
        )

    # What goes wrong

    def _plan_fault(self, end: float) -> None:
        def happen() -> None:
            if time.monotonic() < end:
                kind = self.chance.choice(FAULTS)
                self.counts[kind] += 1
                {FAULTS[0]: self._kill_writer, FAULTS[1]: self._kill_reader, FAULTS[2]: self._kill_server}.get(
                    kind, self._stop_writer
                )()
                self._plan_fault(end)

        self._in(self.chance.uniform(0.1, 2.0), happen)

    def _kill_writer(self) -> None:
        place = self.chance.randrange(len(self.writers))
        process = self.writers[place]
        process.kill()
        for what in process.told():
            self._hear(process, *what)
        self.writers[place] = Process(write, self._options)
        for run_id in sorted(process.runs):
            run = self.runs[run_id]
            run.drivers = [driver for driver in run.drivers if driver is not process]
            run.dead = time.monotonic()
            self._take_over(run)

    def _take_over(self, run: Run) -> None:
        if self.chance.random() < 0.6:
            run.takeovers += 1

            def begin() -> None:
                run.takeovers -= 1
                run.ended = None
                self.counts["takeovers"] += 1
                self._drive(run)

            self._in(self.chance.uniform(0, 2 * ALIVE), begin)

    def _kill_reader(self) -> None:
        place = self.chance.randrange(len(self.readers))
        process = self.readers[place]
        process.kill()
        for what in process.told():
            self._hear(process, *what)
        self.readers[place] = Process(read, self._options)
        for number in sorted(process.readers):
            self._again(self.waiting[number])

    def _kill_server(self) -> None:
        self._server.kill()
        time.sleep(self.chance.choice((0.0, 0.1, 1.0, 1.5 * ALIVE)))
        self._server.begin()
        with self._server.client() as client:
            while True:
                with suppress(redis.exceptions.ConnectionError):  # it loads what it has stored
                    client.dbsize()
                    break
        self._unsettled = time.monotonic() + 2 * ALIVE

    def _stop_writer(self) -> None:
        process = self.chance.choice(self.writers)
        if process.stopped:
            return
        process.stopped = True
        process.signal(signal.SIGSTOP)
        for run_id in sorted(process.runs):
            run = self.runs[run_id]
            run.dead = time.monotonic()
            self._take_over(run)

        def go_on() -> None:
            if process in self.writers:
                process.signal(signal.SIGCONT)
                process.stopped = False

        self._in(self.chance.choice((0.3, 1.0, 1.5, 2.5)) * ALIVE, go_on)

    # What is heard

    def _hear(self, process: Process, what: str, *more: Any) -> None:
        if what == "logged":
            if "has ended, but its last events" not in more[0] or "has begun" not in more[0]:
                self._fault(f"logged: {more[0]}")
        elif what == "opened":
            run = self.runs[more[0]]
            run.attempt = max(run.attempt, more[1])
        elif what in ("ended",) and isinstance(more[0], str):
            self._run_ended(process, *more)
        elif what != "left" or isinstance(more[0], int):
            self._reader_said(process, what, *more)

    def _run_ended(self, process: Process, run_id: str, attempt: int, status: str, error: str, text: str) -> None:
        run = self.runs[run_id]
        run.drivers.remove(process)
        if process not in run.drivers:
            process.runs.discard(run_id)
        self.counts[status] += 1
        if status == "failed":
            self.counts[status] -= 1
            self.counts[error] += 1
            if error == "RunSupersededError" and run.begun > 1:
                return
            self._fault(f"a run ends with {error}: {text}")
        elif status == "cancelled" and not run.cancelled:
            self._fault("a run is cancelled that nobody has cancelled")
        if attempt >= run.attempt:
            run.ended = status

    def _reader_said(self, process: Process, what: str, number: int, attempt: int, last: int, *more: Any) -> None:
        process.readers.discard(number)
        reader = self.waiting[number]
        run = reader.run
        if what in ("disorder", "raised"):
            self._fault(f"a reader of {reader.modes}: {' '.join(more)}")
            self._through(reader)
        elif what == "left":
            self._again(reader)
        elif what == "ended" and (run.takeovers or run.attempt > attempt):  # a later attempt is to be read as well
            self._in(0.2, lambda: self._again(reader))
        elif what == "ended":
            self.counts[f"read until {more[0]}"] += 1
            if more[0] != run.ended and run.ended is not None:
                self._fault(f"a reader of a run that was {run.ended} reads that it was {more[0]}")
            self._through(reader)
        elif what == "unknown" and not run.goes_on:  # its process was killed before its first event
            self.counts["read until unknown"] += 1
            self._through(reader)
        elif run.goes_on or run.ended is not None:
            self._in(0.2, lambda: self._again(reader))
            newest = more[0] if what == "lost" else attempt + 1
            if newest == attempt and run.dead is None and time.monotonic() > self._unsettled:
                self._fault(f"a run {run.run_id} counts as lost that was not")
        else:
            if what == "lost":
                self.counts["read until lost"] += 1
                self._in_time(reader)
            self._through(reader)

    def _in_time(self, reader: Reader) -> None:
        since = max(reader.run.dead or 0.0, self._unsettled - 2 * ALIVE, reader.waits_since or 0.0)
        took = time.monotonic() - since
        self.slowest = max(self.slowest, took)
        if took > 2 * ALIVE + LATE:
            self._fault(f"a reader knows after {took:.1f} s that its run is lost")

    def _again(self, reader: Reader) -> None:
        reader.waits_since = time.monotonic()
        self._read(reader)

    def _through(self, reader: Reader) -> None:
        del self.waiting[reader.number]
        run = reader.run
        run.readers -= 1
        reader.path.unlink()
        if not run.readers and not run.goes_on:
            with self._server.client() as client:
                key = f"streamgraph:{{{run.run_id}}}:events"
                ids = [entry.decode() for entry, _ in client.xrange(key)]
            self.counts["events"] += len(ids)
            wrong = check_stored(ids)
            if wrong is not None:
                self._fault(f"stored: {wrong}")

    def _fault(self, text: str) -> None:
        self.faults.append(text)

    # What is left

    def _unfinished(self) -> None:
        for reader in self.waiting.values():
            self._fault(f"a reader of {reader.run} does not come to its end: {reader.path.read_bytes()[-50:]!r}")
        for run in self.runs.values():
            if run.goes_on:
                self._fault("a run does not come to its end")

    def _look_at_processes(self) -> None:
        for process in (*self.writers, *self.readers):
            process.order("left")
        for process in (*self.writers, *self.readers):
            if not process.connection.poll(30):
                self._fault("a process does not answer")
                continue
            for what, *more in process.told():
                if what == "left":
                    for found in more[0]:
                        self._fault(f"left behind: {found}")
                    self.counts["largest process, MiB"] = max(self.counts["largest process, MiB"], more[1] // 2**20)
                    break
        with self._server.client() as client:
            self.counts["server, MiB"] = client.info("memory")["used_memory"] // 2**20
        for process in (*self.writers, *self.readers):
            if not process.end():
                self._fault("a process does not end")

    def __str__(self) -> str:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(self.counts.items()))
        return (
            f"{counts}; fsync {self._fsync}, at most {self._options['max_events']} events; slowest {self.slowest:.1f} s"
        )


def main(arguments: Optional[List[str]] = None) -> int:
    """Soak, print the numbers, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long things go wrong")
    parser.add_argument("--round", type=float, default=20.0, help="seconds until all is let come to its end")
    parser.add_argument("--processes", type=int, default=2, help="how many drive runs, and as many read them")
    parser.add_argument("--runs", type=int, default=8, help="runs at the same time")
    given = parser.parse_args(arguments)
    prepare()
    end, seed, failed = time.monotonic() + given.seconds, given.seed, False
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            soak = Soak(seed, Path(folder), processes=given.processes, runs=given.runs)
            try:
                soak.go(min(given.round, end - time.monotonic()))
            finally:
                soak.close()
        print(f"seed {seed}: {len(soak.faults)} faults; {soak}", flush=True)
        for text, count in Counter(soak.faults).most_common():
            print(f"  {count} x {text[:2000]}", flush=True)
        failed = failed or bool(soak.faults)
        seed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
