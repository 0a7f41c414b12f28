"""The picture of a graph as SVG, drawn here: no network, no script, names of nodes escaped."""

from __future__ import annotations

from html import escape
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from streamgraph.watching._layout import Edge, Point, Size, layout_of
from streamgraph.watching._safe import clipped, safe_line, width_of

_LETTER = 7.4
"""The width of a letter of the font in pixels, about."""

_LONGEST = 40
_HEIGHT = 34.0
_MARGIN = 14.0
_TITLE = 24.0

# Colours that can be read on white and on black, since a picture in a notebook does not know the theme.
_STYLE = """\
.sgg{font:13px ui-monospace,Menlo,Consolas,monospace}
.sgg .node{fill:#e7effd;stroke:#4879c9;stroke-width:1.3}
.sgg .end{fill:#e3f3e6;stroke:#4a9a5b;stroke-width:1.3}
.sgg text{fill:#16233b;text-anchor:middle;dominant-baseline:central}
.sgg .group{fill:#80808014;stroke:#818b98;stroke-width:1.2;stroke-dasharray:4 3}
.sgg .note{fill:#818b98;font-size:11.5px}
.sgg path{fill:none;stroke:#818b98;stroke-width:1.4}
.sgg .maybe{stroke-dasharray:5 4}
.sgg marker path{fill:#818b98;stroke:none}
"""


class GraphShape(NamedTuple):
    """What a picture shows of a graph.

    Attributes:
        nodes: The names of its nodes, in their order; `__start__` and `__end__` among them.
        edges: Its edges.
        inside: The graphs in nodes of it, by the names of these nodes.
    """

    nodes: Sequence[str]
    edges: Sequence[Edge]
    inside: Mapping[str, GraphShape] = {}


def graph_svg(shape: GraphShape, title: str = "graph") -> str:
    """Return the picture of a graph as an SVG document.

    Args:
        shape: The graph.
        title: What it is called, for people who hear the picture.
    """
    body, (width, height) = _drawn(shape)
    whole = (width + 2 * _MARGIN, height + 2 * _MARGIN)
    nodes = ", ".join(safe_line(name).strip("_") for name in shape.nodes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sgg" role="img" width="{whole[0]:.0f}" height="{whole[1]:.0f}"'
        f' viewBox="0 0 {whole[0]:.1f} {whole[1]:.1f}"><title>{_e(safe_line(title))}</title><desc>{_e(nodes)}</desc>'
        f"<style>{_STYLE}</style>{_ARROW}"
        f'<g transform="translate({_MARGIN},{_MARGIN})">{body}</g></svg>'
    )


def _drawn(shape: GraphShape) -> Tuple[str, Size]:
    """Return the elements of a graph, and its size."""
    inner: Dict[str, str] = {}
    sizes: Dict[str, Size] = {}
    for name in shape.nodes:
        nested = shape.inside.get(name)
        label = _label(name)
        sizes[name] = (max(width_of(label) * _LETTER + 26, 46.0), _HEIGHT)
        if nested is not None:
            inner[name], (width, height) = _drawn(nested)
            sizes[name] = (max(width + 2 * _MARGIN, sizes[name][0]), height + _TITLE + _MARGIN)
    known = [edge for edge in shape.edges if edge.source in sizes and edge.target in sizes]
    layout = layout_of(sizes, known)
    parts: List[str] = []
    right = layout.size[0]
    for edge, points in zip(known, layout.paths):
        if len(points) == 1:
            (x, y), (width, _) = points[0], sizes[edge.source]
            right = max(right, x + width / 2 + 34)
            parts.append(_edge(edge, f"M{x + width / 2:.1f} {y - 7:.1f}c34 -16 34 30 2 14", (x + width / 2 + 30, y)))
        else:
            parts.append(_edge(edge, _curve(points), _middle(points)))
    for name in shape.nodes:
        parts.append(_node(name, layout.centres[name], sizes[name], inner.get(name)))
    return "".join(parts), (right, layout.size[1])


def _node(name: str, centre: Point, size: Size, inner: Optional[str]) -> str:
    (x, y), (width, height) = centre, size
    left, top = x - width / 2, y - height / 2
    box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
    label = _e(_label(name))
    if inner is not None:
        return (
            f'<rect class="group" {box} rx="10"/><text class="note" x="{x:.1f}" y="{top + 13:.1f}">{label}</text>'
            f'<g transform="translate({left + _MARGIN:.1f},{top + _TITLE:.1f})">{inner}</g>'
        )
    is_end = name in ("__start__", "__end__")
    kind, radius = ("end", height / 2) if is_end else ("node", 8.0)
    full = f"<title>{_e(safe_line(name))}</title>" if _label(name) != safe_line(name) and not is_end else ""
    return f'<g>{full}<rect class="{kind}" {box} rx="{radius:.0f}"/><text x="{x:.1f}" y="{y:.1f}">{label}</text></g>'


def _edge(edge: Edge, path: str, middle: Point) -> str:
    kind = ' class="maybe"' if edge.conditional else ""
    drawn = f'<path{kind} d="{path}" marker-end="url(#sgg-arrow)"/>'
    if not edge.label:
        return drawn
    label = _e(clipped(safe_line(edge.label), _LONGEST))
    return f'{drawn}<text class="note" x="{middle[0]:.1f}" y="{middle[1]:.1f}">{label}</text>'


def _curve(points: Sequence[Point]) -> str:
    """Return a smooth path through points, which leaves and enters each of them straight up or down."""
    (x, y), *rest = points
    path = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in rest:
        half = (y + next_y) / 2
        path.append(f"C{x:.1f} {half:.1f} {next_x:.1f} {half:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return "".join(path)


def _middle(points: Sequence[Point]) -> Point:
    (x, y), (other_x, other_y) = points[len(points) // 2 - 1], points[len(points) // 2]
    return (x + other_x) / 2, (y + other_y) / 2


def _label(name: str) -> str:
    shown = {"__start__": "start", "__end__": "end"}.get(name, safe_line(name))
    return clipped(shown, _LONGEST)


def _e(text: str) -> str:
    return escape(text, quote=True)


_ARROW = (
    '<defs><marker id="sgg-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker></defs>'
)
