"""Tokens that only add text to a message that is open: most events of a run, written without making objects of them."""

from __future__ import annotations

from typing import Callable, Container, Iterable, Optional, Tuple, Union, cast

from langchain_core.messages import AIMessageChunk, BaseMessage

from streamgraph.serialization import to_json
from streamgraph.types import StreamPart
from streamgraph_server._requests import Fields
from streamgraph_server.frames import Frame

TEXT = "\x00the text of a token\x00"
"""Stands for the text of a token while what is around it is written; nothing else in a frame is like it."""

OBJECT = "structured_output"
"""The key of the metadata of messages that are the JSON of an object."""


class TextFrames:
    """Writes frames that differ in one text only, for which JSON of the rest is made once.

    Args:
        shape: What a frame says, with `TEXT` where the text is.
        event: The name of the event.
    """

    __slots__ = ("_event", "_head", "_tail")

    def __init__(self, shape: Fields, event: Optional[str] = None) -> None:
        self._head, self._tail = around(shape)
        self._event = event

    def __call__(self, text: str) -> Frame:
        """Return the frame with a text."""
        return Frame(b"%b%b%b" % (self._head, to_json(text), self._tail), self._event)


def around(shape: Fields) -> Tuple[bytes, bytes]:
    """Return the JSON of an object before and after `TEXT`, which is in it once."""
    head, tail = to_json(shape).split(to_json(TEXT))
    return head, tail


def text_of(message: BaseMessage) -> Optional[str]:
    """Return the id of the message that a token adds text to, or `None` if it says more than text.

    Args:
        message: A token, whose own text does not matter.
    """
    if type(message) is not AIMessageChunk or not message.id or getattr(message, "chunk_position", None) == "last":
        return None
    if message.tool_call_chunks or message.additional_kwargs or message.usage_metadata or message.response_metadata:
        return None
    return message.id


def growing(
    part: StreamPart,
    is_open: Container[str],
    grow: Callable[[str, str], Optional[Frame]],
    write: Callable[[StreamPart], Iterable[Frame]],
) -> Optional[Callable[[str], Union[Frame, Iterable[Frame]]]]:
    """Return what writes the tokens of a message, given their texts in the order of the run, if they are only text.

    Args:
        part: The first of the tokens, with an empty text.
        is_open: The ids of the messages that are open.
        grow: Is given the id of an open message and a text that was added. It returns the frame of it, or `None` if
            there is more to write, and then it has done nothing.
        write: Returns the frames of a part.
    """
    if part["type"] != "messages":
        return None
    message, metadata = part["data"]
    found = text_of(message)
    if found is None or OBJECT in metadata:
        return None
    id, like = found, part

    def frames(text: str) -> Union[Frame, Iterable[Frame]]:
        frame = grow(id, text) if text and id in is_open else None
        if frame is not None:
            return frame
        whole = message.model_copy(update={"content": text})
        return write(cast("StreamPart", {**like, "data": (whole, metadata)}))

    return frames
