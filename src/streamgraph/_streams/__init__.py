"""Streams: parts, modes, filters, subscribers, routing, formats, flow control, cancellation."""
