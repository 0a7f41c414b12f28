"""The superstep machine: decides what happens next, without waiting, clocks or I/O.

Events go in (`events`), effects come out (`effects`); `run` holds the state between them. Only the standard library is
used here, and nothing of it that waits.
"""
