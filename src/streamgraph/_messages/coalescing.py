"""Merging tokens that wait for a slow consumer: those of one message that follow each other become one.

The sum of the chunks stays what it was. For that, tokens whose content is text are kept apart from those with content
blocks: with both, it matters to LangChain which are added first. Adding tokens one by one would copy the text so far
for each of them, and keeping them until they are asked for takes a lot more memory than their text; so they are added
up in blocks, and the sums of blocks in turn, like the digits of a number that carry over.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from langchain_core.messages import AIMessageChunk

from streamgraph._streams.part import Part

_BLOCK = 16


class TokenBatch:
    """Tokens of one message.

    Args:
        token: The first.
        metadata: What is said of it; only tokens of which the same is said are added.
    """

    __slots__ = ("_digits", "_metadata", "_token")

    def __init__(self, token: AIMessageChunk, metadata: Dict[str, Any]) -> None:
        self._token = token
        self._metadata = metadata
        # Of each order so many sums as have not been added up to one of the next; the last ones are the most recent.
        self._digits: List[List[AIMessageChunk]] = [[token]]

    def add(self, data: Any) -> bool:
        """Take one more, if it belongs to these."""
        token, metadata = data
        first = self._token
        same = type(token) is type(first) and token.id == first.id and type(token.content) is type(first.content)
        if not same or metadata != self._metadata:
            return False
        self._digits[0].append(token)
        order = 0
        while len(self._digits[order]) == _BLOCK:
            if order + 1 == len(self._digits):
                self._digits.append([])
            self._digits[order + 1].append(_sum(self._digits[order]))
            self._digits[order] = []
            order += 1
        return True

    def sum(self) -> Any:
        """Return one token that says the same as all of them, with the metadata."""
        return _sum([token for digit in reversed(self._digits) for token in digit]), self._metadata


class _TokenCoalescer:
    """Says which parts of a stream can be merged."""

    def source(self, part: Part) -> str:
        """Return the task that a part comes from, as far as it is known."""
        if part.mode == "messages":
            return str(part.data[1].get("langgraph_checkpoint_ns") or _source(part))
        return _source(part)

    def batch(self, part: Part) -> Optional[TokenBatch]:
        """Begin a batch with this part, or return `None` if nothing can be added to such a part."""
        if part.mode == "messages" and isinstance(part.data[0], AIMessageChunk):
            return TokenBatch(*part.data)
        return None


COALESCER = _TokenCoalescer()


def _sum(tokens: List[AIMessageChunk]) -> AIMessageChunk:
    first, *rest = tokens
    return first + rest if rest else first  # type: ignore[return-value]


def _source(part: Part) -> str:
    return "|".join((*part.ns, f"{part.source}:")) if part.source is not None else "|".join(part.ns)
