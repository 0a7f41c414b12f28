"""Which threads a client looks for, in which order, and what it wants to know of them."""

from __future__ import annotations

import json
from typing import List, Mapping, Sequence, cast

from streamgraph.serialization import to_json
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, object_in, text_in, texts_in
from streamgraph_server.protocols.langgraph.shapes import thread_metadata
from streamgraph_server.threads import Thread


class ThreadSearch:
    """What the body of a search asks for.

    Args:
        body: The body, which has been checked; see `ThreadSearchBody`.

    Attributes:
        needs_state: Whether threads can only be chosen or sorted by their state, which has to be read for it.

    Raises:
        HTTPException: It asks for what is not supported.
    """

    def __init__(self, body: Mapping[str, object]) -> None:
        self._metadata, self._values = object_in(body, "metadata"), object_in(body, "values")
        self._ids = None if body.get("ids") is None else frozenset(texts_in(body, "ids"))
        self._status = text_in(body, "status")
        self._by = text_in(body, "sort_by", "updated_at")
        self._falls = text_in(body, "sort_order", "desc") == "desc"
        self._select = texts_in(body, "select")
        if body.get("extract") is not None:
            raise refusal(422, "extract is not supported here: select the values, and take out of them what is needed.")
        self.needs_state = bool(self._status or self._values or self._by == "status")

    def fits(self, thread: Thread) -> bool:
        """Return whether a thread fits, as far as can be said without its state."""
        return (self._ids is None or thread.id in self._ids) and _has(thread_metadata(thread), self._metadata)

    def fits_shape(self, shape: Fields) -> bool:
        """Return whether the state of a thread fits as well."""
        if self._status not in ("", shape["status"]):
            return False
        values = shape["values"] if self._values else None
        if not isinstance(values, dict):
            return not self._values
        return _has({key: json.loads(to_json(values.get(key))) for key in self._values}, self._values)

    def sorted(self, shapes: Sequence[Fields]) -> List[Fields]:
        """Return threads in the order that is asked for."""
        return sorted(shapes, key=lambda shape: cast("str", shape[self._by]), reverse=self._falls)

    def sorted_threads(self, threads: Sequence[Thread]) -> List[Thread]:
        """Return threads in the order that is asked for, where it does not need their state."""
        keys = {"created_at": lambda thread: thread.created, "thread_id": lambda thread: thread.id}
        key = keys.get(self._by, lambda thread: thread.updated)
        return sorted(threads, key=key, reverse=self._falls)

    def selected(self, shapes: Sequence[Fields]) -> List[Fields]:
        """Return threads with the fields that are asked for."""
        if not self._select:
            return list(shapes)
        return [{key: shape[key] for key in ("thread_id", *self._select)} for shape in shapes]


def _has(fields: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return all(key in fields and fields[key] == value for key, value in wanted.items())
