"""What front ends have in common that send a conversation: they name a thread, and its run can be read again."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from starlette.exceptions import HTTPException
from starlette.requests import Request

from streamgraph.types import Command, StreamMode
from streamgraph_server._guard import user_of
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields
from streamgraph_server.orders import Order
from streamgraph_server.protocols.approvals import Verdict, answer_to, approvals_in
from streamgraph_server.served import ServedRun
from streamgraph_server.service import Service
from streamgraph_server.threads import Thread


class Stored(NamedTuple):
    """What a thread knows before a request.

    Attributes:
        values: Its state, by key.
        questions: What its questions ask, by their ids.
    """

    values: Mapping[str, object]
    questions: Mapping[str, object]

    @property
    def messages(self) -> List[BaseMessage]:
        """The messages in its state."""
        found = self.values.get("messages")
        return [message for message in found if isinstance(message, BaseMessage)] if isinstance(found, list) else []


async def thread_named(service: Service, id: str, request: Request) -> Thread:
    """Return the thread that a client has named, which is made if it is new."""
    return await service.thread(id, request) or service.new_thread(id, request, {})


async def stored_in(service: Service, name: str, thread: Thread) -> Stored:
    """Return what a thread knows."""
    if thread.graph is None:
        return Stored({}, {})
    state = await service.saved(name).aget_state({"configurable": {"thread_id": thread.id}})
    values: object = state.values
    questions = {question.id: question.value for question in state.interrupts}
    return Stored(values if isinstance(values, dict) else {}, questions)


async def start_on_thread(
    service: Service,
    name: str,
    thread: Thread,
    given: object,
    request: Request,
    *,
    modes: Sequence[StreamMode] = (),
    remarks: Optional[Fields] = None,
) -> ServedRun:
    """Start a run on a thread, which is cancelled when its last client leaves unless the query says otherwise.

    Args:
        service: The graphs and runs.
        name: The name of the graph.
        thread: The thread.
        given: The input, or a command.
        request: The request; `?on_disconnect=continue` lets the run go on without clients.
        modes: The modes that the protocol reads.
        remarks: What the protocol has to know to write the run again.
    """
    choice = request.query_params.get("on_disconnect", "cancel")
    if choice not in ("cancel", "continue"):
        raise refusal(422, "on_disconnect must be cancel or continue.")
    order = Order(
        name=name,
        graph=service.saved(name),
        given=given,
        config=service.config_of(name, {"metadata": {}}),
        thread=thread,
        owner=user_of(request),
        modes=modes,
        cancels=choice == "cancel",
        remarks=remarks or {},
    )
    return await service.runs.start(order)


def news_in(before: Sequence[BaseMessage], sent: Sequence[BaseMessage]) -> List[BaseMessage]:
    """Return what a conversation has that its thread does not know, and the removal of what the client has taken back.

    Clients send the whole conversation each time, and their copies of the answers have less in them than those of the
    thread, or other ids. So what the graph has said stays as the thread has it. A client that sends its last question
    again, changed or not, and nothing after it, wants another answer: what the thread has after it goes.

    Args:
        before: The messages of the thread.
        sent: Those of the client.
    """
    if not before:
        return list(sent)
    places = {message.id: place for place, message in enumerate(before)}
    known = [place for place, message in enumerate(sent) if message.id in places]
    calls = {call["id"] for message in before if isinstance(message, AIMessage) for call in message.tool_calls}
    waiting = calls - {message.tool_call_id for message in before if isinstance(message, ToolMessage)}
    last = known[-1] if known else -1
    since = sent[last + 1 :]
    removed: List[BaseMessage] = []
    if known and not any(isinstance(message, (AIMessage, ToolMessage)) for message in since):
        kept = max(places[sent[place].id] for place in known)
        while kept + 1 < len(before) and isinstance(before[kept + 1], ToolMessage):
            kept += 1  # a call without its answer would be refused by models
        removed = [RemoveMessage(id=message.id or "") for message in before[kept + 1 :]]
    changed: List[BaseMessage] = []
    for place in known:
        message = sent[place]
        stored = before[places[message.id]]
        if isinstance(message, HumanMessage) and isinstance(stored, HumanMessage) and message.content != stored.content:
            changed.append(message)
    # What comes after the last answer is new, whoever has made up its id.
    answers = [place for place, message in enumerate(since) if isinstance(message, AIMessage)]
    new = [
        message
        for message in since[answers[-1] + 1 if answers else 0 :]
        if not isinstance(message, ToolMessage) or message.tool_call_id in waiting
    ]
    return [*removed, *changed, *new]


def resumed(answers: Sequence[object], questions: Mapping[str, object]) -> Command:
    """Return the command that answers the questions of a thread.

    Args:
        answers: Objects with the `interruptId` of a question, and a `payload` or `value`; or the `status` "cancelled".
        questions: What the questions of the thread ask, by their ids.

    Raises:
        HTTPException: There is no answer, or one of another shape or to a question that is not waiting.
    """
    found: Fields = {}
    verdicts: Dict[str, Verdict] = {}
    for given in answers:
        if not isinstance(given, dict) or not isinstance(given.get("interruptId"), str):
            raise refusal(422, "Each answer in resume must have the interruptId of its question.")
        id, value = given["interruptId"], given["payload"] if "payload" in given else given.get("value")
        if id not in questions:
            raise _no_question(id, questions)
        cancelled = given.get("status") == "cancelled"
        if approvals_in(id, questions[id]) and (cancelled or _is_verdict(value)):
            verdict = Verdict(False) if cancelled else verdict_in(value)
            verdicts.update((approval.id, verdict) for approval in approvals_in(id, questions[id]))
        else:
            found[id] = None if cancelled else value
    found.update(answered(verdicts, questions))
    if not found:
        raise refusal(422, "resume has no answer.")
    return Command(resume=found)


def answered(verdicts: Mapping[str, Verdict], questions: Mapping[str, object]) -> Fields:
    """Return the answers to questions, by their ids, from the verdicts about their approvals; see `answer_to`.

    Raises:
        HTTPException: A verdict is about nothing that is asked, or one is missing.
    """
    found: Fields = {}
    asked = {id: [approval.id for approval in approvals_in(id, value)] for id, value in questions.items()}
    for verdict in verdicts:
        if not any(verdict in ids for ids in asked.values()):
            raise _no_question(verdict, [id for ids in asked.values() for id in ids])
    for id, ids in asked.items():
        if any(approval in verdicts for approval in ids):
            found[id] = answer_to(id, questions[id], verdicts)
    return found


def _no_question(id: str, known: Iterable[str]) -> HTTPException:
    waiting = ", ".join(known)
    which = f"Waiting: {waiting}." if waiting else "None is waiting on this thread."
    return refusal(422, f"There is no question {id[:100]!r} to answer. {which}")


def _is_verdict(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("approved"), bool)


def verdict_in(value: object) -> Verdict:
    """Return what a person says with `{"approved": ..., "reason": ...}`."""
    assert isinstance(value, dict)
    return Verdict(value["approved"], str(value.get("reason") or ""))
