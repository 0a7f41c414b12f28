"""Runs in processes of their own: they end, they are killed, and who reads them knows what has become of them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Tuple

import pytest
from typing_extensions import TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph_integrations.redis_events import RedisEvents, RequestTimeoutError, RunLostError
from streamgraph_integrations.redis_events._connection import Names
from support.redis_servers import Server
from support.waiting import PATIENCE

# redis-py leaves the transport of a broken connection to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PROGRAM = Path(__file__).with_name("writing_program.py")


class State(TypedDict, total=False):
    n: int


GRAPH = StateGraph(State).add_node("node", lambda state: None).add_edge(START, "node").compile()


def begun(server: Server, prefix: str, count: int, pause: float) -> Tuple[subprocess.Popen[str], str]:
    """Start the program, and return its process and the id of its run."""
    command = (sys.executable, str(PROGRAM), server.url, prefix, str(count), str(pause))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def forgotten(server: Server, prefix: str, run_id: str) -> None:
    """Let the last sign of life of a program be over at once: it would be in the seconds that the program said."""
    with server.client() as client:
        key = Names(prefix).alive(run_id)
        assert 0 < client.pttl(key) <= 20_000
        client.pexpire(key, 1)


@pytest.mark.slow
def test_the_end_of_a_program_waits_until_all_is_stored(server: Server) -> None:
    """The program ends right after its run; a reader that comes later finds everything."""
    process, run_id = begun(server, "ended", 2000, 0)
    with process, RedisEvents(server.url, prefix="ended", alive=0.5) as events:
        assert process.wait(PATIENCE) == 0
        attached = GRAPH.attach(events.log(run_id))
        assert list(attached.stream("custom")) == list(range(2000))
        assert attached.result(PATIENCE) == {"n": 2000}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_program_that_is_killed(server: Server, seed: int) -> None:
    """A reader gets what was stored, without a hole, and then an error that says so; so does one that comes later."""
    process, run_id = begun(server, f"killed{seed}", 100_000, 0.0005)
    with process, RedisEvents(server.url, prefix=f"killed{seed}", alive=0.5, reply=0.1) as events:
        attached = GRAPH.attach(events.log(run_id))
        found: List[Any] = []
        last = random.Random(seed).randrange(10, 800)  # noqa: S311
        with pytest.raises(RunLostError, match="its process has ended without a word"):
            for chunk in attached.stream("custom"):
                found.append(chunk)
                if len(found) == last:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    forgotten(server, f"killed{seed}", run_id)
                    with pytest.raises(RequestTimeoutError, match=r"has not answered 'answer' in 0\.1 seconds"):
                        attached.answer("which", 1)
        assert found == list(range(len(found)))
        assert len(found) >= last
        assert attached.status == "failed"
        with RedisEvents(server.url, prefix=f"killed{seed}", alive=0.5) as others:
            late = GRAPH.attach(others.log(run_id))
            assert [chunk for _, chunk in zip(found, late.stream("custom"))] == found
            with pytest.raises(RunLostError):
                late.result(PATIENCE)
