"""Programs about nodes whose failure is handled or that are cut short: LangGraph has neither before 1.2."""

import asyncio
from datetime import timedelta
from typing import Any

from differential.harness import Case, Lib
from differential.programs_flow import Log, graph, later, put
from differential.programs_nested import line, writing
from differential.programs_policies import (
    EVERYTHING,
    branching,
    cached,
    flaky,
    of,
    retry,
    since_1_2,
    warm,
    with_policies,
)

COUNTED = ("values", "tasks", "debug", EVERYTHING[-1])
"""Modes in which a failed node and its handler are two results, or nothing is counted."""


def failing(name: str = "bad", error: Any = ConnectionError) -> Any:
    """A node that fails."""

    def node(state: Any) -> dict:
        raise error("boom")

    node.__name__ = name
    return node


def handler(lib: Lib, update: Any = None) -> Any:
    """An error handler that writes whose error it has got, or returns something else."""

    def handle(state: Any, error: of(lib, "errors.NodeError")) -> Any:  # type: ignore[valid-type]
        told = f"{error.node}: {type(error.error).__name__} at {len(state['x'])}"
        lib.get_stream_writer()(told)
        return {"x": [told]} if update is None else update(told)

    return handle


def handled(lib: Lib, node: Any = None, *edges: Any, nodes: Any = (), **policies: Any) -> Any:
    """A builder with a node that fails and has a handler, and what `with_policies` takes."""
    how = {"error_handler": handler(lib), **policies}
    return with_policies(lib, "bad", node or failing(), *edges, nodes=nodes, **how)


@since_1_2(modes=EVERYTHING, versions=("v1", "v2"))
def handled_and_not_gone_on(lib: Lib) -> Case:
    return Case(handled(lib, None, ("bad", "b"), nodes=[put("b")]).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def handled_and_gone_elsewhere(lib: Lib) -> Case:
    goes = handler(lib, lambda told: lib.Command(update={"x": [told]}, goto="c"))
    builder = handled(lib, None, ("bad", "b"), nodes=[put("b"), writing(lib, "c")], error_handler=goes)
    return Case(builder.compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def handled_by_a_handler_that_fails(lib: Lib) -> Case:
    return Case(handled(lib, error_handler=handler(lib, lambda told: 1 / 0)).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def handled_without_an_update(lib: Lib) -> Case:
    return Case(handled(lib, error_handler=lambda state: None).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def handled_after_all_attempts(lib: Lib) -> Case:
    return Case(handled(lib, flaky(lib, "bad", 9), retry_policy=retry(lib)).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def handled_failure_of_a_branch(lib: Lib) -> Case:
    return branching(lib, flaky(lib, "bad", 0), True, error_handler=handler(lib))


@since_1_2(modes=EVERYTHING)
def handled_sent_task(lib: Lib) -> Case:
    builder = graph(lib, [("a", lambda state: lib.Command(goto=lib.Send("bad", {"x": ["sent"]})))], [])
    builder.add_node("bad", failing(), error_handler=handler(lib))
    return Case(builder.add_edge(lib.START, "a").compile(), {"x": ["in", "in"]})


@since_1_2(modes=EVERYTHING, ordered=False)
def handled_twice_in_one_step(lib: Lib) -> Case:
    builder = lib.StateGraph(Log)
    sends = [lib.Send("bad", {"x": list(range(n))}) for n in (1, 2)]
    builder.add_conditional_edges(lib.START, lambda state: sends, ["bad"])
    builder.add_node("bad", failing(), error_handler=handler(lib))
    return Case(builder.compile(), {"x": ["in"]})


@since_1_2(modes=COUNTED)
def handled_beside_a_slow_sibling(lib: Lib) -> Case:
    nodes = [later(lib, "slow", 2), put("j")]
    builder = handled(lib, None, (lib.START, "slow"), (["bad", "slow"], "j"), nodes=nodes)
    return Case(builder.compile(), {"x": ["in"]})


@since_1_2(modes=COUNTED)
def handled_beside_a_failing_sibling(lib: Lib) -> Case:
    def worse(state: Any) -> dict:
        lib.after(2)
        raise ValueError("worse")

    return Case(handled(lib, None, (lib.START, "worse"), nodes=[worse]).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING, subgraphs=(False, True))
def handled_in_a_nested_graph(lib: Lib) -> Case:
    inner = handled(lib).compile()
    return Case(line(lib, put("a"), ("sub", inner), writing(lib, "b")), {"x": ["in"]})


@since_1_2(modes=EVERYTHING, subgraphs=(False, True))
def handled_failure_of_a_nested_graph(lib: Lib) -> Case:
    return Case(handled(lib, line(lib, writing(lib, "i1"), failing("i2"))).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING, subgraphs=(False, True))
def handlers_leave_a_command_for_the_parent_alone(lib: Lib) -> Case:
    def leave(state: Any) -> Any:
        return lib.Command(graph=lib.Command.PARENT, update={"x": ["left"]}, goto="b")

    return Case(line(lib, ("sub", handled(lib, leave).compile()), put("b")), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def handled_update_that_does_not_fit(lib: Lib) -> Case:
    return Case(handled(lib, lambda state: 3).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def defaults_for_all_nodes(lib: Lib) -> Case:
    builder = graph(lib, [flaky(lib, "a", 1), flaky(lib, "b", 9)], [(lib.START, "a"), ("a", "b")])
    builder.set_node_defaults(retry_policy=retry(lib)).set_node_defaults(error_handler=handler(lib))
    return Case(builder.compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def defaults_and_what_nodes_say(lib: Lib) -> Case:
    builder = handled(lib, flaky(lib, "bad", 1), retry_policy=[])
    builder.set_node_defaults(retry_policy=retry(lib), error_handler=lambda state: {"x": ["not this one"]})
    return Case(builder.compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def defaults_retry_handlers_too(lib: Lib) -> Case:
    builder = handled(lib, error_handler=flaky(lib, "handle", 1), retry_policy=[])
    return Case(builder.set_node_defaults(retry_policy=retry(lib)).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING)
def defaults_keep_results(lib: Lib) -> Case:
    builder = graph(lib, [flaky(lib, "a", 0), flaky(lib, "b", 0)], [(lib.START, "a"), ("a", "b")])
    return warm(lib, builder.set_node_defaults(cache_policy=cached(lib)))


def slow(lib: Lib) -> Any:
    """A node that takes too long; where LangGraph cannot run it, one that fails as if it did."""

    async def node(state: Any) -> dict:
        lib.get_stream_writer()("begun")
        await asyncio.sleep(30)
        return {"x": ["never"]}

    def twin(state: Any) -> dict:
        lib.get_stream_writer()("begun")
        raise of(lib, "errors.NodeTimeoutError")("slow", 0.05, kind="run", run_timeout=0.05)

    return lib.pick(node, twin)


@since_1_2(modes=EVERYTHING, async_nodes=True)
def timeout_of_a_node(lib: Lib) -> Case:
    builder = with_policies(lib, "slow", slow(lib), ("slow", "b"), nodes=[put("b")], timeout=lib.pick(0.1, None))
    return Case(builder.compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING, async_nodes=True)
def timeout_that_is_handled(lib: Lib) -> Case:
    return Case(handled(lib, slow(lib), timeout=lib.pick(timedelta(seconds=0.1), None)).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING, async_nodes=True)
def timeout_that_is_tried_again(lib: Lib) -> Case:
    policy = of(lib, "types.RetryPolicy")(initial_interval=0.001, jitter=False, max_attempts=2)
    timeout = lib.pick(of(lib, "types.TimeoutPolicy")(idle_timeout=0.1), None)
    return Case(with_policies(lib, "slow", slow(lib), timeout=timeout, retry_policy=policy).compile(), {"x": ["in"]})


@since_1_2(modes=EVERYTHING, async_nodes=True)
def timeout_of_a_sent_task(lib: Lib) -> Case:
    timeout = lib.pick(0.1, None)
    builder = graph(lib, [("slow", slow(lib))], [])
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("slow", {}, timeout=timeout)], ["slow"])
    return Case(builder.compile(), {"x": ["in"]})
