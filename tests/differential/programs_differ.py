"""Programs that touch a deliberate difference; `differences.py` says what we promise there."""

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda

from differential.harness import Case, Lib, program
from differential.models import Chunked, words
from differential.programs_flow import graph, put
from differential.programs_messages import asks, chat, hello
from differential.programs_nested import line, writing
from differential.programs_nodes import Plain
from differential.programs_state import Closed, Model, one, returning

M = ("messages",)


@program(modes=("updates", "values"), differs=("wrong-routes-are-errors",))
def unknown_goto(lib: Lib) -> Case:
    nodes = [("a", lambda state: lib.Command(goto="writter")), ("writer", put("writer"))]
    return Case(graph(lib, nodes, [(lib.START, "a")]).compile(), {"x": []})


@program(modes=("updates", "values"), differs=("wrong-routes-are-errors",))
def unknown_path_result(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("writer")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: "writter")
    return Case(builder.compile(), {"x": []})


@program(modes=("updates", "values"), differs=("wrong-routes-are-errors",))
def unknown_send_target(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("writer")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: [lib.Send("writter", {})])
    return Case(builder.compile(), {"x": []})


@program(modes=("updates", "values"), differs=("wrong-routes-are-errors",))
def path_result_missing_in_the_map(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("writer")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: "writter", {"writer": "writer"})
    return Case(builder.compile(), {"x": []})


@program(modes=("updates", "values"), differs=("pydantic-set-fields-only",))
def pydantic_returned_in_part(lib: Lib) -> Case:
    return Case(one(lib, lambda state: Model(x=["a"]), Model).compile(), {"x": ["in"], "y": 1})


@program(modes=("updates", "values"), differs=("unknown-keys-of-closed-schemas",))
def unknown_key_of_a_closed_schema(lib: Lib) -> Case:
    return Case(one(lib, returning({"x": ["a"], "nope": 1}), Closed).compile(), {"x": ["in"]})


@program(modes=("updates", "values"), differs=("list-of-sends",))
def node_returns_a_list_of_sends(lib: Lib) -> Case:
    def r(state: Any) -> Any:
        return [lib.Send("w", {"n": 1})]

    return Case(graph(lib, [r, put("w")], [(lib.START, "r")]).compile(), {"x": []})


@program(modes=("updates",), differs=("graph-inside-a-chain",))
def graph_in_the_middle_of_a_streamed_chain(lib: Lib) -> Case:
    chain = RunnableLambda(lambda n: {"x": [n]}) | line(lib, put("a"), put("b")) | (lambda state: state["x"])
    return Case(Plain(chain), 1)


@program(modes=M, differs=("exactly-once",))
def hand_built_copy_of_a_streamed_text(lib: Lib) -> Case:
    model = words("tell me now")

    def ask(state: Any) -> dict:
        return {"messages": [AIMessage("".join(chunk.content for chunk in model.stream("q")))]}

    return Case(chat(lib, ask), hello(lib))


@program(modes=M, differs=("exactly-once",))
def copy_of_a_streamed_message_under_a_new_id(lib: Lib) -> Case:
    model = words("tell me now")

    def ask(state: Any) -> dict:
        return {"messages": [model.invoke("q").model_copy(update={"id": "other"})]}

    return Case(chat(lib, ask), hello(lib))


@program(modes=M, differs=("changed-messages",))
def edited_message_of_the_history(lib: Lib) -> Case:
    def edit(state: Any) -> dict:
        return {"messages": [HumanMessage("hi, edited", id="h1")]}

    return Case(chat(lib, ("edit", edit)), hello(lib))


@program(modes=M, differs=("coerced-messages",))
def coerced_messages(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        return {"messages": [("ai", "pair"), {"role": "user", "content": "dict"}, AIMessage("real", id="r1")]}

    return Case(chat(lib, ("a", a)), hello(lib))


@program(modes=M, differs=("coerced-messages",))
def message_in_a_command_of_pairs(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update=[("messages", [AIMessage("by pairs", id="r1")])])

    return Case(chat(lib, ("a", a)), hello(lib))


@program(modes=M, differs=("nostream",))
def nostream_and_returned(lib: Lib) -> Case:
    quiet = asks(words("quiet please", tags=["nostream"]))
    return Case(chat(lib, ("ask", quiet), ("loud", asks(words("loud now")))), hello(lib))


@program(modes=M, differs=("one-id-per-call",))
def chunks_with_an_id_of_their_own(lib: Lib) -> Case:
    model = Chunked(chunks=[AIMessageChunk("he", id="fixed"), AIMessageChunk("llo", id="fixed")])
    return Case(chat(lib, asks(model)), hello(lib))


@program(modes=M, differs=("metadata-is-ours",))
def node_metadata_named_like_ours(lib: Lib) -> Case:
    builder = lib.StateGraph(lib.MessagesState)
    builder.add_node("ask", asks(words("tell now")), metadata={"langgraph_node": "HACK", "mine": 1})
    builder.add_edge(lib.START, "ask")
    return Case(builder.compile(), hello(lib))


@program(modes=M, differs=("only-messages-that-enter-state",))
def inner_runnable_named_like_its_node(lib: Lib) -> Case:
    inner = RunnableLambda(lambda value: AIMessage("inner", id="inner")).with_config(run_name="a")

    def a(state: Any) -> dict:
        inner.invoke(1)
        return {"messages": [AIMessage("outer", id="outer")]}

    return Case(chat(lib, ("a", a)), hello(lib))


@program(modes=("messages", "custom", "updates"), subgraphs=(None,), differs=("nested-by-default",))
def nested_graph_by_default(lib: Lib) -> Case:
    inner = chat(lib, writing(lib, "note", "unknown"), asks(words("tell now")))
    return Case(chat(lib, ("sub", inner)), hello(lib))


@program(modes=(None,), differs=("default-mode",))
def default_mode_inside_a_node(lib: Lib) -> Case:
    inner = line(lib, put("i1"))

    def call(state: Any, config: RunnableConfig) -> dict:
        return {"x": list(inner.stream({"x": []}, config))}

    return Case(line(lib, ("call", call)), {"x": []})


@program(modes=(None,), differs=("any-collection-of-modes",))
def tuple_of_modes(lib: Lib) -> Case:
    return Case(line(lib, put("a")), {"x": []}, kwargs={"stream_mode": ("updates", "values")})


@program(modes=(None,), differs=("wrong-arguments-are-errors",))
def unknown_keyword(lib: Lib) -> Case:
    return Case(line(lib, put("a")), {"x": []}, kwargs={"foo": 1})


@program(modes=("updatez",), differs=("wrong-arguments-are-errors",))
def unknown_mode(lib: Lib) -> Case:
    return Case(line(lib, put("a")), {"x": []})


@program(modes=("updates",), versions=("v9",), differs=("wrong-arguments-are-errors",))
def unknown_version(lib: Lib) -> Case:
    return Case(line(lib, put("a")), {"x": []})


@program(modes=("updates", "custom"), differs=("generator-nodes",))
def generator_node(lib: Lib) -> Case:
    def make(state: Any) -> Any:
        yield 1
        return {"x": ["made"]}

    return Case(line(lib, make), {"x": []})


@program(modes=("updates", "values", ("updates", "custom")), differs=("nothing-is-lost-on-errors",))
def reducer_that_raises(lib: Lib) -> Case:
    def bad(state: Any) -> dict:
        lib.get_stream_writer()("still here")
        return {"x": 5}

    return Case(line(lib, put("a"), bad, put("b")), {"x": []})


@program(modes=("values",), differs=("deferred-waits-for-sends",))
def deferred_node_beside_pending_sends(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), put("w")], [(lib.START, "r")])
    builder.add_node("late", put("late"), defer=True)
    builder.add_edge("r", "late")
    builder.add_conditional_edges("r", lambda state: [lib.Send("w", {})], ["w"])
    return Case(builder.compile(), {"x": []})
