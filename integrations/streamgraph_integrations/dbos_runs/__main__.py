"""`python -m streamgraph_integrations.dbos_runs module:runs`: a worker."""

from __future__ import annotations

from streamgraph_integrations.dbos_runs._command import main

main()
