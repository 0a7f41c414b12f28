"""Reads a node's return value: its writes to the state and its routes."""

from __future__ import annotations

from typing import Hashable, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from streamgraph._core.plan import ROOT_KEY, Branch, Plan
from streamgraph._core.unknown_keys import check_keys
from streamgraph._types import Command, Send
from streamgraph.constants import END, START
from streamgraph.errors import InvalidUpdateError, NotSupportedError, ParentCommand, UnknownRouteError

Route = Union[str, Send]

Pairs = Tuple[Tuple[str, object], ...]
"""Pairs of a state key and a written value, in order."""


class TaskResult(NamedTuple):
    """The result of a finished task.

    Attributes:
        writes: The state keys it wrote with the values, in order; a key may occur more than once.
        routes: The next nodes besides those at the node's edges.
        stored: The writes in the form in which they are stored, if that differs.
        folded: The state's values with these writes alone, if a branch had to see them; no reducer need run again.
        kept: The writes for a cache, in which messages have the ids that the node gave them, if it gave them any.
    """

    writes: Pairs
    routes: Tuple[Route, ...] = ()
    stored: Optional[Pairs] = None
    folded: Optional[Mapping[str, object]] = None
    kept: Optional[Pairs] = None


NOTHING = TaskResult(())


class Saved(NamedTuple):
    """What a workflow returns, if what is saved for the next run of its thread differs from it.

    Attributes:
        value: The result.
        save: What is saved.
    """

    value: object
    save: object


def read_result(plan: Plan, node: str, result: object) -> TaskResult:
    """Convert the return value of a node to a result.

    Valid are: `None`, a mapping with some of the state's keys, a state object, a `Command`, a `Send` or a list of them,
    and a list with `Command`s and mappings.

    Raises:
        InvalidUpdateError: The value is none of these, or has a key that the state must not have.
        UnknownRouteError: A `goto` or `Send` names an unknown node.
        ParentCommand: A command is for the parent graph.
    """
    if plan.started_by:
        return _read_written(plan, node, result)
    if result is None:
        return NOTHING
    if type(result) is dict and not plan.root:
        pairs = tuple([pair for pair in result.items() if pair[0] in plan.channels])
        if len(pairs) != len(result):
            _check_keys(plan, node, result)
        return TaskResult(pairs)
    if isinstance(result, (Command, Send)):
        return _read_several(plan, node, (result,))
    if isinstance(result, (list, tuple)) and any(isinstance(item, (Command, Send)) for item in result):
        return _read_several(plan, node, result)
    return TaskResult(_read_update(plan, node, result))


def _read_written(plan: Plan, node: str, result: object) -> TaskResult:
    """Return what a node of a graph of nodes and channels has written."""
    writes = plan.nodes[node].writes
    assert writes is not None
    outcome: TaskResult = writes(result)
    for key, _ in outcome.writes:
        if key not in plan.channels:
            raise InvalidUpdateError(
                f"The node has written to channel {key!r}, which the graph does not have",
                node=node,
                name=key,
                known=plan.channels,
            )
    return outcome._replace(routes=tuple([check_route(plan, node, route) for route in outcome.routes]))


def read_command(plan: Plan, command: Union[Command, Send], *, answers: bool) -> TaskResult:
    """Convert a command or `Send` that was given as the input of a run to writes and first routes.

    Raises:
        InvalidUpdateError: It is for a parent graph, or its update does not fit the state.
        UnknownRouteError: Its `goto` names an unknown node.
    """
    if isinstance(command, Command) and command.graph is not None:
        raise InvalidUpdateError(
            f"A Command that starts a run is for the graph {command.graph!r}",
            hint="Leave graph= out: the graph that is run takes the command.",
        )
    if isinstance(command, Command) and command.resume is not None:
        if not answers:
            raise RuntimeError(
                "Cannot use Command(resume=...) without checkpointer: a run that is not saved cannot be continued. "
                "Give a saver to compile(checkpointer=...), and the thread_id of the run that has asked."
            )
        check_no_workflow(plan, command)
        command = Command(update=command.update, goto=command.goto)
    return _read_several(plan, START, (command,))


def check_no_workflow(plan: Plan, command: Command) -> None:
    """Raise InvalidUpdateError if a command changes the state of a workflow, which has none."""
    if plan.start.kind == "entrypoint" and (command.update is not None or command.goto):
        raise InvalidUpdateError(
            "The command has an update or a goto, but a workflow has neither a state nor nodes",
            name=plan.name,
            hint="Continue it with an answer alone, or with None.",
        )


def _read_several(plan: Plan, node: str, items: Iterable[object]) -> TaskResult:
    writes: List[Tuple[str, object]] = []
    routes: List[Route] = []
    for item in items:
        if isinstance(item, Send):
            routes.append(check_route(plan, node, item))
        elif not isinstance(item, Command):
            writes += _read_update(plan, node, item)
        elif item.resume is not None:
            raise NotSupportedError(
                f"A Command answers with resume={item.resume!r:.60}, but a node has no run that waits for it",
                node=node,
                hint="Leave resume= out; whoever runs the graph answers, with invoke(Command(resume=...), config).",
            )
        elif item.graph == Command.PARENT:
            raise ParentCommand(item)
        elif item.graph is not None:
            raise InvalidUpdateError(
                f"A Command names the graph {item.graph!r}",
                node=node,
                hint="Use graph=Command.PARENT for the graph around this one, or leave it out.",
            )
        else:
            writes += _read_command_update(plan, node, item.update)
            routes += [check_route(plan, node, route) for route in as_list(item.goto)]
    return TaskResult(tuple(writes), tuple(route for route in routes if route != END))


def _read_command_update(plan: Plan, node: str, update: object) -> Sequence[Tuple[str, object]]:
    if isinstance(update, (list, tuple)) and all(_is_pair(item) for item in update) and not plan.root:
        _check_keys(plan, node, dict(update))
        return [(key, value) for key, value in update if key in plan.channels]
    return _read_update(plan, node, update)


def _read_update(plan: Plan, node: str, update: object) -> Pairs:
    if update is None:
        return ()
    if plan.root:
        return ((ROOT_KEY, update),)
    mapping = update if isinstance(update, Mapping) else plan.as_mapping(update)
    if mapping is None:
        keys = ", ".join(map(repr, plan.channels))
        raise InvalidUpdateError(
            f"Expected dict, got {_describe(update)}",
            node=node,
            hint=f"Return a dict with some of {keys}, a Command, or None.",
        )
    return _known_pairs(plan, node, mapping)


def _known_pairs(plan: Plan, node: str, mapping: Mapping[str, object]) -> Pairs:
    """Return the pairs of a mapping whose keys are in the state."""
    _check_keys(plan, node, mapping)
    return tuple([(key, mapping[key]) for key in mapping if key in plan.channels])


def _check_keys(plan: Plan, node: str, mapping: Mapping[str, object]) -> None:
    if not (node in plan.nodes and plan.nodes[node].passes_on):
        check_keys(mapping, plan.channels, plan.computed, closed=plan.closed, node=node, fixed=plan.fixed)


def read_routes(plan: Plan, node: str, branch: Branch, result: object) -> Tuple[Route, ...]:
    """Convert the return value of a branch function to routes.

    Raises:
        UnknownRouteError: The result is not among the branch's targets, or names an unknown node.
    """
    routes: List[Route] = []
    for item in as_list(result):
        if isinstance(item, Send) or branch.targets is None:
            route = item
        elif isinstance(item, Hashable) and item in branch.targets:
            route = branch.targets[item]
        else:
            raise UnknownRouteError(
                f"Branch {branch.name!r} returned {item!r}, which is not among its targets",
                node=node,
                name=item,
                known=branch.targets,
            )
        if route is None:
            raise UnknownRouteError(
                f"Branch did not return a valid destination: {branch.name!r} returned None",
                node=node,
                hint="Return a node's name, END, a Send, or a list of these.",
            )
        routes.append(check_route(plan, node, route))
    return tuple(route for route in routes if route != END)


def check_route(plan: Plan, node: str, route: object) -> Route:
    """Return `route` if it is valid.

    Raises:
        UnknownRouteError: The graph has no such node.
    """
    target = route.node if isinstance(route, Send) else route
    if not isinstance(target, str):
        raise UnknownRouteError(
            f"A route is {_describe(target)}", node=node, hint="Give a node's name, END, a Send, or a list of these."
        )
    if target in plan.nodes:
        return route if isinstance(route, Send) else target
    if target == END:
        if not isinstance(route, Send):
            return END
        raise UnknownRouteError(
            "Cannot send a packet to the END node, which runs nothing", node=node, hint="Route to END by its name."
        )
    what = "Send" if isinstance(route, Send) else "route"
    raise UnknownRouteError(
        f"A {what} goes to {target!r}, but the graph has no such node", node=node, name=target, known=plan.nodes
    )


def as_list(value: object) -> Sequence[object]:
    """Return several routes unchanged, and a single one in a tuple."""
    return value if isinstance(value, (list, tuple)) else (value,)


def _is_pair(item: object) -> bool:
    return isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], str)


def _describe(value: object) -> str:
    text: Optional[str] = repr(value)
    if text is not None and len(text) > 80:
        text = f"{text[:77]}..."
    return f"{text} of type {type(value).__name__}"
