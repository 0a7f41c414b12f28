"""The README and the pages of the cookbook are true: their Python blocks run, their links lead somewhere, and the
README's commands are the ones CI uses.
"""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Set, cast

import pytest

from support.old_savers import without_its_warning
from support.redis_servers import Server
from support.savers import new_database

if TYPE_CHECKING:
    from streamgraph_integrations.dbos_runs import QueuedRuns

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "cookbook").glob("*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

OF_THE_PROCESS = ("replace_langgraph()", "set_tracer_provider(")
"""What pages do that concerns the whole process: only one in which nothing of LangGraph is loaded can replace it, and
the providers of OpenTelemetry can be set only once.
"""


def text_of(page: Path) -> str:
    """Return what a page says."""
    return page.read_text(encoding="utf-8")


def blocks_of(page: Path) -> List[str]:
    """Return a page's Python blocks."""
    return re.findall(r"^```python\n(.*?)^```", text_of(page), flags=re.DOTALL | re.MULTILINE)


def anchors_of(page: Path) -> Set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture
def servers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start the servers whose addresses a page takes from the environment."""
    if request.node.callspec.params["page"].stem != "queued_runs":
        yield
        return
    pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
    # DBOS leaves connections of its pool to the collector, which may be called in any later test.
    with Server(tmp_path) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        monkeypatch.setenv("DATABASE_URL", new_database())
        yield
        gc.collect()


@pytest.mark.slow
@each_page
def test_every_block_runs(page: Path, capsys: pytest.CaptureFixture[str], servers: None) -> None:
    """The blocks of a page run one after the other in one fresh namespace, their assertions included."""
    if any(name in block for name in OF_THE_PROCESS for block in blocks_of(page)):
        ended = subprocess.run(
            [sys.executable, "-c", "\n".join(blocks_of(page))],
            capture_output=True,
            encoding="utf-8",
        )
        assert (ended.returncode, without_its_warning(ended.stderr)) == (0, "")
        return
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks_of(page), 1):
        exec(compile(block, f"{page.name} block {number}", "exec", dont_inherit=True), namespace)
    if page.stem == "queued_runs":  # in a program, its end closes them
        cast("QueuedRuns", namespace["runs"]).events.close()

    if page == README:
        assert "Here is a joke about ice cream and cats" in capsys.readouterr().out


def test_there_are_blocks_to_run() -> None:
    """The pages have blocks, and none that starts in a way that the tests do not find."""
    blocks = sum(len(blocks_of(page)) for page in PAGES)
    fences = sum(len(re.findall(r"^\s*```\s*py", text_of(page), flags=re.MULTILINE)) for page in PAGES)

    assert blocks_of(README)
    assert blocks == fences
    assert blocks >= 20


def test_the_readme_is_short() -> None:
    """What does not fit into the README has a page of its own."""
    assert len(text_of(README).splitlines()) <= 250


@pytest.mark.parametrize("marker", ["run", "test", "serve"])
def test_the_commands_are_marked(marker: str) -> None:
    """Each of the commands is one line behind its marker, where CI finds it."""
    found = re.findall(rf"<!-- {marker} -->\n```bash\n([^\n]+)\n```", text_of(README))

    assert len(found) == 1
    assert all((ROOT / name).is_file() for name in re.findall(r"cookbook/\S+", found[0]))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links name files that exist, and headings that are in them."""
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)) if "://" not in link]
    targets = [(page.parent / path if path else page, anchor) for path, _, anchor in (s.partition("#") for s in links)]

    assert links
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [f"{target}#{anchor}" for target, anchor in targets if anchor and anchor not in anchors_of(target)] == []


def test_the_readme_names_every_page_and_program() -> None:
    """Nothing in the cookbook is left out of the README's contents."""
    names = [path.name for path in sorted((ROOT / "cookbook").iterdir()) if path.suffix in (".md", ".py")]

    assert [name for name in names if f"](cookbook/{name})" not in text_of(README)] == []
