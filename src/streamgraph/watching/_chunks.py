"""Chunks of a stream in any form, read back as what they consist of: namespace, mode and data."""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Optional, Sequence, Tuple

from langchain_core.messages import BaseMessage

from streamgraph._streams.formats import ChunkForm
from streamgraph._streams.modes import MODES, SIGNAL_MODES
from streamgraph.types import Gap, Heartbeat

Namespace = Tuple[str, ...]

_MODES = frozenset(mode.name for mode in MODES) | SIGNAL_MODES

UNKNOWN = "data"
"""The mode of a chunk that does not tell its mode, in a stream that does not either."""


class Read(NamedTuple):
    """What a chunk consists of.

    Attributes:
        ns: The namespace; `()` if the chunk does not carry it.
        mode: The mode, or `"data"` if nothing tells it.
        data: The payload.
        interrupts: The questions of a part of `values`.
    """

    ns: Namespace
    mode: str
    data: object
    interrupts: Sequence[object] = ()


def reader_of(stream: object, stream_mode: Optional[str] = None) -> Callable[[object], Read]:
    """Return the function that reads the chunks of a stream.

    Streams of this package know the form of their chunks, so nothing is guessed. Of others, such as a generator that
    passes chunks on, each chunk is looked at. What cannot be told apart has the mode `"data"`: a state and an update
    of `version="v1"` are both a dict.

    Args:
        stream: The stream.
        stream_mode: The mode of chunks that do not carry it.
    """
    form = getattr(stream, "form", None)
    if stream_mode is None and isinstance(form, ChunkForm):
        return _known(form)
    return lambda chunk: _guessed(chunk, stream_mode)


def _known(form: ChunkForm) -> Callable[[object], Read]:
    if form.version == "v2":
        return _typed
    sole = next(iter(form.shown), UNKNOWN)

    def read(chunk: object) -> Read:
        ns: Namespace = ()
        mode, data = sole, chunk
        if form.namespace and isinstance(chunk, tuple):
            ns, data = chunk[0], chunk[-1]
        if form.several and isinstance(chunk, tuple):
            mode, data = chunk[-2], chunk[-1]
        return _signal(data, ns) or _with_questions(ns, mode, data)

    return read


def _typed(chunk: object) -> Read:
    if isinstance(chunk, Mapping) and isinstance(chunk.get("type"), str) and "data" in chunk:
        asked = chunk.get("interrupts")
        return Read(_namespace(chunk.get("ns")), chunk["type"], chunk["data"], tuple(asked) if asked else ())
    return Read((), UNKNOWN, chunk)


def _guessed(chunk: object, sole: Optional[str]) -> Read:
    if isinstance(chunk, Mapping) and "type" in chunk and "ns" in chunk and "data" in chunk:
        return _typed(chunk)
    ns: Namespace = ()
    if isinstance(chunk, tuple) and len(chunk) in (2, 3) and type(chunk[0]) is tuple and _are_texts(chunk[0]):
        ns, chunk = chunk[0], chunk[1] if len(chunk) == 2 else chunk[1:]
    if isinstance(chunk, tuple) and len(chunk) == 2 and isinstance(chunk[0], str) and chunk[0] in _MODES:
        return _signal(chunk[1], ns) or _with_questions(ns, chunk[0], chunk[1])
    return _signal(chunk, ns) or _with_questions(ns, sole or _mode_of(chunk), chunk)


def _signal(data: object, ns: Namespace) -> Optional[Read]:
    if isinstance(data, (Heartbeat, Gap)):
        return Read(ns, "heartbeat" if isinstance(data, Heartbeat) else "gap", data)
    return None


def _with_questions(ns: Namespace, mode: str, data: object) -> Read:
    asked = data.get("__interrupt__") if mode == "values" and isinstance(data, Mapping) else None
    if not asked or not isinstance(data, Mapping):
        return Read(ns, mode, data)
    return Read(ns, mode, {key: value for key, value in data.items() if key != "__interrupt__"}, tuple(asked))


def _mode_of(chunk: object) -> str:
    """Return the mode that a payload has by its form."""
    if isinstance(chunk, tuple) and len(chunk) == 2 and isinstance(chunk[1], Mapping):
        return "messages" if isinstance(chunk[0], BaseMessage) else UNKNOWN
    if isinstance(chunk, list):
        is_patch = bool(chunk) and all(isinstance(one, Mapping) and {"op", "path"} <= one.keys() for one in chunk)
        return "patches" if is_patch else UNKNOWN
    if not isinstance(chunk, Mapping):
        return UNKNOWN
    keys = chunk.keys()
    if {"id", "name", "triggers"} <= keys or {"id", "name", "result", "interrupts"} <= keys:
        return "tasks"
    if {"id", "name", "attempt", "pause"} <= keys:
        return "retries"
    if {"step", "timestamp", "type", "payload"} <= keys:
        return "debug"
    if {"config", "metadata", "next", "tasks"} <= keys:
        return "checkpoints"
    if str(chunk.get("event", "")).startswith("tool-"):
        return "tools"
    return "updates" if "__interrupt__" in keys and len(keys) == 1 else UNKNOWN


def _namespace(given: object) -> Namespace:
    return tuple(map(str, given)) if isinstance(given, (tuple, list)) else ()


def _are_texts(given: Sequence[object]) -> bool:
    return all(isinstance(level, str) for level in given)
