"""The deliberate differences from LangGraph: the one list, with the line of the contract that justifies each.

A difference gets LangGraph's outcome and ours and returns the pair to compare. Most change LangGraph's into what we
promise; where the promise leaves room, both sides are reduced to what is promised.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from differential.adapting import (
    OLD,
    Pair,
    Where,
    configurable,
    custom_of_handlers,
    error_type,
    failure_part,
    integration,
    interrupts_without_schema,
    last_chunk,
    last_of_chain,
    message_ends,
    no_error,
    one_id,
    one_more,
    own_metadata,
    promised,
    promised_on_old,
    refused_call,
    route,
    run_tags,
    state_without_ids,
    tags,
    task_metadata,
    whole_id,
    with_config,
    written_once,
)
from differential.differ_pregel import limited, sends, updated
from differential.differ_tasks import custom_of_tasks, messages_of_tasks, waited_for
from differential.harness import Outcome

__all__ = ["DIFFERENCES", "OLD", "Difference", "Where", "comparable"]


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


DIFFERENCES = [
    Difference(
        "sends-are-no-state",
        "`updates` and `values` show the state; LangGraph also shows the private channel of `Send`s of a bare `Pregel`",
        sends,
    ),
    Difference(
        "no-step-beyond-the-limit",
        "A run that ends exactly at the recursion limit succeeds (Q7), and no run goes beyond it",
        limited,
    ),
    Difference(
        "channels-that-were-updated",
        "a node runs after a step that has updated its channel; LangGraph also starts one whose channel has had a "
        "value from the beginning, once a step has updated nothing",
        updated,
    ),
    Difference(
        "the-end-of-a-message-is-in-the-stream",
        'its last chunk has `chunk_position == "last"` …, on every langchain-core, also for a message that was cut off',
        message_ends,
        everywhere=True,
    ),
    Difference(
        "failure-is-told",
        "in the typed form (`v2`) an `error` part precedes the exception (R20)",
        failure_part,
        everywhere=True,
    ),
    Difference(
        "tags-are-a-list",
        "`tags` is always a list, user tags only, `[]` if there are none …; LangChain's internal tags are never in it",
        tags,
        everywhere=True,
    ),
    Difference(
        "configurable-does-not-leak",
        "Nothing of `configurable` leaks but the well-known ids (0.6 leaks every scalar)",
        configurable,
        everywhere=True,
    ),
    Difference(
        "integration-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 has no `ls_integration` on returned messages",
        integration,
        everywhere=True,
    ),
    Difference(
        "task-metadata-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 has no `metadata` in task starts",
        task_metadata,
        everywhere=True,
    ),
    Difference(
        "last-chunk-before-1.0",
        "A node's exception: every chunk made before it is delivered (0.6 drops the last ones of a single task)",
        last_chunk,
        everywhere=True,
    ),
    Difference(
        "with-config-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 loses what `with_config` of a graph has set",
        with_config,
    ),
    Difference(
        "overwrite-before-1.0",
        "where the contract is silent, behave like LangGraph 1.x; 0.6 has no `Overwrite`",
        promised_on_old,
    ),
    Difference("recursion-limit", "A run that ends exactly at the recursion limit succeeds (Q7)", no_error),
    Difference(
        "errors-say-more",
        "names the node and the closest right name: our own errors are subclasses of LangGraph's, with better texts",
        error_type,
        everywhere=True,
    ),
    Difference(
        "wrong-routes-are-errors",
        "an unknown `goto`, `Send` target or path result names the node and the closest right name (Q17)",
        route,
    ),
    Difference(
        "wrong-arguments-are-errors",
        "An unknown keyword is a `TypeError`; an unknown mode, version or filter name is a `ValueError` (R46)",
        refused_call,
    ),
    Difference(
        "pydantic-set-fields-only",
        "A pydantic object returned by a node writes the fields that were set, not the defaults (Q44)",
        promised,
    ),
    Difference(
        "unknown-keys-of-closed-schemas",
        "What cannot work is refused: a TypedDict with closed=True has no other keys: an update with one is an error",
        promised,
    ),
    Difference("list-of-sends", "Lists of `Send` are fine as a node's return (Q18)", promised),
    Difference(
        "returned-messages-have-the-run's-tags",
        "`tags` is always a list, user tags only: those of the run are on what its nodes return, too",
        run_tags,
        everywhere=True,
    ),
    Difference(
        "what-is-hidden-is-not-streamed",
        "What is filtered out is never built nor queued (R29): with `subgraphs=False` the provider is not asked to "
        "stream what nobody sees, and langchain-core gives such a message an id that ends in -0",
        whole_id,
    ),
    Difference(
        "chunks-of-a-chain-add-up",
        "a graph is a Runnable: an empty last chunk makes the sum of its chunks the output (Q11)",
        last_of_chain,
    ),
    Difference("graph-inside-a-chain", "a graph is a Runnable: the next step gets its output (Q11)", promised),
    Difference("exactly-once", "not a copy under a new id, not its text in a new `AIMessage` (R3)", promised),
    Difference("changed-messages", "A *changed* message is emitted once (Q25)", promised),
    Difference("coerced-messages", "tuples and dicts that the reducer coerces (R16, Q26)", promised),
    Difference("nostream", "no tokens, no end message, no node-output copy of that message (Q23)", promised),
    Difference("one-id-per-call", "the chunks of one LLM run share one id (Q33)", one_id),
    Difference("metadata-is-ours", "User metadata can't overwrite `langgraph_*` keys (Q31)", own_metadata),
    Difference(
        "only-messages-that-enter-state",
        "Every message that enters state through a node is emitted once; others of the same name are not (Q27)",
        promised,
    ),
    Difference(
        "nested-by-default",
        "`None`: no namespace in the chunk; tokens of nested graphs are in `messages`; so is `custom` (R4)",
        promised,
    ),
    Difference(
        "deferred-waits-for-sends",
        "`defer=True` node runs once when nothing else is pending (LB 6); LangGraph runs it beside pending Send tasks",
        promised,
    ),
    Difference("default-mode", "The default mode is `updates`, also for a stream started inside a node (Q6)", promised),
    Difference("any-collection-of-modes", "A tuple or set of modes counts as a list (Q2)", promised),
    Difference(
        "generator-nodes", "other yields to `custom`, the returned (or last mapping) value is the update", promised
    ),
    Difference(
        "custom-of-handlers",
        "the namespace format: `()` for the root; in LangGraph the custom data of an error handler alone has another",
        custom_of_handlers,
        everywhere=True,
    ),
    Difference(
        "attempts-share-nothing",
        "changing it changes no state (Q14, R34): each attempt of a retried node gets the input as it was",
        promised,
    ),
    Difference(
        "cached-messages-are-shown",
        "Every message that enters state through a node is emitted once, also by one whose result is kept (R16)",
        promised,
    ),
    Difference(
        "ids-whenever-a-message-enters",
        "A message without an id gets one when it enters the state, also where the reducer does not run; in LangGraph "
        "it then gets none until the next write",
        promised,
    ),
    Difference(
        "ids-do-not-depend-on-modes",
        "and it does not depend on the modes: LangGraph's mode `messages` gives ids where the reducer gives none",
        state_without_ids,
    ),
    Difference(
        "input-is-never-emitted",
        "Input and history are never emitted: LangGraph shows those that had no ids, such as a nested graph's (B7)",
        promised,
    ),
    Difference(
        "entered-through-a-node",
        "Every message that enters state through a node is emitted once; not by LangGraph with `subgraphs=True` if it "
        "was also the input of a graph that the node has called",
        one_more,
    ),
    Difference(
        "messages-of-commands-for-the-parent",
        "Every message that enters state through a node is emitted once, for every return type: … `Command`; LangGraph "
        "shows none of a command for the parent graph (R16)",
        promised,
    ),
    Difference(
        "a-marker-drops-only-what-is-before-it",
        "REMOVE_ALL drops everything before it (LB 6); what follows is merged like any update, while LangGraph stores "
        "it as it is, two messages of one id and removals included",
        promised,
    ),
    Difference("reducers-run-once", "A reducer runs once for each write; a branch sees that result", promised),
    Difference("nothing-is-lost-on-errors", "every chunk made before it is delivered (Q4)", promised),
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
        "interrupts-before-1.2",
        "where the contract is silent, behave like LangGraph 1.x; in 0.6 `values` shows interrupts without the state",
        interrupts_without_schema,
    ),
    Difference(
        "a-caught-question-is-asked",
        "`except Exception` around `interrupt()` does not lose the question",
        promised,
    ),
    Difference(
        "questions-in-the-values-of-the-step",
        "per step: all of that, then `values`: LangGraph shows a question before the step, and then values without it",
        promised,
    ),
    Difference(
        "command-writes-once",
        "A reducer runs once for each write: LangGraph writes the update of a Command that starts a run twice",
        written_once,
    ),
    Difference(
        "tasks-are-waited-for",
        "Per task: …, then its `updates`, then its task result: those of an entrypoint follow those of its tasks",
        waited_for,
    ),
]
