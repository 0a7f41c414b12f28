"""One run of one graph: its session, retries, the cache, and subtasks."""
