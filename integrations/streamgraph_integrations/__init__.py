"""Pieces that connect streamgraph with one outside system each; import the module of the system you use."""
