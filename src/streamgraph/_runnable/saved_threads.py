"""Deleting, copying and pruning the threads of saved runs."""

from __future__ import annotations

from typing import cast

from langchain_core.runnables import RunnableConfig

from streamgraph._checkpoint.whole_threads import copied, deleted, pruned
from streamgraph._drivers.direct import run_async, run_sync
from streamgraph._keywords import checked_keywords
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.saving import thread_id_of
from streamgraph._runnable.threads import Place, place_of
from streamgraph.errors import UnknownOptionError


class SavedThreads(GraphBase):
    """The methods of a graph about whole threads. A thread that has a run in this process is left alone."""

    @checked_keywords
    def delete_thread(self, config: RunnableConfig) -> None:
        """Delete a thread with all its states. A run of another process that is on it ends with an error.

        Args:
            config: The config of the thread, with its `thread_id`.

        Raises:
            NoCheckpointerError: Runs are not saved.
            NotSupportedError: The saver cannot delete threads.
            ThreadBusyError: The thread has a run.
            UnknownOptionError: The config names no thread, or only a part of one.
        """
        place = _whole(self, config, "delete_thread")
        run_sync(deleted(place.saver, place.thread_id))

    @checked_keywords
    async def adelete_thread(self, config: RunnableConfig) -> None:
        """Delete a thread without blocking the event loop; see `delete_thread`."""
        place = _whole(self, config, "adelete_thread")
        await run_async(deleted(place.saver, place.thread_id))

    @checked_keywords
    def copy_thread(self, config: RunnableConfig, thread_id: str) -> RunnableConfig:
        """Copy a thread, with its history, its open questions and what graphs in its nodes have stored.

        Both threads go on independently of each other.

        Args:
            config: The config of the thread; with a `checkpoint_id` it is copied up to that state.
            thread_id: The name of the copy, a thread that does not exist.

        Returns:
            The config of the copy.

        Raises:
            NoCheckpointerError: Runs are not saved.
            ThreadBusyError: One of the threads has a run.
            UnknownCheckpointError: The thread does not have the state.
            UnknownOptionError: The config names no thread, an empty one, or only a part of one; or there is a thread
                of the name of the copy.
        """
        place, target = _whole(self, config, "copy_thread", state=True), thread_id_of({"thread_id": thread_id})
        run_sync(copied(place.saver, place.thread_id, target, place.checkpoint_id))
        return _config_of(target)

    @checked_keywords
    async def acopy_thread(self, config: RunnableConfig, thread_id: str) -> RunnableConfig:
        """Copy a thread without blocking the event loop; see `copy_thread`."""
        place, target = _whole(self, config, "acopy_thread", state=True), thread_id_of({"thread_id": thread_id})
        await run_async(copied(place.saver, place.thread_id, target, place.checkpoint_id))
        return _config_of(target)

    @checked_keywords
    def prune_thread(self, config: RunnableConfig) -> None:
        """Delete the history of a thread, with all but what its next run goes on from.

        The saver does it. It has to have a method `prune`, as that for PostgreSQL has.

        Args:
            config: The config of the thread, with its `thread_id`.

        Raises:
            NoCheckpointerError: Runs are not saved.
            NotSupportedError: The saver cannot prune threads.
            ThreadBusyError: The thread has a run.
            UnknownOptionError: The config names no thread, or only a part of one.
        """
        place = _whole(self, config, "prune_thread")
        run_sync(pruned(place.saver, place.thread_id))

    @checked_keywords
    async def aprune_thread(self, config: RunnableConfig) -> None:
        """Delete the history of a thread without blocking the event loop; see `prune_thread`."""
        place = _whole(self, config, "aprune_thread")
        await run_async(pruned(place.saver, place.thread_id))


def _whole(graph: GraphBase, config: RunnableConfig, method: str, *, state: bool = False) -> Place:
    """Return the thread that a config is about.

    Args:
        graph: The graph.
        config: The config.
        method: The name of the method.
        state: The config may name a state of the thread.

    Raises:
        UnknownOptionError: It is about a part of a thread.
    """
    place = place_of(graph, config, method)
    part = "checkpoint_ns" if place.ns else "checkpoint_id" if place.checkpoint_id and not state else None
    if part is not None:
        raise UnknownOptionError(
            f"{method}() is about a whole thread, but the config names a part of it, by its {part}",
            hint=f"Leave {part} out.",
        )
    return place


def _config_of(thread_id: str) -> RunnableConfig:
    return cast("RunnableConfig", {"configurable": {"thread_id": thread_id}})
