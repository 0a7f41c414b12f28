"""Integrations of streamgraph with other systems, one module per system."""
