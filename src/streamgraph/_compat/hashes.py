"""Hash functions that the standard library lacks."""

from __future__ import annotations

import hashlib


def xxh3_128_hex(text: str) -> str:
    """Return the XXH3 hash of a text as 32 hexadecimal digits, with which LangGraph makes the ids of interrupts.

    The package xxhash comes with every LangGraph, and with langchain-core from langsmith 0.4.39 on. Without it there is
    no LangGraph that could have made the same id, and any hash of the same length will do.

    Args:
        text: The text.
    """
    try:
        from xxhash import xxh3_128_hexdigest
    except ImportError:
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return str(xxh3_128_hexdigest(text.encode()))
