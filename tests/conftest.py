"""What holds for every test: nothing of the machine that runs it has a say."""

from __future__ import annotations

import gc
import os
import sys
from collections import defaultdict
from typing import Dict, List

import pytest
from hypothesis import HealthCheck, settings

# The same commit gives the same answer each time. `--hypothesis-profile=default` draws others, to look for faults. How
# long an example takes says how busy the machine is.
settings.register_profile(
    "repeatable", derandomize=True, print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the cases of each test be thinned."""
    about = "run one in so many cases of each test, others on each Python, and at least one of every test"
    parser.addoption("--every", type=int, default=1, help=about)
    parser.addoption("--part", default="1/1", help="run a part of all tests: 2/3 is the second of three")


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Leave out cases, if asked to."""
    every = config.getoption("--every")
    part, parts = map(int, config.getoption("--part").split("/"))
    cases: Dict[str, List[pytest.Item]] = defaultdict(list)
    for item in items:
        cases[item.nodeid.split("[")[0]].append(item)
    groups = list(cases.values())[part - 1 :: parts]
    kept = {item for group in groups for item in group[sys.version_info[1] % min(every, len(group)) :: every]}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_collection_finish() -> None:
    """Keep what has been imported and collected out of the many collections that tests ask for."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no tracing and no key of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name)
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")
