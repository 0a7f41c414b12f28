"""`start` and `astart` of a graph or workflow: runs that stand by themselves."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple
from uuid import UUID, uuid4

from langchain_core.runnables import RunnableConfig
from typing_extensions import Unpack

from streamgraph._drivers.attached import AttachedRun
from streamgraph._drivers.memory_log import MemoryLog
from streamgraph._drivers.started import StartedRun
from streamgraph._keywords import checked_keywords, takes_options
from streamgraph._messages.coalescing import COALESCER
from streamgraph._messages.token_codec import TokenCodec
from streamgraph._protocols import Backend, Session
from streamgraph._runnable.config_checks import check_config
from streamgraph._runnable.options import Subscription, check_version
from streamgraph._runnable.run_handle import RunHandle
from streamgraph._runnable.start_options import START_DEFAULTS, StartOptions, check_on_disconnect
from streamgraph._runnable.stream_call import StreamRunnable
from streamgraph._runnable.stream_options import Config, ContextT, GivenT, KeyedT, OutputT, StateT
from streamgraph._streams.event_log import SharedLog
from streamgraph._streams.flow import FlowControl
from streamgraph.errors import UnknownOptionError


class StartRunnable(StreamRunnable[GivenT, ContextT, StateT, OutputT, KeyedT]):
    """A graph or workflow with `start` and `astart`."""

    @checked_keywords
    @takes_options(StartOptions, **START_DEFAULTS)
    def start(
        self, input: GivenT, config: Config = None, **options: Unpack[StartOptions[ContextT]]
    ) -> RunHandle[OutputT, StateT]:
        """Start a run that goes on by itself in a thread, and return its handle at once.

        The options are validated immediately. If it is started in a node, the run around it shows it like a nested
        graph while that lasts, but it goes on after the node.

        Args:
            input: The initial state: a mapping with some of the keys, or a state object.
            config: Tags, metadata, callbacks, `recursion_limit`, `max_concurrency`, `configurable`, and `run_id`, which
                is then the id of the handle.
            record: The mode or modes that readers may ask for; what is not recorded is never made.
            subgraphs: `True` records every mode also for nested graphs, `None` only their tokens and custom data,
                `False` nothing of them.
            output_keys: The state keys that `values`, `updates` and the result show.
            interrupts: What a question of a node does: it ends the run (`"pause"`, the default), or waits until it is
                answered with `answer()` of the handle while the run goes on (`"live"`).
            log: Where the parts are kept, and how many: `MemoryLog(max_events=..., max_bytes=..., max_age=...)`. By
                default 100,000 parts or 64 MiB.
            on_disconnect: `"cancel"` ends the run when the last reader leaves, or when the handle is dropped and nobody
                reads; by default it goes on.
            version: The format of the result, as of `invoke`.
            **options: Also the options of `stream` about the run itself (`context`, `timeout`, `interrupt_before`,
                `durability`, …), and its filters, which leave out what is then not recorded.

        Returns:
            The handle, with `status`, `result()`, `stream()`, `answer()`, `cancel()` and more.

        Raises:
            UnknownOptionError: A mode, version or key does not exist, or the log belongs to another run.
            UnknownKeywordError: A keyword does not exist.
            EmptyInputError: The input is `None`.
            InvalidUpdateError: The input does not fit the state.
        """
        run, handle, session, flow = self._prepared(input, config, options)
        run.start_in_thread(session, COALESCER, flow)
        return handle

    @checked_keywords
    @takes_options(StartOptions, **START_DEFAULTS)
    async def astart(
        self, input: GivenT, config: Config = None, **options: Unpack[StartOptions[ContextT]]
    ) -> RunHandle[OutputT, StateT]:
        """Start a run that goes on by itself as a task of the event loop, and return its handle at once; see `start`.

        Sync nodes run in threads, so that they do not block the loop.
        """
        run, handle, session, flow = self._prepared(input, config, options)
        run.start_on_loop(session, COALESCER, flow)
        return handle

    def _prepared(
        self, given: Any, config: Optional[RunnableConfig], options: Any
    ) -> Tuple[StartedRun, RunHandle[Any], Callable[[Backend], Session], FlowControl]:
        """Check the options, and return what is needed to start."""
        asked: Dict[str, Any] = {**START_DEFAULTS, **options}
        version = check_version(asked.pop("version"))
        on_disconnect = check_on_disconnect(asked.pop("on_disconnect"))
        log = asked.pop("log", None) or MemoryLog()
        if log.status != "pending" or log.last:
            raise UnknownOptionError("This log belongs to another run", hint="Each run needs a log of its own.")
        if isinstance(log, MemoryLog) and log.codec is None:
            log.codec = TokenCodec()
        recorded, flow = self._read({**asked, "stream_mode": asked.pop("record"), "version": "v2"})  # type: ignore[typeddict-item]
        check_config(config)
        settings: RunnableConfig = {**(config or {})}
        run_id = settings["run_id"] = _run_id(log.run_id, settings.get("run_id"))
        modes = recorded.modes, recorded.nested
        run = StartedRun(str(run_id), log, modes, on_disconnect, shows=bool(recorded.printed))
        session = partial(self._recorded, given, settings, asked.get("context"), recorded, run)
        handle: RunHandle[Any] = RunHandle(
            run,
            id=str(run_id),
            recorded=recorded,
            read=self._read,
            shape=self._shape,
            as_output=partial(self._as_output, version=version),
            name=self.get_name(),
        )
        return run, handle, session, flow

    def attach(self, log: SharedLog) -> RunHandle[OutputT, StateT]:
        """Return the handle of a run of this graph that another process has started, to read it and wait for its end.

        It works like the handle of `start`, from any thread and event loop, with these differences: `questions` and
        `answer` ask the process that drives the run; `status` does not, so it is never `"paused"`; a reader cannot hold
        the run back; and `partial` is known at the end only.

        Args:
            log: The log that the processes share, such as `RedisEvents.log(run_id)`.
        """
        facts = log.facts
        if log.codec is None:
            log.codec = TokenCodec()
        return RunHandle(
            AttachedRun(log),
            id=facts.run_id,
            recorded=Subscription(modes=frozenset(facts.modes), nested=frozenset(facts.nested)),
            read=self._read,
            shape=self._shape,
            as_output=partial(self._as_output, version="v1"),
        )

    def _recorded(
        self, given: Any, config: RunnableConfig, context: Any, recorded: Any, run: StartedRun, backend: Backend
    ) -> Session:
        return self._session(given, config, context, recorded, backend, record=run.record)


def _run_id(of_log: Optional[str], given: Optional[UUID]) -> UUID:
    """Return the id of a run: that of its log, or that of its config, or a new one.

    Raises:
        UnknownOptionError: Both have one, and they differ.
    """
    if of_log is None:
        return given or uuid4()
    if given is not None and str(given) != of_log:
        raise UnknownOptionError(
            f"The log is that of the run {of_log}, and config has the run_id {given}", hint="Leave out run_id."
        )
    return UUID(of_log)
