"""Which savers a command line can name."""

from __future__ import annotations

import pytest

from streamgraph.errors import UnknownOptionError
from streamgraph.named import saver_named, store_named


def test_savers() -> None:
    for name in ("memory", "sqlite:x.db", "postgres://me@host/db", "postgres:host=/tmp"):
        assert callable(saver_named(name))
    for name in ("redis:x", "sqlite:", "sqlite"):
        with pytest.raises(UnknownOptionError, match="no checkpointer"):
            saver_named(name)


def test_stores() -> None:
    for name in ("memory", "sqlite:x.db", "postgres://me@host/db", "postgres:host=/tmp"):
        assert callable(store_named(name))
    for name in ("redis:x", "sqlite:", "sqlite"):
        with pytest.raises(UnknownOptionError, match="no store"):
            store_named(name)
