"""Parts that a stream makes about itself: heartbeats, gaps, failures, and reasons why a call was not streamed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Mapping, Optional, Tuple

from typing_extensions import Literal

__all__ = ["Gap", "Heartbeat", "Paused", "RunFailure", "RunningTask", "Unstreamed"]

Reason = Literal["disabled", "no_stream", "cache", "nostream", "filtered", "outside", "mode", "unknown"]


@dataclass(frozen=True)
class RunningTask:
    """A task that is running.

    Attributes:
        node: Its node.
        step: The superstep, counted from 1.
        task_id: Its id, as in task events.
        elapsed: The seconds since its start.
    """

    node: str
    step: int
    task_id: str
    elapsed: float


@dataclass(frozen=True)
class Heartbeat:
    """The run is alive but has made no chunk for the time given by `heartbeat=`.

    Attributes:
        idle: The seconds that the consumer has waited for a chunk, heartbeats apart.
        running: The running tasks of the streamed graph.
    """

    idle: float
    running: Tuple[RunningTask, ...] = ()


@dataclass(frozen=True)
class Gap:
    """Chunks are missing here: the consumer was too slow, or a started run does not keep them any more.

    The consumer was too slow for `max_buffer` with `overflow="drop_oldest"`; or what was asked for has gone from the
    log of the run, whose size is limited.

    Attributes:
        dropped: The number of dropped chunks; of a log, that of its events, whoever wants them.
        modes: The number of dropped chunks per mode; of a log, it is empty: that is not known any more.
        first: The id of the first event that has gone from a log; `None` if the consumer was too slow.
        last: The id of the last one, likewise.
    """

    dropped: int
    modes: Mapping[str, int]
    first: Optional[str] = None
    last: Optional[str] = None


@dataclass(frozen=True)
class RunFailure:
    """The run has failed; the exception itself is raised next. Only `version="v2"` shows it.

    Attributes:
        error: The exception.
        node: The node in which it was raised; `None` if it was raised outside of nodes.
        step: The superstep, likewise.
    """

    error: BaseException
    node: Optional[str] = None
    step: Optional[int] = None


@dataclass(frozen=True)
class Unstreamed:
    """A model call whose tokens were not in the stream; `str()` gives a sentence with the reason and the remedy.

    Attributes:
        reason: The kind of reason: `"disabled"`, `"no_stream"` (the model cannot), `"cache"`, `"nostream"`,
            `"filtered"`, `"outside"` (it was called where the run's context is not known), `"mode"` (`messages` was not
            asked for) or `"unknown"`.
        why: The reason in words.
        hint: The remedy, if it should be streamed.
        model: The name of the call in traces; `None` if the entry is about the whole run.
        node: The node that called it; `None` if it is not known.
        step: The superstep, likewise.
        namespace: The namespace of the node's graph.
        run_id: The call's id in traces.
    """

    reason: Reason
    why: str
    hint: str = ""
    model: Optional[str] = None
    node: Optional[str] = None
    step: Optional[int] = None
    namespace: Tuple[str, ...] = ()
    run_id: Optional[str] = None

    def __str__(self) -> str:
        who = self.model or "Model calls"
        below = f" of {'|'.join(self.namespace)}" if self.namespace else ""
        where = "" if self.node is None else f" in node {self.node!r} (step {self.step}{below})"
        was = "were" if self.model is None else "was"
        return f"{who}{where} {was} not streamed: {self.why}. {self.hint}".rstrip()


@dataclass(frozen=True)
class Paused:
    """A question that waits for an answer; `str()` gives a sentence that says what is asked, where, and since when.

    Attributes:
        id: The id of the question, under which it is answered.
        value: The question: whatever was passed to `interrupt()`.
        response_schema: The JSON schema of the answer; `None` if every answer fits.
        node: The node that asks; `None` if it asked in an earlier run.
        step: The superstep, likewise.
        namespace: The namespace of graphs that run in the task that asks, likewise.
        since: When it was asked, in seconds since the epoch; `None` for an earlier run.
    """

    id: str
    value: object
    response_schema: object = None
    node: Optional[str] = None
    step: Optional[int] = None
    namespace: Tuple[str, ...] = ()
    since: Optional[float] = None

    def __str__(self) -> str:
        below = f" of {'|'.join(self.namespace[:-1])}" if len(self.namespace) > 1 else ""
        where = "" if self.node is None else f" in node {self.node!r} (step {self.step}{below})"
        since = "" if self.since is None else f" since {datetime.fromtimestamp(self.since):%H:%M:%S}"
        return f"Paused{where}{since}: {self.value!r:.200} waits for an answer under the id {self.id!r}."
