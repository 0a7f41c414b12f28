"""Helpers for libraries that build on graphs, at the places where LangGraph has them."""
