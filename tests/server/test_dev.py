"""`streamgraph dev` as a process of its own: what it serves, how it starts anew, and that nothing of it is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

import click
import httpx
import pytest
from click.testing import CliRunner
from watchfiles import Change

from streamgraph_server.dev import dev_command
from streamgraph_server.dev.addresses import ADDRESSES, lines_of
from streamgraph_server.dev.broken import reason_of
from streamgraph_server.dev.command import _folder_of, _listen
from streamgraph_server.dev.supervisor import Watched, _uninterrupted
from streamgraph_server.protocols import PROTOCOLS
from support.waiting import interruptible

PATIENCE = 100
"""Seconds that a process of this machine gets: each new start imports everything again."""

PROGRAM = """
from streamgraph.graph import START, MessagesState, StateGraph

def say(state):
    return {"messages": [("ai", "old")]}

graph = StateGraph(MessagesState).add_node(say).add_edge(START, "say").compile()
"""


class Dev:
    """The command in a process of its own, and what it has written so far."""

    def __init__(self, *arguments: str, cwd: Path, **env: str) -> None:
        command = [sys.executable, "-m", "streamgraph", "dev", *arguments]
        keys = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
        own = {name: value for name, value in os.environ.items() if name not in keys}
        own.update(env, PYTHONPATH=os.pathsep.join(sys.path), PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env=own, cwd=cwd,
            preexec_fn=interruptible,
        )  # fmt: skip
        self.text = ""
        self._reading = threading.Thread(target=self._read, name="test-dev-output")
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line

    def says(self, what: str, after: int = 0) -> int:
        """Wait until it has written something; return where in its text that ends."""
        until(lambda: what in self.text[after:] or self.process.poll() is not None, lambda: self.text)
        assert what in self.text[after:], self.text
        return self.text.index(what, after) + len(what)

    @property
    def url(self) -> str:
        """Where it serves."""
        self.says("Ctrl-C ends it")
        return re.findall(r"http://127\.0\.0\.1:\d+", self.text)[0]

    def end(self, number: int = signal.SIGINT) -> int:
        """Stop it as a terminal does; return its status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        assert not self._reading.is_alive(), "what it has started still holds its output"
        return status


def until(condition: Callable[[], Any], why: Callable[[], object] = lambda: "") -> None:
    """Wait until something of another process holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file with a graph."""
    path = tmp_path / "watched_program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    """Start the command; it is ended with the test, if the test has not done it."""
    started: List[Dev] = []

    def start(*arguments: str, **env: str) -> Dev:
        started.append(Dev(*arguments, "--port", "0", "--drain", "0.2", cwd=tmp_path, **env))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()
        assert one.process.stdout is not None
        one.process.stdout.close()


def save(program: Path, text: str) -> None:
    """Write a file as an editor does: whoever reads it meanwhile finds all of the old text or of the new one."""
    new = program.with_suffix(".new")
    new.write_text(text)
    os.replace(new, program)


def say_on(url: str, thread: str) -> List[str]:
    """Run the graph on a thread, and return what its messages say."""
    body = {"assistant_id": "graph", "input": {"messages": [("user", "hi")]}, "if_not_exists": "create"}
    answer = httpx.post(f"{url}/threads/{thread}/runs/wait", json=body, timeout=PATIENCE).json()
    return [message["content"] for message in answer["messages"]]


def is_closed(url: str) -> bool:
    """Whether nobody listens there any more."""
    port = int(url.rpartition(":")[2])
    with socket.socket() as other:
        return other.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_starts_anew_when_the_file_changes_and_threads_stay(program: Path, dev: Any) -> None:
    served = dev(f"{program}:graph", "--no-open")
    assert say_on(served.url, "t") == ["hi", "old"]
    (run,) = httpx.get(f"{served.url}/threads/t/runs", timeout=PATIENCE).json()
    prompts = httpx.get(f"{served.url}/threads/t/runs/{run['run_id']}/prompts/none", timeout=PATIENCE).json()
    assert "?prompts=true" not in prompts["detail"]  # they are kept without being asked for

    save(program, PROGRAM.replace("old", "new"))
    at = served.says("watched_program.py changed")
    at = served.says("Serving graph again", at)
    assert say_on(served.url, "t") == ["hi", "old", "hi", "new"]
    threads = httpx.post(f"{served.url}/threads/search", json={}, timeout=PATIENCE).json()
    assert [thread["thread_id"] for thread in threads] == ["t"]

    (program.parent / "notes.txt").write_text("of no matter")
    save(program, PROGRAM.replace("    return", "return", 1))
    at = served.says("does not load", at)
    broken = httpx.get(f"{served.url}/", headers={"accept": "text/html"}, timeout=PATIENCE)
    assert broken.status_code == 503 and "IndentationError" in broken.text and "refresh" in broken.text
    assert "script" not in broken.text
    refused = httpx.post(f"{served.url}/threads", json={}, timeout=PATIENCE)
    assert refused.status_code == 503 and "IndentationError" in refused.json()["detail"]
    assert httpx.get(f"{served.url}/", headers={"host": "evil.example"}, timeout=PATIENCE).status_code == 403

    save(program, PROGRAM.replace("old", "mended"))
    served.says("Serving graph again", at)
    assert say_on(served.url, "t")[-1] == "mended"
    assert "notes.txt" not in served.text

    assert served.end() == 0 and served.text.rstrip().endswith("Ended.")
    assert "Traceback (most recent call last):\n  File" not in served.text  # an IndentationError has no frames of ours
    assert is_closed(served.url)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_client_that_comes_meanwhile_is_answered_by_the_new_program(program: Path, dev: Any) -> None:
    served = dev(f"{program}:graph", "--no-open")
    url = served.url
    loading, go_on = program.parent / "loading.txt", program.parent / "go_on.txt"
    waits = f"""
from pathlib import Path
import time
Path({str(loading)!r}).write_text("")
while not Path({str(go_on)!r}).exists():
    time.sleep(0.01)
"""
    save(program, waits + PROGRAM.replace("old", "new"))
    until(loading.exists)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(say_on, url, "t")
        with pytest.raises(FutureTimeoutError):
            answer.result(0.2)  # it waits, and is not refused
        go_on.write_text("")
        assert answer.result(PATIENCE) == ["hi", "new"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_is_left_when_it_is_killed(program: Path, dev: Any) -> None:
    served = dev(f"{program}:graph", "--no-open")
    url = served.url
    assert not is_closed(url)
    served.end(signal.SIGKILL)
    until(lambda: is_closed(url))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demo_says_where_it_is_and_opens_the_page(dev: Any, tmp_path: Path) -> None:
    opened = tmp_path / "opened.txt"
    browser = tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)

    served = dev(BROWSER=f"{browser} %s")
    url = served.url
    graphs = httpx.post(f"{url}/assistants/search", json={}, timeout=PATIENCE).json()
    assert [graph["graph_id"] for graph in graphs] == ["research_desk"]
    for where in (f"{url}/chat/research_desk", f"{url}/agui/research_desk", f"{url}/v1", f"{url}/\n"):
        assert where in served.text
    until(lambda: opened.exists() and opened.read_text())
    assert opened.read_text() == f"{url}/\n"
    assert served.end(signal.SIGTERM) == 0
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_that_fails_shows_in_the_terminal_where(program: Path, dev: Any) -> None:
    program.write_text(PROGRAM.replace("    return", "    1 / 0\n    return", 1))
    served = dev(f"{program}:graph", "--no-open")
    body = {"assistant_id": "graph", "input": {"messages": []}}
    answer = httpx.post(f"{served.url}/runs/wait", json=body, timeout=PATIENCE).json()
    assert answer["__error__"]["error"] == "ZeroDivisionError" and "File" not in str(answer)
    served.says("1 / 0")
    served.says("ZeroDivisionError")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_does_not_exist_ends_it(program: Path, dev: Any) -> None:
    for target, says in ((f"{program}:grahp", "graph"), (f"{program.parent}/none.py:graph", "There is no file")):
        refused = dev(target, "--no-open")
        assert refused.process.wait(PATIENCE) == 1
        refused._reading.join(PATIENCE)
        assert says in refused.text and "Traceback" not in refused.text


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_program_that_ends_itself_is_started_again_by_a_change(program: Path, dev: Any) -> None:
    program.write_text(PROGRAM.replace("    return", "    import os; os._exit(3)\n    return", 1))
    served = dev(f"{program}:graph", "--no-open")
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{served.url}/runs/wait", json={"assistant_id": "graph", "input": {}}, timeout=PATIENCE)
    served.says("has ended with status 3")
    save(program, PROGRAM)
    served.says("Serving graph again")
    assert say_on(served.url, "t") == ["hi", "old"]


def test_what_the_command_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    for arguments, says in (
        (["app.py:graph", "--model", "local"], "--model is for the demo"),
        (["--model", "local"], "streamgraph[local]"),
        (["--model", "local:none.gguf"], "streamgraph[local]"),
        (["--model", "gpt-4o-mini"], "OPENAI_API_KEY"),
        (["--checkpointer", "redis:x"], "no checkpointer"),
        (["--store", "redis:x"], "no store"),
        (["--watch", "no/such/folder"], "does not exist"),
    ):
        result = CliRunner().invoke(dev_command, arguments)
        assert says in result.output and result.exit_code in (1, 2), result.output


def test_a_port_in_use_is_passed_over_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(click.ClickException, match=f"Port {port} is in use.*--port 0"):
            _listen(port, True)
        with _listen(port, False) as found:
            assert found.getsockname()[1] != port
        assert f"Port {port} is in use, so this is " in capsys.readouterr().out


def test_every_protocol_has_an_address() -> None:
    shared = {"openai-responses", "thread-stream"}  # under OpenAI's base URL, and for LangGraph's SDKs
    assert set(PROTOCOLS) - shared == set(ADDRESSES)
    lines = lines_of("http://127.0.0.1:1", ["a", "b"], list(PROTOCOLS), page=True)
    assert len(lines) == len(ADDRESSES) + 3 and lines[-1] == "  also: b"
    without = lines_of("u", ["a"], ["ag-ui"], page=False)
    assert without == ["  in a terminal   streamgraph run a --url u", "  AG-UI           u/agui/a"]


def test_ctrl_c_while_a_process_starts_is_not_lost() -> None:
    """The process that starts knows nothing of it, and this one ends as soon as it can end the other one."""
    begun = False
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            with _uninterrupted():
                os.kill(os.getpid(), signal.SIGINT)
                asks = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
                done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, timeout=PATIENCE)
                begun = True
    finally:
        signal.signal(signal.SIGINT, before)
    assert begun and done.stdout == "True\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_which_changes_count(tmp_path: Path) -> None:
    program, prompts = tmp_path / "program", tmp_path / "prompts"
    watched = Watched(program, [prompts, tmp_path / "one.txt"])
    assert watched.paths == [program, prompts, tmp_path / "one.txt"] and watched.recursive
    for path, counts in (
        ("program/a.py", True),
        ("program/inner/b.py", True),
        ("program/out.txt", False),
        ("program/.venv/lib/x.py", False),
        ("program/__pycache__/a.py", False),
        ("prompts/deep/p.md", True),
        ("one.txt", True),
        ("two.txt", False),
    ):
        assert watched.wants(Change.modified, str(tmp_path / path)) == counts, path
    assert not Watched(Path.home()).recursive
    assert Watched(None).paths == []


def test_the_folder_of_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_package" / "inner").mkdir(parents=True)
    (tmp_path / "a_package" / "__init__.py").write_text("raise SystemExit('must not be imported')")
    (tmp_path / "a_module.py").write_text("")
    before = list(sys.path)
    assert _folder_of("a_package.inner.app:graph") == tmp_path / "a_package"
    assert _folder_of("a_module:graph") == tmp_path
    assert _folder_of("a_package/inner/app.py:graph") == tmp_path / "a_package" / "inner"
    assert _folder_of("no_such_module:graph") == tmp_path
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "says", "not_says"),
    [
        ("def make():\n    return 1 / 0\nmake()\n", ["in make", "ZeroDivisionError"], "_graphs.py"),
        ("x = (\n", ["SyntaxError", "x = ("], "_graphs.py"),
        ("import no_such_module_at_all\n", ["no_such_module_at_all", "ModuleNotFoundError"], "_graphs.py"),
        ("raise SystemExit('not today')\n", ["SystemExit: not today"], "_graphs.py"),
    ],
)
def test_reasons_have_the_frames_of_the_program_alone(
    tmp_path: Path, text: str, says: List[str], not_says: Optional[str]
) -> None:
    from streamgraph.named import load_graphs

    path = tmp_path / "failing_program.py"
    path.write_text(text)
    before = list(sys.path)
    try:
        with pytest.raises(BaseException) as caught:  # also SystemExit
            load_graphs(f"{path}:graph")
    finally:
        sys.path[:] = before
        sys.modules.pop("failing_program", None)
    reason = reason_of(caught.value)
    assert all(what in reason for what in says) and str(not_says) not in reason
