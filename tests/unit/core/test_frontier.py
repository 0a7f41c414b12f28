"""What follows from what has run."""

from __future__ import annotations

from streamgraph._core.frontier import Frontier
from streamgraph._core.plan import Join
from streamgraph.types import Send
from unit.core.plans import node, plan


def advance(frontier, graph, *finished):
    """Finish these nodes: names, or pairs of a name and the routes it took."""
    pairs = [(item, ()) if isinstance(item, str) else item for item in finished]
    nodes = [(graph.nodes.get(name, graph.start), routes) for name, routes in pairs]
    frontier.advance(graph, nodes, {name for name, _ in pairs})
    return sorted(frontier.due), [(send.node, send.arg) for send in frontier.sends]


def test_edges():
    """A node's edges are due after it, each once, whatever else leads there."""
    graph = plan(["a", "b"], node("a", "c", "d"), node("b", "c"), node("c"), node("d"))
    frontier = Frontier()
    assert advance(frontier, graph, "__start__") == (["a", "b"], [])
    assert advance(frontier, graph, "a", ("b", ("d",))) == (["c", "d"], [])
    assert advance(frontier, graph, "c", "d") == ([], [])


def test_sends_in_order():
    """Sends are tasks of their own, in the order of the nodes that sent them, duplicates included."""
    graph = plan(["a"], node("a", "b"), node("b"))
    sends = (Send("b", 1), Send("a", 2), Send("b", 1))
    assert advance(Frontier(), graph, ("a", sends), ("b", (Send("b", 3),))) == (
        ["b"],
        [("b", 1), ("a", 2), ("b", 1), ("b", 3)],
    )


def joined():
    """Two nodes and an edge from both to a third."""
    join = Join(frozenset("ab"), "c", "join:a+b:c")
    return plan(["a"], node("a", joins=(join,)), node("b", "a", joins=(join,)), node("c"))


def test_join_waits_for_all():
    """A join is due in the step after its last source, however many steps lie between."""
    graph, frontier = joined(), Frontier()
    assert advance(frontier, graph, "a") == ([], [])
    assert frontier.joined == {"join:a+b:c": frozenset("a")}
    assert advance(frontier, graph, "c") == ([], [])
    assert advance(frontier, graph, "b") == (["a", "c"], [])


def test_join_in_one_step():
    """Sources that end in the same step fire a join once."""
    assert advance(Frontier(), joined(), "a", "b") == (["a", "c"], [])


def test_join_can_fire_again():
    """After its target has run, a join waits for all of its sources anew; one source twice is not enough."""
    graph, frontier = joined(), Frontier()
    assert advance(frontier, graph, "a", "b") == (["a", "c"], [])
    assert advance(frontier, graph, "a", "c") == ([], [])
    assert frontier.joined == {"join:a+b:c": frozenset("a")}
    assert advance(frontier, graph, "a") == ([], [])
    assert advance(frontier, graph, "b") == (["a", "c"], [])
    assert advance(frontier, graph, "c") == ([], [])
    assert frontier.joined == {}


def test_join_into_a_deferred_node():
    """A source that runs once more while the deferred target waits does not make it run twice."""
    join = Join(frozenset("ab"), "late", "join:a+b:late")
    graph = plan(
        ["a"], node("a", joins=(join,)), node("b", "c", joins=(join,)), node("c", "a"), node("late", defer=True)
    )
    frontier = Frontier()
    assert advance(frontier, graph, "a", "b") == (["c"], [])
    assert advance(frontier, graph, "c") == (["a"], [])
    assert advance(frontier, graph, "a") == (["late"], [])
    assert advance(frontier, graph, "late") == ([], [])
    assert frontier.joined == {}


def test_deferred_waits():
    """A deferred node is due once, when nothing else is, be it tasks by edges or by sends."""
    graph = plan(["a"], node("a", "late", "b"), node("b", "late"), node("late", defer=True))
    frontier = Frontier()
    assert advance(frontier, graph, ("a", (Send("b", 1),))) == (["b"], [("b", 1)])
    assert frontier.deferred == {"late"}
    assert advance(frontier, graph, ("b", (Send("b", 2),))) == ([], [("b", 2)])
    assert advance(frontier, graph, "b") == (["late"], [])
    assert frontier.deferred == set()
    assert advance(frontier, graph, "late") == ([], [])


def test_deferred_together():
    """Deferred nodes that wait for the same thing run together."""
    graph = plan(["a"], node("a", "one", "two"), node("one", defer=True), node("two", defer=True))
    assert advance(Frontier(), graph, "a") == (["one", "two"], [])


def test_sends_to_deferred_nodes_do_not_wait():
    """A `Send` is an order: it runs in the next step, deferred or not."""
    graph = plan(["a"], node("a"), node("late", defer=True))
    assert advance(Frontier(), graph, ("a", (Send("late", 1),))) == ([], [("late", 1)])
