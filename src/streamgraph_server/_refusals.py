"""Answers to requests that are refused, and what clients get to read of errors."""

from __future__ import annotations

import re
from typing import Mapping, Optional

from starlette.exceptions import HTTPException

from streamgraph.errors import GraphError, closest
from streamgraph.serialization import RemoteError

LONGEST = 2000
"""The characters of an error's text that a client gets."""

_SECRETS = re.compile(
    r"(?i)\b(?:sk|pk|rk|xox[abprs]|gh[pousr]|glpat|lsv2|hf|aiza|akia)[-_a-z0-9]*[a-z0-9*]{8,}"  # keys by their prefix
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # the password in a URL
    r"|(?i:(?<=bearer )|(?<=basic ))[-a-z0-9._~+/=]{8,}"
)
_PATHS = re.compile(r"(?<![\w/:.])(?:/[\w.@-]+){2,}/?|\b[A-Za-z]:\\[^\s'\"]+")


def refusal(status: int, what: str, headers: Optional[Mapping[str, str]] = None) -> HTTPException:
    """Return the exception that refuses a request.

    Args:
        status: The HTTP status.
        what: Why, and what to do.
        headers: Further headers of the answer.
    """
    return HTTPException(status, what, dict(headers or {}))


def unknown(kind: str, name: object, known: object = ()) -> HTTPException:
    """Return the refusal of a name that does not exist, with the closest one that does.

    Args:
        kind: What the name is one of.
        name: The name.
        known: The names that exist and may be told.
    """
    near = closest(str(name), tuple(known))  # type: ignore[arg-type]
    return refusal(404, f"There is no {kind} {str(name)[:100]!r}." + (f" Did you mean {near!r}?" if near else ""))


def shown_message(error: BaseException) -> str:
    """Return what an exception says, without what looks like a key, a password or a path of the server."""
    if isinstance(error, RemoteError):  # of a class that is not known here: the client reads that beside it
        return shown_text(error.message or "")
    try:
        text = str(error)
    except Exception as failure:
        return f"(its str() raises {type(failure).__name__})"
    return shown_text(text)


def shown_text(text: str) -> str:
    """Return a text without what looks like a key, a password or a path of the server."""
    return _PATHS.sub("<path>", _SECRETS.sub("<secret>", text))[:LONGEST]


def refused_input(error: Exception) -> HTTPException:
    """Return the refusal of a request that a graph has refused."""
    what = shown_message(error) if isinstance(error, (GraphError, TypeError, ValueError)) else type(error).__name__
    return refusal(422, what)
