"""Tokens that only add text to a block that is open: most events of a run, which are written without making objects."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Tuple

from streamgraph.runs import Part
from streamgraph.serialization import to_json
from streamgraph_server.tokens import text_of


class Tokens:
    """The tokens of one message that differ in their text only.

    Args:
        part: One of them, without text.

    Attributes:
        id: The id of the message.
        node: The node that it comes from.
        ns: The namespace of its graph.
        tags: The tags of its model.
    """

    def __init__(self, part: Part) -> None:
        message, metadata = part.data
        self.id: str = message.id
        self.ns = part.ns
        self.node: Optional[str] = str(metadata.get("langgraph_node", ""))
        self.tags: Tuple[str, ...] = tuple(metadata.get("tags") or ())
        self._part = part
        self._forms: Dict[int, Tuple[bytes, ...]] = {}

    def part(self, text: str) -> Part:
        """Return the part of a token with this text."""
        message, metadata = self._part.data
        return Part(self.ns, "messages", (message.model_copy(update={"content": text}), metadata), self._part.source)

    def frame(self, run: str, number: int, seq: int, timestamp: int, index: int, text: str) -> bytes:
        """Return the event of a token, as it is sent.

        Args:
            run: The id of the run.
            number: The number of the token in the log of the run.
            seq: The number of the event.
            timestamp: When it was made, in milliseconds since 1970.
            index: The index of the block of text.
            text: The text.
        """
        form = self._forms.get(index)
        if form is None:
            form = self._forms[index] = self._form(run, index)
        head, name, place, data, end = form
        said = (head, number, name, seq, place, timestamp, data, to_json(text), end, seq)
        return b"%b%d%b%d%b%d%b%b%b%d\n\n" % said

    def _form(self, run: str, index: int) -> Tuple[bytes, ...]:
        id = to_json(self.id)
        return (
            b'event: messages\ndata: {"type":"event","event_id":%b:' % to_json(run)[:-1],
            b'-0","seq":',
            b',"method":"messages","params":{"namespace":%b,"timestamp":' % to_json(list(self.ns)),
            b',"data":{"event":"content-block-delta","id":%b,"run_id":%b,"index":%d,"delta":{"type":"text-delta","text":'
            % (id, id, index),
            b'}},"node":%b}}\nid: ' % to_json(self.node),
        )


def tokens_of(part: Part) -> Optional[Callable[[str], Tuple[Tokens, str]]]:
    """Return what pairs the texts of tokens with what they have in common, if they have nothing but a text.

    Args:
        part: One of the tokens, without text.
    """
    if part.mode != "messages":
        return None
    if text_of(part.data[0]) is None:
        return None
    tokens = Tokens(part)
    return lambda text: (tokens, text)
