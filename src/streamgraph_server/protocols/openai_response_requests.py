"""What clients of the Responses API ask for: the messages, and what the response repeats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Mapping, Optional, cast

from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, object_in, text_in
from streamgraph_server.protocols.openai_requests import ObjectFormat


@dataclass(frozen=True)
class About:
    """What a client has asked for beside the messages.

    Attributes:
        wanted: The object that it wants instead of text.
        instructions: Its instructions.
        metadata: What it has noted about the response.
    """

    wanted: Optional[ObjectFormat] = None
    instructions: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def remarks(self) -> Fields:
        """The same as JSON."""
        required = None if self.wanted is None else list(self.wanted.required)
        return {"required": required, "instructions": self.instructions, "metadata": dict(self.metadata)}

    @classmethod
    def of(cls, remarks: Fields) -> About:
        """Return what `remarks` says; nothing if another protocol has begun the run."""
        required = cast("Optional[List[str]]", remarks.get("required"))
        wanted = None if required is None else ObjectFormat(tuple(required))
        return cls(wanted, text_in(remarks, "instructions"), object_in(remarks, "metadata"))


def read_items(given: object, instructions: str) -> List[Fields]:
    """Return the input of a response as messages.

    Raises:
        HTTPException: It has items that are no messages.
    """
    found: List[Fields] = [{"role": "system", "content": instructions}] if instructions else []
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise refusal(422, "input must be a text or a list of items.")
    for item in items:
        if item.get("type") == "reasoning":
            continue
        if item.get("type", "message") != "message":
            raise refusal(422, f"Items of type {str(item.get('type'))[:80]!r} are not supported: the tools are inside.")
        content = item.get("content")
        if isinstance(content, list):
            content = "".join(text_in(block, "text") for block in content if isinstance(block, dict))
        role = text_in(item, "role")
        found.append({"role": "system" if role == "developer" else role, "content": content})
    return found
