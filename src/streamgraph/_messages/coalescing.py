"""Merge consecutive tokens of one message that wait for a slow consumer.

The sum of the chunks does not change. For that, tokens with text content are not merged with tokens with content
blocks, because with both LangChain's sum depends on the order of addition. Adding tokens one by one would copy the
accumulated text for each token, and keeping them until they are read takes much more memory than their text. Tokens are
therefore added in blocks, and the sums of blocks in turn, like a number whose digits carry over.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from langchain_core.messages import AIMessageChunk

from streamgraph._messages.copying import is_last, marked_last
from streamgraph._streams.part import Part

_BLOCK = 16


class TokenBatch:
    """Tokens of one message.

    Args:
        token: The first token.
        metadata: Its metadata; only tokens with equal metadata are added.
    """

    __slots__ = ("_digits", "_last", "_metadata", "_token")

    def __init__(self, token: AIMessageChunk, metadata: Dict[str, Any]) -> None:
        self._token = self._last = token
        self._metadata = metadata
        # `_digits[n]` holds sums of `_BLOCK ** n` tokens not yet merged into `_digits[n + 1]`, oldest first.
        self._digits: List[List[AIMessageChunk]] = [[token]]

    def add(self, data: Any) -> bool:
        """Add `(token, metadata)` and return True, or return False if it does not belong to this batch."""
        token, metadata = data
        first = self._token
        same = type(token) is type(first) and token.id == first.id and type(token.content) is type(first.content)
        if not same or metadata != self._metadata:
            return False
        self._digits[0].append(token)
        self._last = token
        order = 0
        while len(self._digits[order]) == _BLOCK:
            if order + 1 == len(self._digits):
                self._digits.append([])
            self._digits[order + 1].append(_sum(self._digits[order]))
            self._digits[order] = []
            order += 1
        return True

    def sum(self) -> Any:
        """Return the tokens merged into one, with the metadata."""
        merged = _sum([token for digit in reversed(self._digits) for token in digit])
        # Before version 1, langchain-core leaves the mark of the last token out of the sum.
        return (marked_last(merged) if is_last(self._last) else merged), self._metadata


class _TokenCoalescer:
    """Determines which parts of a stream can be merged."""

    def source(self, part: Part) -> str:
        """Return the namespace of the task that emitted a part, as far as it is known."""
        if part.mode == "messages":
            return str(part.data[1].get("langgraph_checkpoint_ns") or _source(part))
        return _source(part)

    def batch(self, part: Part) -> Optional[TokenBatch]:
        """Return a new batch that starts with this part, or `None` if such parts cannot be merged."""
        if part.mode == "messages" and isinstance(part.data[0], AIMessageChunk):
            return TokenBatch(*part.data)
        return None


COALESCER = _TokenCoalescer()


def _sum(tokens: List[AIMessageChunk]) -> AIMessageChunk:
    first, *rest = tokens
    return first + rest if rest else first  # type: ignore[return-value]


def _source(part: Part) -> str:
    return "|".join((*part.ns, f"{part.source}:")) if part.source is not None else "|".join(part.ns)
