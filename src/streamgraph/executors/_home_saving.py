"""How a run is saved, for graphs and `@task`s inside tasks of it that run elsewhere.

The worker has an object that saves as the one of the run does, and whose saver makes its calls there: nested graphs go
on where they were, and what has finished is not done again.
"""

from __future__ import annotations

import importlib
import pickle
from typing import Any, Collection, Dict, List, Mapping, Optional, cast

from streamgraph._checkpoint.allowed_types import TypeName
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.thread import SavedThread
from streamgraph._core.action import Action
from streamgraph._core.plan import Plan
from streamgraph._drivers.calls_asyncio import drive
from streamgraph._drivers.workers import RunThreads
from streamgraph._execution.saving import Saving
from streamgraph._langchain.scope import Scope
from streamgraph._protocols import Backend, Call, Work
from streamgraph.errors import UnsendableValueError
from streamgraph.executors._home import Home

PREFIX = "saver."


def facts_of_saving(scope: Scope) -> Optional[bytes]:
    """Return what a worker has to know of how a run is saved; `None` if it is not.

    Args:
        scope: The task that the worker is to run.

    Raises:
        UnsendableValueError: The class of the saver cannot be found by a worker, or an answer cannot be sent.
    """
    saving = cast("Optional[Saving]", scope.run.saving)
    if saving is None:
        return None
    saved, saver = saving.saved, saving.saver
    kind = type(saver.given)
    if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        raise UnsendableValueError(
            f"The saver is of the class {kind.__qualname__}, which a worker cannot import",
            node=scope.task.name,
            hint="Define the class at the top of a module of its own.",
        )
    record = saved.head
    facts = {
        "thread": (saved.thread_id, record, saved.above()),
        "kind": (kind.__module__, kind.__qualname__),
        "saver": (saver.orders_writes, saver.has_histories),
        "durability": saving.durability,
        "storage": saving.storage,
        "resumed": saving.resumed,
        "known": saving.known if saving.resumed is not None else {},
        "answers": {**saving.answers, **scope.run.answers},
        "travel": saving.travel,
    }
    try:
        return pickle.dumps(facts)
    except Exception as error:
        raise UnsendableValueError(
            f"What the run has stored cannot be sent to a worker ({type(error).__name__}: {error})",
            node=scope.task.name,
            hint="Answers and results of tasks must be data.",
        ) from error


def saving_at_home(facts: bytes, home: Home, plan: Plan, ns: Collection[str], step: int, backend: Backend) -> Saving:
    """Return how a run on a worker is saved, which is a part of one that is saved elsewhere.

    Args:
        facts: What `facts_of_saving` returned.
        home: The way to the run.
        plan: The plan of the one task.
        ns: The namespace of its graph.
        step: Its step.
        backend: The backend of the worker's driver.
    """
    known: Mapping[str, Any] = pickle.loads(facts)
    thread_id, head, above = known["thread"]
    saver = _SaverAtHome(home, *known["kind"], *known["saver"])
    own = "|".join(ns)
    saved = SavedThread(
        plan,
        saver,
        thread_id,
        tuple(ns),
        parents={place: id_ for place, id_ in above.items() if place != own},
        storage=known["storage"],
        travel=known["travel"],
    )
    saved.go_on(head, step)
    # What tasks here have come to is stored at once; when nested runs are stored is up to the run.
    saving = Saving(saved, saver, "sync", backend, lambda given: (), storage=known["storage"], travel=known["travel"])
    saving.durability, saving.resumed, saving.answers = known["durability"], known["resumed"], known["answers"]
    saving.known = known["known"]
    return saving


async def answer_saver_call(saving: Saving, method: str, types: Collection[TypeName], args: Any) -> object:
    """Make a call of the saver of a run.

    What belongs to a record is stored after that record, which may still be waiting.

    Args:
        saving: How the run is saved.
        method: The method of `Saver`.
        types: The classes that the saver may have to make.
        args: Its arguments.
    """
    if method.startswith("put"):
        await drive(saving.flushed(), RunThreads())
    saver = saving.saver.making(frozenset(types))
    if method != "all":
        work: Work[object] = getattr(saver, method)(*args)
        return await drive(work, RunThreads())
    config, before = args
    found: List[object] = []

    def accepts(stored: object) -> bool:
        found.append(stored)
        return False

    await drive(saver.first(config, before=before, accepts=accepts), RunThreads())
    return found


class _SaverAtHome(Saver):
    """A saver whose calls are made where the run is.

    Args:
        home: The way to the run.
        module: The module of the class of the saver, which knows how versions follow each other.
        name: The name of the class.
        ordered: It returns the writes of a step in the order of its tasks.
        histories: It has a way of its own to read what several records have written.
    """

    def __init__(self, home: Home, module: str, name: str, ordered: bool, histories: bool) -> None:
        kind: Any = importlib.import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
        self.given = self._saver = kind.__new__(kind)  # for its versions alone, which are a function of the last one
        self._home = home
        self._facts = (module, name, ordered, histories)
        self._types = frozenset()
        self._takes_path = True
        self.in_memory = False
        self.orders_writes = ordered
        self.has_histories = histories

    def making(self, types: Collection[TypeName]) -> Saver:
        """Return a saver that may also make values of these classes."""
        made = _SaverAtHome(self._home, *self._facts)
        made._types = frozenset((*self._types, *types))
        return made

    def first(
        self,
        config: Mapping[str, Any],
        *,
        before: Optional[Mapping[str, Any]] = None,
        accepts: Any = lambda stored: True,
    ) -> Work[Any]:
        """Return the latest stored tuple of a config that is accepted, or `None`."""
        found: List[Any] = yield from self._call("all", config, before)
        return next(filter(accepts, found), None)

    def _call(self, name: str, *args: Any) -> Work[Any]:
        method = _METHODS.get(name, name)

        async def call() -> object:
            return await self._home.acall(PREFIX + method, tuple(self._types), args)

        return (yield Call(Action(None, call), (), shielded=True))


_METHODS: Dict[str, str] = {"get_tuple": "get", "get_delta_channel_history": "histories"}
"""The methods of `Saver` by those of savers."""
