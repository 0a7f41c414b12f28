"""Where several processes share their runs, as a command line names it."""

from __future__ import annotations

from importlib import import_module

from streamgraph.errors import MissingPackageError, UnknownOptionError
from streamgraph.runs import SharedEvents


def events_named(given: str) -> SharedEvents:
    """Return what shares the events of runs between processes.

    Args:
        given: `"redis://HOST"`, `"rediss://HOST"` or `"unix://PATH"`, the URL of a Redis or Valkey server.

    Raises:
        UnknownOptionError: It stands for none.
        MissingPackageError: What it needs is not installed.
    """
    if given.partition("://")[0] not in ("redis", "rediss", "unix"):
        raise UnknownOptionError(f"There are no events at {given!r:.100}", hint="Give redis://HOST.")
    try:
        module = import_module("streamgraph_integrations.redis_events")
    except ImportError as error:
        raise MissingPackageError(
            "Events on Redis need a further package", hint='Install it: pip install "streamgraph[redis]"'
        ) from error
    try:
        events: SharedEvents = module.RedisEvents(given)
    except ValueError as error:
        raise UnknownOptionError(f"There are no events at {given!r:.100}", hint=f"{error}.") from error
    return events
