"""Reading and changing the state of saved runs."""

# ruff: noqa: A002  (`filter` is the name that the field uses)
from __future__ import annotations

from typing import Any, AsyncIterator, Dict, Iterator, Mapping, Optional, Sequence

from langchain_core.runnables import RunnableConfig

from streamgraph._drivers.direct import iterated, pulled, run_async, run_sync, running_loop
from streamgraph._keywords import checked_keywords
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.config_checks import check_config
from streamgraph._runnable.threads import Place, place_of, snapshot_of, state_at
from streamgraph._runnable.updates import aupdate_thread, read_updates, update_thread
from streamgraph._snapshots import StateSnapshot, StateUpdate
from streamgraph.errors import UnknownOptionError


class SavedState(GraphBase):
    """The methods of a graph about saved runs. Without a checkpointer they raise an error, as in LangGraph."""

    @checked_keywords
    def get_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """Return the state of a thread: the last one, or the one that the config names by its `checkpoint_id`.

        Args:
            config: The config of the thread, with its `thread_id`. With a `checkpoint_ns` it is about a graph in a
                node.
            subgraphs: Also return the states of graphs in unfinished tasks, as `tasks[i].state`.

        Raises:
            NoCheckpointerError: Runs are not saved.
            UnknownOptionError: The config names no thread.
        """
        return run_sync(state_at(place_of(self, config, "get_state", reads=True), subgraphs=subgraphs))

    @checked_keywords
    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """Return the state of a thread without blocking the event loop; see `get_state`."""
        return await run_async(state_at(place_of(self, config, "aget_state", reads=True), subgraphs=subgraphs))

    @checked_keywords
    def get_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Optional[Mapping[str, object]] = None,
        before: Optional[RunnableConfig] = None,
        limit: Optional[int] = None,
    ) -> Iterator[StateSnapshot]:
        """Yield the states of a thread, the latest first; each is read when it is asked for.

        Args:
            config: The config of the thread, with its `thread_id`.
            filter: What the metadata of the states must have.
            before: The config of a state: only those before it.
            limit: The most states to yield.

        Raises:
            NoCheckpointerError: Runs are not saved.
            UnknownOptionError: The config names no thread.
        """
        options = _read_listing(filter, before, limit)
        return _history(place_of(self, config, "get_state_history", reads=True), options)

    @checked_keywords
    def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Optional[Mapping[str, object]] = None,
        before: Optional[RunnableConfig] = None,
        limit: Optional[int] = None,
    ) -> AsyncIterator[StateSnapshot]:
        """Yield the states of a thread without blocking the event loop; see `get_state_history`."""
        options = _read_listing(filter, before, limit)
        return _ahistory(place_of(self, config, "aget_state_history", reads=True), options)

    @checked_keywords
    def update_state(
        self,
        config: RunnableConfig,
        values: object,
        as_node: Optional[str] = None,
        task_id: Optional[str] = None,
    ) -> RunnableConfig:
        """Change the state of a thread as if a node had returned an update.

        The edges and branches of the node lead on from there; the node itself does not run. What other nodes of an
        interrupted step have finished is kept.

        Args:
            config: The config of the thread; with a `checkpoint_id` the change starts from that state.
            values: The update, as a node would return it; `None` for none.
            as_node: The node; by default the one that ran last.
            task_id: The id of the task; by default that of the node's task.

        Returns:
            The config of the new state.

        Raises:
            NoCheckpointerError: Runs are not saved.
            InvalidUpdateError: The node does not exist, or it is not clear which one ran last.
        """
        steps = read_updates([[StateUpdate(values, as_node, task_id)]])  # type: ignore[arg-type]
        return update_thread(place_of(self, config, "update_state"), steps[0]).given

    @checked_keywords
    async def aupdate_state(
        self,
        config: RunnableConfig,
        values: object,
        as_node: Optional[str] = None,
        task_id: Optional[str] = None,
    ) -> RunnableConfig:
        """Change the state of a thread without blocking the event loop; see `update_state`."""
        steps = read_updates([[StateUpdate(values, as_node, task_id)]])  # type: ignore[arg-type]
        return (await aupdate_thread(place_of(self, config, "aupdate_state"), steps[0])).given

    @checked_keywords
    def bulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
        """Change the state of a thread by the updates of several steps.

        Args:
            config: The config of the thread.
            supersteps: For each step, its updates.

        Returns:
            The config of the new state.

        Raises:
            NoCheckpointerError: Runs are not saved.
            InvalidUpdateError: A node does not exist, or it is not clear which one an update is from.
            ValueError: A step has no updates.
        """
        place, steps = place_of(self, config, "bulk_update_state"), read_updates(supersteps)
        for updates in steps:
            place = update_thread(place, updates)
        return place.given

    @checked_keywords
    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """Change the state of a thread without blocking the event loop; see `bulk_update_state`."""
        place, steps = place_of(self, config, "abulk_update_state"), read_updates(supersteps)
        for updates in steps:
            place = await aupdate_thread(place, updates)
        return place.given


def _read_listing(
    filter: Optional[Mapping[str, object]], before: Optional[RunnableConfig], limit: Optional[int]
) -> Dict[str, Any]:
    """Return the options of a listing for savers, which do not check them.

    Raises:
        TypeError: One of them is of another type.
        UnknownOptionError: The limit is negative, or `before` names no state.
    """
    if filter is not None and not isinstance(filter, Mapping):
        raise TypeError(f"filter is a mapping of metadata, such as {{'source': 'input'}}, not {filter!r:.80}")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise TypeError(f"limit is a number of states, not {limit!r:.80}")
    if limit is not None and limit < 0:
        raise UnknownOptionError(f"limit is a number of states, not {limit}")
    check_config(before)
    if before is not None and not (before.get("configurable") or {}).get("checkpoint_id"):
        raise UnknownOptionError(
            f"before is the config of a state, with its checkpoint_id, not {before!r:.80}",
            hint="Take it from a snapshot: before=snapshot.config.",
        )
    return {"filter": filter, "before": before, "limit": limit}


def _history(place: Place, options: Dict[str, Any]) -> Iterator[StateSnapshot]:
    config = place.config(place.checkpoint_id)
    try:
        found = place.saver.list(config, **options)
    except NotImplementedError:  # the saver can only be awaited, so its async list is pulled
        found = pulled(place.saver.alist(config, **options))
    for stored in found:
        yield run_sync(snapshot_of(place, stored, latest=False))


async def _ahistory(place: Place, options: Dict[str, Any]) -> AsyncIterator[StateSnapshot]:
    running_loop()
    config = place.config(place.checkpoint_id)
    try:
        async for stored in place.saver.alist(config, **options):
            yield await run_async(snapshot_of(place, stored, latest=False))
        return
    except NotImplementedError:  # it has no async list, or only says so when asked: its sync one is read below
        pass
    async for stored in iterated(place.saver.list(config, **options)):
        yield await run_async(snapshot_of(place, stored, latest=False))
