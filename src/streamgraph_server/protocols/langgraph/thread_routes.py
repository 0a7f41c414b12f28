"""The paths about threads: their state, its history, and changes of it."""

from __future__ import annotations

from typing import Mapping, Optional, cast
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from starlette.requests import Request
from starlette.responses import Response

from streamgraph.types import StateSnapshot
from streamgraph_server._answers import answer, nothing
from streamgraph_server._guard import user_of
from streamgraph_server._refusals import refusal, refused_input
from streamgraph_server._requests import (
    Fields,
    body_if_any,
    number_in,
    object_in,
    own_metadata,
    read_input,
    text_in,
)
from streamgraph_server.protocols.langgraph.bodies import MOST
from streamgraph_server.protocols.langgraph.shapes import (
    checkpoint_shape,
    shapes_of,
    state_shape,
    thread_shape,
)
from streamgraph_server.protocols.langgraph.thread_search import ThreadSearch
from streamgraph_server.service import Service
from streamgraph_server.threads import Thread


class ThreadRoutes:
    """The paths about threads.

    Args:
        service: The graphs, threads and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def create(self, request: Request) -> Response:
        """Make a thread."""
        body = await self._body(request)
        id = text_in(body, "thread_id") or str(uuid4())
        metadata, if_exists = own_metadata(object_in(body, "metadata")), text_in(body, "if_exists", "raise")
        found = await self._service.thread(id, request, fresh=True)
        if found is not None:
            if if_exists == "raise":
                raise refusal(409, f"Thread {id!r} exists already.")
            return answer(await self._shape(found))
        made = self._service.new_thread(id, request, metadata)
        await self._service.threads.save(made)
        return answer(await self._shape(made))

    async def get(self, request: Request) -> Response:
        """Answer with what is known of a thread."""
        return answer(await self._shape(await self._thread(request)))

    async def change(self, request: Request) -> Response:
        """Change the metadata of a thread."""
        thread, body = await self._thread(request), await self._body(request)
        thread.metadata.update(own_metadata(object_in(body, "metadata")))
        thread.touch()
        await self._service.threads.save(thread)
        return answer(await self._shape(thread))

    async def delete(self, request: Request) -> Response:
        """Delete a thread with its state."""
        thread = await self._thread(request)
        if await self._service.runs.all_going_on(thread):
            raise refusal(409, f"Thread {thread.id!r} has a run that goes on. Cancel it first.")
        for run in await self._service.runs.all_of(thread):
            await self._service.runs.delete(run)
        await self._service.threads.delete(thread.id)
        return nothing()

    async def search(self, request: Request) -> Response:
        """Answer with the threads of the user that fit, the latest first unless another order is asked for."""
        body = await self._body(request)
        offset, limit = number_in(body, "offset", 0, 10**9), number_in(body, "limit", 10, MOST)
        search = ThreadSearch(body)
        threads = [thread for thread in await self._service.threads.of(user_of(request)) if search.fits(thread)]
        if search.needs_state:
            shapes = [shape for shape in [await self._shape(thread) for thread in threads] if search.fits_shape(shape)]
            return answer(search.selected(shapes_of(search.sorted(shapes), offset, limit)))
        page = search.sorted_threads(threads)[offset : offset + limit]
        return answer(search.selected([await self._shape(thread) for thread in page]))

    async def count(self, request: Request) -> Response:
        """Answer with the number of threads that fit."""
        search = ThreadSearch(await self._body(request))
        threads = [thread for thread in await self._service.threads.of(user_of(request)) if search.fits(thread)]
        if not search.needs_state:
            return answer(len(threads))
        return answer(len([thread for thread in threads if search.fits_shape(await self._shape(thread))]))

    async def state(self, request: Request) -> Response:
        """Answer with the state of a thread, the last one or one that is named."""
        asked = request.query_params.get("subgraphs", "false").lower() == "true"
        checkpoint = request.path_params.get("checkpoint_id")
        where: Fields = {} if checkpoint is None else {"checkpoint_id": checkpoint}
        return answer(await self._state(await self._thread(request), where, subgraphs=asked))

    async def state_at(self, request: Request) -> Response:
        """Answer with the state that a body names."""
        thread, body = await self._thread(request), await self._body(request)
        asked = body.get("subgraphs") is True
        return answer(await self._state(thread, object_in(body, "checkpoint"), subgraphs=asked))

    async def update_state(self, request: Request) -> Response:
        """Change the state of a thread as a node would."""
        thread, body = await self._thread(request), await self._body(request)
        if await self._service.runs.all_going_on(thread):
            raise refusal(409, f"Thread {thread.id!r} has a run that goes on.")
        where = object_in(body, "checkpoint")
        if body.get("checkpoint_id") is not None:
            where = {**where, "checkpoint_id": text_in(body, "checkpoint_id")}
        config = self._config(thread, where)
        if thread.graph is None:
            raise refusal(422, f"Thread {thread.id!r} has no state yet: no graph has run on it.")
        config["metadata"] = {"graph_id": thread.graph, **({} if thread.owner is None else {"owner": thread.owner})}
        graph = self._service.saved(thread.graph)
        values, as_node = read_input(body.get("values")), body.get("as_node")
        try:
            made = await graph.aupdate_state(config, values, None if as_node is None else text_in(body, "as_node"))
        except Exception as error:
            raise refused_input(error) from error
        thread.touch()
        await self._service.threads.save(thread)
        return answer({"checkpoint": checkpoint_shape(made), "configurable": made.get("configurable")})

    async def history(self, request: Request) -> Response:
        """Answer with the states of a thread, the latest first."""
        thread = await self._thread(request)
        body = dict(request.query_params) if request.method == "GET" else await self._body(request)
        limit = number_in(body, "limit", 10, MOST)
        if thread.graph is None:
            return answer([])
        before = body.get("before")
        options: Fields = {"limit": limit}
        if before is not None:
            named = before if isinstance(before, dict) else {"checkpoint_id": text_in(body, "before")}
            options["before"] = self._config(thread, cast("Fields", named.get("configurable") or named))
        if object_in(body, "metadata"):
            options["filter"] = object_in(body, "metadata")
        graph = self._service.saved(thread.graph)
        states = graph.aget_state_history(self._config(thread, object_in(body, "checkpoint")), **options)  # type: ignore[arg-type]
        return answer([state_shape(thread.id, state, self._service.settings.errors) async for state in states])

    async def _body(self, request: Request) -> Fields:
        return await body_if_any(request, self._service.settings.max_body)

    async def _thread(self, request: Request) -> Thread:
        return await self._service.need_thread(request.path_params["thread_id"], request, fresh=True)

    async def _shape(self, thread: Thread) -> Fields:
        runs = await self._service.runs.all_of(thread)
        return thread_shape(thread, await self._snapshot(thread, {}), runs[0] if runs else None)

    async def _state(self, thread: Thread, where: Mapping[str, object], *, subgraphs: bool) -> Fields:
        state = await self._snapshot(thread, where, subgraphs=subgraphs)
        return state_shape(thread.id, state, self._service.settings.errors)

    async def _snapshot(
        self, thread: Thread, where: Mapping[str, object], *, subgraphs: bool = False
    ) -> Optional[StateSnapshot]:
        if thread.graph is None:
            return None
        graph = self._service.saved(thread.graph)
        try:
            return await graph.aget_state(self._config(thread, where), subgraphs=subgraphs)
        except ValueError as error:
            raise refused_input(error) from error

    def _config(self, thread: Thread, where: Mapping[str, object]) -> RunnableConfig:
        configurable: Fields = {"thread_id": thread.id}
        for key in ("checkpoint_ns", "checkpoint_id"):
            if where.get(key):
                configurable[key] = text_in(where, key)
        if str(configurable.get("checkpoint_ns", "")).startswith("__"):
            raise refusal(422, "There is no graph under this checkpoint_ns.")
        return {"configurable": configurable}
