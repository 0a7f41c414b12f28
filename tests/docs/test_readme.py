"""The README is true: its Python blocks run, in order, as one program; its commands are the ones CI uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_every_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks run one after the other in one namespace, their assertions included."""
    namespace: dict[str, object] = {}
    for number, block in enumerate(BLOCKS, 1):
        exec(compile(block, f"README block {number}", "exec", dont_inherit=True), namespace)

    assert len(BLOCKS) >= 8
    assert "Here is a joke about ice cream and cats" in capsys.readouterr().out


@pytest.mark.parametrize("marker", ["run", "test"])
def test_the_two_commands_are_marked(marker: str) -> None:
    """Each of the two commands is one line behind its marker, where CI finds it."""
    found = re.findall(rf"<!-- {marker} -->\n```bash\n([^\n]+)\n```", README)

    assert len(found) == 1


def test_links_to_files_lead_somewhere() -> None:
    """Relative links name files that exist."""
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]

    assert targets
    assert [target for target in targets if not (Path(__file__).parents[2] / target).exists()] == []
