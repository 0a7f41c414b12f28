"""What the tests of the page do in a browser."""

from __future__ import annotations

from typing import Any

from support.waiting import PATIENCE


def expect(what: Any) -> Any:
    """Playwright's assertions, which wait; it is imported late, for machines that have neither it nor a browser."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE * 1000)
    return expect(what)


def give(page: Any, text: str = "hi") -> None:
    """Type a message, and run the graph."""
    page.get_by_label("What is said").fill(text)
    page.get_by_role("button", name="Run", exact=True).click()
