"""The demo on the page, as a person sees it who has given no argument and clicks on Run."""

from __future__ import annotations

from typing import Any

import pytest

from server.browser import browser, visit
from server.driving import expect
from streamgraph_integrations import openai as integration
from streamgraph_integrations.demo import research_desk

__all__ = ["browser", "visit"]

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The desk, a little faster than a person reads; its server ends with the test."""
    closing = []

    class AtExit:
        register = staticmethod(closing.append)

    monkeypatch.setattr(integration, "atexit", AtExit)
    yield research_desk(pace=0.1)
    for close in closing:
        close()


@pytest.mark.timeout(400)
def test_the_demo_is_run_watched_and_answered(serving: Any, visit: Any, desk: Any) -> None:
    page = visit(serving({"research_desk": desk}), viewport={"width": 1280, "height": 800})
    page.set_default_timeout(100_000)
    asked = page.get_by_label("question")
    assert asked.get_attribute("placeholder") == "Why do cats purr?"

    page.get_by_role("button", name="Run", exact=True).click()
    question = page.locator("form.question.open")
    question.wait_for()
    # It has followed what grew for the whole run, so the question is where the person looks.
    expect(question.get_by_label("Answer")).to_be_in_viewport()
    expect(page.locator("li.message.retracted")).to_have_count(1)
    assert page.locator("li.message.retracted del").inner_text().startswith("A purr begins in the larynx.")

    # Who scrolls up stays there.
    scroller = page.get_by_role("region", name="What the run has said")
    scroller.hover()
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "at => at.scrollHeight - at.scrollTop - at.clientHeight > 200", arg=scroller.element_handle()
    )

    question.get_by_label("Answer").fill("publish")
    question.get_by_role("button", name="Answer").click()
    expect(page.locator("form.question.open")).to_have_count(0, timeout=100_000)
    expect(page.locator('li.message[data-node="newsletter"]')).to_have_count(1, timeout=100_000)
    expect(page.locator('li.message[data-node="post"]')).to_have_count(1, timeout=100_000)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0, timeout=100_000)
