"""Hashes: LangGraph's where its package is there, else one of the same length."""

from __future__ import annotations

import sys

import pytest

from streamgraph._compat.hashes import xxh3_128_hex


def test_with_the_package():
    """The ids are LangGraph's."""
    pytest.importorskip("xxhash")
    assert xxh3_128_hex("") == "99aa06d3014798d86001c324468d497f"
    assert xxh3_128_hex("ask:1") != xxh3_128_hex("ask:2")


def test_without_the_package(monkeypatch):
    """The ids are as long, and as different."""
    monkeypatch.setitem(sys.modules, "xxhash", None)
    assert len(xxh3_128_hex("ask:1")) == 32
    assert xxh3_128_hex("ask:1") == xxh3_128_hex("ask:1") != xxh3_128_hex("ask:2")
