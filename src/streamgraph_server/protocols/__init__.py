"""The protocols of the server: each is a fold from the parts of a run to frames, and the paths that lead to it."""

from __future__ import annotations

from typing import Callable, Dict, List

from starlette.routing import BaseRoute

from streamgraph_server.protocols import ag_ui, langgraph, openai_chat, openai_responses, thread_stream, ui_messages
from streamgraph_server.service import Service

__all__ = ["PROTOCOLS"]

PROTOCOLS: Dict[str, Callable[[Service], List[BaseRoute]]] = {
    "langgraph": langgraph.routes,
    "thread-stream": thread_stream.routes,
    "ui-messages": ui_messages.routes,
    "ag-ui": ag_ui.routes,
    "openai": openai_chat.routes,
    "openai-responses": openai_responses.routes,
}
"""The protocols by name: for each, the function that returns its paths."""
