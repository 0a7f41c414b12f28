"""Where nested runs go on while the run around them has gone back to an earlier checkpoint."""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, Mapping, NamedTuple, Optional, Set, Tuple

from typing_extensions import Literal

from streamgraph._checkpoint.reading import INTERRUPT
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.wire import from_stored
from streamgraph._protocols import Work

Origin = Literal["last", "asked", "before", "answered"]
"""Which checkpoint a run continues from: the last one; the one that the config names; the last before the checkpoint to
which the root run has gone back; or the one at which the question was asked that is answered there once more."""


class Found(NamedTuple):
    """The checkpoint that a nested run continues from.

    Attributes:
        stored: The saver's tuple; `None` if there is none.
        origin: Which one it is.
    """

    stored: Any
    origin: Origin


class TimeTravel:
    """What the nested runs of a root run continue from, which was asked to continue from an earlier checkpoint.

    The first run in a namespace goes back like the root run. Those after it, as in a loop, continue from what the first
    one has stored.

    Args:
        thread_id: The thread.
        named: The ids of the checkpoints that the config names under `checkpoint_map`, by namespace.

    Attributes:
        before: The id of the root's checkpoint; the nested runs have begun after it. `None` if a question is answered.
        answered: The ids of the questions that are answered at an earlier checkpoint.
    """

    def __init__(self, thread_id: str, named: Mapping[str, str]) -> None:
        self._thread_id = thread_id
        # The namespaces in which they were stored: those in which they are looked for may be new ones.
        self._named: Dict[str, Tuple[str, str]] = {ns: (ns, id_) for ns, id_ in named.items()}
        self.before: Optional[str] = None
        self.answered: AbstractSet[str] = frozenset()
        self._gone_back: Set[str] = set()

    def named_ns(self, ns: str) -> Optional[str]:
        """Return the namespace in which the checkpoint was stored that is named for a namespace, if one is."""
        return self._named[ns][0] if ns in self._named else None

    def rename(self, ns: Tuple[str, ...], ids: Mapping[str, str]) -> None:
        """Look for the named checkpoints in the namespaces of the tasks that run in place of earlier ones.

        Args:
            ns: The namespace of the graph of the tasks.
            ids: The ids of the new tasks, by those of the earlier ones.
        """
        depth = len(ns)
        for key in [*self._named]:
            levels = key.split("|")
            if len(levels) <= depth or tuple(levels[:depth]) != ns:
                continue
            name, _, task = levels[depth].partition(":")
            if ids.get(task, task) != task:
                levels[depth] = f"{name}:{ids[task]}"
                self._named["|".join(levels)] = self._named.pop(key)

    def find(self, saver: Saver, ns: str) -> Work[Optional[Found]]:
        """Return the checkpoint that a nested run continues from; `None` for the last one.

        Args:
            saver: The saver.
            ns: The namespace of the nested run, in one string.
        """
        if ns in self._gone_back:
            return None
        self._gone_back.add(ns)
        if ns in self._named:
            place, id_ = self._named[ns]
            return Found((yield from saver.get(self._config(place, checkpoint_id=id_))), "asked")
        if self.before is not None:
            before = {"configurable": {"checkpoint_id": self.before}}
            return Found((yield from saver.first(self._config(ns), before=before)), "before")
        if self.answered:
            stored = yield from saver.first(self._config(ns), accepts=self._is_answered_in)
            return None if stored is None else Found(stored, "answered")
        return None

    def _config(self, ns: str, **more: str) -> Dict[str, Any]:
        return {"configurable": {"thread_id": self._thread_id, "checkpoint_ns": ns, **more}}

    def _is_answered_in(self, stored: Any) -> bool:
        """Return whether one of the questions was asked in the step after a checkpoint."""
        return any(
            from_stored(question).id in self.answered  # type: ignore[attr-defined]
            for _, name, questions in stored.pending_writes or ()
            if name == INTERRUPT
            for question in questions
        )
