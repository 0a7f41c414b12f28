"""The UI message stream of Vercel's AI SDK: `useChat`, versions 6 and 7."""

from streamgraph_server.protocols.ui_messages.encoder import UIMessageEncoder
from streamgraph_server.protocols.ui_messages.routes import routes

__all__ = ["UIMessageEncoder", "routes"]
