"""What a client of the thread stream wants: channels, namespaces, nodes and tags."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, cast

from streamgraph.errors import closest
from streamgraph_server._reading import Filters
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, number_in, texts_in
from streamgraph_server.protocols.thread_stream.events import GAP, Namespace

CHANNELS = ("values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom")
"""What clients may ask for, beside `custom:NAME`."""

DEEPEST = 1000
_NAMED = "custom:"


class Wanted:
    """Tells which events a client wants.

    Args:
        channels: The channels; with `custom` also all named ones.
        namespaces: Only namespaces that begin with one of these; `None` for all. A level without a task's id stands for
            all tasks of the node.
        depth: How many levels below these; `None` for all. Without `namespaces` it means nothing.
        filters: Rules about nodes and tags; see `filters_of`. Events of `lifecycle`, `input`, `values` and
            `checkpoints` come from no node.
    """

    def __init__(
        self,
        channels: Sequence[str],
        namespaces: Optional[Sequence[Namespace]] = None,
        depth: Optional[int] = None,
        filters: Optional[Filters] = None,
    ) -> None:
        self._channels = frozenset(channels)
        self._namespaces = namespaces
        self._depth = depth
        self._filters = cast("Optional[Mapping[str, Sequence[str]]]", filters)
        self._known: Dict[Tuple[str, Namespace], bool] = {}

    def __call__(self, channel: str, ns: Namespace, node: Optional[str], tags: Sequence[str]) -> bool:
        """Return whether the client wants an event."""
        place = (channel, ns)
        wanted = self._known.get(place)
        if wanted is None:
            wanted = self._known[place] = channel == GAP or (self._has(channel) and self._reaches(ns))
        if not wanted or node is None or self._filters is None:
            return wanted
        return self._passes("nodes", (node,)) and (channel != "messages" or self._passes("tags", tags))

    def _has(self, channel: str) -> bool:
        return channel in self._channels or (channel.startswith(_NAMED) and "custom" in self._channels)

    def _reaches(self, ns: Namespace) -> bool:
        if not self._namespaces:
            return True
        depth = self._depth
        return any(
            _begins(ns, prefix) and (depth is None or len(ns) - len(prefix) <= depth) for prefix in self._namespaces
        )

    def _passes(self, kind: str, names: Sequence[str]) -> bool:
        filters = self._filters or {}
        include = filters.get(f"include_{kind}")
        if _fit(names, filters.get(f"exclude_{kind}") or ()):
            return False
        return include is None or _fit(names, include)


def _begins(ns: Namespace, prefix: Namespace) -> bool:
    if len(prefix) > len(ns):
        return False
    pairs = zip(ns, prefix)
    return all(level == wanted or (":" not in wanted and level.partition(":")[0] == wanted) for level, wanted in pairs)


def _fit(names: Sequence[str], patterns: Sequence[str]) -> bool:
    # A name may itself look like a pattern.
    return any(name == pattern or fnmatchcase(name, pattern) for name in names for pattern in patterns)


def read_wanted(body: Mapping[str, object], filters: Filters) -> Wanted:
    """Return what a client asks for in the body of its request.

    Args:
        body: The body, with `channels` and maybe `namespaces` and `depth`.
        filters: What it asks for in the query.

    Raises:
        HTTPException: A channel does not exist, or something else is no such value.
    """
    channels = texts_in(body, "channels")
    if not channels:
        raise refusal(422, f"channels must name at least one of: {', '.join(CHANNELS)}.")
    for channel in channels:
        if channel not in CHANNELS and not (channel.startswith(_NAMED) and len(channel) > len(_NAMED)):
            near = closest(channel, CHANNELS)
            hint = f" Did you mean {near!r}?" if near else f" There are {', '.join(CHANNELS)}, and custom:NAME."
            raise refusal(422, f"There is no channel {channel[:80]!r}.{hint}")
    depth = None if body.get("depth") is None else number_in(body, "depth", 0, DEEPEST)
    return Wanted(channels, _namespaces(body), depth, filters or None)


def _namespaces(body: Mapping[str, object]) -> Optional[List[Namespace]]:
    given = body.get("namespaces")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(ns, list) for ns in given):
        raise refusal(422, "namespaces must be a list of lists of texts.")
    return [read_namespace(cast("Fields", {"namespaces": ns}), "namespaces") for ns in given]


def read_namespace(body: Mapping[str, object], key: str = "namespace") -> Namespace:
    """Return the namespace under a key of a body; that of the root if there is none."""
    return tuple(texts_in(body, key))
