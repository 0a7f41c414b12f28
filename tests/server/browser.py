"""A real Chromium for the tests of the page.

It is Debian's package `chromium`, or what `CHROMIUM` names; a machine without it skips these tests, one of CI does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any, Callable, Iterator, List
from urllib.parse import urlsplit

import pytest

from support.waiting import PATIENCE

FLAGS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for the tests of a module: while it is there, the main thread has an event loop."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found, why = None, "The Python package playwright is not here: pip install playwright"
    else:
        why = "Chromium is not here: apt-get install chromium, or name it: CHROMIUM=/path/to/chrome"
    if found is None:
        if os.environ.get("CI"):
            raise AssertionError(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS, timeout=100_000)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the page of a server. No page may complain, or ask anybody else for anything."""
    contexts: List[Any] = []
    complaints: List[str] = []

    def visit(server: Any, place: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: _is_foreign(asked.url, server) and complaints.append(f"asked {asked.url}"))
        page.goto(f"{server.url}/{place}")
        page.wait_for_selector(".node", state="attached")
        return page

    visit.complaints = complaints  # type: ignore[attr-defined]
    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def _is_foreign(url: str, server: Any) -> bool:
    return url.split(":")[0] not in ("blob", "data") and urlsplit(url).port != server.port


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, which finds what some people cannot use."""
    folder = tmp_path_factory.mktemp("axe")
    command = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--silent", "axe-core@4.14.1"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=150)
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"axe-core cannot be installed here: {error}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
