"""The page in a real browser: what a person does with a run, and that nothing is lost or let in."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any, Callable
from xml.etree import ElementTree

import pytest

from server.driving import expect, give
from server.graphs import TEXT, agent, failing, speaking
from server.loopback import Loopback
from server.page_graphs import HOSTILE, PLAN, SIGHTS, WRONG, flooding, hostile, journey
from streamgraph.testing import Gate

pytestmark = pytest.mark.slow

Serving = Callable[..., Loopback]
Visit = Callable[..., Any]


def travel(page: Any) -> None:
    """Run the journey to its question."""
    page.get_by_label("place").fill("Bergen")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".question.open")).to_be_visible()


def answer(page: Any, text: str) -> None:
    """Answer the question."""
    page.locator(".question textarea").fill(text)
    page.locator(".question").get_by_role("button", name="Answer").click()
    expect(page.locator(".state-now")).to_have_text(re.compile("done"))


def test_a_journey(serving: Serving, visit: Visit, tmp_path: Path) -> None:
    server = serving({"trip": journey(), "other": speaking()})
    page = visit(server)
    assert page.locator("header select").first.input_value() == "trip"
    travel(page)
    expect(page.locator(".state-now")).to_have_text(re.compile("waits for an answer"))
    expect(page.locator("[data-node=approve].node")).to_have_class(re.compile("is-asking"))
    expect(page.locator("[data-node=sights].node .retries")).to_have_text(re.compile("1"))

    # What was taken back is struck out, and what came in its place is not.
    wrong = page.locator(".message.retracted")
    expect(wrong).to_have_count(1)
    expect(wrong.locator("del")).to_contain_text(WRONG)
    assert "line-through" in wrong.locator(".pre").evaluate("(at) => getComputedStyle(at).textDecoration")
    expect(page.locator(".message:not(.retracted)[data-node=sights] .text")).to_contain_text(SIGHTS)

    # Filters by node, tag and text.
    count = page.locator(".item").count()
    page.locator("[data-node=plan].node").click()
    expect(page.locator(".item")).to_have_count(1)
    expect(page.locator(".item")).to_contain_text(PLAN)
    page.get_by_role("button", name="Do not filter by node plan").click()
    expect(page.locator(".item")).to_have_count(count)
    page.get_by_label("Only this tag").select_option("prose")
    expect(page.locator(".item")).to_have_count(2)
    page.get_by_role("button", name="Do not filter by tag prose").click()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("fish market before")
    expect(page.locator(".item")).to_have_count(1)
    page.get_by_label("Only what has this text").fill("")

    # Nested graphs fold, and take their edges with them.
    page.get_by_role("button", name="Fold edit").click()
    expect(page.locator("[data-node='edit:polish'].node")).to_have_count(0)
    expect(page.locator("[data-edge='draft>edit']")).to_have_class(re.compile("taken"))
    page.get_by_role("button", name="Unfold edit").press("Enter")
    expect(page.locator("[data-edge='draft>edit:polish']")).to_have_class(re.compile("taken"))

    # The prompt that a model got.
    said = page.locator(".message[data-node='edit:polish']")
    said.hover()
    said.get_by_role("button", name="Prompt").click()
    expect(page.locator("dialog[open] .small-message").first).to_contain_text("Shorten.")
    page.locator("dialog[open]").get_by_role("button", name="Close").click()

    # A state, and what a step has changed in it.
    page.get_by_role("button", name="State after step 4").click()
    expect(page.locator("[data-change=draft]")).to_contain_text("Stroll the old town")
    page.get_by_role("button", name="State after step 1").click()
    expect(page.locator("[data-change=plan]")).to_contain_text(PLAN)
    expect(page.locator("[data-node=draft].node")).to_have_class(re.compile("is-idle"))
    link = page.url
    assert "at=" in link
    page.get_by_role("button", name="End", exact=True).click()

    answer(page, "yes")
    expect(page.locator(".question")).to_contain_text("yes")
    expect(page.locator("[data-edge='approve>book']")).to_have_class(re.compile("taken"))

    # A log that was saved shows the same when it is opened again.
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the log to a file").click()
    file = tmp_path / "log.jsonl"
    saved.value.save_as(file)
    assert json.loads(file.read_text().split("\n")[0])["format"] == "streamgraph-log"
    texts = page.locator(".item :is(.text, .exchange, .question)").all_inner_texts()
    other = visit(server, "#graph=other")
    other.locator("input[type=file]").set_input_files(str(file))
    expect(other.locator(".banner")).to_contain_text("log.jsonl")
    expect(other.locator("[data-node=book].node")).to_have_class(re.compile("is-done"))
    assert other.locator(".item :is(.text, .exchange, .question)").all_inner_texts() == texts

    # A link leads to a moment of a run.
    then = visit(server, link[len(server.url) + 1 :])
    expect(then.locator("[data-change=plan]")).to_contain_text(PLAN)
    expect(then.locator("[data-node=draft].node")).to_have_class(re.compile("is-idle"))


def test_the_graph_is_saved_as_a_picture(serving: Serving, visit: Visit, tmp_path: Path) -> None:
    page = visit(serving({"trip": journey()}))
    travel(page)
    width, height = page.evaluate("(({ width, height }) => [width, height])($('svg.drawing').viewBox.baseVal)".replace(
        "$", "document.querySelector"
    ))  # fmt: skip
    saved = {}
    for kind in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).click()
        assert download.value.suggested_filename == f"graph.{kind.lower()}"
        download.value.save_as(tmp_path / kind)
        saved[kind] = (tmp_path / kind).read_bytes()
    # It has twice as many pixels as the drawing, and more than the paper on them.
    assert saved["PNG"][:8] == b"\x89PNG\r\n\x1a\n" and len(saved["PNG"]) > 5_000
    assert struct.unpack(">II", saved["PNG"][16:24]) == (int(2 * width), int(2 * height))
    drawn = ElementTree.fromstring(saved["SVG"])
    assert {"sights", "draft"} <= {text.strip() for text in drawn.itertext()}
    fills = {element.get("fill") for element in drawn.iter()}
    assert "none" in fills and len(fills) > 4  # the colours are in it, not in a style sheet


def test_a_thread_goes_on_and_is_forked_from_an_earlier_record(serving: Serving, visit: Visit) -> None:
    server = serving({"trip": journey()})
    page = visit(server)
    travel(page)
    answer(page, "no")
    thread = page.get_by_label("Thread", exact=True).input_value()
    page.get_by_role("tab", name="History").click()
    expect(page.locator(".run")).to_have_count(2)
    record = page.locator(".record").filter(has_text="approve")
    record.locator("summary").click()
    record.get_by_role("button", name="Edit the state").click()
    record.locator("textarea").fill('{"place": "Oslo"}')
    record.get_by_label("As node").select_option("edit")
    record.get_by_role("button", name="Change and run").click()
    expect(page.locator(".question.open")).to_be_visible()
    answer(page, "yes")
    state = server.get(f"/threads/{thread}/state").json()["values"]
    assert state["place"] == "Oslo" and state["approved"] is True
    expect(page.locator(".run")).to_have_count(4)
    # The input of the run before can be changed and given again.
    page.get_by_role("button", name="New thread").click()
    expect(page.locator("[data-node=plan].node")).to_have_class(re.compile("is-idle"))
    page.get_by_role("button", name="Last input").click()
    expect(page.get_by_label("place")).to_have_value("Bergen")
    page.get_by_role("button", name="JSON", exact=True).click()
    assert json.loads(page.locator(".composer textarea.code").input_value()) == {"place": "Bergen"}
    page.locator(".composer textarea.code").fill("{")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".composer .wrong")).to_be_visible()


def test_a_run_that_waits_is_answered_in_place(serving: Serving, visit: Visit) -> None:
    server = serving({"trip": journey()})
    page = visit(server)
    page.get_by_label("Wait when asked").check()
    travel(page)
    (run,) = server.runs.going_on()
    answer(page, "yes")
    assert run.status == "done"
    expect(page.locator("[data-node=book].node")).to_have_class(re.compile("is-done"))


def test_a_run_that_is_forgotten_is_shown_as_it_is_saved_and_answered(serving: Serving, visit: Visit) -> None:
    server = serving({"trip": journey()})
    page = visit(server)
    travel(page)
    for run in list(server.runs._runs):
        server.runs.forget(run)
    page.reload()
    expect(page.locator(".question.open")).to_be_visible()
    expect(page.locator("[data-node=draft].node")).to_have_class(re.compile("is-done"))
    answer(page, "yes")
    expect(page.locator("[data-edge='approve>book']")).to_have_class(re.compile("taken"))


def test_a_lost_connection_and_a_second_tab_lose_nothing(serving: Serving, visit: Visit) -> None:
    with Gate() as gate:
        server = serving({"agent": speaking(gate=gate)})
        page = visit(server)
        cut = {"left": 2}

        def lose(route: Any) -> None:
            cut["left"] -= 1
            route.abort() if cut["left"] >= 0 else route.continue_()

        page.route("**/stream?*stream_mode*", lose)
        give(page)
        gate.open(2)
        expect(page.locator(".message .text .pre")).to_have_text("one two")
        second = visit(server, page.url[len(server.url) + 1 :])
        expect(second.locator(".message .text .pre")).to_have_text("one two")
        # The tab is opened anew: it joins the run, at the third try.
        page.reload()
        expect(page.locator(".lost")).to_be_visible()
        expect(page.locator(".message .text .pre")).to_have_text("one two")
        gate.open_all()
        for tab in (page, second):
            expect(tab.locator(".message .text .pre")).to_have_text(TEXT)
            expect(tab.locator(".message")).to_have_count(1)
            expect(tab.locator(".state-now")).to_have_text(re.compile("done"))
    complaints = visit.complaints  # type: ignore[attr-defined]
    assert all("ERR_FAILED" in complaint for complaint in complaints)
    complaints.clear()


def test_stopping_failing_and_refusing(serving: Serving, visit: Visit) -> None:
    with Gate() as gate:
        server = serving({"agent": speaking(gate=gate), "failing": failing(ValueError("no such word"))})
        page = visit(server)
        give(page)
        expect(page.locator("[data-node=say].node")).to_have_class(re.compile("is-running"))
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".state-now")).to_have_text(re.compile("cancelled"))
        expect(page.locator("[data-node=say].node")).to_have_class(re.compile("is-cancelled"))
        page.get_by_label("Graph", exact=True).first.select_option("failing")
        expect(page.locator("[data-node=fail].node")).to_be_visible()
        give(page)
        expect(page.locator(".feed .failure")).to_contain_text("no such word")
        expect(page.locator("[data-node=fail].node")).to_have_class(re.compile("is-failed"))
        page.locator("[data-task=fail]").click()
        expect(page.locator(".inspector .failure")).to_contain_text("ValueError")


def test_what_a_model_writes_stays_text(serving: Serving, visit: Visit) -> None:
    page = visit(serving({"<i>hostile": hostile()}))
    give(page, HOSTILE)
    expect(page.locator(".question.open")).to_be_visible()
    for tab in ("State", "Task", "History"):
        page.get_by_role("tab", name=tab).click()
    expect(page.locator(".message .text .pre")).to_have_text(HOSTILE)
    assert page.evaluate("window.hurt") is None
    assert page.evaluate("document.querySelectorAll('main img, main script, main b, main a').length") == 0


def test_ten_thousand_events_do_not_make_it_stutter(serving: Serving, visit: Visit, browser: Any) -> None:
    server = serving({"flood": flooding()}, max_recursion=1000, max_events=20_000)
    body = {"assistant_id": "flood", "input": {}, "config": {"recursion_limit": 900}, "stream_mode": ["tasks"]}
    thread = server.post("/threads", {}).json()["thread_id"]
    run = server.post(f"/threads/{thread}/runs", body).json()["run_id"]
    server.get(f"/threads/{thread}/runs/{run}/join", timeout=120)
    page = visit(server)
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
    page.evaluate("(hash) => { location.hash = hash; }", f"graph=flood&thread={thread}&run={run}")
    expect(page.locator(".state-now")).to_have_text(re.compile("done"))
    counted = int(page.locator(".scrubber .numbers").inner_text().split("/")[1])
    assert counted >= 10_000
    assert page.locator("*").count() < 5_000
    # Nothing that the page does holds up the next frame for long, in the time of its thread.
    done = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {(one["pid"], one["tid"]): one["args"]["name"] for one in done if one["name"] == "thread_name"}
    tasks = [one for one in done if one["name"] == "RunTask" and threads[one["pid"], one["tid"]] == "CrRendererMain"]
    took = [task["tdur"] for task in tasks if "tdur" in task]  # which is left out where it is next to nothing
    assert len(took) > 50 and max(took) < 200_000  # microseconds
    page.locator(".scrubber input").fill(str(counted // 2))
    expect(page.locator(".then")).to_have_text(f"event {counted // 2}")


def test_it_can_be_used_by_everybody(serving: Serving, visit: Visit, axe: str) -> None:
    server = serving({"trip": journey(), "agent": agent()})
    for options in ({"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}}):
        page = visit(server, **options, reduced_motion="reduce")
        travel(page)
        views = page.locator("nav.views button")
        for place in range(views.count() if views.first.is_visible() else 1):
            if views.first.is_visible():
                views.nth(place).click()
            page.evaluate(axe)
            found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
            wrong = [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in found["violations"]]
            assert wrong == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Everything is reached by the keyboard.
    page = visit(server)
    travel(page)
    page.locator("h1").click()
    for _ in range(2):
        page.keyboard.press("j")
    expect(page.locator(".bar-row.chosen")).to_have_count(1)
    page.keyboard.press("[")
    expect(page.locator(".then")).to_be_visible()
    page.keyboard.press("]")
    expect(page.locator(".then")).to_have_count(0)
    page.get_by_role("tab", name="Task").press("ArrowRight")
    expect(page.get_by_role("tab", name="History")).to_have_attribute("aria-selected", "true")
