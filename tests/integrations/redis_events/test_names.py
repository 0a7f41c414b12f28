"""The names of the keys of a run."""

from __future__ import annotations

from typing import Set

from redis.crc import key_slot

from streamgraph_integrations.redis_events._connection import Names


def test_all_keys_of_a_run_are_in_one_slot() -> None:
    """A server that is one of several has all of a run, or nothing; other runs are elsewhere."""
    names = Names("prefix")

    def slots(run_id: str) -> Set[int]:
        keys = (
            names.events(run_id),
            names.alive(run_id),
            names.facts(run_id, 1),
            names.notes(run_id),
            names.requests(run_id),
            names.reply(run_id, "request"),
        )
        return {key_slot(key.encode()) for key in keys}

    assert len(slots("one")) == len(slots("two")) == 1
    assert slots("one") != slots("two")
