"""Merged config of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Optional, Union
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager


class DefaultLimit(int):
    """A recursion limit that was not set by the user.

    A node's config must carry a limit, or langchain-core fills in its own (25) when the config passes through a chain.
    The separate type distinguishes the default from a number set by the user.
    """


DEFAULT_RECURSION_LIMIT = DefaultLimit(10007)

SHOWN_CONFIGURABLE: FrozenSet[str] = frozenset(
    ("thread_id", "run_id", "assistant_id", "graph_id", "checkpoint_id", "checkpoint_ns", "task_id")
)
"""Keys of `configurable` that are copied to metadata; other keys may hold secrets."""


@dataclass
class RunConfig:
    """Merged config of a run.

    Attributes:
        tags: The user's tags of the run and its parent runs.
        metadata: The user's metadata of the run and its parent runs.
        configurable: The user's `configurable` of the run and its parent runs.
        callbacks: The callbacks that were given or inherited.
        limit: The maximum number of supersteps.
        concurrency: The maximum number of concurrent tasks; `None` for no limit.
        name: The name of the run in traces; `None` if not given.
        run_id: The id of the run in traces; `None` if not given.
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
        """The entries of `configurable` that may be shown in metadata."""
        if not self.configurable:
            return {}
        return {key: self.configurable[key] for key in SHOWN_CONFIGURABLE if key in self.configurable}
