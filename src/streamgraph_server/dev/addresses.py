"""What `streamgraph dev` says of where a graph can be reached: one line for each protocol."""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Sequence, Tuple

ADDRESSES: Mapping[str, Tuple[str, str]] = {
    "langgraph": ("LangGraph SDK", '{url}   assistant "{graph}"'),
    "ui-messages": ("AI SDK", "{url}/chat/{graph}"),
    "ag-ui": ("AG-UI", "{url}/agui/{graph}"),
    "openai": ("OpenAI", '{url}/v1   model "{graph}"'),
}
"""How each protocol is called, and where it is. A protocol that is not here shares the address of one that is."""


def lines_of(url: str, graphs: Sequence[str], protocols: Collection[str], *, page: bool) -> List[str]:
    """Return the lines that say where the graphs are.

    Args:
        url: The address of the server, without a slash at its end.
        graphs: Their names; the first one is shown in the addresses.
        protocols: The names of the protocols that are served.
        page: Whether there is a page to look at.
    """
    found: Dict[str, str] = {"in the browser": f"{url}/"} if page else {}
    found["in a terminal"] = f"streamgraph run {graphs[0]} --url {url}"
    for name in protocols:
        if name in ADDRESSES:
            label, where = ADDRESSES[name]
            found[label] = where.format(url=url, graph=graphs[0])
    width = max(len(label) for label in found)
    lines = [f"  {label:<{width}}   {where}" for label, where in found.items()]
    others = ", ".join(graphs[1:])
    return [*lines, f"  also: {others}"] if others else lines
