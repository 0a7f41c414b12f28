"""The call can come twice, from threads, and beside savers; taken back it leaves nothing behind."""

from __future__ import annotations

import importlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import streamgraph
from streamgraph import replace_langgraph, restore_langgraph
from streamgraph.replacing import MissingModuleError
from unit.replacing.installed import loaded


def places():
    """What an import can leave behind."""
    own = {name: set(vars(module)) for name, module in list(sys.modules.items()) if name.startswith("streamgraph")}
    return (
        {name: sys.modules[name] for name in loaded()},
        list(sys.meta_path),
        list(sys.path_hooks),
        {entry for entry in sys.path_importer_cache if "<" in entry},
        own,
    )


def use():
    """Import what libraries import."""
    for name in ("graph.state", "types", "prebuilt.tool_node", "version", "func"):
        importlib.import_module(f"langgraph.{name}")
    import pkgutil

    import langgraph

    assert list(pkgutil.iter_modules(langgraph.__path__))


def test_undone_it_leaves_nothing_behind(all_installed):
    """No module, finder, hook, cache entry or attribute stays, and the next import is that of the real LangGraph."""
    importlib.import_module("streamgraph.prebuilt.tool_node")
    before = places()

    replacement = replace_langgraph()
    use()
    assert replacement.active
    replacement.undo()

    assert places() == before
    assert not replacement.active
    assert importlib.import_module("langgraph.types").Command is not streamgraph.Command
    assert importlib.import_module("langgraph.only_there")


def test_undone_without_langgraph(nothing_installed):
    """Where nothing of LangGraph is installed, importing it fails again."""
    with replace_langgraph():
        use()

    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module("langgraph.types")
    assert not isinstance(raised.value, MissingModuleError)


def test_again_after_undo(nothing_installed):
    """After an undo the call can be made again."""
    for _ in range(3):
        with replace_langgraph():
            assert importlib.import_module("langgraph.graph") is streamgraph.graph
        assert loaded() == []


def test_twice(nothing_installed):
    """A second call changes nothing, and the last undo counts, in whatever order they come."""
    first = replace_langgraph()
    before = places()
    second = replace_langgraph()
    assert places() == before

    first.undo()
    first.undo()
    assert second.active
    assert not first.active
    assert importlib.import_module("langgraph.graph") is streamgraph.graph
    second.undo()
    assert loaded() == []


def test_restore_takes_all_calls_back(nothing_installed):
    """`restore_langgraph` needs no handle; without a call nothing happens."""
    restore_langgraph()
    handles = [replace_langgraph() for _ in range(3)]
    use()

    restore_langgraph()

    assert loaded() == []
    assert [handle.active for handle in handles] == [False] * 3
    handles[0].undo()
    assert "undone" in repr(handles[0])


def test_context_manager(nothing_installed):
    """The block ends it, also by an exception, which comes through."""
    with pytest.raises(KeyError), replace_langgraph() as handle:
        assert "active" in repr(handle)
        use()
        raise KeyError("x")

    assert loaded() == []


def test_savers_that_are_loaded_already(all_installed):
    """Savers, stores and caches may be loaded before the call: they stay, and the package above them is put back."""
    saver = importlib.import_module("langgraph.checkpoint.memory")
    real = sys.modules["langgraph"]
    before = places()

    with replace_langgraph():
        assert importlib.import_module("langgraph.checkpoint.memory") is saver
        import langgraph.checkpoint

        assert langgraph is not real
        assert langgraph.checkpoint.memory is saver
        assert importlib.import_module("langgraph.graph") is streamgraph.graph

    assert places() == before
    assert sys.modules["langgraph"] is real


@pytest.mark.parametrize("name", ["checkpoint.base", "checkpoint.memory", "store.base", "cache.base", "cache.memory"])
def test_savers_that_are_loaded_meanwhile(add_ons_installed, name):
    """They are those of their own distribution, and stay loaded: no second copy of their classes is made."""
    with replace_langgraph():
        add_on = importlib.import_module(f"langgraph.{name}")
        assert add_on.__name__ == f"langgraph.{name}"
        assert "site" in add_on.__file__
        use()

    top = name.partition(".")[0]
    assert all(name == "langgraph" or name.startswith(f"langgraph.{top}") for name in loaded())
    assert importlib.import_module(f"langgraph.{name}") is add_on
    import langgraph

    assert getattr(langgraph, top) is sys.modules[f"langgraph.{top}"]
    assert not hasattr(langgraph, "graph")


def test_savers_that_are_not_installed(nothing_installed):
    """The error names the package to install; a cache of ours stands in for theirs."""
    with replace_langgraph():
        for name in ("checkpoint", "checkpoint.memory", "store.base"):
            with pytest.raises(MissingModuleError, match="pip install langgraph-checkpoint"):
                importlib.import_module(f"langgraph.{name}")
        assert importlib.import_module("langgraph.cache.memory") is streamgraph.cache.memory

    assert loaded() == []


def test_a_saver_that_its_distribution_does_not_have(add_ons_installed):
    """Inside an add-on Python's own error says what is missing."""
    with replace_langgraph(), pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module("langgraph.checkpoint.postgres")

    assert str(raised.value) == "No module named 'langgraph.checkpoint.postgres'"


def test_imports_that_are_barred(all_installed):
    """Entries of None, which bar an import, do not bar ours, and are there again afterwards."""
    sys.modules["langgraph"] = None  # type: ignore[assignment]
    sys.modules["langgraph.graph"] = None  # type: ignore[assignment]

    with replace_langgraph():
        assert importlib.import_module("langgraph.graph") is streamgraph.graph

    assert {name: sys.modules[name] for name in loaded()} == {"langgraph": None, "langgraph.graph": None}


def test_a_module_that_somebody_else_has_put_there(nothing_installed):
    """A stand-in of a test under LangGraph's name is not ours to take away."""
    stand_in = type(sys)("stand_in")
    with replace_langgraph():
        sys.modules["langgraph.types"] = stand_in

    assert sys.modules["langgraph.types"] is stand_in


def test_in_a_thread(nothing_installed):
    """The call holds for the whole process, whichever thread makes it."""
    with ThreadPoolExecutor(1) as pool:
        handle = pool.submit(replace_langgraph).result()
    assert importlib.import_module("langgraph.graph") is streamgraph.graph
    with ThreadPoolExecutor(1) as pool:
        pool.submit(handle.undo).result()
    assert loaded() == []


def test_in_many_threads_at_once(nothing_installed):
    """Each thread finds our modules between its call and its undo, and the last one leaves nothing behind."""
    before = places()
    threads = 8
    start = threading.Barrier(threads)

    def work(index):
        start.wait()
        for _ in range(20):
            with replace_langgraph():
                names = (
                    ("graph.state", "types", "config", "func") if index % 2 else ("func", "config", "types", "graph")
                )
                for name in names:
                    module = importlib.import_module(f"langgraph.{name}")
                    assert module is sys.modules[f"streamgraph.{name}"]
                    assert module.__spec__.name == f"streamgraph.{name}"

    # The one that holds it open: otherwise the undo of a last thread would come between another one's imports.
    with replace_langgraph(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))

    assert places() == before
