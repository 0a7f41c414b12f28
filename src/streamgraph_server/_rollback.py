"""Taking a run back: its thread is again as it was before the run."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from langchain_core.runnables import RunnableConfig

from streamgraph.pregel import Pregel
from streamgraph.types import StateSnapshot
from streamgraph_server._thread_facts import seconds
from streamgraph_server.threads import Thread

_COPY = "__copy__"
"""The node in whose name a state is stored again as it is."""


async def state_before(graph: Pregel, thread: Thread, began: float) -> Tuple[Optional[StateSnapshot], bool]:
    """Return the last state of a thread before a run, or `None`, and whether there are later ones.

    Args:
        graph: The graph that runs.
        thread: The thread.
        began: When the run has begun, in seconds since 1970.
    """
    has_later = False
    async for state in graph.aget_state_history({"configurable": {"thread_id": thread.id}}):
        if state.created_at is not None and seconds(state.created_at) < began:
            return state, has_later
        has_later = True
    return None, has_later


async def roll_back(graph: Pregel, thread: Thread, began: float) -> None:
    """Make the state that a thread had before a run its last one; see `state_before`.

    Savers cannot delete single states, so those of the run stay in the history, before the one that counts. A thread
    that had none is emptied. A question that was open is not any more: the node that asked it is due.
    """
    state, has_later = await state_before(graph, thread, began)
    if not has_later:
        return
    if state is None:
        await graph.adelete_thread({"configurable": {"thread_id": thread.id}})
        return
    about: Dict[str, object] = {"graph_id": thread.graph}
    if thread.owner is not None:
        about["owner"] = thread.owner
    config: RunnableConfig = {**state.config, "metadata": about}
    await graph.aupdate_state(config, None, _COPY)
