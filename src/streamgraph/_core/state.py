"""The state of a run: current values, and the folding of writes into them."""

from __future__ import annotations

from itertools import repeat
from typing import AbstractSet, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Sized, Tuple, cast

from streamgraph._core.changes import Changes
from streamgraph._core.channel_objects import NO_VALUE, ChannelObjectError, ChannelObjects, Folded
from streamgraph._core.plan import BARE_KEYS, RESULT_KEY, ROOT_KEY, Channel, Plan, StateView
from streamgraph._locations import add_note, locate
from streamgraph._streams.copying import COPIES, LARGE, CopyOnAccess, own
from streamgraph._types import Overwrite
from streamgraph.errors import ErrorLocation, InvalidUpdateError

Writes = Sequence[Tuple[str, object]]

_MISSING: object = object()
_NONE: AbstractSet[str] = frozenset()
_NONE_FOLDED = repeat(None)
_WHOLE = StateView()


class State:
    """The current value of each key that has one, in the order of the schema.

    A value that is read out has a container of its own, and shares its elements with the state. A container that the
    state holds is never changed: a key that is written to gets another one.

    Args:
        plan: The graph whose state this is.
        values: What `saved` returned in an earlier run; by default the state is that of a new run.

    Attributes:
        bare_key: The key whose bare value is the state as users see it; `None` if they see a mapping.
        values: The current values by key.
        written: True if a value was ever written.
        changes: Follows what is changed, if somebody wants to know.
    """

    __slots__ = ("_containers", "_large", "_objects", "_plan", "bare_key", "changes", "values", "written")

    def __init__(self, plan: Plan, values: Optional[Mapping[str, object]] = None) -> None:
        self._plan = plan
        self.bare_key = plan.bare_key
        self.changes: Optional[Changes] = None
        self.values: Dict[str, object] = {}
        # The keys whose values are containers, and those of them that are copied only when they are asked for.
        self._containers: Set[str] = set()
        self._large: Set[str] = set()
        self.written = False
        self._objects: Optional[ChannelObjects] = None
        if values is None:
            self.store({key: channel.default() for key, channel in plan.channels.items() if channel.default})
        else:
            self.store({key: value for key, value in values.items() if key not in plan.templates})
        if plan.templates:
            self._objects = ChannelObjects(plan.templates, values or {})
            self.store(self._objects.values())
        self.written = bool(values)

    def saved(self) -> Dict[str, object]:
        """Return what this state can be made from again: its values, never to be changed, and objects' checkpoints."""
        if self._objects is None:
            return dict(self.values)
        plain = {key: value for key, value in self.values.items() if key not in self._plan.templates}
        return {**plain, **self._objects.saved()}

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels by key."""
        return self._plan.channels

    def recorded(self, key: str) -> object:
        """Return the value of a key, and hold it in a form that records changes, if its reducer has such a form."""
        value = self.values[key]
        convert = getattr(self._plan.channels[key].reduce, "recorded", None)
        if convert is not None:
            value = self.values[key] = convert(value)
        return value

    def object_values(self) -> Dict[str, object]:
        """Return the values of the keys that have channel objects, with `NO_VALUE` for those that have none."""
        return {key: self.values.get(key, NO_VALUE) for key in self._plan.templates}

    def snapshot(
        self, keys: Optional[Sequence[str]] = None, instead: Optional[Mapping[str, object]] = None
    ) -> Dict[str, object]:
        """Return the values of `keys` that have one, or of all keys, each owned by the receiver.

        Args:
            keys: The keys.
            instead: What `object_values` returned after an earlier step, instead of the values that there are now.
        """
        values = self.values
        if instead:
            known = {**values, **instead}
            ordered = self._plan.channels if keys is None else keys
            return {key: own(known[key]) for key in ordered if known.get(key, NO_VALUE) is not NO_VALUE}
        if keys is None:
            seen = dict(values)
            for key in self._containers:
                seen[key] = own(seen[key])
            return seen
        return {key: own(values[key]) for key in keys if key in values}

    def chunk(self, keys: Optional[Sequence[str]] = None) -> Dict[str, object]:
        """Return the same for a consumer, with large values copied when the consumer asks for them."""
        reader = _WHOLE if keys is None else StateView(tuple(keys))
        return cast("Dict[str, object]", self.read(reader, 0, 0))

    def read(self, reader: StateView, step: int, limit: int, fresh: Optional[Mapping[str, object]] = None) -> object:
        """Return the state as a node or branch sees it.

        Args:
            reader: Its view of the state.
            step: The superstep, for managed values.
            limit: The recursion limit, for managed values.
            fresh: Values that take precedence over the stored ones.
        """
        values = self.values
        if fresh:
            values = {**values, **fresh}
        if type(fresh) is Folded and fresh.gone:
            values = {key: value for key, value in values.items() if key not in fresh.gone}
        if reader.root:
            return own(values.get(ROOT_KEY))
        seen = dict(values) if reader.keys is None else {key: values[key] for key in reader.keys if key in values}
        large = _NONE
        if fresh or self._containers:
            if self._large and reader.build is None:
                large = self._large & seen.keys() if not fresh else self._large & seen.keys() - fresh.keys()
            for key in self._containers if not fresh else self._containers | fresh.keys():
                if key in seen and key not in large:
                    seen[key] = own(seen[key])
        if reader.managed:
            for key, compute in reader.managed.items():
                seen[key] = compute(step, limit)
        if reader.build is not None:
            return reader.build(seen)
        return CopyOnAccess.of(seen, large) if large else seen

    def fold(
        self,
        writes: Iterable[Tuple[str, Writes]],
        folded: Sequence[Optional[Mapping[str, object]]] = (),
        at: Optional[Tuple[int, Tuple[str, ...]]] = None,
        consumed: Iterable[str] = (),
    ) -> Dict[str, object]:
        """Return the new values of the keys written in one step, without storing them.

        Args:
            writes: For each task, in the order in which they are applied: the node's name and its writes.
            folded: For each task what `fold` returned for its writes alone, if a branch had to see that. It is stored
                where no earlier task wrote the key, so that the reducer runs once for each write.
            at: The step and the namespace of the graph, attached to errors as their location.
            consumed: The keys that have started tasks of the step, if nodes are started by keys.

        Returns:
            The values; for a state with channel objects they are `Folded`. `updated_keys` says which were updated.

        Raises:
            InvalidUpdateError: A key without a reducer was written twice, or one with a reducer was overwritten twice,
                or a channel object does not take what was written.
            Exception: The exception of a reducer or a channel object.
        """
        given: Dict[str, List[Tuple[str, object]]] = {}
        if self.changes is not None:
            writes = list(writes)
        if self._objects is not None:
            writes, given = self._apart(writes)
        fresh: Dict[str, object] = {}
        writers: Dict[str, str] = {}
        overwritten: Dict[str, str] = {}
        channels = self._plan.channels
        node = ""
        try:
            for (node, pairs), known in zip(writes, folded or _NONE_FOLDED):
                ready = _NONE
                if known is not None:
                    ready = {key for key, _ in pairs if key not in fresh and channels[key].reduce is not None}
                    fresh.update((key, known[key]) for key in ready)
                for key, value in pairs:
                    reduce = channels[key].reduce
                    replaces = False
                    if isinstance(value, _REPLACING) and key != RESULT_KEY:
                        replaces, value = unwrap(value)
                    if reduce is None:
                        if key in fresh:
                            raise _two_writes(key, writers[key], node)
                        fresh[key] = own(value) if type(value) in COPIES else value
                        writers[key] = node
                    elif replaces:
                        if key in overwritten:
                            raise _two_overwrites(key, overwritten[key], node)
                        if key not in ready:
                            fresh[key] = _first(channels[key], value)
                        overwritten[key] = node
                    elif key not in overwritten and key not in ready:
                        current = fresh[key] if key in fresh else self.values.get(key, _MISSING)
                        fresh[key] = (
                            _first(channels[key], value)
                            if current is _MISSING
                            else _reduced(channels[key], current, value, node)
                        )
        except Exception as error:
            if at is not None:
                locate(error, ErrorLocation(node, *at))
            raise
        if self._objects is not None:
            fresh = self._with_objects(self._objects, fresh, given, at, consumed)
        if self.changes is not None:
            self.changes.folded(fresh, list(writes))
        return fresh

    def _apart(
        self, writes: Iterable[Tuple[str, Writes]]
    ) -> Tuple[List[Tuple[str, Writes]], Dict[str, List[Tuple[str, object]]]]:
        """Return the writes to plain keys, and for each other key the values with the nodes that wrote them."""
        templates = self._plan.templates
        plain: List[Tuple[str, Writes]] = []
        given: Dict[str, List[Tuple[str, object]]] = {}
        for node, pairs in writes:
            plain.append((node, [pair for pair in pairs if pair[0] not in templates]))
            for key, value in pairs:
                if key in templates:
                    given.setdefault(key, []).append((node, value))
        return plain, given

    def _with_objects(
        self,
        objects: ChannelObjects,
        fresh: Dict[str, object],
        given: Mapping[str, Sequence[Tuple[str, object]]],
        at: Optional[Tuple[int, Tuple[str, ...]]],
        consumed: Iterable[str],
    ) -> Folded:
        """Add what a step changes in the channel objects, each of which gets all of its values at once."""
        folded = Folded(fresh)
        try:
            objects.fold(folded, {key: [value for _, value in pairs] for key, pairs in given.items()}, consumed)
        except ChannelObjectError as failure:
            raise _located(failure, given, at) from failure.error.__cause__
        return folded

    def finish(self, fresh: Folded) -> None:
        """Tell the channel objects that nothing else is due in the run, and store what that changes.

        Args:
            fresh: What `fold` returned for the last step, to which the changes are added.
        """
        assert self._objects is not None
        try:
            self._objects.finish(fresh)
        except ChannelObjectError as failure:
            raise _located(failure, {}, None) from failure.error.__cause__
        self.store(fresh)

    def replay(self, writes: Writes) -> None:
        """Apply writes that have been applied before, one after the other: of several to a plain key the last counts.

        Args:
            writes: The writes, of several steps or commands.
        """
        for write in writes:
            self.store(self.fold([("", [write])]))

    def store(self, fresh: Mapping[str, object]) -> None:
        """Store the values that `fold` returned."""
        if self.changes is not None:
            self.changes.stored(fresh, self.values)
        if type(fresh) is Folded:
            self._store_objects(fresh)
        elif fresh:
            self.written = True
        if not fresh:
            return
        known = len(self.values)
        self.values.update(fresh)
        for key, value in fresh.items():
            if type(value) in COPIES:
                self._containers.add(key)
                if len(cast("Sized", value)) < LARGE:
                    self._large.discard(key)
                else:
                    self._large.add(key)
            elif key in self._containers:
                self._containers.discard(key)
                self._large.discard(key)
        if known < len(self.values) and (known or type(fresh) is Folded):
            self.values = {key: self.values[key] for key in self._plan.channels if key in self.values}

    def _store_objects(self, fresh: Folded) -> None:
        assert self._objects is not None
        self._objects.current.update(fresh.objects)
        self.written = self.written or bool(fresh.written)
        for key in fresh.gone:
            self.values.pop(key, None)
            self._containers.discard(key)
            self._large.discard(key)


_REPLACING = (Overwrite, dict)
"""The types of written values that may replace the current one."""


def _first(channel: Channel, value: object) -> object:
    """Return a value that is stored without the reducer, in the form in which the reducer would store it."""
    return own(value if channel.prepare is None or value is None else channel.prepare(value))


def unwrap(value: object) -> Tuple[bool, object]:
    """Return whether `value` replaces the current one, and the value without its wrapper."""
    if isinstance(value, Overwrite):
        return True, value.value
    if type(value) is dict:
        # The two forms that an `Overwrite` has in JSON.
        if len(value) == 1 and "__overwrite__" in value:
            return True, value["__overwrite__"]
        if value.get("type") == "__overwrite__" and "value" in value:
            return True, value["value"]
    return False, value


def _reduced(channel: Channel, current: object, value: object, node: str) -> object:
    assert channel.reduce is not None
    try:
        if channel.pure:
            return channel.reduce(current, value)
        # It may change what it is given, and return that: what was handed out must stay as it is.
        reduced = channel.reduce(own(current), value)
        return own(reduced) if reduced is value else reduced
    except Exception as error:
        add_note(error, f"In the reducer of key {channel.key!r}, with what node {node!r} wrote.")
        raise


def _located(
    failure: ChannelObjectError,
    given: Mapping[str, Sequence[Tuple[str, object]]],
    at: Optional[Tuple[int, Tuple[str, ...]]],
) -> Exception:
    """Return the error of a channel object, with the key and the nodes that wrote to it."""
    nodes = [node for node, _ in given.get(failure.key, ())]
    by = f", with what {_nodes(nodes)} wrote" if nodes else ""
    add_note(failure.error, f"In the channel of key {failure.key!r}{by}.")
    if at is not None:
        locate(failure.error, ErrorLocation(nodes[-1] if nodes else "", *at))
    return failure.error


def _nodes(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return f"node {unique[0]!r}" if len(unique) == 1 else f"nodes {', '.join(map(repr, unique))}"


def _two_writes(key: str, first: str, second: str) -> InvalidUpdateError:
    who = f"node {first!r} writes it twice" if first == second else f"nodes {first!r} and {second!r} both write it"
    return InvalidUpdateError(
        f"At key {key!r}: Can receive only one value per step, but {who}",
        key=key,
        hint="To combine several values, give the key a reducer: Annotated[..., reducer].",
    )


def _two_overwrites(key: str, first: str, second: str) -> InvalidUpdateError:
    return InvalidUpdateError(
        f"Can receive only one Overwrite value per super-step, but nodes {first!r} and {second!r} both overwrite",
        key=key,
        hint="Let one of them write through the reducer, or put them in different steps.",
    )


def as_view(writes: Writes) -> object:
    """Return writes in the form of the `updates` mode.

    A mapping, or `None` if there are no writes; if a key was written more than once, a list with one mapping per write;
    for a state that is one value, that value.
    """
    if not writes:
        return None
    if writes[0][0] in BARE_KEYS:
        return own(writes[-1][1]) if len(writes) == 1 else [own(value) for _, value in writes]
    merged = {key: own(value) if type(value) in COPIES else value for key, value in writes}
    if len(merged) == len(writes):
        return merged
    return [{key: own(value)} for key, value in writes]


def as_result(writes: Writes) -> Dict[str, object]:
    """Return writes in the form of a task's `result`: several to one key under `$writes`."""
    result: Dict[str, object] = {}
    several: Dict[str, List[object]] = {}
    for key, value in writes:
        if key in result:
            several.setdefault(key, [result[key]]).append(own(value))
        else:
            result[key] = own(value) if type(value) in COPIES else value
    result.update({key: {"$writes": values} for key, values in several.items()})
    return result
