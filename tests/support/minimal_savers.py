"""Savers that keep the documented contract of `BaseCheckpointSaver`, and no more of it than they must.

Third parties write savers like these: with sync methods only or async methods only, with versions of one kind or
another, without deletion.
"""

# ruff: noqa: A002  (`filter` is the name that the contract uses)
from __future__ import annotations

from typing import Any, AsyncIterator, Iterator, Optional

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver


class SyncSaver(BaseCheckpointSaver):
    """A saver with sync methods only, and the integer versions of the base class."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemorySaver()

    def get_tuple(self, config: Any) -> Any:
        return self.inner.get_tuple(config)

    def list(self, config: Any, *, filter: Any = None, before: Any = None, limit: Any = None) -> Iterator[Any]:
        return self.inner.list(config, filter=filter, before=before, limit=limit)

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        return self.inner.put(config, checkpoint, metadata, new_versions)

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        self.inner.put_writes(config, writes, task_id, task_path)


class AsyncSaver(BaseCheckpointSaver):
    """A saver with async methods only."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemorySaver()

    async def aget_tuple(self, config: Any) -> Any:
        return self.inner.get_tuple(config)

    async def alist(
        self, config: Any, *, filter: Any = None, before: Any = None, limit: Any = None
    ) -> AsyncIterator[Any]:
        for stored in self.inner.list(config, filter=filter, before=before, limit=limit):
            yield stored

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        return self.inner.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        self.inner.put_writes(config, writes, task_id, task_path)


class PathlessSaver(SyncSaver):
    """A saver as they were written before tasks had paths."""

    def put_writes(self, config: Any, writes: Any, task_id: str) -> None:  # type: ignore[override]
        self.inner.put_writes(config, writes, task_id)


class TextVersionSaver(SyncSaver):
    """A saver whose versions are strings."""

    def get_next_version(self, current: Optional[str], channel: None) -> str:
        return f"{int(current or 0) + 1:08d}"


class FloatVersionSaver(SyncSaver):
    """A saver whose versions are floats."""

    def get_next_version(self, current: Optional[float], channel: None) -> float:
        return (current or 0.0) + 1.5


MINIMAL = (SyncSaver, AsyncSaver, PathlessSaver, TextVersionSaver, FloatVersionSaver)
