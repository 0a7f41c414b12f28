"""Server on loopback with OpenAI's chat completions and Responses API, for demos and tests without a key."""

from __future__ import annotations

from streamgraph_integrations.openai_server._handler import Request
from streamgraph_integrations.openai_server._ids import IdScheme
from streamgraph_integrations.openai_server._reply import Reply, ReplySource, ToolCall
from streamgraph_integrations.openai_server._server import OpenAIServer

__all__ = ["IdScheme", "OpenAIServer", "Reply", "ReplySource", "Request", "ToolCall"]
