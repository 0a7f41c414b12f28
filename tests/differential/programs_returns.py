"""Programs about what nodes may return, errors, and what the builder refuses."""

from typing import Any

from typing_extensions import TypedDict

from differential.harness import SPOKEN, Case, Lib, program
from differential.programs_flow import Log, graph, later, put
from differential.programs_state import one, returning


@program(differs=("overwrite-before-1.0",))
def overwrite_bypasses_the_reducer(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return {"x": lib.Overwrite(["new"])}

    builder = one(lib, a)
    builder.add_node("b", put("b"))
    builder.add_edge("a", "b")
    return Case(builder.compile(), {"x": ["old"]})


@program(modes=("values",), differs=("overwrite-before-1.0",))
def two_overwrites_in_one_step(lib: Lib) -> Case:
    builder = graph(lib, [], [])
    for name in ("a", "b"):
        builder.add_node(name, lambda state: {"x": lib.Overwrite(["new"])})
        builder.add_edge(lib.START, name)
    return Case(builder.compile(), {"x": ["old"]})


@program()
def node_returns_none(lib: Lib) -> Case:
    builder = one(lib, returning(None))
    builder.add_node("b", put("b"))
    builder.add_edge("a", "b")
    return Case(builder.compile(), {"x": ["in"]})


@program(versions=("v1", "v2"))
def node_returns_an_empty_dict(lib: Lib) -> Case:
    return Case(one(lib, returning({})).compile(), {"x": ["in"]})


@program()
def node_returns_only_unknown_keys(lib: Lib) -> Case:
    return Case(one(lib, returning({"nope": 1})).compile(), {"x": ["in"]})


@program()
def node_returns_known_and_unknown_keys(lib: Lib) -> Case:
    return Case(one(lib, returning({"nope": 1, "y": 2})).compile(), {"x": ["in"]})


@program()
def node_writes_an_equal_value(lib: Lib) -> Case:
    return Case(one(lib, returning({"y": 1})).compile(), {"y": 1})


@program()
def node_writes_none(lib: Lib) -> Case:
    return Case(one(lib, returning({"y": None})).compile(), {"y": 1})


@program()
def node_returns_the_whole_state(lib: Lib) -> Case:
    return Case(one(lib, lambda state: state).compile(), {"x": ["1"], "y": 2})


def _wrong(name: str, value: Any) -> None:
    def build(lib: Lib) -> Case:
        return Case(one(lib, returning(value)).compile(), {"x": ["in"]})

    build.__name__ = f"node_returns_{name}"
    program()(build)


_wrong("an_int", 1)
_wrong("a_string", "text")
_wrong("an_empty_list", [])
_wrong("a_list_of_dicts", [{"x": ["1"]}])
_wrong("a_tuple", ("x", ["1"]))


@program(modes=SPOKEN)
def node_raises(lib: Lib) -> Case:
    def bad(state: Any) -> Any:
        lib.get_stream_writer()("before")
        raise ValueError("boom")

    return Case(graph(lib, [put("a"), bad], [(lib.START, "a"), ("a", "bad")]).compile(), {"x": []})


@program(versions=("v1", "v2"))
def node_raises_after_its_sibling_finished(lib: Lib) -> Case:
    def bad(state: Any) -> Any:
        lib.after(1)
        raise ValueError("boom")

    return Case(graph(lib, [later(lib, "ok", 0), bad], [(lib.START, "ok"), (lib.START, "bad")]).compile(), {"x": []})


@program(async_nodes=True)
def async_node_raises(lib: Lib) -> Case:
    async def bad(state: Any) -> Any:
        raise KeyError("boom")

    def sync_bad(state: Any) -> Any:
        raise KeyError("boom")

    nodes = [put("a"), ("bad", lib.pick(bad, sync_bad))]
    return Case(graph(lib, nodes, [(lib.START, "a"), ("a", "bad")]).compile(), {"x": []})


@program(modes=("updates",))
def node_raises_an_own_exception_with_data(lib: Lib) -> Case:
    class QuotaError(RuntimeError):
        def __str__(self) -> str:
            return f"quota {self.args}"

    def bad(state: Any) -> Any:
        raise QuotaError(1, "two")

    return Case(graph(lib, [put("a"), bad], [(lib.START, "a"), ("a", "bad")]).compile(), {"x": []})


@program(modes=("values", "updates"))
def managed_values(lib: Lib) -> Case:
    class Managed(TypedDict):
        x: list
        left: lib.RemainingSteps
        last: lib.IsLastStep

    def a(state: Any) -> Any:
        return {"x": [*state["x"], state["left"], state["last"]]}

    builder = one(lib, a, Managed)
    builder.add_edge("a", "a2")
    builder.add_node("a2", a)
    return Case(builder.compile(), {"x": []}, {"recursion_limit": 4})


def _refused(name: str, build: Any) -> None:
    build.__name__ = name
    program(modes=("updates",))(build)


def _builds(act: Any) -> Any:
    def build(lib: Lib) -> Case:
        builder = lib.StateGraph(Log)
        builder.add_node("a", put("a"))
        act(lib, builder)
        return Case(builder.compile(), {"x": []})

    return build


_refused("refused_no_entry", _builds(lambda lib, b: None))
_refused("refused_edge_to_unknown", _builds(lambda lib, b: b.add_edge(lib.START, "zz")))
_refused("refused_duplicate_node", _builds(lambda lib, b: b.add_node("a", put("a"))))
_refused("refused_reserved_name", _builds(lambda lib, b: b.add_node(lib.END, put("a"))))
_refused("refused_name_with_bar", _builds(lambda lib, b: b.add_node("a|b", put("a"))))
_refused("refused_name_with_colon", _builds(lambda lib, b: b.add_node("a:b", put("a"))))
_refused("refused_end_as_source", _builds(lambda lib, b: b.add_edge(lib.END, "a")))
_refused("refused_start_as_target", _builds(lambda lib, b: b.add_edge("a", lib.START)))
