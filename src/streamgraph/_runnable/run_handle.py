"""The handle of a run that was started on its own."""

from __future__ import annotations

from dataclasses import replace
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generator,
    Generic,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

from typing_extensions import Literal, TypeVar, Unpack

from streamgraph._core.parts import copy_payload
from streamgraph._drivers.cursor import Cursor, Shape
from streamgraph._drivers.readable_run import ReadableRun
from streamgraph._drivers.readers import AsyncRunReader, RunReader
from streamgraph._keywords import checked_keywords, takes_options
from streamgraph._messages.coalescing import COALESCER
from streamgraph._propagation import current_loop
from streamgraph._protocols import Partial
from streamgraph._runnable.event_runs import aevents_of, events_of, open_mux
from streamgraph._runnable.options import Modes, Subscription
from streamgraph._runnable.start_options import READ_DEFAULTS, PartReadKeywords, ReadOptions, check_recorded
from streamgraph._signals import Paused, Unstreamed
from streamgraph._streams.event_log import RunStatus, event_id, number_of
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.formats import ChunkForm
from streamgraph._streams.modes import NESTED_MODES
from streamgraph._streams.part import Part
from streamgraph._streams.subscribers import RunSubscribers
from streamgraph.stream._mux import TransformerFactory
from streamgraph.stream.run_stream import AsyncGraphRunStream, GraphRunStream
from streamgraph.types import StreamPart

if TYPE_CHECKING:
    from streamgraph.watching import AsyncWatched, Watched

OutputT = TypeVar("OutputT")
StateT = TypeVar("StateT", default=Any)

Read = Callable[[Any], Tuple[Subscription, FlowControl]]
"""Checks the options of a reader."""


class RunHandle(Generic[OutputT, StateT]):
    """A run that goes on by itself, to be read by any number of readers at any time.

    ::

        run = graph.start({"topic": "ice"})
        for token, metadata in run.stream("messages"):
            print(token.content, end="")
        print(run.result())

    Readers may come before, during and after the run, from any thread and any event loop. Each has its own modes,
    filters, format and buffer, begins where it wants, and gets what `graph.stream` would give with these options. A
    reader that is slow or goes away is no matter to the run or other readers. If nobody keeps the handle, the run goes
    on to its end, unless it was started with `on_disconnect="cancel"` and nobody reads it.

    At the end of the program, a run in a thread is ended if no thread of the program waits for it or reads it. A run of
    `astart` is a task of its event loop and ends with that at the latest.

    Attributes:
        id: The id of the run, which is also that of its trace.
    """

    def __init__(
        self,
        run: ReadableRun,
        *,
        id: str,  # noqa: A002  (the field's name)
        recorded: Subscription,
        read: Read,
        shape: Callable[[Tuple[str, ...], Subscription], Shape],
        as_output: Callable[[object], OutputT],
        name: str = "",
    ) -> None:
        self.id = id
        self._name = name
        self._run = run
        self._recorded = recorded
        self._read = read
        self._shape = shape
        self._as_output = as_output

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}: {self.status}, {self._run.log.last} events>"

    def __del__(self) -> None:
        run = self.__dict__.get("_run")  # it may not be there yet
        if run is not None:
            run.left(self, dropped=True)

    @property
    def status(self) -> Union[RunStatus, Literal["paused"]]:
        """The state of the run.

        It is `"pending"`, `"running"`, `"paused"` while a question waits for `answer`, and in the end one of: `"done"`;
        `"interrupted"` if it has stopped with a question, at a breakpoint or on a request to drain; `"failed"`;
        `"cancelled"`.
        """
        status = self._run.log.status
        return "paused" if status == "running" and self._run.is_paused() else status

    @property
    def questions(self) -> List[Paused]:
        """The questions that wait for an answer, at every depth: what is asked, where, and since when."""
        return self._run.questions()

    def answer(self, id: str, value: object) -> None:  # noqa: A002  (the field's name)
        """Answer a question of a run that was started with `interrupts="live"`; from any thread, loop or task.

        The run goes on where it has asked.

        Args:
            id: The id of the question, as its readers get it and as in `questions`.
            value: The answer.

        Raises:
            UnknownInterruptError: No question waits under the id, or the run has ended.
            NotSupportedError: The run ends with its questions.
            ValidationError: The answer does not fit the class that was given as `response_schema`; the question stays
                open.
        """
        self._run.answer(id, value)

    async def aanswer(self, id: str, value: object) -> None:  # noqa: A002
        """Answer a question of the run, on an event loop; see `answer`."""
        await self._run.aanswer(id, value)

    @property
    def namespace(self) -> Tuple[str, ...]:
        """The namespace of the graph; `()` unless the run was started in a node of another."""
        return self._run.ns

    @property
    def last_id(self) -> str:
        """The id of the last event so far. With `after=run.last_id` a reader gets only what is still to come."""
        log = self._run.log
        return event_id(log.attempt, log.last)

    @property
    def partial(self) -> Partial:
        """The result so far: message texts, and the state after the last finished step."""
        return self._run.partial_now()

    def explain(self) -> List[Union[Paused, Unstreamed]]:
        """Return why nothing comes: the open questions, and the model calls that were not streamed so far.

        It says the same as `stream.explain()`, from any thread, before and after the end of the run.

        Returns:
            Each item is a `Paused` or an `Unstreamed`, which prints well and says what is asked, or why it was not
            streamed.
        """
        return [*self.questions, *map(_of_a_record, self._run.unstreamed_now())]

    def cancel(self) -> None:
        """Ask the run to end: async nodes are cancelled, sync ones end at their next token or writer call.

        It returns at once, from any thread; `join` waits for the end. Readers get what was made until then, and their
        streams end. A run that has ended stays as it is.
        """
        self._run.cancel()

    def result(self, timeout: Optional[float] = None) -> OutputT:
        """Wait for the end of the run, and return its output as `invoke` does.

        Args:
            timeout: The most seconds to wait; `None` for no limit.

        Raises:
            TimeoutError: The run has not ended within `timeout` seconds. It goes on.
            RunCancelledError: It was cancelled.
            EventLoopError: It is on the event loop of this thread: await it.
            BaseException: The error with which it has failed.
        """
        if not self.join(timeout):
            raise TimeoutError(f"The run {self.id} has not ended within {timeout} seconds. It goes on.")
        return self._result()

    async def aresult(self) -> OutputT:
        """Wait, on any event loop, for the end of the run, and return its output as `ainvoke` does; see `result`."""
        await self._run.ajoin()
        return self._result()

    def __await__(self) -> Generator[Any, None, OutputT]:
        return self.aresult().__await__()

    def join(self, timeout: Optional[float] = None) -> bool:
        """Wait for the end of the run, however it ends.

        Args:
            timeout: The most seconds to wait; `None` for no limit.

        Returns:
            True if the run has ended; False after `timeout` seconds.

        Raises:
            EventLoopError: The run is on the event loop of this thread: await `ajoin`.
        """
        return self._run.join(timeout)

    async def ajoin(self) -> None:
        """Wait, on any event loop, for the end of the run, however it ends."""
        await self._run.ajoin()

    @overload
    def stream(
        self, stream_mode: Modes = None, **options: Unpack[PartReadKeywords]
    ) -> RunReader[StreamPart[StateT, OutputT]]: ...

    @overload
    def stream(self, stream_mode: Modes = None, **options: Unpack[ReadOptions]) -> RunReader[Any]: ...

    @checked_keywords
    @takes_options(ReadOptions, **READ_DEFAULTS)
    def stream(self, stream_mode: Modes = None, **options: Unpack[ReadOptions]) -> RunReader[Any]:
        """Read the run from a thread.

        Args:
            stream_mode: The mode or modes to yield, of those that the run records; see `graph.stream`.
            after: The id of the event after which to begin; `None` for the first event.
            subgraphs: `True`: every mode also for nested graphs, with the namespace in front. `False`: no parts of
                nested graphs. `None`: tokens and custom data of nested graphs, without namespace.
            include_nodes: Show only parts from these nodes, in every mode except `values` and `patches`.
            exclude_nodes: Hide parts from these nodes.
            include_tags: Show only messages of models with one of these tags.
            exclude_tags: Hide messages of models with one of these tags.
            include_keys: Of the messages that nodes write to the state, show only those under these keys.
            exclude_keys: Hide messages that nodes write to these keys.
            include_raw: `False` hides the JSON of models with structured output in `messages`.
            max_buffer: Number of chunks that may wait for this reader. What was made before it came does not count.
            overflow: The policy when more chunks wait:

                - `"drop_oldest"`: the oldest are dropped, and a `Gap` in their place carries their number.
                - `"coalesce"`: consecutive tokens of one message are merged.
                - `"raise"`: the reader, not the run, gets a `StreamOverflowError`.
                - `"block"`: the run waits for this reader.
            heartbeat: Seconds without a chunk, or a `timedelta`, after which a `Heartbeat` lists the running tasks.
            version: The format of the chunks; see `graph.stream`.

        Returns:
            An iterator of chunks, and a context manager. Its `id` is that of the event that was read last. Events that
            the run does not keep any more are a `Gap`.

        Raises:
            UnknownOptionError: The run does not record a mode, or an option does not exist.
            UnknownEventError: There is no event with the id `after`.
        """
        cursor, shape, flow, number, form = self._place(stream_mode, options)
        reader: RunReader[Any] = RunReader(self._run, cursor, shape, flow, number)
        reader.form = form
        return reader

    @overload
    def astream(
        self, stream_mode: Modes = None, **options: Unpack[PartReadKeywords]
    ) -> AsyncRunReader[StreamPart[StateT, OutputT]]: ...

    @overload
    def astream(self, stream_mode: Modes = None, **options: Unpack[ReadOptions]) -> AsyncRunReader[Any]: ...

    @checked_keywords
    @takes_options(ReadOptions, **READ_DEFAULTS)
    def astream(self, stream_mode: Modes = None, **options: Unpack[ReadOptions]) -> AsyncRunReader[Any]:
        """Read the run from an event loop, which need not be that of the run; see `stream`."""
        cursor, shape, flow, number, form = self._place(stream_mode, options)
        reader: AsyncRunReader[Any] = AsyncRunReader(self._run, cursor, shape, flow, number)
        reader.form = form
        return reader

    def watch(self) -> Watched[StreamPart[StateT, OutputT]]:
        """Show the run to a person while it goes on: in the terminal, or in a notebook; from a thread.

        ::

            graph.start({"topic": "ice"}).watch().run()

        It is one more reader, of all that is recorded. In a notebook, a handle as the last line of a cell does the
        same.

        Returns:
            An iterator of the parts, each of which is shown when it is taken; see `streamgraph.watching.watch`.
        """
        from streamgraph.watching import watch

        return watch(self.stream(version="v2", **self._everything()), name=self._name)

    def awatch(self) -> AsyncWatched[StreamPart[StateT, OutputT]]:
        """Show the run to a person while it goes on, from an event loop; see `watch`."""
        from streamgraph.watching import watch

        return watch(self.astream(version="v2", **self._everything()), name=self._name)

    def _everything(self) -> Dict[str, Any]:
        """Return the options with which a reader gets all that is recorded."""
        modes, nested = self._recorded.modes, self._recorded.nested
        subgraphs = True if modes <= nested else None if modes & NESTED_MODES <= nested else False
        return {"stream_mode": sorted(modes), "subgraphs": subgraphs}

    def _ipython_display_(self) -> None:
        is_here = self._run.loop is not None and self._run.loop is current_loop()
        (self.awatch() if is_here else self.watch())._ipython_display_()

    def projections(self, transformers: Optional[Sequence[TransformerFactory]] = None) -> GraphRunStream:
        """Read the run from a thread through projections, as `stream_events(version="v3")` gives them.

        Any number of readers have projections of their own, at any time. Leaving them ends the reading, not the run.

        Args:
            transformers: What makes further transformers. Of those of every run, the ones are there whose modes the run
                records: `values`, `messages` and, with the mode `tasks`, `lifecycle` and `subgraphs`.

        Raises:
            UnknownOptionError: A transformer needs a mode that the run does not record.
            TypeError: A transformer is none.
        """
        return events_of(self, open_mux(transformers, is_async=False, recorded=self._recorded.modes), ends=False)

    def aprojections(self, transformers: Optional[Sequence[TransformerFactory]] = None) -> AsyncGraphRunStream:
        """Read the run from an event loop through projections, as `astream_events(version="v3")` gives them."""
        return aevents_of(self, open_mux(transformers, is_async=True, recorded=self._recorded.modes), ends=False)

    def parts(self) -> RunReader[Part]:
        """Read everything that the run records from a thread, from the first event, as it was made.

        A `Part` also knows the node that it comes from. What is not kept any more is a part of the mode `gap`.
        """
        return RunReader(self._run, self._whole(), _itself, UNLIMITED, 0)

    def aparts(self) -> AsyncRunReader[Part]:
        """Read everything that the run records from an event loop; see `parts`."""
        return AsyncRunReader(self._run, self._whole(), _itself, UNLIMITED, 0)

    def _result(self) -> OutputT:
        return self._as_output(copy_payload("values", self._run.output()))

    def _place(self, stream_mode: Modes, options: Any) -> Tuple[Cursor, Shape, FlowControl, int, ChunkForm]:
        after = options.pop("after", None)
        if "overflow" not in options and options.get("max_buffer") is not None:
            options["overflow"] = READ_DEFAULTS["overflow"]
        wanted, flow = self._read({**options, "stream_mode": stream_mode})
        check_recorded(wanted, self._recorded)
        run = self._run
        number = number_of(after, run.log.attempt, run.log.last)
        is_own = RunSubscribers(run.ns, wanted.modes, wanted.nested, wanted.filter).is_own
        shape = self._shape(run.ns, wanted)
        wants = _with_failures(is_own) if wanted.version == "v2" else is_own
        cursor = Cursor(run, after=number, wants=wants, shape=shape, flow=flow, coalescer=COALESCER)
        return cursor, shape, flow, number, wanted

    def _whole(self) -> Cursor:
        return Cursor(self._run, after=0, wants=_anything, shape=_itself, flow=UNLIMITED, coalescer=COALESCER)


def _of_a_record(item: Unstreamed) -> Unstreamed:
    """Return why a model call was not streamed, in the words for a run that records what is read later."""
    if item.reason != "mode":
        return item
    hint = 'Start it with record="messages", or a list of modes with it.'
    return replace(item, why="the run does not record `messages`", hint=hint)


def _with_failures(wants: Callable[[Part], bool]) -> Callable[[Part], bool]:
    """Return what a reader of `version="v2"` wants: also the part that reports a failure of the run."""
    return lambda part: wants(part) or part.mode == "error"


def _itself(part: Part) -> Part:
    return part


def _anything(part: Part) -> bool:
    return True
