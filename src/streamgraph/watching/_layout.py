"""Where the nodes and edges of a picture are: in rows from the start to the end, each edge a chain of points."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

Size = Tuple[float, float]
Point = Tuple[float, float]

GAP_X = 28.0
GAP_Y = 46.0
"""The space between two nodes of a row, and between two rows, in pixels."""

_LANE = 16.0
"""The width that an edge takes in a row that it passes."""

_SWEEPS = 4


class Edge(NamedTuple):
    """An edge.

    Attributes:
        source: The node that it leaves.
        target: The node that it leads to.
        label: What is written at it.
        conditional: It is taken only sometimes.
    """

    source: str
    target: str
    label: str = ""
    conditional: bool = False


class Layout(NamedTuple):
    """Where everything is, in pixels from the upper left corner.

    Attributes:
        centres: The centre of each node.
        paths: The points of each edge, in the order of the edges, from its source to its target; a loop has one.
        size: The width and the height of the whole.
    """

    centres: Mapping[str, Point]
    paths: Sequence[Sequence[Point]]
    size: Size


def layout_of(sizes: Mapping[str, Size], edges: Sequence[Edge]) -> Layout:
    """Lay out a graph.

    Nodes are in rows by their longest way from a node without an edge to it; an edge that closes a cycle goes back up.
    In each row the nodes are where those that they are connected with are, as far as that goes.

    Args:
        sizes: The nodes with their sizes, in the order in which they were added.
        edges: The edges.
    """
    back = _back_edges(list(sizes), edges)
    ends = [
        (edge.target, edge.source) if place in back else (edge.source, edge.target) for place, edge in enumerate(edges)
    ]
    ranks = _ranks(list(sizes), [pair for pair in ends if pair[0] != pair[1]])
    rows: List[List[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for name in sizes:
        rows[ranks[name]].append(name)
    chains: List[List[str]] = []
    widths = {name: size[0] for name, size in sizes.items()}
    for place, (upper, lower) in enumerate(ends):
        chain = [upper]
        for rank in range(ranks[upper] + 1, ranks[lower]):
            lane = f"\0{place}:{rank}"  # no name of a node begins like that
            rows[rank].append(lane)
            widths[lane] = _LANE
            chain.append(lane)
        chains.append(chain if upper == lower else [*chain, lower])
    _sort(rows, chains)
    return _placed(rows, widths, sizes, chains, back)


def _back_edges(names: Sequence[str], edges: Sequence[Edge]) -> Set[int]:
    """Return the places of the edges that close a cycle, found from the first nodes on."""
    leaving: Dict[str, List[Tuple[int, str]]] = {name: [] for name in names}
    entered = {edge.target for edge in edges if edge.source != edge.target}
    for place, edge in enumerate(edges):
        leaving[edge.source].append((place, edge.target))
    state: Dict[str, int] = {}
    found: Set[int] = set()
    for first in [*(name for name in names if name not in entered), *names]:
        if first in state:
            continue
        state[first] = 1
        stack = [(first, iter(leaving[first]))]
        while stack:
            name, left = stack[-1]
            step = next(left, None)
            if step is None:
                state[name] = 2
                stack.pop()
            elif state.get(step[1]) == 1:
                if step[1] != name:
                    found.add(step[0])
            elif step[1] not in state:
                state[step[1]] = 1
                stack.append((step[1], iter(leaving[step[1]])))
    return found


def _ranks(names: Sequence[str], pairs: Sequence[Tuple[str, str]]) -> Dict[str, int]:
    """Return the row of each node; the pairs have no cycle."""
    below: Dict[str, List[str]] = {name: [] for name in names}
    waiting = dict.fromkeys(names, 0)
    for upper, lower in pairs:
        below[upper].append(lower)
        waiting[lower] += 1
    ranks = dict.fromkeys(names, 0)
    ready = [name for name in names if not waiting[name]]
    for name in ready:
        for lower in below[name]:
            ranks[lower] = max(ranks[lower], ranks[name] + 1)
            waiting[lower] -= 1
            if not waiting[lower]:
                ready.append(lower)
    return ranks


def _sort(rows: Sequence[List[str]], chains: Sequence[Sequence[str]]) -> None:
    """Sort each row by where its neighbours in the row above, or below, are: so that fewer edges cross."""
    above: Dict[str, List[str]] = {}
    below: Dict[str, List[str]] = {}
    for chain in chains:
        for upper, lower in zip(chain, chain[1:]):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for sweep in range(_SWEEPS):
        neighbours, order = (above, range(1, len(rows))) if sweep % 2 == 0 else (below, range(len(rows) - 2, -1, -1))
        for rank in order:
            beside = rows[rank - 1] if sweep % 2 == 0 else rows[rank + 1]
            places = {name: (place + 0.5) / len(beside) for place, name in enumerate(beside)}
            count = len(rows[rank])
            means = {}
            for place, name in enumerate(rows[rank]):
                found = [places[one] for one in neighbours.get(name, ()) if one in places]
                means[name] = sum(found) / len(found) if found else (place + 0.5) / count
            rows[rank].sort(key=means.__getitem__)


def _placed(
    rows: Sequence[Sequence[str]],
    widths: Mapping[str, float],
    sizes: Mapping[str, Size],
    chains: Sequence[Sequence[str]],
    back: Set[int],
) -> Layout:
    totals = [sum(widths[name] for name in row) + GAP_X * (len(row) - 1) for row in rows]
    whole = max(totals, default=0.0)
    centres: Dict[str, Point] = {}
    bands: Dict[str, Tuple[float, float]] = {}
    top = 0.0
    for row, total in zip(rows, totals):
        height = max((sizes[name][1] for name in row if name in sizes), default=0.0)
        left = (whole - total) / 2
        for name in row:
            centres[name] = (left + widths[name] / 2, top + height / 2)
            bands[name] = (top, top + height)
            left += widths[name] + GAP_X
        top += height + GAP_Y
    pairs = [(chain[0], chain[-1]) for chain in chains]
    paths: List[List[Point]] = []
    for place, chain in enumerate(chains):
        points = [centres[chain[0]]]
        if len(chain) > 1:
            # Two edges between the same nodes, such as there and back, run beside each other.
            same = [other for other, pair in enumerate(pairs) if pair == pairs[place]]
            shift = (same.index(place) - (len(same) - 1) / 2) * _LANE
            points = []
            for name in chain:
                # Inside a row it runs straight down, so that it crosses no node that is higher than others.
                x, y = centres[name]
                upper, lower = bands[name]
                half = sizes[name][1] / 2 if name in sizes else 0.0
                if name == chain[0]:
                    points += [(x + shift, y + half), (x + shift, lower)]
                elif name == chain[-1]:
                    points += [(x + shift, upper), (x + shift, y - half)]
                else:
                    points += [(x, upper), (x, lower)]
            points = [point for at, point in enumerate(points) if not at or point != points[at - 1]]
        paths.append(points[::-1] if place in back else points)
    return Layout({name: centres[name] for name in sizes}, paths, (whole, max(top - GAP_Y, 0.0)))
