"""Nodes that write a little or let a model speak, sync and on a loop."""

from __future__ import annotations

from typing import Any, Dict

from streamgraph.config import get_stream_writer
from support.models import Model

MODEL = Model()


def write(state: Any) -> Dict[str, Any]:
    """Write a little."""
    get_stream_writer()("some")
    return {"value": "written"}


async def awrite(state: Any) -> Dict[str, Any]:
    """Write a little, on the loop."""
    get_stream_writer()("some")
    return {"value": "written"}


def speak(state: Any) -> Dict[str, Any]:
    """Let a model speak."""
    return {"value": MODEL.invoke("?").content}


async def aspeak(state: Any) -> Dict[str, Any]:
    """Let a model speak, on the loop."""
    return {"value": (await MODEL.ainvoke("?")).content}
