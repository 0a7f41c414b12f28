"""Types of the JSON that is received and sent."""

from __future__ import annotations

from typing import Any, Dict

Body = Dict[str, Any]
"""A request body, as passed to the user's functions: any JSON object sent by a client."""

JsonObject = Dict[str, object]
"""A JSON object created by the server, or one whose fields are checked before use."""
