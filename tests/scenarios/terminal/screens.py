"""Programs in a pseudo-terminal, whose screen a test can read."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Callable, List

from support.waiting import interruptible

PATIENCE = 60.0

PROGRAM = """
import time
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import ScriptedModel
from streamgraph.types import RetryPolicy, interrupt

model = ScriptedModel(["Wrong words.", "Cats 猫 \\x1b]0;owned\\x07sleep."], cycle=True)
tries = []

def think(state):
    said = model.invoke(state["messages"])
    tries.append(1)
    if len(tries) == 1:
        raise ValueError("flaky")
    return {"messages": said}

def ask(state):
    answer = interrupt("May I go on?", response_schema={"enum": ["yes", "no"]})
    return {"messages": [("ai", f"You said {answer}.")]}

again = RetryPolicy(max_attempts=2, initial_interval=0.01, retry_on=ValueError)
inner = StateGraph(MessagesState).add_node("think", think, retry_policy=again).add_edge(START, "think").compile()
builder = StateGraph(MessagesState).add_node("sub", inner).add_node("ask", ask)
graph = builder.add_edge(START, "sub").add_edge("sub", "ask").compile()

def fail(state):
    raise RuntimeError("broken \\x1b[2J")

failing = StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail").compile()

def talk(state):
    while True:
        ScriptedModel(["word"], delay=0.02).invoke("x")

endless = StateGraph(MessagesState).add_node("talk", talk).add_edge(START, "talk").compile()

def stand(state):
    open(__file__ + ".stands", "w").close()
    time.sleep(60)

standing = StateGraph(MessagesState).add_node("stand", stand).add_edge(START, "stand").compile()

stops = StateGraph(MessagesState).add_node("first", lambda state: {"messages": [("ai", "one")]})
stops.add_node("second", lambda state: {"messages": [("ai", "two")]})
stops = stops.add_edge(START, "first").add_edge("first", "second").compile(interrupt_before=["second"])
"""


def command(*arguments: str) -> List[str]:
    """The command line of `streamgraph run`."""
    return [sys.executable, "-m", "streamgraph", "run", *arguments]


def environment() -> dict[str, str]:
    """Variables with which a program finds this package, and takes its terminal for one with colours."""
    own = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "COLUMNS", "LINES")}
    return {**own, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}


class Terminal:
    """A program in a terminal of its own.

    Args:
        arguments: Its command line.
    """

    def __init__(self, *arguments: str, columns: int = 80, rows: int = 24) -> None:
        import pyte

        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            arguments, stdin=other, stdout=other, stderr=other, env=environment(), start_new_session=True,
            preexec_fn=lambda: (interruptible(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
        )  # fmt: skip
        os.close(other)

    def read(self, seconds: float) -> bool:
        """Take what was written within some time; return False if the program has closed the terminal."""
        if not select.select([self._main], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._main, 65536)
        except OSError:  # nobody has it open any more
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)

    def lines(self) -> List[str]:
        """The lines of the screen that are not empty."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def until(self, holds: Callable[[List[str]], bool]) -> List[str]:
        """Wait until the screen looks as it should; return its lines."""
        deadline = time.monotonic() + PATIENCE
        while not holds(self.lines()):
            assert time.monotonic() < deadline, self.lines()
            if not self.read(0.1):
                break
        assert holds(self.lines()), self.lines()
        return self.lines()

    def type(self, text: str) -> None:
        """Press keys; `"\\x03"` is Ctrl-C."""
        os.write(self._main, text.encode())

    def end(self) -> int:
        """Wait for the end of the program; return its exit code."""
        deadline = time.monotonic() + PATIENCE
        try:
            while self.read(0.1):
                assert time.monotonic() < deadline, self.lines()
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
            os.close(self._main)
