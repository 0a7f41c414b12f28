"""The deliberate differences from LangGraph: the one list, with the line of the contract that justifies each.

A difference gets LangGraph's outcome and ours and returns the pair to compare. Most change LangGraph's into what we
promise; where the promise leaves room, both sides are reduced to what is promised.
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from typing import Any, Callable, Optional

from differential.harness import Outcome, Program, Setup
from func.tasks_differ import custom_of_tasks, messages_of_tasks, waited_for

OLD = int(version("langgraph").split(".")[0]) < 1
"""LangGraph before 1.0, the last one for Python 3.9. We behave the same on every Python, as 1.x does."""

INTERNAL_TAGS = ("seq:step:", "map:key:", "branch:", "graph:step:")

Pair = "tuple[Any, Any]"


@dataclasses.dataclass(frozen=True)
class Where:
    """What was run."""

    program: Program
    setup: Setup

    @property
    def modes(self) -> tuple[Optional[str], ...]:
        """The modes asked for."""
        return self.setup.mode if isinstance(self.setup.mode, tuple) else (self.setup.mode,)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A point at which we promise something else than LangGraph does.

    Args:
        name: what programs refer to it by.
        contract: the line of the contract.
        adapt: gets LangGraph's outcome, ours and what was run; returns what must be equal.
        everywhere: applies to every program.
    """

    name: str
    contract: str
    adapt: Callable[[Outcome, Outcome, Where], Pair]
    everywhere: bool = False


def comparable(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    """Apply every difference that concerns a program to a pair of outcomes."""
    pair: Any = (theirs, ours)
    for difference in sorted(DIFFERENCES, key=lambda entry: not entry.everywhere):
        if difference.everywhere or difference.name in where.program.differs:
            pair = difference.adapt(*pair, where)
    return pair


def _changed(outcome: Outcome, change: Callable[[dict[str, Any]], Any]) -> Outcome:
    """The outcome with every metadata dict of `messages` (the only dicts with `langgraph_node`) replaced."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return change(value) if "langgraph_node" in value else {key: walk(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(walk(item) for item in value)
        return value

    return dataclasses.replace(outcome, chunks=tuple(walk(chunk) for chunk in outcome.chunks))


def _tags(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        internal = (*INTERNAL_TAGS, "langsmith:hidden") if metadata["langgraph_node"] == "__start__" else INTERNAL_TAGS
        tags = [tag for tag in metadata.get("tags") or [] if not tag.startswith(internal)]
        return {**metadata, "tags": tags}

    return _changed(theirs, change), ours


def _configurable(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in metadata.items() if key not in ("api_key", "user_id")}

    return (_changed(theirs, change) if OLD else theirs), ours


def _integration(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata if "ls_provider" in metadata else {**metadata, "ls_integration": "langgraph"}

    return (_changed(theirs, change) if OLD else theirs), ours


def _with_config(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        if not metadata["tags"]:
            return {**metadata, "graph": 1}
        return {**metadata, "graph": 1, "sub": 1, "tags": ["gtag", "rtag", "subtag", "ctag", "mtag"]}

    return (_changed(theirs, change) if OLD else theirs), ours


def _task_metadata(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(value: Any) -> Any:
        if isinstance(value, dict) and {"id", "triggers", "input"} <= set(value):
            return {key: item for key, item in value.items() if key != "metadata"}
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return tuple(walk(item) for item in value) if isinstance(value, tuple) else value

    if not OLD:
        return theirs, ours
    return theirs, dataclasses.replace(ours, chunks=tuple(walk(chunk) for chunk in ours.chunks))


def _last_chunk(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    promised = (where.program.name, where.setup.mode) in PROMISED
    if not OLD or promised or theirs.error is None or len(ours.chunks) <= len(theirs.chunks):
        return theirs, ours
    return theirs, dataclasses.replace(ours, chunks=ours.chunks[: len(theirs.chunks)])


def _no_error(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    return dataclasses.replace(theirs, error=None), ours


def _error_type(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    own = ours.error is not None and ours.error[1] == ""
    if theirs.error and own and theirs.error[0] in ours.kinds:
        return theirs, dataclasses.replace(ours, error=theirs.error)
    return theirs, ours


def _route(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    names = ("'a'" in ours.text, "writter" in ours.text, "writer" in ours.text.replace("writter", ""))
    delivered = ours.chunks == theirs.chunks[: len(ours.chunks)]  # the failing node's own update may be missing
    return (True, True, (True, True, True)), (delivered, ours.error is not None, names)


def _refused_call(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    kind = "TypeError" if where.program.name == "unknown_keyword" else "ValueError"
    return ((), True), (ours.chunks, kind in ours.kinds)


def _tokens(*words: str) -> list[tuple[str, str]]:
    return [("AIMessageChunk", word) for word in words]


def _summary(outcome: Outcome) -> list[Any]:
    """Type and text of every message; other chunks as they are."""
    return [_told(chunk) for chunk in outcome.chunks]


def _told(chunk: Any) -> Any:
    if isinstance(chunk, tuple) and len(chunk) == 2 and isinstance(chunk[1], dict) and "langgraph_node" in chunk[1]:
        return (chunk[0][0], chunk[0][1].get("content", ""))
    return chunk


PROMISED: dict[tuple[str, Any], Any] = {
    ("pydantic_returned_in_part", "updates"): [{"a": {"x": ["a"]}}],
    ("pydantic_returned_in_part", "values"): [{"x": ["in"], "y": 1}, {"x": ["in", "a"], "y": 1}],
    ("node_returns_a_list_of_sends", "updates"): [{"r": None}, {"w": {"x": ["w"]}}],
    ("node_returns_a_list_of_sends", "values"): [{"x": []}, {"x": ["w"]}],
    ("graph_in_the_middle_of_a_streamed_chain", "updates"): [[1, "a", "b"]],
    ("hand_built_copy_of_a_streamed_text", "messages"): _tokens("tell", " ", "me", " ", "now"),
    ("copy_of_a_streamed_message_under_a_new_id", "messages"): _tokens("tell", " ", "me", " ", "now"),
    ("edited_message_of_the_history", "messages"): [("HumanMessage", "hi, edited")],
    ("coerced_messages", "messages"): [("AIMessage", "pair"), ("HumanMessage", "dict"), ("AIMessage", "real")],
    ("message_in_a_command_of_pairs", "messages"): [("AIMessage", "by pairs")],
    ("nostream_and_returned", "messages"): _tokens("loud", " ", "now"),
    ("inner_runnable_named_like_its_node", "messages"): [("AIMessage", "outer")],
    ("nested_graph_by_default", "messages"): _tokens("tell", " ", "now"),
    ("nested_graph_by_default", "custom"): ["in note"],
    ("default_mode_inside_a_node", None): [{"call": {"x": [{"i1": {"x": ["i1"]}}]}}],
    ("entrypoint_in_a_streamed_chain", "updates"): [["inin!"]],
    ("tuple_of_modes", None): [("values", {"x": []}), ("updates", {"a": {"x": ["a"]}}), ("values", {"x": ["a"]})],
    ("generator_node", "updates"): [{"make": {"x": ["made"]}}],
    ("generator_node", "custom"): [1],
    ("reducer_that_raises", "updates"): [{"a": {"x": ["a"]}}, {"bad": {"x": 5}}],
    ("removing_an_unknown_message", ("updates", "values")): [
        ("values", {"messages": [("HumanMessage", {"content": "hi", "id": "h1"})]}),
        ("updates", {"a": {"messages": [("RemoveMessage", {"id": "nobody"})]}}),
    ],
    ("deferred_node_beside_pending_sends", "values"): [
        {"x": []},
        {"x": ["r"]},
        {"x": ["r", "w"]},
        {"x": ["r", "w", "late"]},
    ],
    ("overwrite_bypasses_the_reducer", "values"): [{"x": ["old"]}, {"x": ["new"]}, {"x": ["new", "b"]}],
    ("two_overwrites_in_one_step", "values"): [{"x": ["old"]}],
    ("retry_after_changing_the_input", "values"): [{"x": ["in"]}, {"x": ["in", 2]}],
    ("retry_after_changing_the_input", "updates"): [{"a": {"x": [2]}}],
    ("cached_message", "messages"): [("AIMessage", "kept")],
}


FAILS = {
    "reducer_that_raises": "TypeError",
    "removing_an_unknown_message": "ValueError",
    "two_overwrites_in_one_step": "InvalidUpdateError",
}


def _promised(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    key = (where.program.name, where.setup.mode)
    if key not in PROMISED:
        return theirs, ours
    return (PROMISED[key], FAILS.get(key[0])), (_summary(ours), ours.error and ours.error[0])


def _promised_on_old(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    if not OLD:
        return theirs, ours
    if (where.program.name, where.setup.mode) in PROMISED:
        return _promised(theirs, ours, where)
    return FAILS.get(where.program.name), ours.error and ours.error[0]


def _one_id(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    ids = {chunk[0][1]["id"] for chunk in ours.chunks}
    texts = "".join(chunk[0][1].get("content", "") for chunk in ours.chunks)
    return (1, "hello"), (len(ids), texts)


def _own_metadata(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "langgraph_node": "ask"}

    return _changed(theirs, change), ours


def _run_tags(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata if "ls_provider" in metadata else {**metadata, "tags": []}

    return theirs, _changed(ours, change)


def _whole_id(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(walk(item) for item in value)
        is_id = isinstance(value, str) and value.startswith(("lc_run--", "run--"))
        return value[:-2] if is_id and value.endswith("-0") else value

    if where.setup.subgraphs:
        return theirs, ours
    pair = (dataclasses.replace(side, chunks=tuple(map(walk, side.chunks))) for side in (theirs, ours))
    return tuple(pair)


def _last_of_chain(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    return (theirs, {}), (dataclasses.replace(ours, chunks=ours.chunks[:-1]), ours.chunks[-1])


def _custom_of_handlers(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(chunk: Any) -> Any:
        if where.setup.version == "v2":
            told = chunk["type"] == "custom" and chunk["data"].startswith("bad: ")
            return {**chunk, "ns": chunk["ns"][:-1]} if told else chunk
        told = where.setup.subgraphs and isinstance(chunk[-1], str) and chunk[-1].startswith("bad: ")
        return (chunk[0][:-1], *chunk[1:]) if told else chunk

    if not where.program.name.startswith(("handled", "defaults")):
        return theirs, ours
    return dataclasses.replace(theirs, chunks=tuple(map(walk, theirs.chunks))), ours


DIFFERENCES = [
    Difference(
        "tags-are-a-list",
        "`tags` is always a list, user tags only, `[]` if there are none …; LangChain's internal tags are never in it",
        _tags,
        everywhere=True,
    ),
    Difference(
        "configurable-does-not-leak",
        "Nothing of `configurable` leaks but the well-known ids (0.6 leaks every scalar)",
        _configurable,
        everywhere=True,
    ),
    Difference(
        "integration-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 has no `ls_integration` on returned messages",
        _integration,
        everywhere=True,
    ),
    Difference(
        "task-metadata-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 has no `metadata` in task starts",
        _task_metadata,
        everywhere=True,
    ),
    Difference(
        "last-chunk-before-1.0",
        "A node's exception: every chunk made before it is delivered (0.6 drops the last ones of a single task)",
        _last_chunk,
        everywhere=True,
    ),
    Difference(
        "with-config-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 loses what `with_config` of a graph has set",
        _with_config,
    ),
    Difference(
        "overwrite-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 has no `Overwrite`",
        _promised_on_old,
    ),
    Difference("recursion-limit", "A run that ends exactly at the recursion limit succeeds (Q7)", _no_error),
    Difference(
        "errors-say-more",
        "names the node and the closest right name: our own errors are subclasses of LangGraph's, with better texts",
        _error_type,
        everywhere=True,
    ),
    Difference(
        "wrong-routes-are-errors",
        "an unknown `goto`, `Send` target or path result names the node and the closest right name (Q17)",
        _route,
    ),
    Difference(
        "wrong-arguments-are-errors",
        "An unknown keyword is a `TypeError`; an unknown mode, version or filter name is a `ValueError` (R46)",
        _refused_call,
    ),
    Difference(
        "pydantic-set-fields-only",
        "A pydantic object returned by a node writes the fields that were set, not the defaults (Q44)",
        _promised,
    ),
    Difference("list-of-sends", "Lists of `Send` are fine as a node's return (Q18)", _promised),
    Difference(
        "returned-messages-have-the-run's-tags",
        "`tags` is always a list, user tags only: those of the run are on what its nodes return, too",
        _run_tags,
        everywhere=True,
    ),
    Difference(
        "what-is-hidden-is-not-streamed",
        "What is filtered out is never built nor queued (R29): with `subgraphs=False` the provider is not asked to "
        "stream what nobody sees, and langchain-core gives such a message an id that ends in -0",
        _whole_id,
    ),
    Difference(
        "chunks-of-a-chain-add-up",
        "a graph is a Runnable: an empty last chunk makes the sum of its chunks the output (Q11)",
        _last_of_chain,
    ),
    Difference("graph-inside-a-chain", "a graph is a Runnable: the next step gets its output (Q11)", _promised),
    Difference("exactly-once", "not a copy under a new id, not its text in a new `AIMessage` (R3)", _promised),
    Difference("changed-messages", "A *changed* message is emitted once (Q25)", _promised),
    Difference("coerced-messages", "tuples and dicts that the reducer coerces (R16, Q26)", _promised),
    Difference("nostream", "no tokens, no end message, no node-output copy of that message (Q23)", _promised),
    Difference("one-id-per-call", "the chunks of one LLM run share one id (Q33)", _one_id),
    Difference("metadata-is-ours", "User metadata can't overwrite `langgraph_*` keys (Q31)", _own_metadata),
    Difference(
        "only-messages-that-enter-state",
        "Every message that enters state through a node is emitted once; others of the same name are not (Q27)",
        _promised,
    ),
    Difference(
        "nested-by-default",
        "`None`: no namespace in the chunk; tokens of nested graphs are in `messages`; so is `custom` (R4)",
        _promised,
    ),
    Difference(
        "deferred-waits-for-sends",
        "`defer=True` node runs once when nothing else is pending (LB 6); LangGraph runs it beside pending Send tasks",
        _promised,
    ),
    Difference(
        "default-mode", "The default mode is `updates`, also for a stream started inside a node (Q6)", _promised
    ),
    Difference("any-collection-of-modes", "A tuple or set of modes counts as a list (Q2)", _promised),
    Difference(
        "generator-nodes", "other yields to `custom`, the returned (or last mapping) value is the update", _promised
    ),
    Difference(
        "custom-of-handlers",
        "the namespace format: `()` for the root; in LangGraph the custom data of an error handler alone has another",
        _custom_of_handlers,
        everywhere=True,
    ),
    Difference(
        "attempts-share-nothing",
        "changing it changes no state (Q14, R34): each attempt of a retried node gets the input as it was",
        _promised,
    ),
    Difference(
        "cached-messages-are-shown",
        "Every message that enters state through a node is emitted once, also by one whose result is kept (R16)",
        _promised,
    ),
    Difference("nothing-is-lost-on-errors", "every chunk made before it is delivered (Q4)", _promised),
    Difference(
        "messages-of-tasks-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; in 0.6 their messages have another namespace",
        messages_of_tasks,
    ),
    Difference(
        "custom-of-tasks",
        "the namespace format: `()` for the root; in LangGraph only the custom data of a `@task` has another (Q36)",
        custom_of_tasks,
    ),
    Difference(
        "tasks-are-waited-for",
        "Per task: …, then its `updates`, then its task result: those of an entrypoint follow those of its tasks",
        waited_for,
    ),
]
