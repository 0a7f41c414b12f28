"""A name below `langgraph.` is our module of that name, an add-on of another distribution, or an error."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import pickle
import pkgutil
import sys
from importlib import metadata
from pathlib import Path
from unittest import mock

import pytest

import streamgraph
import streamgraph.graph.state
import streamgraph.types
from streamgraph import replace_langgraph
from streamgraph.replacing import MissingModuleError

pytestmark = pytest.mark.usefixtures("nothing_installed")

NOT_LANGGRAPHS = (
    *("accumulate", "executors", "named", "pytest_plugin", "replacing", "runs", "serialization", "terminal", "testing"),
    *("watching", "__main__"),
)


def shown():
    """The public modules that have a name of LangGraph's."""
    for found in pkgutil.walk_packages(streamgraph.__path__, "streamgraph."):
        tail = found.name.partition(".")[2]
        if "._" not in found.name and tail.partition(".")[0] not in NOT_LANGGRAPHS:
            yield tail


@pytest.fixture(autouse=True)
def replaced(nothing_installed):
    """`langgraph` is replaced."""
    return replace_langgraph()


@pytest.mark.parametrize("tail", [tail for tail in shown() if tail != "version"])
def test_it_is_the_same_module(tail):
    """The module keeps what it says of itself, under both names."""
    own = importlib.import_module(f"streamgraph.{tail}")
    spec = own.__spec__

    module = importlib.import_module(f"langgraph.{tail}")

    assert module is own
    assert sys.modules[f"langgraph.{tail}"] is own
    assert module.__spec__ is spec
    assert module.__name__ == spec.name == f"streamgraph.{tail}"


def test_modules_have_langgraphs_names():
    """The modules of this package that LangGraph does not have are not shown under its name."""
    known = {"cache", "callbacks", "channels", "config", "constants", "errors", "func", "graph", "managed", "prebuilt"}
    known |= {"pregel", "runtime", "store", "stream", "types", "typing", "utils", "version", "warnings"}

    assert {tail.partition(".")[0] for tail in shown()} - known == set()


def test_all_ways_of_importing():
    """Every form of the import statement leads to our modules."""
    names: dict = {}
    exec(
        "import langgraph.graph\n"
        "import langgraph.graph.state as as_state\n"
        "from langgraph import graph, types as from_types\n"
        "from langgraph.graph import state, StateGraph\n"
        "from langgraph.types import *\n",
        names,
    )

    assert names["langgraph"].graph is names["graph"] is streamgraph.graph
    assert names["as_state"] is names["state"] is names["langgraph"].graph.state is streamgraph.graph.state
    assert names["StateGraph"] is streamgraph.StateGraph
    assert names["from_types"] is streamgraph.types
    assert {name: names[name] for name in streamgraph.types.__all__} == {
        name: getattr(streamgraph.types, name) for name in streamgraph.types.__all__
    }


def test_langgraph_itself_is_empty():
    """`langgraph` is a namespace with the modules that were imported, and `from langgraph import *` brings nothing."""
    import langgraph

    names: dict = {}
    exec("from langgraph import *", names)

    assert not hasattr(langgraph, "graph")
    assert set(names) == {"__builtins__"}
    assert "streamgraph" in repr(langgraph)
    with pytest.raises(ImportError, match="cannot import name 'StateGraph' from 'langgraph'"):
        from langgraph import StateGraph  # noqa: F401


def test_it_is_loaded_when_it_is_imported():
    """`sys.modules` has no module before somebody imports it, and asking for its spec does not import it."""
    assert "langgraph" not in sys.modules

    assert importlib.util.find_spec("langgraph") is not None
    assert "langgraph" not in sys.modules
    spec = importlib.util.find_spec("langgraph.graph")

    assert (spec.name, spec.origin) == ("langgraph.graph", streamgraph.graph.__file__)
    assert spec.submodule_search_locations == list(streamgraph.graph.__path__)
    assert "langgraph" in sys.modules  # A parent is imported for that, as always.
    assert "langgraph.graph" not in sys.modules
    importlib.import_module("langgraph.graph")
    assert importlib.util.find_spec("langgraph.graph") is streamgraph.graph.__spec__


def test_pkgutil_lists_our_modules():
    """Who walks `langgraph.__path__` finds what can be imported, also after the caches were cleared."""
    import langgraph

    importlib.invalidate_caches()
    found = {module.name: module.ispkg for module in pkgutil.iter_modules(langgraph.__path__, "langgraph.")}
    sys.path_importer_cache.clear()

    assert found == {module.name: module.ispkg for module in pkgutil.iter_modules(langgraph.__path__, "langgraph.")}
    assert found["langgraph.graph"]
    assert not found["langgraph.types"]
    assert set(found) == {f"langgraph.{tail}" for tail in {*shown(), "version"} if "." not in tail}
    walked = {module.name for module in pkgutil.walk_packages(langgraph.__path__, "langgraph.")}
    assert {"langgraph.graph.state", "langgraph.prebuilt.tool_node"} <= walked


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("langgraph.tpes", "Did you mean 'langgraph.types'?"),
        ("langgraph.graph.stat", "Did you mean 'langgraph.graph.state'?"),
        ("langgraph.xyzzy", "Known: "),
        ("langgraph._core", "streamgraph, which does not have it"),
        ("langgraph.testing", "streamgraph, which does not have it"),
    ],
)
def test_a_missing_module(name, message):
    """What we do not have is an ImportError with the closest right name; the next import works."""
    with pytest.raises(MissingModuleError) as raised:
        importlib.import_module(name)

    assert isinstance(raised.value, ModuleNotFoundError)
    assert raised.value.name == name
    assert f"No module named '{name}': langgraph is replaced by streamgraph" in str(raised.value)
    assert message in str(raised.value)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    assert pickle.loads(pickle.dumps(raised.value)).name == name
    assert name not in sys.modules
    assert importlib.import_module("langgraph.types") is streamgraph.types


def test_the_real_module_is_not_found_by_accident(nothing_installed):
    """A module that only the real LangGraph has is missing, even for finders that stand in front of ours."""
    from importlib.machinery import PathFinder

    nothing_installed.add("only_there.py")
    sys.meta_path.insert(0, PathFinder)

    import langgraph  # noqa: F401

    with pytest.raises(MissingModuleError):
        importlib.import_module("langgraph.only_there")


def test_mock_patch():
    """A patch under LangGraph's name is a patch of ours."""
    own = streamgraph.types.Command

    with mock.patch("langgraph.types.Command") as patched:
        assert streamgraph.types.Command is patched
    with mock.patch("langgraph.graph.state.StateGraph.compile") as compile_:
        streamgraph.StateGraph(dict).compile()

    compile_.assert_called_once_with()
    assert streamgraph.types.Command is own


def test_pickle_and_copy():
    """Objects survive, and a pickle that LangGraph has written is read as ours."""
    from langgraph.types import Command, Send

    command = Command(update={"a": 1}, goto=Send("b", 2))
    theirs = pickle.dumps(command, protocol=0).replace(b"streamgraph.types", b"langgraph.types")

    assert pickle.loads(pickle.dumps(command)) == command
    assert pickle.loads(theirs) == command
    assert copy.deepcopy(command) == copy.copy(command) == command
    assert pickle.loads(pickle.dumps(Command)) is streamgraph.Command


def test_reload():
    """A module that is reloaded is ours, and stays one object; `langgraph` itself keeps what is in it."""
    import langgraph.constants

    assert importlib.reload(langgraph.constants) is streamgraph.constants
    assert sys.modules["langgraph.constants"] is sys.modules["streamgraph.constants"]
    assert importlib.reload(langgraph) is sys.modules["langgraph"]
    assert langgraph.constants is streamgraph.constants
    assert importlib.import_module("langgraph.config") is langgraph.config


def test_an_entry_that_was_removed_comes_back():
    """Who deletes modules from `sys.modules` gets the same ones again."""
    import langgraph.types

    root = langgraph
    del sys.modules["langgraph.types"], sys.modules["langgraph"]

    assert importlib.import_module("langgraph.types") is streamgraph.types
    assert sys.modules["langgraph"] is root


def test_after_a_failed_import(tmp_path, monkeypatch):
    """A module of ours whose import fails can be imported later, and the failure leaves nothing behind."""
    monkeypatch.setattr(streamgraph, "__path__", [*streamgraph.__path__, str(tmp_path)])
    module = tmp_path / "utilities.py"
    module.write_text("raise OSError('not now')")

    with pytest.raises(OSError, match="not now"):
        importlib.import_module("langgraph.utilities")
    assert not {"langgraph.utilities", "streamgraph.utilities"} & set(sys.modules)

    module.write_text("ready = 'yes, and with another length, for what is compiled is known by size and time'")
    importlib.invalidate_caches()
    try:
        assert importlib.import_module("langgraph.utilities").ready
        assert sys.modules["langgraph.utilities"] is sys.modules["streamgraph.utilities"]
    finally:
        del sys.modules["streamgraph.utilities"], streamgraph.utilities


def test_the_version(monkeypatch):
    """`langgraph.version` is that of the installed LangGraph, as its metadata say, or of the one that we follow."""
    from langgraph.version import __version__

    assert __version__ == metadata.version("langgraph")

    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nothing)
    del sys.modules["langgraph.version"]
    assert importlib.import_module("langgraph.version").__version__.startswith("1.")


def test_who_asks_the_path_hook_for_another_path():
    """The hook that makes `langgraph.__path__` work refuses what is not ours."""
    with pytest.raises(ImportError, match="hook of"):
        sys.path_hooks[-1](str(Path.cwd()))
