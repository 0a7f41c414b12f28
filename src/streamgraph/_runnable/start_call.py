"""`start` and `astart` of a graph or workflow: runs that stand by themselves."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from typing_extensions import Unpack

from streamgraph._drivers.memory_log import MemoryLog
from streamgraph._drivers.started import StartedRun
from streamgraph._keywords import checked_keywords, takes_options
from streamgraph._messages.coalescing import COALESCER
from streamgraph._messages.token_codec import TokenCodec
from streamgraph._protocols import Backend, Session
from streamgraph._runnable.config_checks import check_config
from streamgraph._runnable.options import check_version
from streamgraph._runnable.run_handle import RunHandle
from streamgraph._runnable.start_options import START_DEFAULTS, StartOptions, check_on_disconnect
from streamgraph._runnable.stream_call import StreamRunnable
from streamgraph._runnable.stream_options import Config, ContextT, GivenT, KeyedT, OutputT, StateT
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
        run_id = settings.setdefault("run_id", uuid4()) or uuid4()
        settings["run_id"] = run_id
        run = StartedRun(log, on_disconnect, shows=bool(recorded.printed))
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

    def _recorded(
        self, given: Any, config: RunnableConfig, context: Any, recorded: Any, run: StartedRun, backend: Backend
    ) -> Session:
        return self._session(given, config, context, recorded, backend, record=run.record)
