"""The version of this package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("streamgraph")
except PackageNotFoundError:  # run from a source folder that was never installed
    __version__ = ""
"""The installed version, as in `"0.1.0"`; empty if the package is not installed."""
