"""Helpers that libraries build on: configs of runs, and Runnables made of functions."""
