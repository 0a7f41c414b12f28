r"""Parts of a stream as JSON: plain JSON for clients, and exact JSON that is read back as the same objects.

There are two forms, since two readers want different things:

- **Plain JSON**, `to_json(part)` or `PartEncoder()`, the default: for browsers and other programs. Messages have the
  shape of `model_dump()`, sets and tuples are arrays, dates and UUIDs are text, `NaN` is `null`, bytes are base64,
  errors are `{"error": ..., "message": ...}`, with `node`, `step` and `ns` if that is known. There are no tags, and no
  way back.
- **Exact JSON**, `dumps(part)` or `PartEncoder(exact=True)`: for logs, files and other Python programs. `loads(text)`
  makes the same part again: chunks, documents, models, dataclasses, enums, sets, dates, errors with their place. What
  JSON knows is written as in plain JSON; everything else is an object with the key `$type`.

Neither raises in the middle of a stream: a value that cannot be written becomes a placeholder, text in plain JSON and
`Unserializable` after exact JSON. Reading makes no object of a class that was not allowed::

    for part in graph.stream(given, stream_mode=["messages", "values"], version="v2"):
        file.write(dumps(part) + b"\n")

    parts = [loads(line, allow=[Plan]) for line in file]
"""

from __future__ import annotations

from streamgraph.serialization._errors import ClassNotAllowedError, RemoteError, SerializationError, Unserializable
from streamgraph.serialization._parts import PartDecoder, PartEncoder, dumps, loads, to_json

__all__ = [
    "ClassNotAllowedError",
    "PartDecoder",
    "PartEncoder",
    "RemoteError",
    "SerializationError",
    "Unserializable",
    "dumps",
    "loads",
    "to_json",
]
