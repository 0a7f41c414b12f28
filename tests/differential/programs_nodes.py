"""Programs about what a node can be, the builder's shortcuts, the writer, and arguments of the call."""

import functools
from typing import Any

from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnablePassthrough

from differential.harness import SPOKEN, Case, Lib, program
from differential.programs_flow import Log, graph, later, put
from differential.programs_nested import line, writing
from differential.programs_state import one


class Worker:
    """Methods and instances to use as nodes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def work(self, state: Any) -> dict:
        """A method."""
        return {"x": [f"{self.name}.work"]}

    async def awork(self, state: Any) -> dict:
        """An async method."""
        return {"x": [f"{self.name}.work"]}

    def __call__(self, state: Any) -> dict:
        """The instance itself."""
        return {"x": [self.name]}


def add_suffix(suffix: str, state: Any) -> dict:
    """A function for `partial`."""
    return {"x": [f"{len(state['x'])}{suffix}"]}


@program()
def method_nodes(lib: Lib) -> Case:
    worker = Worker("w")
    builder = graph(lib, [worker.work, ("self", worker)], [(lib.START, "work"), ("work", "self")])
    return Case(builder.compile(), {"x": []})


@program(async_nodes=True)
def async_method_node(lib: Lib) -> Case:
    worker = Worker("w")
    return Case(one(lib, lib.pick(worker.awork, worker.work)).compile(), {"x": []})


@program()
def partial_node(lib: Lib) -> Case:
    return Case(one(lib, functools.partial(add_suffix, "!")).compile(), {"x": ["in"]})


@program(modes=SPOKEN, async_nodes=True)
def async_function_nodes(lib: Lib) -> Case:
    async def a(state: Any) -> dict:
        lib.get_stream_writer()("one")
        lib.get_stream_writer()("two")
        return {"x": ["a"]}

    def sync_a(state: Any) -> dict:
        lib.get_stream_writer()("one")
        lib.get_stream_writer()("two")
        return {"x": ["a"]}

    node = lib.pick(a, sync_a)
    return Case(line(lib, ("a", node), put("b"), ("c", node)), {"x": []})


@program(modes=SPOKEN, async_nodes=True, ordered=False)
def parallel_async_nodes(lib: Lib) -> Case:
    async def a(state: Any) -> dict:
        lib.get_stream_writer()("a")
        return {"x": ["a"]}

    def sync_a(state: Any) -> dict:
        lib.get_stream_writer()("a")
        return {"x": ["a"]}

    nodes = [("a", lib.pick(a, sync_a)), writing(lib, "b")]
    return Case(graph(lib, nodes, [(lib.START, "a"), (lib.START, "b")]).compile(), {"x": []})


@program()
def runnable_lambda_node(lib: Lib) -> Case:
    return Case(one(lib, RunnableLambda(lambda state: {"x": ["lambda"]})).compile(), {"x": []})


@program()
def runnable_lambda_with_both_colours(lib: Lib) -> Case:
    async def acall(state: Any) -> dict:
        return {"x": ["same"]}

    return Case(one(lib, RunnableLambda(lambda state: {"x": ["same"]}, afunc=acall)).compile(), {"x": []})


@program()
def runnable_sequence_node(lib: Lib) -> Case:
    chain = RunnableLambda(lambda state: len(state["x"])) | (lambda n: {"x": [n], "y": n})
    return Case(one(lib, chain).compile(), {"x": ["in"]})


@program()
def runnable_named_otherwise(lib: Lib) -> Case:
    chain = RunnableLambda(lambda state: {"x": ["named"]}).with_config(run_name="elsewhere", tags=["t"])
    return Case(one(lib, chain).compile(), {"x": ["in"]})


@program()
def dict_of_runnables_node(lib: Lib) -> Case:
    node = {"x": RunnableLambda(lambda state: ["from dict"]), "y": lambda state: 3}
    return Case(one(lib, node).compile(), {"x": ["in"]})


@program()
def passthrough_node(lib: Lib) -> Case:
    node = RunnablePassthrough.assign(y=lambda state: len(state["x"]))
    return Case(one(lib, node).compile(), {"x": ["in"]})


@program(modes=("updates", "values"))
def prompt_node(lib: Lib) -> Case:
    prompt = ChatPromptTemplate.from_template("about {y}")
    node = prompt | (lambda value: {"x": [value.to_string()]})
    return Case(one(lib, node).compile(), {"x": ["in"], "y": 3})


@program()
def named_lambda_node(lib: Lib) -> Case:
    builder = graph(lib, [lambda state: {"x": ["anonymous"]}], [(lib.START, "<lambda>")])
    return Case(builder.compile(), {"x": []})


@program()
def add_sequence(lib: Lib) -> Case:
    builder = lib.StateGraph(Log)
    builder.add_sequence([put("a"), ("second", put("b")), put("c")])
    builder.add_edge(lib.START, "a")
    return Case(builder.compile(), {"x": []})


@program()
def entry_and_finish_point(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [("a", "b")])
    builder.set_entry_point("a")
    builder.set_finish_point("b")
    return Case(builder.compile(), {"x": []})


@program()
def conditional_entry_point(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [])
    builder.set_conditional_entry_point(lambda state: "b", {"a": "a", "b": "b"})
    return Case(builder.compile(), {"x": []})


@program()
def chained_builder_calls(lib: Lib) -> Case:
    builder = lib.StateGraph(Log).add_node(put("a")).add_node("b", put("b")).add_edge(lib.START, "a")
    return Case(builder.add_edge("a", "b").add_edge("b", lib.END).compile(), {"x": []})


@program(modes=SPOKEN)
def writer_parameters(lib: Lib) -> Case:
    def keyword(state: Any, *, writer: lib.StreamWriter) -> dict:  # type: ignore[name-defined]
        writer({"in": "keyword"})
        return {"x": ["k"]}

    def positional(state: Any, writer: lib.StreamWriter) -> dict:  # type: ignore[name-defined]
        writer(("in", "positional"))
        return {"x": ["p"]}

    return Case(line(lib, keyword, positional), {"x": []})


@program()
def config_in_a_node(lib: Lib) -> Case:
    def a(state: Any, config: RunnableConfig) -> dict:
        return {"x": [config["configurable"]["user"], sorted(config.get("tags") or []), config["metadata"]["m"]]}

    config = {"configurable": {"user": "u1"}, "tags": ["t"], "metadata": {"m": "mm"}}
    return Case(line(lib, ("a", a)), {"x": []}, config)


@program(modes=SPOKEN)
def writer_passes_anything_through(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        write = lib.get_stream_writer()
        for item in (None, 0, "", {"k": [1]}, ("t",), [None], 1.5):
            write(item)
        return {}

    return Case(line(lib, a, put("b")), {"x": []})


@program(modes=SPOKEN, versions=("v1", "v2"))
def writer_in_a_conditional_edge(lib: Lib) -> Case:
    def route(state: Any) -> str:
        lib.get_stream_writer()("routing")
        return "b"

    builder = graph(lib, [writing(lib, "a"), writing(lib, "b")], [(lib.START, "a")])
    builder.add_conditional_edges("a", route, ["b"])
    return Case(builder.compile(), {"x": []})


@program(modes=SPOKEN, subgraphs=(False, True))
def writer_in_a_conditional_edge_from_start(lib: Lib) -> Case:
    def route(state: Any) -> str:
        lib.get_stream_writer()("routing first")
        return "b"

    builder = graph(lib, [writing(lib, "a"), writing(lib, "b")], [])
    builder.add_conditional_edges(lib.START, route, ["a", "b"])
    return Case(builder.compile(), {"x": []})


@program(modes=SPOKEN)
def writer_in_a_runnable_inside_a_node(lib: Lib) -> Case:
    def inner(value: Any) -> Any:
        lib.get_stream_writer()(("inner", value))
        return value

    def a(state: Any) -> dict:
        return {"x": [RunnableLambda(inner).invoke(1), RunnableLambda(inner).invoke(2)]}

    return Case(line(lib, a, ("b", RunnableLambda(inner) | (lambda state: {"y": 1}))), {"x": []})


@program(modes=SPOKEN, ordered=False)
def writers_of_parallel_nodes(lib: Lib) -> Case:
    nodes = [writing(lib, name) for name in ("c", "a", "b")]
    return Case(graph(lib, nodes, [(lib.START, name) for name in "cab"]).compile(), {"x": []})


def _keys(name: str, keys: Any, given: dict) -> None:
    def build(lib: Lib) -> Case:
        nodes = [put("a"), ("b", lambda state: {"y": 2}), ("c", lambda state: None)]
        return Case(line(lib, *nodes), given, kwargs={"output_keys": keys})

    build.__name__ = f"output_keys_{name}"
    program(versions=("v1", "v2"), subgraphs=(False, True))(build)


_keys("as_string", "y", {"x": ["in"]})
_keys("as_string_in_input", "x", {"x": ["in"]})
_keys("as_list", ["y"], {"x": ["in"], "y": 1})
_keys("as_list_of_two", ["x", "y"], {"x": ["in"]})


@program(modes=("values", None, "updates", ("values",), ("updates", "values"), "custom", "tasks"), call="invoke")
def invoke_with_several_modes(lib: Lib) -> Case:
    return Case(line(lib, writing(lib, "a"), put("b", y=2)), {"x": ["in"]})


@program(modes=("values",), call="invoke")
def invoke_with_output_keys(lib: Lib) -> Case:
    return Case(line(lib, put("a"), put("b", y=2)), {"x": ["in"]}, kwargs={"output_keys": "y"})


@program(modes=(None,), call="invoke")
def invoke_of_a_failing_graph(lib: Lib) -> Case:
    def bad(state: Any) -> dict:
        raise ValueError("boom")

    return Case(line(lib, put("a"), bad), {"x": ["in"]})


@program(modes=(None,), call="batch")
def batch_of_inputs(lib: Lib) -> Case:
    return Case(line(lib, put("a"), put("b", y=2)), [{"x": [n]} for n in range(4)])


@program(modes=(None,), call="batch")
def batch_with_a_failure_returned(lib: Lib) -> Case:
    def picky(state: Any) -> dict:
        if state["y"] == 1:
            raise ValueError("not one")
        return {"x": ["ok"]}

    return Case(line(lib, picky), [{"y": n} for n in range(3)], kwargs={"return_exceptions": True})


@program(modes=("tasks", "debug", "updates"))
def with_config_tags_and_metadata(lib: Lib) -> Case:
    compiled = line(lib, put("a"), put("b")).with_config(tags=["gtag"], metadata={"g": 1, "both": "graph"})
    return Case(compiled, {"x": []}, {"tags": ["rtag"], "metadata": {"r": 2, "both": "run"}})


@program(modes=("tasks", "debug"), subgraphs=(False, True))
def node_metadata_in_tasks(lib: Lib) -> Case:
    builder = lib.StateGraph(Log)
    builder.add_node("a", put("a"), metadata={"kind": "node", "both": "node"})
    builder.add_node("sub", line(lib, put("i1")).with_config(metadata={"of": "sub"}, tags=["subtag"]))
    builder.add_edge(lib.START, "a")
    builder.add_edge("a", "sub")
    return Case(builder.compile(), {"x": []}, {"metadata": {"both": "run"}})


@program(modes=("updates",), differs=("chunks-of-a-chain-add-up",))
def graph_at_the_end_of_a_chain(lib: Lib) -> Case:
    chain = RunnableLambda(lambda n: {"x": [n]}) | line(lib, put("a"), put("b"))
    return Case(Plain(chain), 1)


@program(modes=(None,), call="invoke")
def graph_in_the_middle_of_an_invoked_chain(lib: Lib) -> Case:
    chain = RunnableLambda(lambda n: {"x": [n]}) | line(lib, put("a"), put("b")) | (lambda state: state["x"])
    return Case(chain, 1)


@program(modes=("debug", ("debug", "tasks"), ("tasks", "updates")))
def debug_and_tasks_of_parallel_nodes(lib: Lib) -> Case:
    nodes = [later(lib, "b", 0, y=1), later(lib, "a", 1), put("j")]
    builder = graph(lib, nodes, [(lib.START, "b"), (lib.START, "a"), (["a", "b"], "j")])
    return Case(builder.compile(), {"x": []})


class Plain:
    """A chain whose `stream` takes no graph arguments."""

    def __init__(self, chain: Any) -> None:
        self.chain = chain

    def stream(self, given: Any, config: Any, **ignored: Any) -> Any:
        return self.chain.stream(given, config)

    def astream(self, given: Any, config: Any, **ignored: Any) -> Any:
        return self.chain.astream(given, config)
