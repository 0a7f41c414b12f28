"""Programs about how nodes are run: tried again, kept, pushed from and drawn."""

import importlib
from typing import Any

from langchain_core.messages import AIMessage

from differential.differences import OLD
from differential.harness import Case, Lib, program
from differential.programs_flow import Log, graph, later, put
from differential.programs_nested import line, writing

EVERYTHING = ("values", "updates", "custom", "tasks", "debug", ("values", "updates", "custom", "messages", "tasks"))


def since_1_2(**options: Any) -> Any:
    """Register a program that langgraph before 1.2 cannot run, or runs wrongly."""
    return (lambda build: build) if OLD else program(**options)


def of(lib: Lib, path: str) -> Any:
    """Something of a library by its path, as in `types.Send`."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"{lib.root}.{module}"), name)


def retry(lib: Lib, **fields: Any) -> Any:
    """A policy without a pause worth mentioning."""
    fast = {"initial_interval": 0.001, "jitter": False, "retry_on": ConnectionError}
    return of(lib, "types.RetryPolicy")(**{**fast, **fields})


def cached(lib: Lib, **fields: Any) -> Any:
    """A policy that keeps what a node does, by the list in its input."""
    return of(lib, "types.CachePolicy")(**{"key_func": lambda state: repr(state.get("x")), **fields})


def flaky(lib: Lib, name: str, failures: int, kinds: Any = ConnectionError, returned: Any = None) -> Any:
    """A node that writes, and fails so many times before it returns."""
    attempts: list[int] = []

    def node(state: Any) -> Any:
        attempts.append(1)
        lib.get_stream_writer()(f"{name}, attempt {len(attempts)}")
        if len(attempts) <= failures:
            each = kinds if isinstance(kinds, tuple) else (kinds,)
            raise each[min(len(attempts), len(each)) - 1](f"{name} failed")
        return {"x": [name]} if returned is None else returned

    node.__name__ = name
    return node


def with_policies(lib: Lib, name: str, node: Any, *edges: Any, nodes: Any = (), **policies: Any) -> Any:
    """A builder with one node that has policies, others without, and an edge to the former from the start."""
    builder = lib.StateGraph(Log)
    builder.add_node(name, node, **policies)
    for other in nodes:
        builder.add_node(other.__name__, other)
    for source, target in ((lib.START, name), *edges):
        builder.add_edge(source, target)
    return builder


class Warm:
    """A graph that has run before, so that what it keeps is there."""

    def __init__(self, compiled: Any, *inputs: Any) -> None:
        for given in inputs:
            compiled.invoke(given)
        self.stream = compiled.stream
        self.astream = compiled.astream


def warm(lib: Lib, builder: Any, given: Any = None, *before: Any) -> Case:
    """The second run of a graph with a cache."""
    compiled = builder.compile(cache=of(lib, "cache.memory.InMemoryCache")())
    given = {"x": ["in"]} if given is None else given
    return Case(Warm(compiled, *(before or (given,))), given)


# Trying again.


@program(modes=EVERYTHING, versions=("v1", "v2"))
def retry_until_it_works(lib: Lib) -> Case:
    builder = with_policies(
        lib, "a", flaky(lib, "a", 2), ("a", "b"), nodes=[writing(lib, "b")], retry_policy=retry(lib)
    )
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_until_it_gives_up(lib: Lib) -> Case:
    builder = with_policies(lib, "a", flaky(lib, "a", 9), ("a", "b"), nodes=[put("b")], retry_policy=retry(lib))
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_of_an_error_that_is_not_worth_it(lib: Lib) -> Case:
    builder = with_policies(lib, "a", flaky(lib, "a", 1, ValueError), retry_policy=retry(lib))
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_of_what_is_worth_it_by_default(lib: Lib) -> Case:
    policy = of(lib, "types.RetryPolicy")(initial_interval=0.001, jitter=False)
    builder = with_policies(
        lib, "a", flaky(lib, "a", 4, (ConnectionResetError, EOFError, OSError)), retry_policy=policy
    )
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_by_the_first_policy_that_matches(lib: Lib) -> Case:
    policies = [
        retry(lib, max_attempts=2, retry_on=(ValueError, KeyError)),
        retry(lib, max_attempts=4, retry_on=[ConnectionError, ValueError]),
    ]
    node = flaky(lib, "a", 9, (ConnectionError, ConnectionError, ConnectionError, ValueError))
    return Case(with_policies(lib, "a", node, retry_policy=policies).compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_counts_all_attempts_together(lib: Lib) -> Case:
    policies = [retry(lib, max_attempts=2, retry_on=ValueError), retry(lib, max_attempts=4)]
    node = flaky(lib, "a", 2, (ConnectionError, ValueError))
    return Case(with_policies(lib, "a", node, retry_policy=policies).compile(), {"x": ["in"]})


@program(modes=("updates", "custom", "tasks"))
def retry_on_a_function(lib: Lib) -> Case:
    policy = retry(lib, max_attempts=5, retry_on=lambda error: "failed" in str(error))
    return Case(with_policies(lib, "a", flaky(lib, "a", 3, KeyError), retry_policy=policy).compile(), {"x": ["in"]})


@program(modes=("updates", "custom", "tasks"))
def retry_on_a_function_that_fails_itself(lib: Lib) -> Case:
    def broken(error: Exception) -> bool:
        raise KeyError("no idea")

    policy = retry(lib, retry_on=broken)
    return Case(with_policies(lib, "a", flaky(lib, "a", 1), retry_policy=policy).compile(), {"x": ["in"]})


@program(modes=("updates", "custom", "tasks"))
def retry_once_is_not_at_all(lib: Lib) -> Case:
    policy = retry(lib, max_attempts=1)
    return Case(with_policies(lib, "a", flaky(lib, "a", 1), retry_policy=policy).compile(), {"x": ["in"]})


@program(modes=("updates", "custom", "tasks"))
def retry_by_an_empty_list_of_policies(lib: Lib) -> Case:
    return Case(with_policies(lib, "a", flaky(lib, "a", 1), retry_policy=[]).compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_of_a_node_with_a_branch(lib: Lib) -> Case:
    builder = with_policies(lib, "a", flaky(lib, "a", 1), nodes=[put("b")], retry_policy=retry(lib))
    builder.add_conditional_edges("a", lambda state: "b" if state["x"][-1] == "a" else lib.END, ["b", lib.END])
    return Case(builder.compile(), {"x": ["in"]})


def branching(lib: Lib, node: Any, *failures: bool, **policies: Any) -> Case:
    """A graph whose node is followed by a branch that fails in these of its calls."""
    asked: list[int] = []

    def route(state: Any) -> Any:
        asked.append(1)
        if len(asked) <= len(failures) and failures[len(asked) - 1]:
            raise ConnectionError("no way")
        return lib.END

    builder = with_policies(lib, "bad", node, **policies).add_conditional_edges("bad", route)
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_of_a_branch_that_fails(lib: Lib) -> Case:
    return branching(lib, flaky(lib, "bad", 0), True, retry_policy=retry(lib))


@program(modes=EVERYTHING)
def retry_of_a_branch_that_always_fails(lib: Lib) -> Case:
    return branching(lib, flaky(lib, "bad", 0), True, True, True, retry_policy=retry(lib))


@program(modes=EVERYTHING)
def retry_of_a_node_that_fails_after_its_branch(lib: Lib) -> Case:
    attempts: list[int] = []

    def node(state: Any) -> dict:
        attempts.append(1)
        if len(attempts) > 1:
            raise ConnectionError("not any more")
        return {"x": ["once"]}

    return branching(lib, node, True, retry_policy=retry(lib, max_attempts=2))


@program(modes=("values", "updates", "tasks"))
def retry_beside_a_sibling(lib: Lib) -> Case:
    builder = with_policies(
        lib, "b", flaky(lib, "b", 2), (lib.START, "a"), (["a", "b"], "c"), nodes=[later(lib, "a", 1), put("c")],
        retry_policy=retry(lib),
    )  # fmt: skip
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING)
def retry_of_a_sent_task(lib: Lib) -> Case:
    builder = graph(lib, [("start", lambda state: lib.Command(goto=lib.Send("a", {"x": ["sent"]})))], [])
    builder.add_edge(lib.START, "start")
    builder.add_node("a", flaky(lib, "a", 2), retry_policy=retry(lib))
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=EVERYTHING, subgraphs=(False, True))
def retry_of_a_nested_graph(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1"), flaky(lib, "i2", 1))
    return Case(with_policies(lib, "sub", inner, retry_policy=retry(lib)).compile(), {"x": ["in"]})


@program(modes=EVERYTHING, subgraphs=(False, True))
def retry_leaves_a_command_for_the_parent_alone(lib: Lib) -> Case:
    def leave(state: Any) -> Any:
        return lib.Command(graph=lib.Command.PARENT, update={"x": ["left"]}, goto="b")

    policy = retry(lib, retry_on=Exception)
    inner = with_policies(lib, "leave", leave, retry_policy=policy).compile()
    return Case(graph(lib, [("sub", inner), put("b")], [(lib.START, "sub")]).compile(), {"x": ["in"]})


@program(modes=("values", "updates"), differs=("attempts-share-nothing",))
def retry_after_changing_the_input(lib: Lib) -> Case:
    def a(state: Any) -> dict:
        state["x"].append("changed")
        if attempts.append(1) or len(attempts) < 3:
            raise ConnectionError
        return {"x": [len(state["x"])]}

    attempts: list[int] = []
    return Case(with_policies(lib, "a", a, retry_policy=retry(lib)).compile(), {"x": ["in"]})


# Keeping what nodes did.


@program(modes=EVERYTHING, versions=("v1", "v2"))
def cached_node_before_an_edge(lib: Lib) -> Case:
    node = flaky(lib, "a", 0)
    return warm(lib, with_policies(lib, "a", node, ("a", "b"), nodes=[put("b")], cache_policy=cached(lib)))


@program(modes=EVERYTHING)
def cached_node_and_another_input(lib: Lib) -> Case:
    builder = with_policies(lib, "a", flaky(lib, "a", 0), cache_policy=cached(lib))
    return warm(lib, builder, {"x": ["in"]}, {"x": ["other"]})


@program(modes=("values", "updates", "tasks", "debug"))
def cached_by_default_under_the_whole_input(lib: Lib) -> Case:
    builder = with_policies(lib, "a", put("a"), cache_policy=of(lib, "types.CachePolicy")())
    return warm(lib, builder, {"x": ["in"], "y": 1}, {"x": ["in"], "y": 2}, {"x": ["in"], "y": 1})


@program(modes=("values", "updates", "tasks", "debug"))
def cached_node_that_expired(lib: Lib) -> Case:
    return warm(lib, with_policies(lib, "a", flaky(lib, "a", 0), cache_policy=cached(lib, ttl=0)))


@program(modes=("values", "updates", "tasks", "debug"))
def cached_without_a_cache(lib: Lib) -> Case:
    compiled = with_policies(lib, "a", flaky(lib, "a", 0), cache_policy=cached(lib)).compile()
    return Case(Warm(compiled, {"x": ["in"]}), {"x": ["in"]})


@program(modes=EVERYTHING)
def cached_goto(lib: Lib) -> Case:
    node = flaky(lib, "a", 0, returned=lib.Command(update={"x": ["a"]}, goto="b"))
    return warm(lib, with_policies(lib, "a", node, nodes=[put("b"), put("c")], cache_policy=cached(lib)))


@program(modes=EVERYTHING, ordered=False)
def cached_sends(lib: Lib) -> Case:
    node = flaky(lib, "a", 0, returned=lib.Command(goto=[lib.Send("b", {"x": ["sent"]}), "c"]))
    return warm(lib, with_policies(lib, "a", node, nodes=[put("b"), put("c")], cache_policy=cached(lib)))


@program(modes=EVERYTHING)
def cached_conditional_edge(lib: Lib) -> Case:
    asked: list[int] = []
    builder = with_policies(lib, "a", flaky(lib, "a", 0), nodes=[put("b"), put("c")], cache_policy=cached(lib))
    builder.add_conditional_edges("a", lambda state: asked.append(1) or "bc"[len(asked) - 1], ["b", "c"])
    return warm(lib, builder)


@program(modes=("values", "updates", "tasks", "debug"))
def cached_nothing(lib: Lib) -> Case:
    return warm(
        lib, with_policies(lib, "a", lambda state: None, ("a", "b"), nodes=[put("b")], cache_policy=cached(lib))
    )


@program(modes=EVERYTHING, ordered=False)
def cached_beside_what_runs(lib: Lib) -> Case:
    edges = [(lib.START, "b"), (["a", "b"], "c")]
    nodes = [put("b"), put("c")]
    return warm(lib, with_policies(lib, "a", flaky(lib, "a", 0), *edges, nodes=nodes, cache_policy=cached(lib)))


@program(modes=EVERYTHING, subgraphs=(False, True))
def cached_nested_graph(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1"), writing(lib, "i2"))
    return warm(lib, with_policies(lib, "sub", inner, cache_policy=cached(lib)))


@program(modes=("messages",), differs=("cached-messages-are-shown",))
def cached_message(lib: Lib) -> Case:
    builder = lib.StateGraph(lib.MessagesState)
    policy = of(lib, "types.CachePolicy")(key_func=lambda state: "one")
    builder.add_node("a", lambda state: {"messages": AIMessage("kept", id="m1")}, cache_policy=policy)
    builder.add_edge(lib.START, "a")
    return warm(lib, builder, {"messages": []})


@since_1_2(modes=EVERYTHING)
def cached_only_when_it_works(lib: Lib) -> Case:
    builder = with_policies(
        lib, "a", flaky(lib, "a", 3), retry_policy=retry(lib, max_attempts=2), cache_policy=cached(lib)
    )
    compiled = builder.compile(cache=of(lib, "cache.memory.InMemoryCache")())
    try:
        compiled.invoke({"x": ["in"]})
    except ConnectionError:
        return Case(compiled, {"x": ["in"]})
    raise AssertionError("it was to fail")


# What nodes hand over before they return, and where they may go in a drawing.


@program(modes=("values", "updates", "tasks", "debug"), subgraphs=(False, True))
def push_messages(lib: Lib) -> Case:
    push = of(lib, "graph.message.push_message")

    def pushing(name: str) -> Any:
        def node(state: Any) -> dict:
            push(AIMessage("first", id=f"{name}1"))
            push({"role": "assistant", "content": "second", "id": f"{name}2"})
            push(AIMessage("aside", id=f"{name}3"), state_key=None)
            return {"messages": [AIMessage("last", id=f"{name}4")]}

        return name, node

    inner = line(lib, pushing("i"), schema=lib.MessagesState)
    return Case(line(lib, pushing("a"), ("sub", inner), schema=lib.MessagesState), {"messages": []})


@since_1_2(modes=("messages",), subgraphs=(False, True), versions=("v1", "v2"))
def push_messages_and_show_them(lib: Lib) -> Case:
    return push_messages(lib)


class Drawn:
    """Streams the edges of a graph's drawing."""

    def __init__(self, compiled: Any) -> None:
        self.graph = compiled.get_graph()

    def stream(self, given: Any, config: Any, **ignored: Any) -> Any:
        yield sorted((edge.source, edge.target, str(edge.data), edge.conditional) for edge in self.graph.edges)

    async def astream(self, given: Any, config: Any, **ignored: Any) -> Any:
        for edges in self.stream(given, config):
            yield edges


@program(modes=(None,))
def destinations_in_a_drawing(lib: Lib) -> Case:
    builder = with_policies(lib, "r", put("r"), nodes=[put("a"), put("b")], destinations=("a", lib.END))
    builder.add_node("s", put("s"), destinations={"a": "to a", "b": "to b"})
    builder.add_edge("a", "s")
    return Case(Drawn(builder.compile()))


@program(modes=("values", "updates", "tasks"))
def destinations_have_no_effect(lib: Lib) -> Case:
    return Case(with_policies(lib, "r", put("r"), nodes=[put("a")], destinations=("a",)).compile(), {"x": ["in"]})
