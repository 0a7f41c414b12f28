"""Reading and changing the state of saved runs; refused as long as runs are not saved."""

# ruff: noqa: A002  (`filter` is the name that the field uses)
from __future__ import annotations

from typing import Mapping, NoReturn, Optional, Sequence

from langchain_core.runnables import RunnableConfig

from streamgraph._keywords import checked_keywords
from streamgraph.errors import NoCheckpointerError


class SavedState:
    """The methods of a graph about saved runs. Without a checkpointer they raise an error, as in LangGraph."""

    @checked_keywords
    def get_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> NoReturn:
        """Return the state of a saved run.

        Args:
            config: The config of the run, with its `thread_id`.
            subgraphs: Also return the states of nested graphs.

        Raises:
            NoCheckpointerError: Runs are not saved.
        """
        raise _not_saved("get_state")

    @checked_keywords
    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> NoReturn:
        """Return the state of a saved run, with an async checkpointer; see `get_state`."""
        raise _not_saved("aget_state")

    @checked_keywords
    def get_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Optional[Mapping[str, object]] = None,
        before: Optional[RunnableConfig] = None,
        limit: Optional[int] = None,
    ) -> NoReturn:
        """Return the earlier states of a saved run, the latest first.

        Args:
            config: The config of the run, with its `thread_id`.
            filter: What the metadata of the states must have.
            before: The config of a state: only those before it.
            limit: The most states to return.

        Raises:
            NoCheckpointerError: Runs are not saved.
        """
        raise _not_saved("get_state_history")

    @checked_keywords
    def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Optional[Mapping[str, object]] = None,
        before: Optional[RunnableConfig] = None,
        limit: Optional[int] = None,
    ) -> NoReturn:
        """Return the earlier states of a saved run, with an async checkpointer; see `get_state_history`."""
        raise _not_saved("aget_state_history")

    @checked_keywords
    def update_state(
        self, config: RunnableConfig, values: object, as_node: Optional[str] = None, task_id: Optional[str] = None
    ) -> NoReturn:
        """Change the state of a saved run.

        Args:
            config: The config of the run, with its `thread_id`.
            values: The update, as a node would return it.
            as_node: The node that it shall come from.
            task_id: The task that it shall come from.

        Raises:
            NoCheckpointerError: Runs are not saved.
        """
        raise _not_saved("update_state")

    @checked_keywords
    async def aupdate_state(
        self, config: RunnableConfig, values: object, as_node: Optional[str] = None, task_id: Optional[str] = None
    ) -> NoReturn:
        """Change the state of a saved run, with an async checkpointer; see `update_state`."""
        raise _not_saved("aupdate_state")

    @checked_keywords
    def bulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[object]]) -> NoReturn:
        """Change the state of a saved run by the updates of several steps.

        Args:
            config: The config of the run, with its `thread_id`.
            supersteps: For each step, its updates.

        Raises:
            NoCheckpointerError: Runs are not saved.
        """
        raise _not_saved("bulk_update_state")

    @checked_keywords
    async def abulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[object]]) -> NoReturn:
        """Change the state of a saved run, with an async checkpointer; see `bulk_update_state`."""
        raise _not_saved("abulk_update_state")


def _not_saved(method: str) -> NoCheckpointerError:
    return NoCheckpointerError(
        f"No checkpointer set: {method}() is about saved runs, and runs cannot be saved yet",
        hint="The final state of a run is what invoke() returns, and the .output of a stream.",
    )
