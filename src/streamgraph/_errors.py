"""The base of all errors: data about what happened, which renders itself."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Tuple

from streamgraph._closest import closest


class GraphError(Exception):
    """Base of all errors of this package.

    Args:
        what: The description of the error, a sentence without the final period.
        node: The node in which it happened or that it is about.
        key: The state key that it is about.
        step: The superstep in which it happened, counted from 1.
        name: The wrong name, if a name was wrong.
        known: The valid names.
        hint: Advice on how to fix it, a sentence.
    """

    __module__ = "streamgraph.errors"

    def __init__(
        self,
        what: str,
        *,
        node: Optional[str] = None,
        key: Optional[str] = None,
        step: Optional[int] = None,
        name: Optional[object] = None,
        known: Iterable[object] = (),
        hint: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.node = node
        self.key = key
        self.step = step
        self.name = name
        self.known = tuple(str(candidate) for candidate in known)
        self.hint = hint

    @property
    def suggestion(self) -> Optional[str]:
        """The valid name closest to a wrong one, or `None` if there is none."""
        return None if self.name is None else closest(self.name, self.known)

    def __str__(self) -> str:
        places = (("node", self.node), ("key", self.key), ("step", self.step))
        key_is_named = f"key {self.key!r}" in self.what
        where = [f"{kind} {at!r}" for kind, at in places if at is not None and not (kind == "key" and key_is_named)]
        text = self.what + (f" (at {', '.join(where)})" if where else "") + "."
        if self.suggestion is not None:
            text += f" Did you mean {self.suggestion!r}?"
        elif self.known:
            text += f" Known: {', '.join(map(repr, self.known[:20]))}{', …' if len(self.known) > 20 else ''}."
        return f"{text} {self.hint}".rstrip()

    def __reduce__(self) -> Tuple[object, ...]:
        return (_rebuild, (type(self), self.what, dict(self.__dict__)))


def _rebuild(cls: type, what: str, fields: dict) -> GraphError:  # type: ignore[type-arg]
    error: Any = cls.__new__(cls, what)
    error.__dict__.update(fields)
    return error  # type: ignore[no-any-return]
