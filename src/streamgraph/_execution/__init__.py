"""One run of one graph, and the tasks in it: opening and closing, retries, the cache, tasks called in tasks."""
