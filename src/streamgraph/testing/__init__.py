"""A loopback server that speaks OpenAI's chat completions, for demos and tests without a key or a network."""

from __future__ import annotations

from ._handler import Request
from ._reply import Reply, ReplySource, ToolCall
from ._server import OpenAIServer

__all__ = ["OpenAIServer", "Reply", "ReplySource", "Request", "ToolCall"]
