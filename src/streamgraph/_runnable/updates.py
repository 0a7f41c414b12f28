"""Changes the state of threads, by runs of one step."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from streamgraph._checkpoint.thread import SavedThread
from streamgraph._drivers.backend_asyncio import AsyncioBackend
from streamgraph._drivers.backend_threads import ThreadBackend
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._drivers.driver_threads import GraphStream
from streamgraph._execution.updating import Updating
from streamgraph._langchain.configs import resolve_config
from streamgraph._messages.coalescing import COALESCER
from streamgraph._protocols import Backend
from streamgraph._runnable.options import Subscription
from streamgraph._runnable.saving import stored_metadata
from streamgraph._runnable.threads import Place
from streamgraph._snapshots import StateUpdate
from streamgraph._streams.flow import UNLIMITED
from streamgraph.errors import InvalidUpdateError

StepUpdates = Tuple[StateUpdate, ...]


def read_updates(supersteps: Sequence[Sequence[object]]) -> List[StepUpdates]:
    """Return the updates of each step.

    Raises:
        ValueError: There are no steps, or a step has no updates.
        InvalidUpdateError: One of several updates of a step names no node.
    """
    if not supersteps:
        raise ValueError("No supersteps provided")
    steps: List[StepUpdates] = []
    for given in supersteps:
        if not given:
            raise ValueError("No updates provided")
        updates = tuple(StateUpdate(*item) if isinstance(item, tuple) else _no_update(item) for item in given)
        if len(updates) > 1 and any(update.as_node is None for update in updates):
            raise InvalidUpdateError("as_node is required when applying multiple updates")
        steps.append(updates)
    return steps


def _no_update(item: object) -> StateUpdate:
    raise InvalidUpdateError(f"Expected a StateUpdate, got {item!r:.80} of type {type(item).__name__}")


def update_thread(place: Place, updates: StepUpdates) -> Place:
    """Apply the updates of one step, and return the place with the config of the new state."""
    backend = ThreadBackend(UNLIMITED, COALESCER)
    updating = _updating(place, updates, backend)
    session = place.graph._session(None, place.given, None, Subscription(), backend, updating)
    GraphStream[object](session, backend, UNLIMITED).run()
    return _after(place, updating)


async def aupdate_thread(place: Place, updates: StepUpdates) -> Place:
    """Apply the updates of one step on the event loop; see `update_thread`."""
    backend = AsyncioBackend(UNLIMITED, COALESCER)
    updating = _updating(place, updates, backend)
    session = place.graph._session(None, place.given, None, Subscription(), backend, updating)
    await AsyncGraphStream[object](session, backend, UNLIMITED).run()
    return _after(place, updating)


def _updating(place: Place, updates: StepUpdates, backend: Backend) -> Updating:
    around = place.around
    around.pop("|".join(place.ns), None)
    saved = SavedThread(
        place.graph._plan,
        place.saver,
        place.thread_id,
        place.ns,
        checkpoint_id=place.checkpoint_id,
        metadata=stored_metadata(resolve_config(None, place.given, None)),
        parents=around,
        storage=place.graph.storage or "full",
    )
    return Updating(saved, place.saver, backend, lambda given: place.graph._writes(given, lenient=True), updates)


def _after(place: Place, updating: Updating) -> Place:
    head: Optional[str] = updating.saved.head
    config = place.config(head)
    if place.around:
        config["configurable"]["checkpoint_map"] = {**place.around, "|".join(place.ns): head}
    return place._replace(given=config, configurable=config["configurable"])  # type: ignore[arg-type]
