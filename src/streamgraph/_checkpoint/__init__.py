"""Saved runs: the stored form, which is LangGraph's, and the savers of the `langgraph-checkpoint` family."""
