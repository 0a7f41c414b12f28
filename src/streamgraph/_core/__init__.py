"""The superstep machine: decides what happens next, and cannot wait, look at a clock or do I/O.

Events go in (`_events`), commands come out (`_commands`); `_run` holds the state between them. Only the
standard library is used here, and of it nothing that waits.
"""
