"""The drivers: two ways to wait.

They start tasks, feed their ends to the run and hand out chunks; they decide nothing.
"""
