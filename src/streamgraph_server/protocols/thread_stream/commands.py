"""The commands of the thread stream: start a run, answer its questions, ask for the state."""

from __future__ import annotations

from typing import Awaitable, Callable, Dict, List, Mapping, Optional, Sequence, Set, Union, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request

from streamgraph.errors import closest
from streamgraph.types import Command, Send, StateSnapshot, StreamMode
from streamgraph_server._guard import user_of
from streamgraph_server._refusals import refusal, refused_input
from streamgraph_server._requests import Fields, number_in, object_in, own_metadata, read_input, text_in, texts_in
from streamgraph_server.orders import Multitask, Order
from streamgraph_server.protocols.conversation import thread_named
from streamgraph_server.protocols.thread_stream.journal import Journals
from streamgraph_server.protocols.thread_stream.wanted import read_namespace
from streamgraph_server.served import ServedRun
from streamgraph_server.service import Service
from streamgraph_server.threads import Thread

_STRATEGIES = ("enqueue", "reject", "interrupt", "rollback")
_MODES: Sequence[StreamMode] = ("checkpoints", "objects")
"""What the runs of this protocol record beside what every run records."""

_ELSEWHERE = {
    "subscription.subscribe": "each request to stream/events names its channels itself",
    "subscription.unsubscribe": "close the request to stream/events",
    "subscription.reconnect": "send a new request to stream/events with since",
    "input.inject": "start a run with the message as its input",
    "agent.getTree": "ask for GET /assistants/{id}/graph, and read the channel lifecycle",
}
"""Commands of the protocol that are not needed over HTTP, or that no graph could obey, with what there is instead."""

_MOST = 1000


class CommandError(Exception):
    """A command is refused.

    Args:
        code: The protocol's word for the reason.
        message: What is wrong, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Commands:
    """What clients may ask of a thread.

    Args:
        service: The graphs, threads and runs.
        journals: The journals of the threads.
    """

    def __init__(self, service: Service, journals: Journals) -> None:
        self._service = service
        self._journals = journals
        self._known: Dict[str, Callable[[str, Fields, Request], Awaitable[Fields]]] = {
            "run.start": self._start,
            "input.respond": self._respond,
            "state.get": self._state,
            "state.listCheckpoints": self._checkpoints,
            "state.fork": self._fork,
        }

    async def answer(self, id: str, body: Fields, request: Request) -> Fields:
        """Return the answer to a command, which may be that it is refused.

        Args:
            id: The id of the thread.
            body: The command.
            request: The request that has brought it.

        Raises:
            HTTPException: The server is full or shuts down.
        """
        command = body.get("id")
        if not isinstance(command, int) or isinstance(command, bool):
            return _refused(None, CommandError("invalid_argument", "A command has a number as its id."))
        thread = await self._service.thread(id, request)
        # Before the command: a client that goes on after this event misses nothing of what it does.
        seq = 0 if thread is None else await self._seq(thread)
        try:
            method = text_in(body, "method")
            obey = self._known.get(method)
            if obey is None:
                raise _unknown(method, self._known)
            result = await obey(id, object_in(body, "params"), request)
        except CommandError as error:
            return _refused(command, error)
        except HTTPException as error:
            if error.status_code in (429, 503):  # clients try again, which they know by the status
                raise
            return _refused(command, CommandError("invalid_argument", str(error.detail)))
        return {"type": "success", "id": command, "result": result, "meta": {"applied_through_seq": seq}}

    async def _seq(self, thread: Thread) -> int:
        journal = await self._journals.of(thread)
        await journal.caught_up()
        return journal.last

    async def _start(self, id: str, params: Fields, request: Request) -> Fields:
        service = self._service
        name = service.name_of(params.get("assistant_id"))
        thread = await thread_named(service, id, request)
        given: object = read_input(params.get("input"))
        if given is not None and not await service.runs.all_going_on(thread):
            given = Command(resume=given) if await self._is_answer(name, thread, given) else given
        return _started(await self._run(name, thread, given, params, request))

    async def _is_answer(self, name: str, thread: Thread, given: object) -> bool:
        """Return whether an input answers a question of a thread: one is open, and it is no input of the graph."""
        graph = self._service.saved(name)
        if thread.graph != name or (isinstance(given, dict) and given and graph.channels.keys() >= given.keys()):
            return False
        return bool((await self._snapshot(thread)).interrupts)

    async def _respond(self, id: str, params: Fields, request: Request) -> Fields:
        thread = await self._need(id, request)
        given = params.get("responses")
        if given is None:
            given = [params]
        if not isinstance(given, list) or not given or not all(isinstance(answer, dict) for answer in given):
            raise CommandError("invalid_argument", "responses must be a list of objects.")
        answers: Dict[str, object] = {}
        for answer in cast("List[Fields]", given):
            if "response" not in answer:
                raise CommandError("invalid_argument", "An answer has a response.")
            read_namespace(answer)
            answers[text_in(answer, "interrupt_id")] = answer["response"]
        waiting = await self._questions(thread)
        for question in answers:
            if question not in waiting:
                near = closest(question, tuple(waiting))
                hint = f" Did you mean {near!r}?" if near else "" if waiting else " None waits."
                raise CommandError("no_such_interrupt", f"No question {question[:80]!r} waits for an answer.{hint}")
        update = read_input(params.get("update"))
        if isinstance(update, list):
            update = [tuple(entry) if isinstance(entry, list) else entry for entry in update]
        command = Command(resume=answers, update=update, goto=_goto(params.get("goto")))
        assert thread.graph is not None
        return _started(await self._run(thread.graph, thread, command, params, request))

    async def _questions(self, thread: Thread) -> Set[str]:
        """Return the ids of the questions of a thread that have no answer yet, not even in a run that waits."""
        asked = {question.id for question in (await self._snapshot(thread)).interrupts}
        for run in await self._service.runs.all_going_on(thread):
            asked.difference_update(run.answers)
        return asked

    async def _run(self, name: str, thread: Thread, given: object, params: Fields, request: Request) -> ServedRun:
        if params.get("langsmith_tracer") is not None:
            raise CommandError("not_supported", "The server sends its traces where its own settings say.")
        service = self._service
        strategy = text_in(params, "multitask_strategy") or text_in(params, "multitaskStrategy") or "enqueue"
        if strategy not in _STRATEGIES:
            raise CommandError("invalid_argument", f"multitask_strategy must be one of {', '.join(_STRATEGIES)}.")
        config, metadata = object_in(params, "config"), object_in(params, "metadata")
        options: Fields = {}
        await self._journals.of(thread)
        if object_in(params, "context"):
            options["context"] = object_in(params, "context")
        order = Order(
            name=name,
            graph=service.saved(name),
            given=given,
            config=service.config_of(name, {**config, "metadata": {**object_in(config, "metadata"), **metadata}}),
            thread=thread,
            owner=user_of(request),
            modes=_MODES,
            subgraphs=True,
            multitask=cast("Multitask", strategy),
            metadata=own_metadata(metadata),
            options=options,
        )
        return await service.runs.start(order)

    async def _state(self, id: str, params: Fields, request: Request) -> Fields:
        thread = await self._need(id, request)
        state = await self._snapshot(thread, {"checkpoint_ns": "|".join(read_namespace(params))})
        values: object = state.values
        if params.get("keys") is not None and isinstance(values, dict):
            keys = texts_in(params, "keys")
            values = {key: value for key, value in values.items() if key in keys}
        where = (state.config.get("configurable") or {}) if state.config else {}
        result: Fields = {"values": values}
        if where.get("checkpoint_id"):
            result["checkpoint"] = {"id": where["checkpoint_id"], "ns": where.get("checkpoint_ns", "")}
        return result

    async def _checkpoints(self, id: str, params: Fields, request: Request) -> Fields:
        thread = await self._need(id, request)
        ns, limit = "|".join(read_namespace(params)), number_in(params, "limit", 10, _MOST)
        config = {"configurable": {"thread_id": thread.id, "checkpoint_ns": ns}}
        options: Fields = {"limit": limit}
        if params.get("before") is not None:
            options["before"] = {"configurable": {**config["configurable"], "checkpoint_id": text_in(params, "before")}}
        assert thread.graph is not None
        found = []
        async for state in self._service.saved(thread.graph).aget_state_history(config, **options):  # type: ignore[arg-type]
            about = state.metadata or {}
            where = state.config.get("configurable") or {}
            shape = {"id": where.get("checkpoint_id"), "timestamp": state.created_at, "step": about.get("step")}
            found.append({**shape, "metadata": {key: value for key, value in about.items() if key != "owner"}})
        return {"checkpoints": found}

    async def _fork(self, id: str, params: Fields, request: Request) -> Fields:
        thread = await self._need(id, request)
        checkpoint = text_in(params, "checkpoint_id")
        config = object_in(params, "config")
        where = {**object_in(config, "configurable"), "checkpoint_id": checkpoint}
        if not checkpoint or (await self._snapshot(thread, {"checkpoint_id": checkpoint})).created_at is None:
            raise CommandError("no_such_checkpoint", f"The thread has no checkpoint {checkpoint[:80]!r}.")
        assert thread.graph is not None
        params = {**params, "config": {**config, "configurable": where}}
        run = await self._run(thread.graph, thread, read_input(params.get("input")), params, request)
        return {**_started(run), "thread_id": thread.id}

    async def _need(self, id: str, request: Request) -> Thread:
        thread = await self._service.thread(id, request)
        if thread is None or thread.graph is None:
            raise CommandError("no_such_run", f"No graph has run on thread {id[:100]!r} yet.")
        return thread

    async def _snapshot(self, thread: Thread, where: Optional[Mapping[str, object]] = None) -> StateSnapshot:
        assert thread.graph is not None
        graph = self._service.saved(thread.graph)
        try:
            return await graph.aget_state({"configurable": {"thread_id": thread.id, **(where or {})}})
        except ValueError as error:
            raise refused_input(error) from error


def _goto(given: object) -> Union[str, Sequence[Union[str, Send]]]:
    if given is None:
        return ()
    found: List[Union[str, Send]] = []
    for target in given if isinstance(given, list) else [given]:
        if isinstance(target, str):
            found.append(target)
        elif isinstance(target, dict) and isinstance(target.get("node"), str):
            found.append(Send(target["node"], target.get("input")))
        else:
            raise refusal(422, "goto must name a node, or be an object with a node and its input, or a list of these.")
    return found


def _started(run: ServedRun) -> Fields:
    return {"run_id": run.id}


def _unknown(method: str, known: Mapping[str, object]) -> CommandError:
    if method in _ELSEWHERE:
        return CommandError("not_supported", f"{method} is not obeyed here: {_ELSEWHERE[method]}.")
    near = closest(method, tuple(known))
    hint = f" Did you mean {near!r}?" if near else f" There are {', '.join(known)}."
    return CommandError("unknown_command", f"There is no command {method[:80]!r}.{hint}")


def _refused(id: Optional[int], error: CommandError) -> Fields:
    return {"type": "error", "id": id, "error": error.code, "message": str(error)}
