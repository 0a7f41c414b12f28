"""UI messages as `useChat` sends them: what they are in LangChain, and what a person has said about tool calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterator, List, Mapping, Optional, cast

from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, text_in, texts_in
from streamgraph_server.protocols.approvals import Verdict
from streamgraph_server.protocols.conversation import verdict_in


@dataclass(frozen=True)
class Reply:
    """What the message that is streamed has to do with those of the client.

    Attributes:
        message_id: The message of the client that it goes on with; empty for a new one.
        known: The tool calls in that message.
        denied: Those that a person has refused.
    """

    message_id: str = ""
    known: FrozenSet[str] = field(default_factory=frozenset)
    denied: FrozenSet[str] = field(default_factory=frozenset)

    @property
    def remarks(self) -> Fields:
        """The same as JSON."""
        return {"message_id": self.message_id, "known": sorted(self.known), "denied": sorted(self.denied)}

    @classmethod
    def of(cls, remarks: Fields) -> Reply:
        """Return what `remarks` says; a new message if another protocol has begun the run."""
        known, denied = (frozenset(texts_in(remarks, key)) for key in ("known", "denied"))
        return cls(text_in(remarks, "message_id"), known, denied)


def read_ui_messages(given: object) -> List[Fields]:
    """Return UI messages as messages of LangChain: their texts and files.

    Raises:
        HTTPException: They are none.
    """
    if not isinstance(given, list) or not all(isinstance(message, dict) for message in given):
        raise refusal(422, "messages must be a list of UI messages.")
    found = []
    for message in cast("List[Fields]", given):
        blocks = [block for block in map(_block, _parts(message)) if block is not None]
        content: object = blocks
        if all(block["type"] == "text" for block in blocks):
            content = "".join(str(block["text"]) for block in blocks)
        found.append({"role": text_in(message, "role"), "content": content, "id": text_in(message, "id") or None})
    return found


def verdicts_in(given: object) -> Dict[str, Verdict]:
    """Return what a person has said about the tool calls in the last message, by the ids of the approvals."""
    found: Dict[str, Verdict] = {}
    for part in _of_last(given):
        approval = part.get("approval")
        if part.get("state") == "approval-responded" and isinstance(approval, dict):
            if not isinstance(approval.get("id"), str) or not isinstance(approval.get("approved"), bool):
                raise refusal(422, "The approval of a tool call must have an id, and approved: true or false.")
            found[approval["id"]] = verdict_in(approval)
    return found


def reply_to(given: object, verdicts: Mapping[str, Verdict]) -> Reply:
    """Return what the answer to a question goes on with: the last message, if the client has it.

    Args:
        given: The UI messages of the client.
        verdicts: What a person has said about tool calls.
    """
    parts = list(_of_last(given))
    if not parts and not _is_of_assistant(given):
        return Reply()
    calls = {str(part["toolCallId"]): part.get("approval") for part in parts if part.get("toolCallId")}
    denied = [
        call
        for call, approval in calls.items()
        if isinstance(approval, dict) and not verdicts.get(str(approval.get("id")), Verdict(True)).approved
    ]
    last = cast("List[Fields]", given)[-1]
    return Reply(text_in(last, "id"), frozenset(calls), frozenset(denied))


def _of_last(given: object) -> Iterator[Fields]:
    """Yield the parts of the last message, if it is the assistant's."""
    if _is_of_assistant(given):
        yield from _parts(cast("List[Fields]", given)[-1])


def _is_of_assistant(given: object) -> bool:
    last = given[-1] if isinstance(given, list) and given else None
    return isinstance(last, dict) and last.get("role") == "assistant"


def _parts(message: Fields) -> List[Fields]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _block(part: Fields) -> Optional[Fields]:
    if part.get("type") == "text":
        return {"type": "text", "text": text_in(part, "text")}
    if part.get("type") != "file":
        return None
    url, kind = text_in(part, "url"), text_in(part, "mediaType")
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    block: Fields = {"type": "file", "source_type": "url", "url": url, "mime_type": kind}
    head, _, data = url.partition(";base64,")
    if head.startswith("data:") and data:
        block = {"type": "file", "source_type": "base64", "data": data, "mime_type": kind}
    name = text_in(part, "filename")
    return {**block, "filename": name} if name else block
