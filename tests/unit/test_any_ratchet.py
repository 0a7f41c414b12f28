"""`Any` switches type checking off where it stands: the code has no more of it, for its size, than it had."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import List, Tuple

ROOT = Path(__file__).parents[2]

LIMIT = 31.0
"""How often the name may stand in 1,000 lines. Lower it when there is less of it; nothing raises it."""

SHOWN = 5


def _measured(path: Path) -> Tuple[int, int]:
    """Return how often a file names `Any`, and how many lines it has; texts and comments do not count."""
    with tokenize.open(path) as file:
        names = [token.string for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.NAME]
    return names.count("Any"), len(path.read_text(encoding="utf-8").splitlines())


def test_there_is_no_more_any_than_before() -> None:
    paths = [path for folder in ("src", "integrations") for path in sorted((ROOT / folder).rglob("*.py"))]
    counts: List[Tuple[int, Path]] = []
    lines = 0
    for path in paths:
        count, length = _measured(path)
        counts.append((count, path))
        lines += length

    found = 1000 * sum(count for count, _ in counts) / lines

    most = ", ".join(f"{path.relative_to(ROOT)} ({count})" for count, path in sorted(counts, reverse=True)[:SHOWN])
    assert found <= LIMIT, (
        f"`Any` stands {found:.1f} times in 1,000 lines, and {LIMIT} are allowed. Give the types that are known, "
        f"`object` for what is only passed on. Most of it is in {most}."
    )
