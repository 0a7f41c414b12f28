"""What holds for the tests of the ready-made nodes."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a warning pass that langchain-core silences itself, but not in several threads at once.

    langchain-core 0.3 asks langchain, where it is installed, for its debug flag, which warns.
    """
    item.add_marker(pytest.mark.filterwarnings("ignore:Importing .* from langchain root module:UserWarning"))
