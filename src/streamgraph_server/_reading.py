"""Reading a run over HTTP: the frames of one client, in as few writes as possible."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import (
    AsyncIterator,
    Awaitable,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
    cast,
)

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._guard import LIMITS, SEND, USER, StreamLimits, json_answer
from streamgraph_server._pacing import Pace
from streamgraph_server._redaction import shown_part
from streamgraph_server._refusals import refused_input
from streamgraph_server.frames import BEGIN, CONNECTED, HEARTBEAT, Cursor, Encoder, Frame, RunEnd, TokenEncoder, framed
from streamgraph_server.orders import RECORDED
from streamgraph_server.served import ServedRun

T = TypeVar("T")

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
"""Of every stream: nothing between the server and the client may keep or collect it."""


class _Numbered:
    """Frames as bytes, without those that the client has seen."""

    def __init__(self, after: Cursor, with_ids: bool) -> None:
        self._after = after
        self._with_ids = with_ids
        self.first = 0
        """What is added to the numbers of events."""

    def of(self, number: int, frames: Iterable[Frame], at: Optional[float] = None) -> bytes:
        """Return the frames of the event with this number, and with its time if one is given."""
        number += self.first
        after, with_ids = self._after, self._with_ids
        if number > after[0]:
            return b"".join([framed(frame, (number, index), with_ids, at) for index, frame in enumerate(frames)])
        places = ((number, index) for index in range(1 << 30))
        return b"".join([framed(frame, place, with_ids, at) for place, frame in zip(places, frames) if place > after])

    def of_token(self, number: int, frame: Frame, at: Optional[float] = None) -> bytes:
        """Return the only frame of the event with this number, and with its time if one is given."""
        place = (number + self.first, 0)
        return framed(frame, place, self._with_ids, at) if place > self._after else b""


_TAKEN_OVER = "Attempt {} of the run was lost, and attempt {} goes on. Read the run again."

Filters = Dict[str, List[str]]
"""Options of `RunHandle.stream` that say which nodes and tags a reader wants."""

_FILTERS = ("include_nodes", "exclude_nodes", "include_tags", "exclude_tags")


def wants_times(request: Request) -> bool:
    """Return whether a client wants to know when each event happened: `?times=true`."""
    return request.query_params.get("times", "").lower() in ("1", "true")


def filters_of(request: Request) -> Filters:
    """Return which nodes and tags a client wants, from the query of its request."""
    asked = {name: [text for text in request.query_params.getlist(name) if text] for name in _FILTERS}
    return {name: texts for name, texts in asked.items() if texts}


def check_filters(run: ServedRun, filters: Optional[Filters]) -> None:
    """Refuse nodes and tags that do not exist, before the answer begins.

    Raises:
        HTTPException: One does not exist.
    """
    if filters and run.handle is not None:
        try:
            run.handle.astream("values", **filters)  # type: ignore[call-overload]
        except ValueError as error:
            raise refused_input(error) from error


async def frames_of(
    run: ServedRun,
    encoder: Encoder,
    *,
    after: Cursor = BEGIN,
    heartbeat: float = 5.0,
    with_ids: bool = True,
    filters: Optional[Filters] = None,
    times: bool = False,
) -> AsyncIterator[bytes]:
    """Yield what a client gets of a run, from a frame on: all that is at hand in one piece.

    Args:
        run: The run.
        encoder: A new encoder.
        after: The place of the last frame that the client has seen.
        heartbeat: Seconds without a frame after which a comment is sent. It does not change: clients take the distance
            between two for the rhythm of the server.
        with_ids: Whether the frames have ids.
        filters: Which nodes and tags the client wants; see `filters_of`.
        times: Whether the frames say when they happened.
    """
    numbered = _Numbered(after, with_ids)
    numbered.first, time_of = run.first_place, run.time_of
    yield CONNECTED + numbered.of(0, encoder.begin(run.facts), run.facts.created if times else None)
    while not (run.begun.is_set() or await within(run.begun.wait(), heartbeat)):
        yield HEARTBEAT
    last, handle = 0, run.handle
    resumed: Dict[str, str] = {}
    while handle is not None:
        modes = _modes(run, encoder)
        options = {
            "version": "v2",
            "subgraphs": encoder.subgraphs,
            "heartbeat": heartbeat,
            **(filters or {}),
            **resumed,
        }
        if run.max_ahead is not None:
            options.update(max_buffer=run.max_ahead, overflow="block")
        reader = handle.astream(modes, **options)  # type: ignore[call-overload]
        if hasattr(encoder, "tokens"):
            reader.make_tokens(_in_order(cast("TokenEncoder", encoder)))
        pace = Pace()
        forget = run.reading(reader)
        async with reader:
            while True:
                try:
                    batch = await reader.numbered()
                except Exception:
                    if handle.status != "failed":
                        raise
                    break  # what the run has failed with is said at its end
                if not batch:
                    break
                piece: List[bytes] = []
                read_at = monotonic()
                for last, part in batch:
                    if type(part) is tuple:  # a token: what writes it, and its text
                        write, text = part
                        made, at = write(text), time_of(last) if times else None
                        piece.append(
                            numbered.of_token(last, made, at) if type(made) is Frame else numbered.of(last, made, at)
                        )
                        continue
                    kind = part["type"]
                    if kind == "heartbeat":
                        piece.append(HEARTBEAT)
                    elif kind == "gap":
                        piece.append(numbered.of(last, encoder.gap(part["data"].dropped)))
                    elif kind != "error":
                        piece.append(
                            numbered.of(
                                last, encoder.part(shown_part(part, run.errors)), time_of(last) if times else None
                            )
                        )
                joined = b"".join(piece)
                del batch, piece, part  # nothing of these is kept while the next event is waited for
                if joined:
                    yield joined
                    del joined
                    pause = pace.after(reader.delay, read_at)
                    if pause:
                        due = monotonic() + pause
                        await asyncio.sleep(pause)
                        pace.woke(monotonic() - due)
        last = int(handle.last_id.rpartition("-")[2])
        forget()
        following = await run.following(handle)
        if following is None:
            break
        if run.first_place == numbered.first:  # it was taken for dead, and goes on
            handle, resumed = following, {"after": f"{run.facts.attempt}-{last}"}
            continue
        resumed = {}
        # Another process has taken the run over, and does again what was not saved: its events are other events.
        renewed = getattr(encoder, "renewed", None)
        if renewed is None:
            end = RunEnd("failed", "RunLostError", _TAKEN_OVER.format(run.facts.attempt - 1, run.facts.attempt))
            yield numbered.of(last + 1, encoder.end(end))
            return
        last, handle, numbered.first, encoder = 0, following, run.first_place, renewed()
        yield numbered.of(0, encoder.begin(run.facts))
    await run.over.wait()
    if run.left:
        return  # this process ends, and clients go on elsewhere
    if run.end.error == "RunLostError" and after[0] > numbered.first + last:
        last = int(after[0]) - numbered.first  # its process has shown more than it could store
    yield numbered.of(last + 1, encoder.end(run.end), run.updated if times else None)


_Writing = Callable[[str], Union[Frame, Iterable[Frame]]]


def _in_order(encoder: TokenEncoder) -> Callable[[StreamPart], Optional[Callable[[str], Tuple[_Writing, str]]]]:
    """Return what pairs the texts of tokens with what writes them, when all before them is written."""

    def maker(part: StreamPart) -> Optional[Callable[[str], Tuple[_Writing, str]]]:
        write = encoder.tokens(part)
        return None if write is None else lambda text: (write, text)

    return maker


def _modes(run: ServedRun, encoder: Encoder) -> List[StreamMode]:
    """Return the modes that an encoder reads, without those that the run does not record: another protocol began it."""
    return [mode for mode in encoder.modes if mode in RECORDED or mode in run.order.modes]


async def all_frames(run: ServedRun, encoder: Encoder) -> List[Frame]:
    """Return all frames of a run that has ended."""
    frames = list(encoder.begin(run.facts))
    await run.open()
    if run.handle is not None and run.end.status != "failed":
        async with run.handle.astream(_modes(run, encoder), version="v2", subgraphs=encoder.subgraphs) as reader:
            async for part in reader:
                if part["type"] == "gap":
                    frames.extend(encoder.gap(part["data"].dropped))
                else:
                    frames.extend(encoder.part(shown_part(part, run.errors)))
    frames.extend(encoder.end(run.end))
    return frames


async def ended(run: ServedRun, request: Request, *, cancels: bool) -> bool:
    """Wait for the end of a run; return False if the client has left before.

    Args:
        run: The run.
        request: The request of the client, whose body has been read.
        cancels: Whether the run is cancelled when the client leaves and nobody else reads it.
    """
    run.join()
    waiting = [asyncio.ensure_future(run.over.wait()), asyncio.ensure_future(has_left(request.receive))]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        run.leave(cancels=cancels and not run.over.is_set())
    return run.over.is_set()


async def within(awaited: Awaitable[T], seconds: float) -> bool:
    """Wait at most so many seconds; return whether it has happened."""
    try:
        await asyncio.wait_for(awaited, seconds)
    except asyncio.TimeoutError:
        return False
    return True


class EventStream(Response):
    """A response that streams, and says when it is over or the client has left, whichever comes first.

    A client that has taken nothing for a while has left, too. Where a user has too many streams, there is none.

    Args:
        frames: The pieces to send.
        on_left: Is called once at the end, with whether the client has left before it.
        headers: Further headers.
    """

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        on_left: Callable[[bool], Awaitable[None]],
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._frames = frames
        self._on_left = on_left
        self._begun = self._sent = 0
        self.status_code = 200
        self.background = None
        self.init_headers({**STREAM_HEADERS, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        limits: Optional[StreamLimits] = scope.get(LIMITS)
        user = scope.get(USER)
        if limits is not None and not limits.enter(user):
            close = getattr(self._frames, "aclose", None)
            if close is not None:
                await close()
            await self._on_left(True)
            full = f"{limits.most} streams are read already."
            await json_answer(429, full, {"retry-after": "1"})(scope, receive, send)
            return
        try:
            await self._stream(scope, receive, send, None if limits is None else limits.patience)
        finally:
            if limits is not None:
                limits.leave(user)

    async def _stream(self, scope: Scope, receive: Receive, send: Send, patience: Optional[float]) -> None:
        sending = asyncio.ensure_future(self._send_all(send, scope.get(SEND, send)))
        leaving = asyncio.ensure_future(has_left(receive))
        left = True
        try:
            while True:
                sent, begun = self._sent, self._begun
                done, _ = await asyncio.wait((sending, leaving), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if done or (self._sent == sent and begun > sent):  # or it has taken nothing of a piece all the while
                    break
            left = not sending.done() or sending.exception() is not None
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._on_left(left)
        if not sending.cancelled():
            error = sending.exception()
            if error is not None and not isinstance(error, OSError):  # with OSError, the client has left
                raise error

    async def _send_all(self, begin: Send, send: Send) -> None:
        frames = self._frames
        try:
            await begin({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for piece in frames:
                self._begun += 1
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._sent += 1
                del piece
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(frames, "aclose", None)
            if close is not None:
                await close()


async def has_left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def stream_of(
    run: ServedRun,
    encoder: Encoder,
    *,
    after: Cursor = BEGIN,
    heartbeat: float,
    cancels: bool,
    with_ids: bool = True,
    headers: Optional[Dict[str, str]] = None,
    filters: Optional[Filters] = None,
    times: bool = False,
) -> EventStream:
    """Return the response that streams a run to one client.

    Args:
        run: The run.
        encoder: A new encoder.
        after: The place of the last frame that the client has seen.
        heartbeat: Seconds without a frame after which a comment is sent.
        cancels: Whether the run is cancelled when the client leaves and nobody else reads it.
        with_ids: Whether the frames have ids.
        headers: Further headers.
        filters: Which nodes and tags the client wants; see `filters_of`.
        times: Whether the frames say when they happened.
    """
    check_filters(run, filters)
    run.join()

    async def on_left(left: bool) -> None:
        run.leave(cancels=left and cancels)

    frames = frames_of(run, encoder, after=after, heartbeat=heartbeat, with_ids=with_ids, filters=filters, times=times)
    return EventStream(frames, on_left, headers)
