"""Queued runs of several servers and workers, while those, and Redis, are killed or stopped at random.

    python tests/integrations/dbos_runs/soak.py --seconds 120 --seed 1

Clients ask a server for a run and read its events over HTTP. They leave at any time, and go on at any server behind the
last event that they have seen. Meanwhile workers and servers are killed and replaced, workers are told to end, or stand
still for longer than their lease; Redis is killed, and comes back with its file. Each client checks that no event is
lost, doubled or out of order, that the text of a step that was cut off is begun again by a new attempt and no other
text is, and that the run ends with the state that it would have had without all that; each run that somebody has asked
for is there once. Prints numbers; the exit status is 1 after a fault. It needs the extra `test`, with Python 3.10.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx

from support.redis_servers import Server
from support.savers import new_database

PROGRAM = Path(__file__).with_name("queued_program.py")
LEASE = 1.5
"""Seconds after which a worker counts as dead."""

SILENT = 45.0
"""Seconds without any event after which something is wrong, also on a busy machine."""

END = 120.0
"""Seconds within which all must be over after the last fault."""

SHOWN = 5
"""How many faults of a round are printed."""

STEPS, TOKENS = 5, 20
TOLD = [f"{step}.{token} " for step in range(1, STEPS + 1) for token in range(TOKENS)]
"""The text of each run, if nothing goes wrong."""


class Member:
    """A process of the cell, which is replaced when it is killed.

    Args:
        command: Starts it.
        folder: What it writes to stderr is kept there.
    """

    def __init__(self, command: List[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self.said = ""

    async def begin(self) -> Member:
        """Start the process, and wait for its first line."""
        with open(self._folder / f"{uuid4().hex}.stderr", "wb") as errors:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout is not None
        self.said = await asyncio.to_thread(self._process.stdout.readline)
        assert self.said, "a process has not begun"
        return self

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.gone()

    async def gone(self) -> None:
        """Wait until it is gone."""
        await asyncio.to_thread(self._process.wait)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def address(self) -> str:
        """The address of a server."""
        return self.said.split()[-1]


class Reader:
    """A client that asks for a run and reads it to its end, wherever that is possible.

    Args:
        cell: The cell.
        number: Its number, which is in the input of its run.
    """

    def __init__(self, cell: Cell, number: int) -> None:
        self.cell = cell
        self.number = number
        self.run_id = ""
        self.thread = f"/threads/{uuid4()}"
        self.texts: List[List[str]] = [[]]
        self.place = (-1, -1)

    async def read(self) -> None:
        """Ask for the run, read it, and check what has come of it."""
        await self._patiently(self._ask)
        while not await self._patiently(self._visit):
            self.cell.counts["hops"] += 1
        self._check_text()
        await self._patiently(self._check_result)
        self.cell.counts["runs read to the end"] += 1

    async def _patiently(self, work: Callable[[httpx.AsyncClient], Awaitable[bool]]) -> bool:
        """Do something at any server, and at another one if that does not answer."""
        last: Optional[BaseException] = None
        deadline = time.monotonic() + SILENT
        while time.monotonic() < deadline:
            address = self.cell.chance.choice(self.cell.servers).address
            place = self.place
            try:
                async with httpx.AsyncClient(base_url=address, timeout=SILENT, trust_env=False) as client:
                    return await work(client)
            except httpx.HTTPError as error:
                last = error
                self.cell.counts["connections broken or refused"] += 1
            if self.place != place:
                deadline = time.monotonic() + SILENT
            await asyncio.sleep(0.1)
        raise AssertionError(f"nothing happens for {SILENT} s: {last!r}, the last event is {self.place}")

    async def _ask(self, client: httpx.AsyncClient) -> bool:
        """Ask for the run, unless it was asked for at a server whose answer has not come."""
        known = await client.get(f"{self.thread}/runs")
        if known.status_code == 200 and known.json():
            runs = known.json()
            assert len(runs) == 1, f"there are {len(runs)} runs"
            self.run_id = runs[0]["run_id"]
            self.cell.counts["runs whose answer was lost"] += 1
            return True
        order = {"assistant_id": "counting", "input": {"log": [str(self.number)]}, "if_not_exists": "create"}
        answer = await client.post(f"{self.thread}/runs", json={**order, "stream_mode": ["messages-tuple", "values"]})
        self._take(answer)
        self.run_id = answer.json()["run_id"]
        return True

    def _take(self, answer: httpx.Response) -> None:
        """Accept an answer; 503 says that Redis is away, and that one may ask again."""
        if answer.status_code == 503:
            raise httpx.ConnectError("Redis is away")
        assert answer.status_code == 200, f"{answer.status_code} for {answer.request.url.path}: {answer.text[:500]}"

    async def _visit(self, client: httpx.AsyncClient) -> bool:
        """Read for a while; return whether the run is over."""
        most = 10 ** self.cell.chance.uniform(0, 2.5)
        path = f"{self.thread}/runs/{self.run_id}/stream?stream_mode=messages-tuple&stream_mode=values"
        last = "-1" if self.place == (-1, -1) else "{}-{}".format(*self.place)
        async with client.stream("GET", path, headers={"last-event-id": last}) as answer:
            if answer.status_code != 200:
                await answer.aread()
            self._take(answer)
            fields: Dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
                    continue
                if "event" in fields:
                    if self._hear(fields["event"], fields.get("id", ""), json.loads(fields.get("data") or "null")):
                        return True
                    most -= 1
                fields = {}
                if most < 0:
                    return False
        raise httpx.ReadError("The stream has ended before the run")

    def _hear(self, kind: str, event_id: str, data: Any) -> bool:
        """Take an event; return whether it is the last one."""
        if event_id:
            number, frame = map(int, event_id.split("-"))
            assert (number, frame) > self.place, f"{event_id} comes after {self.place}"
            self.place = number, frame
            self.cell.counts["events"] += 1
        if kind == "metadata" and data.get("attempt", 1) > len(self.texts):
            self.texts.extend([] for _ in range(data["attempt"] - len(self.texts)))
        elif kind == "messages" and data[0]["content"]:
            self.texts[-1].append(data[0]["content"])
        assert kind != "error", f"an error: {data}"
        return kind == "end"

    def _check_text(self) -> None:
        """Each attempt goes on with the step in which the one before it was cut off, and the last one to the end."""
        so_far = 0
        for texts in self.texts:
            begins = TOLD.index(texts[0]) if texts else so_far
            assert begins % TOKENS == 0 or not texts, f"an attempt begins with {texts[0]!r}"
            assert so_far - TOKENS <= begins <= so_far, f"an attempt goes on at {begins} after {so_far}: {self.texts}"
            assert texts == TOLD[begins : begins + len(texts)], f"not the text of the run: {self.texts}"
            so_far = begins + len(texts) if texts else so_far
        assert so_far == len(TOLD), f"the text ends after {so_far}: {self.texts}"
        self.cell.counts["attempts after the first"] += len(self.texts) - 1

    async def _check_result(self, client: httpx.AsyncClient) -> bool:
        found = await client.get(f"{self.thread}/runs")
        self._take(found)
        assert [run["run_id"] for run in found.json()] == [self.run_id], found.text
        if found.json()[0]["status"] in ("pending", "running"):  # the word of the end comes before the record of it
            raise httpx.ReadError("The run has not been recorded yet")
        assert found.json()[0]["status"] == "success", found.text
        state = await client.get(f"{self.thread}/state")
        self._take(state)
        assert state.json()["values"]["log"] == [str(self.number), *range(1, STEPS + 1)], state.text
        return True


class Cell:
    """Some servers and workers with one Redis and one PostgreSQL.

    Args:
        seed: All that is random comes from it, but for what the machine makes of it.
        folder: For the files of all processes.
        redis: The server of events.
        members: How many servers there are, and as many workers.
    """

    def __init__(self, seed: int, folder: Path, redis: Server, members: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.counts: Counter[str] = Counter()
        self.faults: List[str] = []
        self.slowest = 0.0
        self._folder = folder
        self._redis = redis
        self._members = members
        self.servers: List[Member] = []
        self.workers: List[Member] = []

    async def go(self, seconds: float, clients: int) -> None:
        """Let it run for so long, then wait until all is over.

        Args:
            seconds: How long faults happen.
            clients: How many clients there are at the same time.
        """
        members = [self._server().begin() for _ in range(self._members)]
        members += [self._worker().begin() for _ in range(self._members)]
        begun = await asyncio.gather(*members)
        self.servers, self.workers = begun[: self._members], begun[self._members :]
        end = time.monotonic() + seconds
        try:
            await asyncio.gather(self._go_wrong(end), *(self._read_until(end, first) for first in range(clients)))
        finally:
            for member in (*self.servers, *self.workers):
                await member.kill()
        self._look_at_steps()

    def _server(self) -> Member:
        command = [sys.executable, "-m", "streamgraph", "serve", f"{PROGRAM}:graphs", "--port", "0"]
        command += ["--queue", f"{PROGRAM}:runs", "--checkpointer", os.environ["TEST_DATABASE"]]
        return Member(command, self._folder)

    def _worker(self) -> Member:
        command = [sys.executable, "-m", "streamgraph_integrations.dbos_runs", f"{PROGRAM}:runs", "--drain", "1"]
        return Member(command, self._folder)

    async def _read_until(self, end: float, first: int) -> None:
        number = first
        while time.monotonic() < end:
            reader, began = Reader(self, number), time.monotonic()
            self.counts["runs"] += 1
            try:
                await asyncio.wait_for(reader.read(), END)
            except asyncio.TimeoutError:
                self.faults.append(f"the run of client {number} does not come to its end: {reader.texts}")
            except AssertionError as error:
                self.faults.append(f"client {number}, run {reader.run_id}: {error}")
            self.slowest = max(self.slowest, time.monotonic() - began)
            number += 1000

    async def _go_wrong(self, end: float) -> None:
        kinds = {
            "kill a worker": self._kill_worker,
            "kill a server": self._kill_server,
            "kill Redis": self._kill_redis,
            "end a worker": self._end_worker,
            "stop a worker": self._stop_worker,
        }
        while time.monotonic() < end:
            await asyncio.sleep(self.chance.uniform(0.2, 3.0))
            kind = self.chance.choice(list(kinds))
            self.counts[kind] += 1
            await kinds[kind]()

    async def _kill_worker(self) -> None:
        place = self.chance.randrange(len(self.workers))
        await self.workers[place].kill()
        self.workers[place] = await self._worker().begin()

    async def _end_worker(self) -> None:
        place = self.chance.randrange(len(self.workers))
        self.workers[place].signal(signal.SIGTERM)
        await self.workers[place].gone()
        self.workers[place] = await self._worker().begin()

    async def _stop_worker(self) -> None:
        worker = self.chance.choice(self.workers)
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(self.chance.choice((0.3, 1.0, 1.5, 2.5)) * LEASE)
        worker.signal(signal.SIGCONT)

    async def _kill_server(self) -> None:
        place = self.chance.randrange(len(self.servers))
        await self.servers[place].kill()
        self.servers[place] = await self._server().begin()

    async def _kill_redis(self) -> None:
        self._redis.kill()
        await asyncio.sleep(self.chance.choice((0.0, 0.1, 1.0, 1.5 * LEASE)))
        await asyncio.to_thread(self._redis.begin)

    def _look_at_steps(self) -> None:
        """No step that was finished was done again, however often workers were killed or stopped."""
        steps: Dict[str, List[int]] = {}
        for line in (self._folder / "ran").read_text().splitlines():
            step, number = line.split()[0][len("counts") :].split(":")
            steps.setdefault(number, []).append(int(step))
        for number, found in steps.items():
            if found != sorted(found):
                self.faults.append(f"steps of the run of client {number} were done again: {found}")
        self.counts["steps begun"] = sum(map(len, steps.values()))

    def __str__(self) -> str:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(self.counts.items()))
        return f"{counts}; slowest run {self.slowest:.1f} s"


def round_of(seed: int, seconds: float, members: int, clients: int) -> Tuple[Cell, List[str]]:
    """Soak for a while; return the cell, and what its processes have complained about."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fsync = random.Random(seed).choice(("always", "everysec"))  # noqa: S311
        with Server(folder, "--appendonly", "yes", "--appendfsync", fsync) as redis:
            paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
            os.environ.update(
                TEST_DATABASE=new_database(),
                TEST_REDIS=redis.url,
                TEST_PREFIX="soak",
                TEST_FOLDER=name,
                TEST_LEASE=str(LEASE),
                PYTHONPATH=paths,
            )
            (folder / "count").touch()  # nothing waits
            cell = Cell(seed, folder, redis, members)
            asyncio.run(cell.go(seconds, clients))
        logs = [path.read_text(errors="replace") for path in folder.glob("*.stderr")]
    return cell, [log for log in logs if "Traceback" in log]


def main(arguments: Optional[List[str]] = None) -> int:
    """Soak, print the numbers, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long things go wrong")
    parser.add_argument("--round", type=float, default=40.0, help="seconds until all is let come to its end")
    parser.add_argument("--members", type=int, default=2, help="how many servers, and as many workers")
    parser.add_argument("--clients", type=int, default=6, help="clients at the same time")
    given = parser.parse_args(arguments)
    end, seed, failed = time.monotonic() + given.seconds, given.seed, False
    while time.monotonic() < end:
        cell, logs = round_of(seed, min(given.round, end - time.monotonic()), given.members, given.clients)
        print(f"seed {seed}: {len(cell.faults)} faults; {cell}", flush=True)
        for text in cell.faults[:SHOWN]:
            print(f"  {text[:3000]}", flush=True)
        for log in logs[:SHOWN]:
            print(f"  logged: {log[-3000:]}", flush=True)
        failed = failed or bool(cell.faults)
        seed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
