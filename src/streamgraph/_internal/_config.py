"""Helpers for configs."""

from __future__ import annotations

from langchain_core.runnables.config import get_async_callback_manager_for_config, get_callback_manager_for_config

from streamgraph._langchain.config_helpers import ensure_config, merge_configs, patch_config, patch_configurable
from streamgraph._langchain.run_config import DEFAULT_RECURSION_LIMIT

__all__ = [
    "DEFAULT_RECURSION_LIMIT",  # tests of applications
    "ensure_config",  # langmem, tests of tools
    "get_async_callback_manager_for_config",  # Runnables of applications that trace themselves
    "get_callback_manager_for_config",  # Runnables of applications that trace themselves
    "merge_configs",  # libraries with their own compiled graphs
    "patch_config",  # libraries with their own compiled graphs
    "patch_configurable",  # langgraph-supervisor, langmem, tests of tools
]
