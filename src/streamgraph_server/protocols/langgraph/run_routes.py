"""The paths about runs: start them, read them, wait for them, cancel them."""

from __future__ import annotations

from typing import AsyncIterator, Dict, List, Optional, Sequence, Tuple, cast
from urllib.parse import quote
from uuid import uuid4

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from streamgraph.serialization import to_json
from streamgraph_server._answers import answer, nothing
from streamgraph_server._guard import user_of
from streamgraph_server._reading import EventStream, filters_of, stream_of, wants_times, within
from streamgraph_server._refusals import refusal, refused_input
from streamgraph_server._requests import (
    Fields,
    body_of,
    number_in,
    object_in,
    own_metadata,
    read_input,
    text_in,
    texts_in,
    wanted_after,
)
from streamgraph_server._rollback import state_before
from streamgraph_server.frames import BEGIN, Cursor, cursor_of
from streamgraph_server.orders import Multitask, Order, read_command
from streamgraph_server.protocols.langgraph.encoder import LangGraphEncoder, core_modes, read_modes
from streamgraph_server.protocols.langgraph.shapes import run_shape, shapes_of
from streamgraph_server.served import ServedRun
from streamgraph_server.service import Service
from streamgraph_server.shared import asked
from streamgraph_server.threads import Thread

_STRATEGIES = ("enqueue", "reject", "interrupt", "rollback")
_DURABILITIES = ("sync", "async", "exit")
_CHOICES = ("cancel", "continue")
_INTERRUPTS = ("pause", "live")
_REFUSED = {
    "webhook": "the server calls nobody; read the run, or wait for it",
    "after_seconds": "runs are known to a process, which may end before the time has come; start it when it is due",
}
"""What the server does not do, and why."""

WAITING = b"\n"
"""Sent while a client waits for a result: white space before JSON means nothing, and keeps the connection alive."""


class RunRoutes:
    """The paths about runs.

    Args:
        service: The graphs, threads and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def create(self, request: Request) -> Response:
        """Start a run in the background."""
        run, _ = await self._started(request)
        return answer(run_shape(run), headers={"content-location": _path(run)})

    async def stream(self, request: Request) -> Response:
        """Start a run and stream it."""
        run, modes = await self._started(request)
        return self._stream(request, run, modes, BEGIN, cancels=run.order.cancels, subgraphs=run.order.subgraphs)

    async def wait(self, request: Request) -> Response:
        """Start a run and answer with its output."""
        run, _ = await self._started(request)
        return self._wait(run, cancels=run.order.cancels)

    async def get(self, request: Request) -> Response:
        """Answer with what is known of a run."""
        return answer(run_shape(await self._run(request)))

    async def join(self, request: Request) -> Response:
        """Wait for a run and answer with its output."""
        return self._wait(await self._run(request), cancels=_is_true(request, "cancel_on_disconnect"))

    async def join_stream(self, request: Request) -> Response:
        """Stream a run that has been started.

        It begins after the frame that the client has seen last. If it names none, it gets what is still to come, or
        everything if the run is over.
        """
        run = await self._run(request)
        modes = read_modes(request.query_params.getlist("stream_mode"), run.order.wire_modes or ("values",))
        after = cursor_of(wanted_after(request))
        if after is None:
            after = BEGIN if run.over.is_set() or run.handle is None else _now(run, run.handle.last_id)
        cancels = _is_true(request, "cancel_on_disconnect") or run.order.cancels
        subgraphs = run.order.subgraphs or _is_true(request, "stream_subgraphs")
        return self._stream(request, run, modes, after, cancels=cancels, subgraphs=subgraphs)

    async def search(self, request: Request) -> Response:
        """Answer with the runs of a thread, the latest first."""
        thread = await self._service.need_thread(request.path_params["thread_id"], request)
        asked = request.query_params
        limit, offset = _number(asked.get("limit"), 10), _number(asked.get("offset"), 0)
        status = asked.get("status")
        runs = [run_shape(run) for run in await self._service.runs.all_of(thread)]
        return answer(shapes_of([run for run in runs if status in (None, run["status"])], offset, limit))

    async def cancel(self, request: Request) -> Response:
        """Cancel a run, or take it back; with `wait`, answer when it has ended."""
        run = await self._run(request)
        rolls_back = request.query_params.get("action") == "rollback"
        if rolls_back:
            await self._check_rollback(run)
        run.cancel(rolls_back=rolls_back)
        if _is_true(request, "wait"):
            await run.over.wait()
        return nothing()

    async def answers(self, request: Request) -> Response:
        """Answer a question for which a run waits that was started with `interrupts: "live"`; it goes on at once."""
        run = await self._run(request)
        body = await body_of(request, self._service.settings.max_body)
        if run.handle is None or run.over.is_set():
            raise refusal(409, f"Run {run.id} does not wait for an answer.")
        try:
            await asked(run.handle.aanswer(text_in(body, "id"), body.get("value")))
        except HTTPException:
            raise
        except Exception as error:
            raise refused_input(error) from error
        return nothing()

    async def prompt(self, request: Request) -> Response:
        """Answer with what a model was asked in a call, whose id is the `run_id` in the metadata of its messages."""
        run = await self._run(request)
        found = await asked(run.prompt(request.path_params["call_id"]))
        if found is None:
            is_kept = run.order.prompts or self._service.settings.live is True
            how = "" if is_kept else " Start with ?prompts=true."
            raise refusal(404, f"There is no prompt of this call: there was none, or it is not kept.{how}")
        return answer(found)

    async def _check_rollback(self, run: ServedRun) -> None:
        if run.over.is_set():
            raise refusal(409, f"Run {run.id} has ended: only a run that goes on can be rolled back.")
        if run.is_dispatched:
            raise refusal(422, f"Run {run.id} is a worker's, which cannot take it back. Cancel it.")
        thread = run.order.thread
        if thread is None or run.began is None:
            return
        before, _ = await state_before(run.order.graph, thread, run.began)
        if before is not None and before.interrupts:
            where = before.config["configurable"]["checkpoint_id"]
            raise refusal(
                409,
                f"Before run {run.id} a question was open, which cannot be opened again. Cancel the run, and answer the"
                f" question from the state in which it was asked: checkpoint_id {where!r}.",
            )

    async def cancel_several(self, request: Request) -> Response:
        """Cancel the runs that a client names, or those of a thread."""
        body = await body_of(request, self._service.settings.max_body)
        user, thread_id, ids = user_of(request), text_in(body, "thread_id"), texts_in(body, "run_ids")
        status = text_in(body, "status", "all")
        for run in await self._service.runs.all_of_user(user):
            is_named = run.id in ids if ids else status in ("all", run.status)
            if is_named and thread_id in ("", run.facts.thread_id):
                run.cancel()
        return nothing()

    async def delete(self, request: Request) -> Response:
        """Forget a run that is over."""
        run = await self._run(request)
        if not run.over.is_set():
            raise refusal(409, f"Run {run.id} goes on. Cancel it first.")
        await self._service.runs.delete(run)
        return nothing()

    async def _run(self, request: Request) -> ServedRun:
        thread = request.path_params.get("thread_id")
        return await self._service.need_run(thread, request.path_params["run_id"], request)

    def _stream(
        self, request: Request, run: ServedRun, modes: Sequence[str], after: Cursor, *, cancels: bool, subgraphs: bool
    ) -> EventStream:
        return stream_of(
            run,
            LangGraphEncoder(modes, subgraphs),
            after=after,
            heartbeat=self._service.settings.heartbeat,
            cancels=cancels,
            headers={"content-location": _path(run), "location": f"{_path(run)}/stream"},
            filters=filters_of(request),
            times=wants_times(request),
        )

    def _wait(self, run: ServedRun, *, cancels: bool) -> EventStream:
        run.join()

        async def result() -> AsyncIterator[bytes]:
            while not await within(run.over.wait(), self._service.settings.heartbeat):
                yield WAITING
            if run.left:
                raise ConnectionAbortedError("The server shuts down, and the run goes on")
            yield to_json(await _output(run))

        async def on_left(left: bool) -> None:
            run.leave(cancels=left and cancels)

        headers = {"content-type": "application/json", "content-location": _path(run), "location": f"{_path(run)}/join"}
        return EventStream(result(), on_left, headers)

    async def _started(self, request: Request) -> Tuple[ServedRun, Sequence[str]]:
        service = self._service
        body = await body_of(request, service.settings.max_body)
        name = service.name_of(body.get("assistant_id"))
        modes = read_modes(texts_in(body, "stream_mode"))
        for key, why in _REFUSED.items():
            if body.get(key) is not None:
                raise refusal(422, f"{key} is not supported here: {why}.")
        thread_id = request.path_params.get("thread_id")
        strategy = _choice(body, "multitask_strategy", _STRATEGIES, "enqueue")
        on_disconnect = _choice(body, "on_disconnect", _CHOICES, "cancel" if thread_id is None else "continue")
        if strategy == "rollback" and body.get("command") is not None:
            raise refusal(422, "What is rolled back closes its questions: multitask_strategy rollback needs an input.")
        config = service.config_of(name, object_in(body, "config"))
        options = _options(body)
        given = _given(body)
        context = object_in(body, "context")
        graph = service.unsaved(name) if thread_id is None else service.saved(name)
        if context:
            if graph.context_schema is None:
                raise refusal(422, f"Graph {name!r} takes no context: it has no context_schema.")
            options["context"] = context
        checkpoint = text_in(body, "checkpoint_id") or text_in(object_in(body, "checkpoint"), "checkpoint_id")
        if checkpoint:
            cast("Fields", config["configurable"])["checkpoint_id"] = checkpoint
        thread = None if thread_id is None else await self._thread(thread_id, body, request)
        order = Order(
            name=name,
            graph=graph,
            given=given,
            config=config,
            thread=thread,
            owner=user_of(request),
            modes=core_modes(modes),
            wire_modes=modes,
            subgraphs=body.get("stream_subgraphs") is True,
            cancels=on_disconnect == "cancel",
            multitask=cast("Multitask", strategy),
            metadata=own_metadata(object_in(body, "metadata")),
            prompts=_is_true(request, "prompts"),
            options=options,
        )
        return await service.runs.start(order), modes

    async def _thread(self, id: str, body: Fields, request: Request) -> Thread:
        service = self._service
        if text_in(body, "if_not_exists", "reject") != "create":
            return await service.need_thread(id, request)
        return await service.thread(id, request) or service.new_thread(id or str(uuid4()), request, {})


def _path(run: ServedRun) -> str:
    # Relative, without the path below which the application is mounted: clients put that in front themselves.
    thread = run.facts.thread_id
    return f"/runs/{run.id}" if thread is None else f"/threads/{quote(thread, safe='')}/runs/{run.id}"


def _now(run: ServedRun, last_id: str) -> Cursor:
    """Return the place after everything that has happened until now."""
    return run.first_place + int(last_id.rpartition("-")[2]), float("inf")


async def _output(run: ServedRun) -> object:
    end, handle = run.end, run.handle
    if end.status == "failed":
        return {"__error__": {"error": end.error, "message": end.message}}
    if handle is None:
        return None
    return handle.partial.state if end.status == "cancelled" else await handle.aresult()


def _given(body: Fields) -> object:
    command = body.get("command")
    if command is None:
        return read_input(body.get("input"))
    if body.get("input") is not None:
        raise refusal(422, "A run gets an input or a command, not both.")
    return read_command(object_in(body, "command"))


def _options(body: Fields) -> Fields:
    options: Dict[str, object] = {}
    for key in ("interrupt_before", "interrupt_after"):
        if body.get(key) is not None:
            names: List[str] = texts_in(body, key)
            options[key] = "*" if names == ["*"] else names
    if body.get("durability") is not None:
        options["durability"] = _choice(body, "durability", _DURABILITIES, "async")
    if body.get("interrupts") is not None:
        options["interrupts"] = _choice(body, "interrupts", _INTERRUPTS, "pause")
    return options


def _choice(body: Fields, key: str, choices: Sequence[str], default: str) -> str:
    given = text_in(body, key, default)
    if given not in choices:
        raise refusal(422, f"{key} must be one of {', '.join(choices)}, not {given[:80]!r}.")
    return given


def _number(given: Optional[str], default: int) -> int:
    return number_in({"limit or offset": given}, "limit or offset", default, 10**6)


def _is_true(request: Request, key: str) -> bool:
    return request.query_params.get(key, "").lower() in ("1", "true")
