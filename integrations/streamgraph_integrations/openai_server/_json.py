"""The types of the JSON that is read from the wire and written to it."""

from __future__ import annotations

from typing import Any, Dict

Body = Dict[str, Any]
"""The body of a request, as the user's own functions see it: whatever JSON a client has sent."""

JsonObject = Dict[str, object]
"""A JSON object that the server makes, or one whose fields it tests before it uses them."""
