"""Pictures of the demo in the browser, in a terminal and in a notebook, as the README shows them.

    python tests/pictures.py [FOLDER]

They are of real programs: `streamgraph dev` in Chromium, `streamgraph run` in a pseudo-terminal, and a notebook that a
kernel has run. Needs the extra `test`, and Chromium (Debian's package, or what `CHROMIUM` names). By default they go to
`.github/pictures`; `.ci/run pictures` makes them elsewhere, and fails if one cannot be made.
"""

from __future__ import annotations

import contextlib
import fcntl
import html
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

PATIENCE = 120
"""Seconds that a whole run may take on a busy machine."""

COLORS = 200
"""How many colours a picture has: enough for plain areas and smooth letters, and a third of the bytes."""

DEMO = "streamgraph_integrations.demo:research_desk"

COLUMNS, ROWS = 104, 38


def main(folder: Path) -> None:
    """Make all pictures."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("Chromium is not here: apt-get install chromium, or name it: CHROMIUM=/path/to/chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        for take in (page, terminal, notebook):
            for name, image in take(browser):
                path = folder / f"{name}.png"
                path.write_bytes(small(image))
                print(f"{path}: {path.stat().st_size // 1000} kB", flush=True)
        browser.close()


def small(image: bytes) -> bytes:
    """The same picture in fewer bytes, where Pillow is installed."""
    try:
        from PIL import Image
    except ImportError:
        return image
    out = io.BytesIO()
    plain = Image.open(io.BytesIO(image)).convert("RGB")
    plain.quantize(COLORS, dither=Image.Dither.NONE).save(out, "png", optimize=True)
    return out.getvalue()


@contextlib.contextmanager
def dev() -> Iterator[str]:
    """`streamgraph dev` without an argument; yields its address."""
    command = [sys.executable, "-m", "streamgraph", "dev", "--no-open", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        served = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=folder, env=environment())
        assert served.stdout is not None
        try:
            for line in served.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    break
            yield found.group()
        finally:
            served.terminate()
            served.wait(30)


def environment(**more: str) -> Any:
    """What programs get to see: these sources, and no key."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1", **more}


def page(browser: Any) -> Iterator[Any]:
    """The page: while the draft is written again, light; and at the question, dark."""
    with dev() as url:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="no-preference")
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE * 1000)
        opened.goto(url)
        opened.wait_for_selector(".node")
        opened.get_by_role("button", name="Run", exact=True).click()
        opened.wait_for_selector("li.message.retracted")
        # The next attempt has said about two sentences.
        drafts = "[...document.querySelectorAll('[data-node$=draft] div.text')]"
        opened.wait_for_function(f"() => {drafts}.some(at => at.innerText.length > 300)")
        yield "page", opened.screenshot()
        opened.wait_for_selector("form.question.open")
        opened.emulate_media(color_scheme="dark")
        opened.wait_for_timeout(500)  # the colours fade
        yield "page_dark", opened.screenshot()
        context.close()


def terminal(browser: Any) -> Iterator[Any]:
    """The terminal, while the draft is written again."""
    import pyte

    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "streamgraph", "run", DEMO, "--input", "{}"]
    size = {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    ran = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**size), close_fds=True)
    os.close(theirs)
    lock = threading.Lock()

    def read() -> None:
        with contextlib.suppress(OSError):  # the program has ended
            while data := os.read(ours, 65536):
                with lock:
                    stream.feed(data)

    threading.Thread(target=read, daemon=True).start()

    def shows(what: str) -> Callable[[], bool]:
        def look() -> bool:
            with lock:
                return any(what in line for line in screen.display)

        return look

    try:
        until(shows("It says less about happiness"))
        with lock:
            drawn = screen_html(screen)
        yield "terminal", shot(browser, drawn, "body > *")
    finally:
        ran.terminate()
        ran.wait(30)
        os.close(ours)


def until(condition: Callable[[], bool]) -> None:
    """Wait until something of a program holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


NAMED = {
    "black": "#282a36", "red": "#ff6e6e", "green": "#69d58c", "brown": "#f1c97d", "blue": "#7aa2f7",
    "magenta": "#d495f0", "cyan": "#6fd3e3", "white": "#d8dbe6", "brightblack": "#7a7f94",
    "brightred": "#ff8f8f", "brightgreen": "#8ceaa8",
    "brightbrown": "#ffe0a0", "brightblue": "#9db9ff", "brightmagenta": "#e4b4fa", "brightcyan": "#93e6f2",
    "brightwhite": "#ffffff",
}  # fmt: skip


def screen_html(screen: Any) -> str:
    """A terminal window with what is on a screen."""
    lines: List[str] = []
    for row in range(screen.lines):
        line = ""
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            fore = NAMED.get(cell.fg, "#d8dbe6" if cell.fg == "default" else f"#{cell.fg}")
            back = NAMED.get(cell.bg, "transparent" if cell.bg == "default" else f"#{cell.bg}")
            if cell.reverse:
                fore, back = ("#1b1d26" if back == "transparent" else back), fore
            line += (
                f'<span style="color:{fore};background:{back};font-weight:{600 if cell.bold else 400};text-decoration:'
                f'{"line-through" if cell.strikethrough else "none"}">{html.escape(cell.data)}</span>'
            )
        lines.append(line)
    while lines and not re.sub(r"<[^>]*>", "", lines[-1]).strip():
        lines.pop()
    text = "\n".join(lines)
    return f"""<style>body {{ margin: 0; background: #fff }}
    .window {{ display: inline-block; margin: 12px; background: #1b1d26; border-radius: 10px; padding: 0 18px 16px;
      box-shadow: 0 6px 24px #0004 }}
    .bar {{ padding: 12px 0; color: #7a7f94; font: 13px system-ui; text-align: center }}
    pre {{ margin: 0; font: 13px/1.42 "DejaVu Sans Mono", ui-monospace, monospace }}</style>
    <div class="window"><div class="bar">streamgraph run {DEMO}</div><pre>{text}</pre></div>"""


CELLS = (
    """from streamgraph.watching import watch
from streamgraph_integrations.demo import research_desk

desk = research_desk()
modes = ["tasks", "messages", "updates", "values"]
options = dict(stream_mode=modes, version="v2", subgraphs=True, interrupts="live")
stream = desk.stream({"question": "Why do cats purr?"}, **options)
for part in watch(stream):
    for question in part["data"].get("__interrupt__", ()) if part["type"] == "updates" else ():
        stream.answer(question.id, "publish")""",
)


def notebook(browser: Any) -> Iterator[Any]:
    """A notebook with a run."""
    import nbclient
    import nbformat

    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    made = nbformat.v4.new_notebook(cells=cells)
    with tempfile.TemporaryDirectory() as folder:
        old = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        try:
            nbclient.NotebookClient(made, timeout=PATIENCE, resources={"metadata": {"path": folder}}).execute()
        finally:
            os.environ.pop("PYTHONPATH") if old is None else os.environ.update(PYTHONPATH=old)
    shown = ""
    for number, cell in enumerate(made.cells, 1):
        shown += f'<div class="in"><b>[{number}]:</b><pre>{html.escape(cell.source)}</pre></div>'
        for output in cell.outputs:
            data = output.get("data", {})
            text = f"<pre>{html.escape(str(output.get('text', '')))}</pre>"
            inner = data.get("text/html") or data.get("image/svg+xml") or text
            shown += f'<div class="out">{inner}</div>'
    style = """<style>body { margin: 0; background: #fff; font: 14px system-ui }
    .book { width: 1010px; height: 900px; overflow: hidden; padding: 16px 24px }
    .in { display: flex; gap: 12px; margin: 10px 0 } .in b { color: #307fc1; font: 13px monospace; padding-top: 9px }
    .in pre { flex: 1; margin: 0; background: #f6f7f9; border: 1px solid #e3e5e9; border-radius: 4px; padding: 8px 10px;
      font: 13px/1.45 "DejaVu Sans Mono", monospace }
    .out { margin: 6px 0 6px 46px }</style>"""
    yield "notebook", shot(browser, f'{style}<div class="book">{shown}</div>', "body > div")


def shot(browser: Any, drawn: str, what: str) -> bytes:
    """A picture of a piece of HTML."""
    context = browser.new_context(viewport={"width": 1240, "height": 900})
    opened = context.new_page()
    opened.set_content(f"<!doctype html><meta charset=utf-8>{drawn}")
    image: bytes = opened.locator(what).last.screenshot()
    context.close()
    return image


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".github" / "pictures")
