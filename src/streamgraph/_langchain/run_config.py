"""What a run was configured with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Optional, Union
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager


class DefaultLimit(int):
    """A recursion limit that nobody has set.

    A node's config has to carry a limit, or langchain-core fills in its own (25) where the config passes through
    a chain; a number of a type of its own can be told from one that a user has set.
    """


DEFAULT_RECURSION_LIMIT = DefaultLimit(10007)

SHOWN_CONFIGURABLE: FrozenSet[str] = frozenset(
    ("thread_id", "run_id", "assistant_id", "graph_id", "checkpoint_id", "checkpoint_ns", "task_id")
)
"""The keys of `configurable` that metadata shows; the others may be secrets."""


@dataclass
class RunConfig:
    """What a run was configured with.

    Attributes:
        tags: The user's tags of the run and of everything around it.
        metadata: The user's metadata, likewise.
        configurable: The user's `configurable`, likewise.
        callbacks: The callbacks it was given, or that it inherits.
        limit: The most supersteps it may take.
        concurrency: The most tasks that may run at once.
        name: The name of the run in traces, if it was given one.
        run_id: The id of the run in traces, if it was given one.
    """

    tags: List[str] = field(default_factory=list)
    metadata: Dict[str, object] = field(default_factory=dict)
    configurable: Dict[str, Any] = field(default_factory=dict)
    callbacks: Union[BaseCallbackManager, List[BaseCallbackHandler], None] = None
    limit: int = DEFAULT_RECURSION_LIMIT
    concurrency: Optional[int] = None
    name: Optional[str] = None
    run_id: Union[UUID, str, None] = None

    @property
    def shown_ids(self) -> Dict[str, object]:
        """The well-known ids of `configurable`."""
        if not self.configurable:
            return {}
        return {key: self.configurable[key] for key in SHOWN_CONFIGURABLE if key in self.configurable}
