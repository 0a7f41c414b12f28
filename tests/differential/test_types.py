"""Public data types behave like LangGraph's: defaults, equality, `repr`, hashes, pickles, and arguments of errors."""

from __future__ import annotations

import copy
import importlib
import pickle
import warnings
from types import SimpleNamespace
from typing import Any, Callable, List

import pytest
from langchain_core.runnables import RunnableConfig

from differential.adapting import OLD

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def library(name: str) -> Any:
    """The modules of a library, by their names."""
    modules = ("types", "errors", "runtime", "constants", "graph", "managed", "warnings", "config", "typing")
    return SimpleNamespace(**{module: importlib.import_module(f"{name}.{module}") for module in modules})


THEIRS, OURS = library("langgraph"), library("streamgraph")

OBJECTS: List[Callable[[Any], Any]] = [
    lambda lib: lib.types.Interrupt("sure?"),
    lambda lib: lib.types.Interrupt({"a": [1]}, id="1"),
    lambda lib: lib.types.Interrupt.from_ns("sure?", "node:1"),
    lambda lib: lib.types.Interrupt("sure?", ns=["a:1", "b:2"]),
    lambda lib: lib.types.StateUpdate({"x": 1}),
    lambda lib: lib.types.StateUpdate(None, "node", "1"),
    lambda lib: lib.types.PregelTask("1", "node", ("__pregel_pull", "node")),
    lambda lib: lib.types.PregelTask("1", "node", (), ValueError("x"), result={"x": 1}),
    lambda lib: lib.types.StateSnapshot({"x": 1}, ("a",), {}, None, None, None, (), ()),
    lambda lib: lib.types.CacheKey(("a",), "b", None),
    lambda lib: lib.types.Send("node", {"x": 1}),
    lambda lib: lib.types.Send("node", 1),
    lambda lib: lib.types.Command(goto="a"),
    lambda lib: lib.types.Command(graph=lib.types.Command.PARENT, update={"x": 1}, resume="yes", goto=["a", "b"]),
    lambda lib: lib.types.Command(update=[("x", 1)], goto=lib.types.Send("a", 1)),
    lambda lib: lib.types.Command(resume={"1": "yes"}),
    lambda lib: lib.types.RetryPolicy(max_attempts=5)[:5],
]


def shown(value: Any) -> str:
    """The `repr`, without what LangGraph 0.6 does not have."""
    return repr(value).replace(", response_schema=None", "")


def outcome(call: Callable[[], Any]) -> Any:
    """A result, or the kind of the error."""
    try:
        return call()
    except Exception as error:
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


@pytest.mark.parametrize("make", OBJECTS)
def test_objects(make: Callable[[Any], Any]) -> None:
    theirs, ours = make(THEIRS), make(OURS)
    assert shown(ours) == shown(theirs)
    for lib, one in ((THEIRS, theirs), (OURS, ours)):
        if "ValueError" not in repr(one):
            assert one == make(lib), lib
            assert copy.deepcopy(one) == one
            assert pickle.loads(pickle.dumps(one)) == one
        assert one != object()
    assert outcome(lambda: isinstance(hash(ours), int)) == outcome(lambda: isinstance(hash(theirs), int))


@pytest.mark.parametrize(
    "read",
    [
        lambda lib: lib.types.Command().resume,
        lambda lib: lib.types.Command().goto,
        lambda lib: lib.types.Command.PARENT,
        lambda lib: lib.types.Interrupt("x", "1").interrupt_id,
        lambda lib: lib.types.StateSnapshot._fields,
        lambda lib: lib.types.PregelTask._fields,
        lambda lib: lib.types.StateUpdate._field_defaults,
        lambda lib: lib.types.ensure_valid_checkpointer(None) if not OLD else None,
        lambda lib: lib.types.ensure_valid_checkpointer(True) if not OLD else True,
        lambda lib: lib.types.ensure_valid_checkpointer("memory") if not OLD else "TypeError",
        lambda lib: lib.types.RetryPolicy()[:5],
        lambda lib: [code.name for code in lib.errors.ErrorCode],
        lambda lib: lib.errors.GraphInterrupt().args,
        lambda lib: lib.errors.GraphInterrupt([lib.types.Interrupt("x", "1")]).args[0][0].value,
        lambda lib: lib.errors.NodeInterrupt("x").args[0][0].value,
        lambda lib: lib.errors.NodeInterrupt("x", "1").args[0][0].id,
        lambda lib: lib.errors.ParentCommand(lib.types.Command(goto="a")).args[0].goto,
        lambda lib: lib.constants.Send is lib.types.Send,
        lambda lib: lib.constants.Interrupt is lib.types.Interrupt,
        lambda lib: (lib.constants.CONF, lib.constants.TASKS, lib.constants.CONFIG_KEY_CHECKPOINTER),
        lambda lib: lib.constants.CONFIG_KEY_SEND,
        lambda lib: lib.constants.nothing,
        lambda lib: lib.runtime.Runtime(context=1) == lib.runtime.Runtime(context=1),
        lambda lib: lib.runtime.Runtime(context=1).merge(lib.runtime.Runtime(store=2)).context,
        lambda lib: lib.runtime.Runtime(context=1).override(context=2).context,
        lambda lib: lib.runtime.Runtime().stream_writer("lost"),
        lambda lib: lib.typing.ContextT.__default__ in (None, type(None)),
        lambda lib: lib.typing.InputT.__default__ is lib.typing.StateT,
        lambda lib: lib.config.get_config(),
        lambda lib: lib.config.get_store(),
        lambda lib: lib.types.interrupt("sure?"),
    ],
)
def test_reading(read: Callable[[Any], Any]) -> None:
    assert outcome(lambda: read(OURS)) == outcome(lambda: read(THEIRS))


@pytest.mark.skipif(not hasattr(THEIRS.types, "GraphOutput"), reason="the installed LangGraph has no GraphOutput")
@pytest.mark.parametrize(
    "read",
    [
        lambda lib: lib.types.GraphOutput({"x": 1}),
        lambda lib: lib.types.GraphOutput({"x": 1}, (1,))["x"],
        lambda lib: lib.types.GraphOutput({"x": 1}, (1,))["__interrupt__"],
        lambda lib: lib.types.GraphOutput({"x": 1})["y"],
        lambda lib: "x" in lib.types.GraphOutput({"x": 1}),
        lambda lib: "__interrupt__" in lib.types.GraphOutput({"x": 1}),
        lambda lib: "__interrupt__" in lib.types.GraphOutput({"x": 1}, (1,)),
        lambda lib: lib.types.GraphOutput(3)["real"],
        lambda lib: lib.types.GraphOutput(3)["x"],
        lambda lib: "real" in lib.types.GraphOutput(3),
        lambda lib: 5 in lib.types.GraphOutput(3),
    ],
)
def test_reading_an_output(read: Callable[[Any], Any]) -> None:
    assert repr(outcome(lambda: read(OURS))) == repr(outcome(lambda: read(THEIRS)))


KINDS = [
    "EmptyInputError",
    "GraphBubbleUp",
    "GraphDrained",
    "GraphInterrupt",
    "GraphRecursionError",
    "InvalidUpdateError",
    "NodeCancelledError",
    "NodeInterrupt",
    "NodeTimeoutError",
    "ParentCommand",
    "TaskNotFound",
    "UnknownInterruptError",
]


@pytest.mark.parametrize("name", KINDS)
def test_classes_of_errors(name: str) -> None:
    """Every base class of LangGraph's error is one of ours, so that what catches one catches the other."""
    theirs = getattr(THEIRS.errors, name, None)
    if theirs is None:
        pytest.skip("the installed LangGraph does not have it")
    bases = {base.__name__ for base in theirs.__mro__}
    assert bases <= {base.__name__ for base in getattr(OURS.errors, name).__mro__}


@pytest.mark.parametrize("name", [name for name in dir(THEIRS.warnings) if name.startswith("LangGraphDeprecatedSince")])
def test_warnings(name: str) -> None:
    theirs, ours = getattr(THEIRS.warnings, name)("Gone."), getattr(OURS.warnings, name)("Gone.")
    assert str(ours).replace("3.0", "2.0") == str(theirs).replace("3.0", "2.0")
    assert (ours.message, ours.since) == (theirs.message, theirs.since)


def ui(lib: str) -> Any:
    return importlib.import_module(f"{lib}.graph.ui")


BOX = {"type": "ui", "id": "1", "name": "box", "props": {"a": 1, "b": 1}, "metadata": {}}

UPDATES: List[Any] = [
    [],
    BOX,
    [{**BOX, "props": {"b": 2}}],
    [{**BOX, "props": {"b": 2}, "metadata": {"merge": True}}],
    [{**BOX, "id": "2"}],
    {"type": "remove-ui", "id": "1"},
    {"type": "remove-ui", "id": "2"},
    [{"type": "remove-ui", "id": "1"}, {**BOX, "name": "again"}],
    [{**BOX, "id": "2"}, {"type": "remove-ui", "id": "2"}],
]


@pytest.mark.parametrize("left", [[], BOX, [BOX, {**BOX, "id": "3"}]], ids=["none", "one", "two"])
@pytest.mark.parametrize("right", UPDATES)
def test_the_reducer_of_ui_messages(left: Any, right: Any) -> None:
    reduce = [ui(lib).ui_message_reducer for lib in ("langgraph", "streamgraph")]
    theirs, ours = (outcome(lambda one=one: one(copy.deepcopy(left), copy.deepcopy(right))) for one in reduce)
    assert ours == theirs


CONFIGS: List[List[Any]] = [
    [],
    [None],
    [{"tags": ["a"]}, {"tags": ["b", "a"]}],
    [{"metadata": {"a": 1, "b": {"c": 1}}}, {"metadata": {"a": 2, "b": {"d": 1}}}],
    [{"configurable": {"thread_id": "1", "a": 1}}, {"configurable": {"a": 2}}],
    [{"recursion_limit": 3}, {"recursion_limit": 4}],
    [{"recursion_limit": 3}, {}],
    [{"run_name": "a", "run_id": "b", "max_concurrency": 2}, {"run_name": "c"}],
    [{"unknown": 1, "tags": []}],
]


def helpers(lib: str) -> Any:
    return importlib.import_module(f"{lib}._internal._config")


@pytest.mark.parametrize("given", CONFIGS)
@pytest.mark.parametrize("name", ["ensure_config", "merge_configs"])
def test_configs(name: str, given: List[Any]) -> None:
    """LangGraph 0.6 lets the last config of several count alone, for some keys."""
    if OLD and len(given) > 1:
        pytest.skip("LangGraph 0.6 merges less")
    theirs, ours = (getattr(helpers(lib), name)(*copy.deepcopy(given)) for lib in ("langgraph", "streamgraph"))
    for made in (theirs, ours):
        made["metadata"] = dict(made.get("metadata") or {})
        if OLD:  # 0.6 shows every scalar of `configurable` in the metadata
            made["metadata"].pop("unknown", None)
        if "recursion_limit" not in str(given):
            made.pop("recursion_limit", None)
    if name == "merge_configs":
        unknown = ours["configurable"].pop("unknown", None)
        assert theirs.pop("unknown", None) == unknown
    assert ours == theirs


@pytest.mark.parametrize("config", [None, {}, {"configurable": {"a": 1}, "tags": ["t"]}])
def test_patches(config: RunnableConfig) -> None:
    """A patch of a config."""
    for patch in ({}, {"a": 2}, {"b": 1}):
        theirs, ours = (helpers(lib).patch_configurable(config, patch) for lib in ("langgraph", "streamgraph"))
        assert ours == theirs
    options = {"run_name": "r", "recursion_limit": 3, "max_concurrency": 2, "configurable": {"c": 1}, "callbacks": []}
    theirs, ours = (helpers(lib).patch_config(config, **options) for lib in ("langgraph", "streamgraph"))
    assert ours == theirs


def node(state: Any) -> None:
    """Do nothing."""


def deprecated(lib: str) -> List[Any]:
    """The warnings of every deprecated keyword, with their lines."""
    graph, func, types = (importlib.import_module(f"{lib}.{name}") for name in ("graph", "func", "types"))

    class State(dict):
        x: int

    calls: List[Callable[[], Any]] = [
        lambda: graph.StateGraph(State, input=State),
        lambda: graph.StateGraph(State, output=State),
        lambda: graph.StateGraph(State, config_schema=State),
        lambda: graph.StateGraph(State).add_node("a", node, retry=types.RetryPolicy()),
        lambda: graph.StateGraph(State).add_node("a", node, input=State),
        lambda: func.task(retry=types.RetryPolicy()),
        lambda: func.entrypoint(retry=types.RetryPolicy()),
        lambda: func.entrypoint(config_schema=State),
        lambda: graph.MessageGraph(),
    ]
    found = []
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        found.append([warning.category.__name__ for warning in caught])
    return found


def test_deprecated_keywords() -> None:
    """The same calls warn, with classes of the same name."""
    assert deprecated("streamgraph") == deprecated("langgraph")
