"""A server on loopback that speaks OpenAI's chat completions and Responses API, for demos and tests without a key."""

from __future__ import annotations

from ._handler import Request
from ._ids import IdScheme
from ._reply import Reply, ReplySource, ToolCall
from ._server import OpenAIServer

__all__ = ["IdScheme", "OpenAIServer", "Reply", "ReplySource", "Request", "ToolCall"]
