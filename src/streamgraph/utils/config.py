"""Helpers for configs; `get_config` and `get_store` are those of `streamgraph.config`, at an older place."""

from __future__ import annotations

from streamgraph._langchain.config_helpers import ensure_config, patch_configurable
from streamgraph.config import get_config, get_store

__all__ = ["ensure_config", "get_config", "get_store", "patch_configurable"]
