"""All examples of the streaming page are here, as they stand there."""

from __future__ import annotations

import ast
import os
import re
import textwrap
from pathlib import Path

from scenarios.page.common import pytestmark as pytestmark
from scenarios.page.runner import EXAMPLES, SUFFIX, RenamePackage, parse, read_example

MANIFEST = (
    "01_basic_usage",
    "02_updates_full",
    "03_multiple_modes",
    "04_state_graph",
    "05_state_updates",
    "06_state_values",
    "07_subgraphs",
    "08_subgraphs_full",
    "09_debug",
    "10_messages",
    "11_tags",
    "12_tags_full",
    "13_nodes",
    "14_nodes_full",
    "15_writer_in_node",
    "16_writer_in_tool",
    "17_any_llm",
    "18_any_llm_full",
    "19_any_llm_full_run",
    "20_no_streaming_init_chat_model",
    "21_no_streaming_chat_openai",
    "22_async_config",
    "23_async_writer",
)

# The page itself


def blocks_of(page: str) -> list[str]:
    """The Python blocks of a page in Markdown; inside tabs and accordions they are indented."""
    fence = re.compile(r"^([ \t]*)```python\b[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(match.group(2)) for match in fence.finditer(page)]


def dump(source: str) -> str:
    """A piece of code as a tree: without comments and white space, with streamgraph as the package."""
    return ast.dump(RenamePackage("langgraph", "streamgraph").visit(parse(source)))


def test_every_block_of_the_page_is_covered():
    """Each example of the manifest is a file with a test; with a copy of the page, each block of it is an example."""
    assert sorted(path.name for path in EXAMPLES.iterdir()) == [name + SUFFIX for name in MANIFEST]
    modules = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_page_*.py"))
    tests = re.findall(r"^def (test_\w+)", modules, re.MULTILINE)
    assert [name for name in MANIFEST if not any(test.startswith(f"test_{name}") for test in tests)] == []

    # The page is not ours to ship; who has it can say where it is.
    copy = os.environ.get("STREAMGRAPH_PAGE")
    if copy:
        blocks = blocks_of(Path(copy).read_text(encoding="utf-8"))
        committed = {dump(read_example(name)): name for name in MANIFEST}
        assert [block for block in blocks if dump(block) not in committed] == []
        assert {committed[dump(block)] for block in blocks} == set(MANIFEST)
