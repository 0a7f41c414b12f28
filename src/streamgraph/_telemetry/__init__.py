"""Spans and metrics through the API of OpenTelemetry, for programs that have set it up.

Only `switch` and `streams` are imported without need: they import nothing of OpenTelemetry.
"""
