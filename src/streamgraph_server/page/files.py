"""The files of the page, read once: a fixed table, so that no path from a request ever reaches the file system."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Dict, NamedTuple

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}

_IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)


class PageFile(NamedTuple):
    """A file of the page.

    Attributes:
        body: Its bytes.
        type: Its content type.
        tag: Changes with its bytes, so that a browser need not load again what it has.
    """

    body: bytes
    type: str
    tag: str


@cache
def page_files() -> Dict[str, PageFile]:
    """Return the files of the page by their paths below its folder, with slashes."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            body = path.read_bytes()
            name = path.relative_to(FOLDER).as_posix()
            found[name] = PageFile(body, _TYPES[path.suffix], f'"{sha256(body).hexdigest()[:20]}"')
    return found


@cache
def content_security_policy() -> str:
    """Return what the page may do: run its own files, and ask its own server.

    The import map is the only script within the page itself, and is named by its hash.
    """
    found = _IMPORT_MAP.search(page_files()[INDEX].body)
    assert found is not None, "index.html has an import map"
    hashed = b64encode(sha256(found.group(1)).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{hashed}'",
            "style-src 'self'",
            "img-src 'self' blob:",  # what the page has drawn itself
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
