"""What a command line says of where something is kept: `memory`, `sqlite:PATH` or `postgres:...`."""

from __future__ import annotations

from typing import NamedTuple

from streamgraph.errors import MissingPackageError, UnknownOptionError


class Place(NamedTuple):
    """Where something is kept.

    Attributes:
        kind: `"memory"`, `"sqlite"` or `"postgres"`.
        address: The path of the file, or the URL of the database.
    """

    kind: str
    address: str


def place_of(given: str, what: str) -> Place:
    """Return the place that a text stands for.

    Args:
        given: `"memory"`, `"sqlite:PATH"`, or `"postgres:..."`, a URL of PostgreSQL with or without slashes.
        what: What is kept there, for the error.

    Raises:
        UnknownOptionError: It stands for none.
    """
    kind, _, rest = given.partition(":")
    if kind == "memory":
        return Place(kind, "")
    if kind == "sqlite" and rest:
        return Place(kind, rest[2:] if rest.startswith("//") else rest)
    if kind in ("postgres", "postgresql") and rest:
        return Place("postgres", f"postgresql:{rest}" if rest.startswith("//") else rest)
    raise UnknownOptionError(
        f"There is no {what} {given!r:.100}", hint="Give memory, sqlite:PATH or postgres://USER@HOST/DATABASE."
    )


def missing(what: str, packages: str) -> MissingPackageError:
    """Return the error that the packages of a place are not installed."""
    return MissingPackageError(f"This {what} needs further packages", hint=f"Install them: pip install {packages}")
