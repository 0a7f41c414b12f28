"""`python -m streamgraph`: run an unchanged program that imports `langgraph`, on this package."""

from __future__ import annotations

from streamgraph.replacing._command import main

main()
