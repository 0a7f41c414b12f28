"""A call that comes too late is an error that names what is loaded and what to import later."""

from __future__ import annotations

import importlib
import pickle
import sys
from types import ModuleType

import pytest

from streamgraph import replace_langgraph
from streamgraph.replacing import ReplacedTooLateError
from unit.replacing.installed import loaded


class Proxy:
    """An object that takes it badly when it is asked for anything."""

    def __getattribute__(self, name):
        raise RuntimeError("out of context")


@pytest.fixture
def library(all_installed, tmp_path, monkeypatch):
    """A library that uses the real LangGraph, in two modules of three."""
    (tmp_path / "a_library").mkdir()
    for name, text in {
        "__init__": "",
        "agents": "from langgraph.types import Command",
        "graphs": "import langgraph.graph.state as states",
        "idle": "value = 1",
    }.items():
        (tmp_path / "a_library" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("a_library")]:
        del sys.modules[name]


def test_too_late(library, monkeypatch):
    """The error names the modules and their users in the order of their imports, and nothing is changed."""
    proxies = ModuleType("proxies")
    proxies.current = Proxy()
    monkeypatch.setitem(sys.modules, "proxies", proxies)
    monkeypatch.setitem(sys.modules, "no_module", Proxy())
    for name in ("idle", "graphs", "agents"):
        importlib.import_module(f"a_library.{name}")
    before = loaded(), list(sys.meta_path), list(sys.path_hooks)

    with pytest.raises(ReplacedTooLateError) as raised:
        replace_langgraph()

    assert raised.value.modules == ("langgraph.graph", "langgraph.graph.state", "langgraph.types")
    users = [name for name in raised.value.importers if name.startswith("a_library")]
    assert users == ["a_library.graphs", "a_library.agents"]
    assert "Move the imports of" in str(raised.value)
    assert "python -m streamgraph" in str(raised.value)
    assert (loaded(), list(sys.meta_path), list(sys.path_hooks)) == before
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_the_program_itself(all_installed, monkeypatch):
    """The program's own import is found as well."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec("import langgraph.graph", vars(main))

    with pytest.raises(ReplacedTooLateError, match="Move the imports of .*below the call") as raised:
        replace_langgraph()

    assert "__main__" in raised.value.importers


def test_nobody_uses_it(all_installed, monkeypatch):
    """Modules that nobody holds are too much as well: whoever imports them next gets the real ones."""
    importlib.import_module("langgraph.only_there")
    for name, module in list(sys.modules.items()):  # test modules of this process may hold LangGraph
        held = vars(module).get("langgraph") if isinstance(module, ModuleType) else None
        if name.partition(".")[0] != "langgraph" and isinstance(held, ModuleType):
            monkeypatch.delitem(sys.modules, name)

    with pytest.raises(ReplacedTooLateError, match="Import what needs langgraph after the call"):
        replace_langgraph()


def test_savers_alone_are_not_too_late(all_installed):
    """Savers, stores, caches and the empty package above them may be loaded."""
    for name in ("checkpoint.base", "checkpoint.memory", "store.base", "cache.base"):
        importlib.import_module(f"langgraph.{name}")

    with replace_langgraph() as handle:
        assert handle.active


def test_a_second_call_is_never_too_late(all_installed):
    """What was imported since the first call is ours."""
    with replace_langgraph():
        importlib.import_module("langgraph.graph")
        importlib.import_module("langgraph.version")
        with replace_langgraph() as second:
            assert second.active
