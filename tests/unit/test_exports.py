"""What the public modules offer is what they say they offer."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import streamgraph
import streamgraph_integrations

NEEDED = {
    "dbos_runs": "dbos",
    "demo": "langchain_openai",
    "openai": "langchain_openai",
    "ray_nodes": "ray",
    "redis_events": "redis",
}
"""What some integrations need; its absence is skipped with its name."""


def modules():
    """The names of all public modules."""
    for package in (streamgraph, streamgraph_integrations):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if "._" not in found.name:
                yield found.name


@pytest.mark.parametrize("name", sorted(modules()))
def test_all(name):
    """The names of `__all__` exist, and whatever public is made in the module is among them."""
    package, _, inside = name.partition(".")
    needed = NEEDED.get(inside.partition(".")[0]) if package == "streamgraph_integrations" else None
    if needed is not None:
        pytest.importorskip(needed)
    module = importlib.import_module(name)
    made = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name and hasattr(value, "__qualname__")
    }
    offered = getattr(module, "__all__", [])
    assert made - set(offered) == set()
    assert len(offered) == len(set(offered))
    assert [key for key in offered if not hasattr(module, key)] == []
