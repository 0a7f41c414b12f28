"""What langgraph-checkpoint 2, the last on Python 3.9, makes langchain-core say when it is imported."""

from __future__ import annotations

import re

_SAID = re.compile(
    r"[^\n]*LangChainPendingDeprecationWarning: The default value of `allowed_objects`[^\n]*\n  [^\n]*\n"
)


def without_its_warning(stderr: str) -> str:
    """Return what a program has said besides."""
    return _SAID.sub("", stderr)
