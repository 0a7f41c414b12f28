"""How LangGraph's outcome becomes what we promise, for each of the deliberate differences; see `differences.py`."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from typing import Any, Callable, Optional

from differential.harness import Outcome, Program, Setup

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


def changed(outcome: Outcome, change: Callable[[dict[str, Any]], Any]) -> Outcome:
    """The outcome with every metadata dict of `messages` (the only dicts with `langgraph_node`) replaced."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return change(value) if "langgraph_node" in value else {key: walk(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(walk(item) for item in value)
        return value

    return dataclasses.replace(outcome, chunks=tuple(walk(chunk) for chunk in outcome.chunks))


def tags(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        internal = (*INTERNAL_TAGS, "langsmith:hidden") if metadata["langgraph_node"] == "__start__" else INTERNAL_TAGS
        tags = [tag for tag in metadata.get("tags") or [] if not tag.startswith(internal)]
        return {**metadata, "tags": tags}

    return changed(theirs, change), ours


def configurable(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in metadata.items() if key not in ("api_key", "user_id")}

    return (changed(theirs, change) if OLD else theirs), ours


def integration(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata if "ls_provider" in metadata else {**metadata, "ls_integration": "langgraph"}

    return (changed(theirs, change) if OLD else theirs), ours


def with_config(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        if not metadata["tags"]:
            return {**metadata, "graph": 1}
        return {**metadata, "graph": 1, "sub": 1, "tags": ["gtag", "rtag", "subtag", "ctag", "mtag"]}

    return (changed(theirs, change) if OLD else theirs), ours


def task_metadata(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(value: Any) -> Any:
        if isinstance(value, dict) and {"id", "triggers", "input"} <= set(value):
            return {key: item for key, item in value.items() if key != "metadata"}
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return tuple(walk(item) for item in value) if isinstance(value, tuple) else value

    if not OLD:
        return theirs, ours
    return theirs, dataclasses.replace(ours, chunks=tuple(walk(chunk) for chunk in ours.chunks))


def interrupts_without_schema(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(value: Any) -> Any:
        if isinstance(value, dict) and "__interrupt__" in value:
            value = {"__interrupt__": value["__interrupt__"]}
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items() if (key, item) != ("response_schema", None)}
        return type(value)(walk(item) for item in value) if isinstance(value, (tuple, list)) else value

    def is_shown(chunk: Any) -> bool:
        """In the `values` beside other modes, and of nested graphs, 0.6 shows no questions."""
        several, nested = isinstance(where.setup.mode, tuple), where.setup.subgraphs and chunk[0] != ()
        mode = chunk[-2] if several else where.setup.mode
        return not (mode == "values" and (several or nested) and "__interrupt__" in chunk[-1])

    plain = (
        dataclasses.replace(one, chunks=tuple(walk(chunk) for chunk in one.chunks if is_shown(chunk)))
        for one in (theirs, ours)
    )
    return tuple(plain) if OLD else (theirs, ours)


def written_once(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return ["given", *value[2:]] if isinstance(value, list) and value[:2] == ["given", "given"] else value

    return dataclasses.replace(theirs, chunks=tuple(walk(chunk) for chunk in theirs.chunks)), ours


def last_chunk(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    promised = (where.program.name, where.setup.mode) in PROMISED
    if not OLD or promised or theirs.error is None or len(ours.chunks) <= len(theirs.chunks):
        return theirs, ours
    return theirs, dataclasses.replace(ours, chunks=ours.chunks[: len(theirs.chunks)])


def message_ends(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def is_end(value: Any) -> bool:
        if isinstance(value, dict):
            return value.get("type") == "messages" and is_end(value["data"])
        if not isinstance(value, tuple) or not value:
            return False
        if len(value) == 2 and isinstance(value[1], dict) and str(value[0]).endswith("Chunk"):
            return set(value[1]) == {"chunk_position", "id"}
        return is_end(value[0]) or is_end(value[-1])

    def without(chunks: Any) -> Any:
        return type(chunks)(
            without(chunk) if isinstance(chunk, list) else chunk for chunk in chunks if not is_end(chunk)
        )

    if str(ours.chunks).count("chunk_position") <= str(theirs.chunks).count("chunk_position"):
        return theirs, ours
    pair = (dataclasses.replace(side, chunks=without(side.chunks)) for side in (theirs, ours))
    return tuple(pair)


def no_error(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    return dataclasses.replace(theirs, error=None), ours


def failure_part(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    failed = where.setup.version == "v2" and where.program.call == "stream" and ours.error is not None
    if not failed or not ours.chunks:
        return theirs, ours
    told = ours.chunks[-1]
    assert told["type"] == "error"
    assert told["data"][1]["error"] == ours.error
    return theirs, dataclasses.replace(ours, chunks=ours.chunks[:-1])


def error_type(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    own = ours.error is not None and ours.error[1] == ""
    if theirs.error and own and theirs.error[0] in ours.kinds:
        return theirs, dataclasses.replace(ours, error=theirs.error)
    return theirs, ours


def route(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    names = ("'a'" in ours.text, "writter" in ours.text, "writer" in ours.text.replace("writter", ""))
    delivered = ours.chunks == theirs.chunks[: len(ours.chunks)]  # the failing node's own update may be missing
    return (True, True, (True, True, True)), (delivered, ours.error is not None, names)


def refused_call(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    kind = "TypeError" if where.program.name == "unknown_keyword" else "ValueError"
    return ((), True), (ours.chunks, kind in ours.kinds)


def tokens(*words: str) -> list[tuple[str, str]]:
    return [("AIMessageChunk", word) for word in words]


def summary(outcome: Outcome) -> list[Any]:
    """Type and text of every message; other chunks as they are."""
    return [told(chunk) for chunk in outcome.chunks]


def told(chunk: Any) -> Any:
    if isinstance(chunk, tuple) and len(chunk) == 2 and isinstance(chunk[1], dict) and "langgraph_node" in chunk[1]:
        return (chunk[0][0], chunk[0][1].get("content", ""))
    return chunk


_SURE = ("Interrupt", {"value": "sure?", "id": "<id1>", "response_schema": None})

PROMISED: dict[tuple[str, Any], Any] = {
    ("pydantic_returned_in_part", "updates"): [{"a": {"x": ["a"]}}],
    ("pydantic_returned_in_part", "values"): [{"x": ["in"], "y": 1}, {"x": ["in", "a"], "y": 1}],
    ("question_that_is_caught", "updates"): [{"__interrupt__": (_SURE,)}],
    ("question_that_is_caught", "values"): [{"x": []}, {"x": [], "__interrupt__": (_SURE,)}],
    ("question_and_an_update_in_one_step", "values"): [
        {"x": []},
        {
            "x": ["b"],
            "__interrupt__": (_SURE,),
        },
    ],
    ("unknown_key_of_a_closed_schema", "updates"): [],
    ("unknown_key_of_a_closed_schema", "values"): [{"x": ["in"]}],
    ("node_returns_a_list_of_sends", "updates"): [{"r": None}, {"w": {"x": ["w"]}}],
    ("node_returns_a_list_of_sends", "values"): [{"x": []}, {"x": ["w"]}],
    ("graph_in_the_middle_of_a_streamed_chain", "updates"): [[1, "a", "b"]],
    ("hand_built_copy_of_a_streamed_text", "messages"): tokens("tell", " ", "me", " ", "now"),
    ("copy_of_a_streamed_message_under_a_new_id", "messages"): tokens("tell", " ", "me", " ", "now"),
    ("edited_message_of_the_history", "messages"): [("HumanMessage", "hi, edited")],
    ("coerced_messages", "messages"): [("AIMessage", "pair"), ("HumanMessage", "dict"), ("AIMessage", "real")],
    ("message_in_a_command_of_pairs", "messages"): [("AIMessage", "by pairs")],
    ("nostream_and_returned", "messages"): tokens("loud", " ", "now"),
    ("inner_runnable_named_like_its_node", "messages"): [("AIMessage", "outer")],
    ("nested_graph_by_default", "messages"): tokens("tell", " ", "now"),
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
    ("pregel_overwriting", "values"): [{"log": [2]}, {"log": ["new"]}],
    ("retry_after_changing_the_input", "values"): [{"x": ["in"]}, {"x": ["in", 2]}],
    ("retry_after_changing_the_input", "updates"): [{"a": {"x": [2]}}],
    ("cached_message", "messages"): [("AIMessage", "kept")],
    ("ids_of_messages_that_replace_the_list", "messages"): [("AIMessage", "one")],
    ("ids_of_messages_that_replace_the_list", "values"): [
        {"messages": [("HumanMessage", {"content": "hi", "id": "h1"})], "facts": []},
        {"messages": [("AIMessage", {"content": "one", "id": "<id1>"})], "facts": []},
        {"messages": [("AIMessage", {"content": "one", "id": "<id1>"})], "facts": [(True, True, True)]},
    ],
    ("ids_of_the_first_messages_of_a_key_without_default", "values"): [
        {"messages": [("HumanMessage", {"content": "hi", "id": "<id1>"})]}
    ],
    ("message_without_id_sent_to_a_node_that_returns_it", "messages"): [],
    ("messages_without_ids_sent_to_a_graph", "messages"): [("AIMessage", "answer")],
    ("messages_without_ids_in_a_plain_key_of_the_outer_state", "messages"): [("AIMessage", "answer")],
    ("messages_in_a_command_for_the_parent", "messages"): [("AIMessage", "by command")],
    ("messages_after_the_marker_that_removes_all", "values"): [
        {"messages": [("HumanMessage", {"content": "hi", "id": "h1"})]},
        {"messages": [("AIMessage", {"content": "second", "id": "f"})]},
    ],
    ("runs_of_a_reducer_with_branches", "values"): [
        {"left": [], "right": []},
        {"left": ["left"], "right": ["right"]},
        {"left": ["left"], "right": ["right"], "runs": ["left", "right"]},
    ],
}


FAILS = {
    "reducer_that_raises": "TypeError",
    "removing_an_unknown_message": "ValueError",
    "two_overwrites_in_one_step": "InvalidUpdateError",
    "unknown_key_of_a_closed_schema": "InvalidUpdateError",
}


def promised(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    key = (where.program.name, where.setup.mode)
    if key not in PROMISED:
        return theirs, ours
    return (PROMISED[key], FAILS.get(key[0])), (summary(ours), ours.error and ours.error[0])


def state_without_ids(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def without(chunk: Any) -> Any:
        if chunk[0] != "values":
            return chunk
        return [(kind, {**fields, "id": None}) for kind, fields in chunk[1]["messages"]]

    assert [chunk[1]["messages"][0][1]["id"] for chunk in ours.chunks[1:] if chunk[0] == "values"] == [None]
    return tuple(map(without, theirs.chunks)), tuple(map(without, ours.chunks))


def one_more(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    return (theirs.chunks, ("HumanMessage", "question")), (ours.chunks[:-1], told(ours.chunks[-1][-1]))


def promised_on_old(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    if not OLD:
        return theirs, ours
    if (where.program.name, where.setup.mode) in PROMISED:
        return promised(theirs, ours, where)
    return FAILS.get(where.program.name), ours.error and ours.error[0]


def one_id(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    ids = {chunk[0][1]["id"] for chunk in ours.chunks}
    texts = "".join(chunk[0][1].get("content", "") for chunk in ours.chunks)
    return (1, "hello"), (len(ids), texts)


def own_metadata(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "langgraph_node": "ask"}

    return changed(theirs, change), ours


def run_tags(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return metadata if "ls_provider" in metadata else {**metadata, "tags": []}

    return theirs, changed(ours, change)


def whole_id(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
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


def last_of_chain(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    return (theirs, {}), (dataclasses.replace(ours, chunks=ours.chunks[:-1]), ours.chunks[-1])


def custom_of_handlers(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    def walk(chunk: Any) -> Any:
        if where.setup.version == "v2":
            told = chunk["type"] == "custom" and chunk["data"].startswith("bad: ")
            return {**chunk, "ns": chunk["ns"][:-1]} if told else chunk
        told = where.setup.subgraphs and isinstance(chunk[-1], str) and chunk[-1].startswith("bad: ")
        return (chunk[0][:-1], *chunk[1:]) if told else chunk

    if not where.program.name.startswith(("handled", "defaults")):
        return theirs, ours
    return dataclasses.replace(theirs, chunks=tuple(map(walk, theirs.chunks))), ours
