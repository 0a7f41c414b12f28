"""The programs here are checked by mypy and pyright; where one of them is missing there is nothing to run."""

from __future__ import annotations

from importlib.util import find_spec
from typing import List

TOOLS = ("mypy", "basedpyright", "langgraph")

missing = [name for name in TOOLS if find_spec(name) is None]
collect_ignore = ["test_types.py"] if missing else []


def pytest_report_collectionfinish() -> List[str]:
    """Say why there are no tests here: at the end of the collection, for the header is printed before this is read."""
    return (
        [f"tests/typing: left out, for there is no {' and no '.join(missing)} in this environment"] if missing else []
    )
