"""What can go wrong when `langgraph` is replaced."""

from __future__ import annotations

from typing import Iterable, Optional, Sequence, Tuple

from streamgraph.errors import GraphError, closest

_SHOWN = 5


class ReplacedTooLateError(GraphError, RuntimeError):
    """Modules of the real LangGraph are loaded already, so `langgraph` cannot be replaced any more.

    Nothing has been changed.

    Args:
        modules: The modules of LangGraph that are loaded.
        importers: The modules that use them, in the order in which they were imported; `"__main__"` is the program.
    """

    def __init__(self, modules: Sequence[str], importers: Sequence[str]) -> None:
        users = _listed(["this program itself" if name == "__main__" else name for name in importers])
        later = f"Move the imports of {users} below the call" if users else "Import what needs langgraph after the call"
        super().__init__(
            f"replace_langgraph() was called too late: {_listed(modules)} of the real LangGraph are loaded already"
            + (f", used by {users}" if users else ""),
            hint=f"{later}, or start the program with `python -m streamgraph` or the tests with "
            "`pytest -p streamgraph.pytest_plugin`.",
        )
        self.modules = tuple(modules)
        self.importers = tuple(importers)


class MissingModuleError(GraphError, ModuleNotFoundError):  # type: ignore[misc]  # each has a `name`: the same one
    """A module of LangGraph was imported by name, and this package, which stands in its place, does not have it.

    Args:
        name: The full name of the module, as it was imported.
        known: The full names of the modules that exist beside it.
        hint: Advice on how to fix it, a sentence.
    """

    def __init__(self, name: str, known: Iterable[str] = (), hint: str = "") -> None:
        super().__init__(
            f"No module named {name!r}: langgraph is replaced by streamgraph, which does not have it",
            name=name,
            known=known,
            hint=hint,
        )

    @property
    def suggestion(self) -> Optional[str]:
        """The name beside it whose last level is the closest, or `None` if there is none."""
        tails = {name.rpartition(".")[2]: name for name in self.known}
        found = closest(str(self.name).rpartition(".")[2], tails)
        return None if found is None else tails.get(found)

    def __reduce__(self) -> Tuple[type, Tuple[str, Tuple[str, ...], str]]:
        return (type(self), (str(self.name), self.known, self.hint))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
