"""The user's saver, as work for either driver."""

from __future__ import annotations

import asyncio
import inspect
from functools import lru_cache
from pickle import UnpicklingError
from time import sleep
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from streamgraph._checkpoint.allowed_types import TypeName, with_types
from streamgraph._checkpoint.distribution import is_in_memory, orders_writes, plain_serializer, unusable_methods
from streamgraph._checkpoint.lost_connections import is_lost_connection, pauses
from streamgraph._checkpoint.packing import Packing
from streamgraph._checkpoint.pages import in_pages, in_pages_async
from streamgraph._checkpoint.reading import unreadable
from streamgraph._checkpoint.saver_loops import items_in_thread, items_on_its_loop, on_its_loop, running_loop_of
from streamgraph._checkpoint.wire import readable
from streamgraph._core.action import Action
from streamgraph._protocols import Call, Sleep, Work
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import NotSupportedError

_DAMAGES = (ArithmeticError, EOFError, ImportError, LookupError, TypeError, UnpicklingError, ValueError)
"""What serializers raise for data that they cannot read."""

_METHODS = ("get_tuple", "put", "put_writes")
_HISTORIES = "get_delta_channel_history"
_ALL = "list all"


class Saver:
    """Calls a saver of the `langgraph-checkpoint` family from sync and async runs.

    A saver that has only the sync methods is called in a thread by async runs; one that has only the async methods is
    awaited on a loop of its own by sync runs; one that belongs to an event loop, on that loop.

    Args:
        saver: The user's saver.
        types: The classes of values that it may have to make, which a strict serializer would refuse.

    Attributes:
        given: The user's saver.
        in_memory: It is the saver in memory, or one made of it.
        orders_writes: It is known to return the writes of a step in the order of its tasks.
        has_histories: It has a way of its own to read what several records have written to keys.
    """

    def __init__(self, saver: Any, types: Collection[TypeName] = ()) -> None:
        self.given = saver
        self._types = types
        self._saver = with_types(readable(saver), types)
        self._awake = CancelToken()  # what has to be stored is stored, also while its run ends
        self.in_memory = is_in_memory(saver)
        self.orders_writes = orders_writes(saver)
        self._list = _action(self._saver, "list")
        self._takes_path = _takes_path(type(saver))  # type: ignore[arg-type]
        self._actions: Dict[str, Action] = {name: _action(self._saver, name) for name in _METHODS}
        serializer = plain_serializer(self._saver)
        if serializer is not None:
            self._actions["put"] = _packing(self._saver, Packing(serializer))
        histories = _histories(self._saver)
        self.has_histories = histories is not None
        if histories is not None:
            self._actions[_HISTORIES] = histories

    def making(self, types: Collection[TypeName]) -> Saver:
        """Return a saver that may also make values of these classes.

        Args:
            types: Their modules and names.
        """
        if with_types(self._saver, types) is self._saver:
            return self
        return Saver(self.given, frozenset((*self._types, *types)))

    def next_version(self, versions: Iterable[Any]) -> Any:
        """Return a version that is greater than all of those given, and that no other run gives out."""
        known = [version for version in versions if version is not None]
        return self._saver.get_next_version(max(known) if known else None, None)

    def get(self, config: Mapping[str, Any]) -> Work[Any]:
        """Return the stored tuple of a config, or `None`.

        Raises:
            UnreadableCheckpointError: It is damaged.
        """
        return self._read("get_tuple", config)

    def put(self, config: Mapping[str, Any], checkpoint: Any, metadata: Any, versions: Any) -> Work[Any]:
        """Store a checkpoint; it returns its config."""
        return self._call("put", config, checkpoint, metadata, versions)

    def put_writes(
        self, config: Mapping[str, Any], writes: Sequence[Tuple[str, Any]], task: str, path: str
    ) -> Work[None]:
        """Store the writes of a task: all of them or none.

        The saver in memory serialises one after the other. If a later one cannot be, those before it would be taken
        for all that the task has written.
        """
        if self.in_memory and len(writes) > 1:
            for _, value in writes[1:]:
                if value is not None and type(value) is not str:
                    self._saver.serde.dumps_typed(value)
        return self._call("put_writes", config, writes, task, *((path,) if self._takes_path else ()))

    def histories(self, config: Mapping[str, Any], keys: Sequence[str]) -> Work[Any]:
        """Return what the values of keys in a checkpoint are made from; see `get_delta_channel_history` of savers."""
        return self._read(_HISTORIES, config, keys)

    def everything(self, config: Mapping[str, Any]) -> Work[Any]:
        """Return a list of all stored tuples of a config, also those of graphs in nodes."""
        if _ALL not in self._actions:
            sync, asyn = _methods(self._saver, "list")
            listed = Action(
                None if sync is None else lambda config: [*sync(config)],
                None if asyn is None else lambda config: _alisted(asyn(config)),
            )
            self._actions[_ALL] = on_its_loop(self._saver, listed)
        return self._read(_ALL, config)

    def manage(self, name: str, *args: Any) -> Work[None]:
        """Call a method that not every saver has.

        Args:
            name: Its name.
            args: Its arguments.

        Raises:
            NotSupportedError: The saver does not have it.
        """
        sync, asyn = _methods(self._saver, name) if hasattr(self._saver, name) else (None, None)
        if sync is None and asyn is None:
            raise NotSupportedError(
                f"{type(self.given).__name__} has no method {name}",
                hint="Other savers do, such as that of PostgreSQL in its newest version.",
            )
        self._actions[name] = on_its_loop(self._saver, Action(sync, asyn))
        return self._call(name, *args)

    def first(
        self,
        config: Mapping[str, Any],
        *,
        before: Optional[Mapping[str, Any]] = None,
        accepts: Callable[[Any], bool] = lambda stored: True,
    ) -> Work[Any]:
        """Return the latest stored tuple of a config that is accepted, or `None`.

        Args:
            config: The config.
            before: The config of a checkpoint; only earlier ones count.
            accepts: Returns whether a tuple is accepted.
        """

        def first() -> Any:
            return next(filter(accepts, self.list(config, before=before)), None)

        async def afirst() -> Any:
            async for stored in self.alist(config, before=before):
                if accepts(stored):
                    return stored
            return None

        usable = Action(self._list.sync and first, self._list.asyn and afirst)
        try:
            return (yield Call(usable, (), shielded=True))
        except NotImplementedError:  # SqliteSaver's `alist` only says that it has none
            # A saver without another way to list cannot be used.
            if usable.sync is None or usable.asyn is None:
                raise
            return (yield Call(Action(first, None), (), shielded=True))

    def list(
        self,
        config: Mapping[str, Any],
        *,
        filter: Optional[Mapping[str, Any]] = None,  # noqa: A002  (the name that savers use)
        before: Optional[Mapping[str, Any]] = None,
        limit: Optional[int] = None,
    ) -> Iterator[Any]:
        """Return an iterator of the stored tuples of a config, the latest first; see `list` of savers.

        Raises:
            NotImplementedError: The saver can only be awaited.
            EventLoopError: The saver belongs to the event loop of this thread. It is raised with the first item.
        """

        def once(**page: Any) -> Iterable[Any]:
            if running_loop_of(self._saver) is not None:
                return items_in_thread(self._saver, self._saver.alist(config, filter=filter, **page))
            return self._saver.list(config, filter=filter, **page)  # type: ignore[no-any-return]

        def listed(**page: Any) -> Iterator[Any]:
            for pause in pauses():
                try:
                    return iter([*once(**page)])
                except Exception as error:
                    if pause is None or not is_lost_connection(error):
                        raise
                sleep(pause)
            raise AssertionError  # the last attempt has returned or raised

        if running_loop_of(self._saver) is None and self._list.sync is None:
            raise NotImplementedError  # as savers say of a method that they lack: the caller takes `alist` then
        return _read_through(in_pages(listed, before, limit), config)

    def alist(
        self,
        config: Mapping[str, Any],
        *,
        filter: Optional[Mapping[str, Any]] = None,  # noqa: A002  (the name that savers use)
        before: Optional[Mapping[str, Any]] = None,
        limit: Optional[int] = None,
    ) -> AsyncIterator[Any]:
        """Return an async iterator of the same.

        Raises:
            NotImplementedError: The saver has no async method. Some raise it only when the first item is asked for.
        """

        async def page_of(**page: Any) -> List[Any]:
            return await _alisted(items_on_its_loop(self._saver, self._saver.alist(config, filter=filter, **page)))

        async def listed(**page: Any) -> AsyncIterator[Any]:
            for pause in pauses():
                try:
                    items = await page_of(**page)
                    break
                except Exception as error:
                    if pause is None or not is_lost_connection(error):
                        raise
                await asyncio.sleep(pause)
            for item in items:
                yield item

        if self._list.asyn is None:
            raise NotImplementedError  # as savers say of a method that they lack: the caller takes `list` then
        return _aread_through(in_pages_async(listed, before, limit), config)

    def _read(self, name: str, config: Mapping[str, Any], *args: Any) -> Work[Any]:
        try:
            return (yield from self._call(name, config, *args))
        except _DAMAGES as error:
            raise unreadable(error, config) from error

    def _call(self, name: str, *args: Any) -> Work[Any]:
        for pause in pauses():
            action = self._actions[name]
            try:
                return (yield Call(action, args, shielded=True))
            except NotImplementedError:  # SqliteSaver has async methods that only say that it has none
                if action.sync is None or action.asyn is None:
                    raise
                self._actions[name] = Action(action.sync, None)
                return (yield Call(self._actions[name], args, shielded=True))
            except Exception as error:
                if pause is None or not is_lost_connection(error):
                    raise
            yield Sleep(pause, self._awake)
        raise AssertionError  # the last attempt has returned or raised


def _read_through(items: Iterable[Any], config: Mapping[str, Any]) -> Iterator[Any]:
    try:
        yield from items
    except _DAMAGES as error:
        raise unreadable(error, config) from error


async def _aread_through(items: AsyncIterator[Any], config: Mapping[str, Any]) -> AsyncIterator[Any]:
    try:
        async for item in items:
            yield item
    except _DAMAGES as error:
        raise unreadable(error, config) from error


async def _alisted(items: AsyncIterator[Any]) -> List[Any]:
    return [item async for item in items]


def _histories(saver: Any) -> Optional[Action]:
    """Return the saver's own method for histories, or `None` if it has none, or only that of the base class."""
    if not hasattr(type(saver), _HISTORIES):
        return None
    sync, asyn = _methods(saver, _HISTORIES)
    if sync is None and asyn is None:
        return None
    action = Action(
        None if sync is None else lambda config, keys: sync(config=config, channels=keys),
        None if asyn is None else lambda config, keys: asyn(config=config, channels=keys),
    )
    return on_its_loop(saver, action)


def _action(saver: Any, name: str) -> Action:
    return on_its_loop(saver, Action(*_methods(saver, name)))


def _packing(saver: Any, packing: Packing) -> Action:
    """Return the method `put` of a saver, with messages that were stored before as their bytes."""
    sync, asyn = _methods(saver, "put")

    def packed(config: Mapping[str, Any], checkpoint: Any) -> Any:
        return packing.checkpoint(config["configurable"]["checkpoint_ns"], checkpoint)

    action = Action(
        None if sync is None else lambda config, given, *args: sync(config, packed(config, given), *args),
        None if asyn is None else lambda config, given, *args: asyn(config, packed(config, given), *args),
    )
    return on_its_loop(saver, action)


def _methods(saver: Any, name: str) -> Tuple[Any, Any]:
    """Return a method of a saver and its async twin; `None` for one that it does not have."""
    kind, unusable = type(saver), unusable_methods(name)
    sync = None if getattr(kind, name) in unusable else getattr(saver, name)
    asyn = None if getattr(kind, f"a{name}") in unusable else getattr(saver, f"a{name}")
    return sync, asyn


@lru_cache(maxsize=64)
def _takes_path(kind: type) -> bool:
    """Return whether the savers of a class store the paths of tasks, which the first ones did not."""
    parameters = inspect.signature(kind.put_writes).parameters  # type: ignore[attr-defined]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return "task_path" in parameters or any(parameter.kind in variadic for parameter in parameters.values())
