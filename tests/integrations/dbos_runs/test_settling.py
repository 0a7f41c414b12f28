"""A saver that waits for the events of its run: what is stored is never ahead of what readers can have."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, List

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from support.waiting import PATIENCE

pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
from streamgraph_integrations.dbos_runs import WorkerStoppedError  # noqa: E402
from streamgraph_integrations.dbos_runs._settling import settling  # noqa: E402

CONFIG: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c"}}


class Both(InMemorySaver):
    """A saver with methods of its own for async runs."""

    async def aput_writes(self, *args: Any, **options: Any) -> None:
        self.put_writes(*args, **options)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_it_waits_until_the_events_are_stored(asynchronous: bool) -> None:
    """It returns when they are, and has stored in the saver that it was made of."""
    saver, log = Both(), SimpleNamespace(last=3, stored=1, over=False, run_id="r")
    made: Any = settling(saver, log)  # type: ignore[arg-type]
    done: List[str] = []

    def store() -> None:
        if asynchronous:
            asyncio.run(made.aput_writes(CONFIG, [("x", 1)], "task"))
        else:
            made.put_writes(CONFIG, [("x", 1)], "task")
        done.append("stored")

    thread = threading.Thread(target=store)
    thread.start()
    thread.join(0.05)
    assert not done
    log.stored = 3
    thread.join(PATIENCE)
    assert done == ["stored"]
    assert saver.writes


def test_an_attempt_that_cannot_stream_stores_nothing() -> None:
    """A later one has begun, or the worker gives the run up: whether or not all was sent before."""
    for stored in (1, 3):
        saver = Both()
        made: Any = settling(saver, SimpleNamespace(last=3, stored=stored, over=True, run_id="r"))  # type: ignore[arg-type]
        with pytest.raises(WorkerStoppedError, match="so it stores nothing"):
            made.put_writes(CONFIG, [("x", 1)], "task")
        assert not saver.writes


def test_what_a_saver_cannot_do_stays_so() -> None:
    """Runs look at the class of a saver for what it offers."""

    class Sync(BaseCheckpointSaver):  # type: ignore[type-arg]
        def put(self, *args: Any) -> Any:
            return args

    made: Any = settling(Sync(), SimpleNamespace(last=0, stored=0, over=False))  # type: ignore[arg-type]
    assert type(made).aput is BaseCheckpointSaver.aput
    assert type(made).put is not Sync.put
    assert type(made).__name__ == "Sync"
    assert isinstance(made, Sync)
    assert made.put(1) == (1,)
