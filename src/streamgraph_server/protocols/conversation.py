"""What front ends have in common that send a conversation: they name a thread, and its run can be read again."""

from __future__ import annotations

from typing import List, Optional, Sequence

from langchain_core.messages import BaseMessage
from starlette.requests import Request

from streamgraph.types import Command
from streamgraph_server._guard import user_of
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields
from streamgraph_server.runs import Order, ServedRun
from streamgraph_server.service import Service
from streamgraph_server.threads import Thread


async def thread_named(service: Service, id: str, request: Request) -> Thread:
    """Return the thread that a client has named, which is made if it is new."""
    return await service.thread(id, request) or service.new_thread(id, request, {})


async def stored_messages(service: Service, name: str, thread: Thread) -> List[BaseMessage]:
    """Return the messages in the state of a thread."""
    if thread.graph is None:
        return []
    state = await service.saved(name).aget_state({"configurable": {"thread_id": thread.id}})
    found = state.values.get("messages") if isinstance(state.values, dict) else None
    return list(found) if isinstance(found, list) else []


async def start_on_thread(
    service: Service, name: str, thread: Thread, given: object, request: Request, metadata: Optional[Fields] = None
) -> ServedRun:
    """Start a run on a thread, which is cancelled when its last client leaves unless the query says otherwise.

    Args:
        service: The graphs and runs.
        name: The name of the graph.
        thread: The thread.
        given: The input, or a command.
        request: The request; `?on_disconnect=continue` lets the run go on without clients.
        metadata: What the client has noted about the run.
    """
    choice = request.query_params.get("on_disconnect", "cancel")
    if choice not in ("cancel", "continue"):
        raise refusal(422, "on_disconnect must be cancel or continue.")
    order = Order(
        name=name,
        graph=service.saved(name),
        given=given,
        config=service.config_of(name, {"metadata": metadata or {}}),
        thread=thread,
        owner=user_of(request),
        cancels=choice == "cancel",
    )
    return await service.runs.start(order)


def resumed(answers: Sequence[object]) -> Optional[Command]:
    """Return the command that answers the questions of a thread, or `None` if there are no answers.

    Args:
        answers: Objects with the id of a question and a value.
    """
    found: Fields = {}
    for given in answers:
        if not isinstance(given, dict) or not isinstance(given.get("interruptId"), str):
            raise refusal(422, "Each answer in resume must have the interruptId of its question.")
        value = given["payload"] if "payload" in given else given.get("value")
        found[given["interruptId"]] = None if given.get("status") == "cancelled" else value
    return Command(resume=found) if found else None
