"""The graphs that queued runs name, which are made where they are first needed."""

from __future__ import annotations

from threading import RLock
from typing import Callable, Dict, Mapping, Tuple, Union

from streamgraph.errors import UnknownOptionError
from streamgraph.named import load_graphs
from streamgraph.pregel import Pregel

GraphSource = Union[Pregel, str, Callable[[], Pregel]]
"""A graph, the place of one, `"module:name"`, or a function that makes it."""


class Graphs:
    """Graphs by name.

    Args:
        given: What the graphs are made of.

    Raises:
        UnknownOptionError: There is none.
    """

    def __init__(self, given: Mapping[str, GraphSource]) -> None:
        if not given:
            raise UnknownOptionError("There is no graph to run", hint='Give a dict: {"agent": "module:graph"}.')
        self._given = dict(given)
        self._made: Dict[str, Pregel] = {}
        self._making = RLock()

    @property
    def names(self) -> Tuple[str, ...]:
        """The names."""
        return tuple(self._given)

    def check(self, name: str) -> None:
        """Raise UnknownOptionError if there is no graph of a name."""
        if name not in self._given:
            raise UnknownOptionError(f"There is no graph {name!r}", name=name, known=self._given)

    def get(self, name: str) -> Pregel:
        """Return a graph.

        Raises:
            UnknownOptionError: There is none of this name, or none where it should be.
            TypeError: What was given is no graph.
        """
        self.check(name)
        with self._making:
            if name not in self._made:
                self._made[name] = _made(name, self._given[name])
            return self._made[name]


def _made(name: str, source: GraphSource) -> Pregel:
    found: object = source
    if isinstance(source, str):
        graphs = load_graphs(source)
        if len(graphs) > 1 and name not in graphs:
            raise UnknownOptionError(f"{source} has several graphs, and none is {name!r}", name=name, known=graphs)
        found = graphs[name] if name in graphs else next(iter(graphs.values()))
    elif not isinstance(source, Pregel) and callable(source):
        found = source()
    if not isinstance(found, Pregel):
        hint = " Compile it first." if hasattr(found, "compile") else ""
        raise TypeError(f"{name!r} is {found!r:.100}, not a graph of streamgraph.{hint}")
    return found
