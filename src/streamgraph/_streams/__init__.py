"""Streams: parts, modes, filters, audiences, routing, formats, flow control, cancellation."""
