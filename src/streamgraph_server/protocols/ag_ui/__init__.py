"""AG-UI, the protocol of CopilotKit and others."""

from streamgraph_server.protocols.ag_ui.encoder import AgUiEncoder
from streamgraph_server.protocols.ag_ui.routes import routes

__all__ = ["AgUiEncoder", "routes"]
