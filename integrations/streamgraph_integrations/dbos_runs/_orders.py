"""What is to run, as a text: exact JSON, of which nothing is made but what was allowed."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple, Union, cast
from uuid import UUID, uuid4, uuid5

from langchain_core.runnables import RunnableConfig

from streamgraph.errors import UnknownKeywordError, UnknownOptionError
from streamgraph.serialization import ClassNotAllowedError, PartDecoder, PartEncoder, SerializationError
from streamgraph_integrations.dbos_runs._errors import UnstorableOrderError

Seconds = Union[float, timedelta]

OPTIONS = (
    "context",
    "record",
    "subgraphs",
    "output_keys",
    "interrupts",
    "durability",
    "timeout",
    "interrupt_before",
    "interrupt_after",
    "include_nodes",
    "exclude_nodes",
    "include_tags",
    "exclude_tags",
    "include_keys",
    "exclude_keys",
    "include_raw",
)
"""The options of `graph.start` that a queued run can have."""

SAVED = "saved"
"""The option of a queued run whether its graph is used with its checkpointer."""

AFTER = "after"
"""The option of a queued run which runs have to be over before it begins."""

_CONFIG = ("configurable", "metadata", "tags", "recursion_limit", "max_concurrency", "run_name", "run_id")
"""The keys of a config that can be sent to another process."""

_KEYS = UUID("8a6dd1de-2f7c-4f0a-9a5b-6f7f7a0c2f2e")
"""The namespace of the ids that are made of keys."""

RECORDED: Tuple[str, ...] = ("values", "updates", "custom", "messages", "tools")
"""What a run records if it does not say; as of `graph.start`."""


class Order(NamedTuple):
    """What is to run.

    Attributes:
        graph: The name of the graph.
        input: Its input, or a command.
        config: Its config.
        options: Options of `graph.start`.
    """

    graph: str
    input: object
    config: Dict[str, object]
    options: Dict[str, object]

    @property
    def thread_id(self) -> Optional[str]:
        """The thread that it names; `None` if it names none."""
        configurable = self.config.get("configurable")
        found = configurable.get("thread_id") if isinstance(configurable, Mapping) else None
        return None if found is None else str(found)

    @property
    def record(self) -> Tuple[str, ...]:
        """The modes that it records."""
        given = self.options.get("record", RECORDED)
        return (given,) if isinstance(given, str) else tuple(cast("Iterable[str]", given))


def run_id_of(key: Optional[str], config: Optional[RunnableConfig]) -> str:
    """Return the id of a run: the same for the same key, that of its config, or a new one.

    Raises:
        UnknownOptionError: There are both a key and an id.
    """
    given: Any = (config or {}).get("run_id")
    if key is None:
        return str(uuid4() if given is None else UUID(str(given)))
    if given is not None:
        raise UnknownOptionError("A run has a key or a run_id, not both", hint="The key gives the run its id.")
    return str(uuid5(_KEYS, key))


def make_order(graph: str, input: object, config: Optional[RunnableConfig], options: Mapping[str, object]) -> Order:
    """Return an order.

    Raises:
        UnknownKeywordError: A queued run does not have an option.
        UnknownOptionError: A key of the config cannot be sent to another process.
    """
    for name in options:
        if name not in (*OPTIONS, SAVED, AFTER):
            raise UnknownKeywordError(f"enqueue() has no keyword {name!r}", name=name, known=(*OPTIONS, SAVED, AFTER))
    for key in config or {}:
        if key not in _CONFIG:
            raise UnknownOptionError(
                f"config has {key!r}, which a run in another process cannot have",
                hint="Callbacks and the like belong to the graph: graph.with_config(callbacks=[...]).",
                name=key,
                known=_CONFIG,
            )
    return Order(graph, input, {key: value for key, value in (config or {}).items() if key != "run_id"}, dict(options))


def delay_of(delay: Optional[Seconds], at: Optional[datetime]) -> Optional[float]:
    """Return the seconds after which a run may begin; `None` for at once.

    Raises:
        UnknownOptionError: Both are given, the delay is negative, or the time has no time zone.
    """
    if delay is not None and at is not None:
        raise UnknownOptionError("A run begins after a delay, or at a time, not both")
    if at is not None:
        if at.tzinfo is None:
            raise UnknownOptionError(f"{at} has no time zone", hint="datetime.now(timezone.utc) has one.")
        return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if seconds is not None and not seconds >= 0:
        raise UnknownOptionError(f"delay must not be negative, got {delay!r}")
    return seconds


class Orders:
    """Writes orders, and reads them.

    Args:
        allow: The classes of inputs and contexts that may be made; see `PartDecoder`.
    """

    def __init__(self, allow: Iterable[type]) -> None:
        self._decoder = PartDecoder(allow)

    def write(self, order: Order) -> str:
        """Return the text of an order, which can be read.

        Raises:
            UnstorableOrderError: Something in it is of no class that is allowed, or cannot be written.
        """
        text = PartEncoder(exact=True).encode([*order]).decode()
        if '"$type":"unserializable"' in text:
            raise UnstorableOrderError(
                f"The input, config or context of the run of {order.graph!r} holds something that cannot be written"
                f" down: {_unwritten(text)}",
                hint="Give plain values, messages, models and dataclasses; graphs and models are named, not sent.",
            )
        self.read(text)
        return text

    def read(self, text: str) -> Order:
        """Return the order of a text.

        Raises:
            UnstorableOrderError: A class is not allowed.
        """
        try:
            graph, given, config, options = self._decoder.decode(text.encode())
        except (ClassNotAllowedError, SerializationError) as error:
            raise UnstorableOrderError(
                f"The input, config or context of a run cannot be read: {error}",
                hint="Name the class: QueuedRuns(..., allow=[TheClass]), in all processes.",
            ) from error
        return Order(graph, given, config, options)


def _unwritten(text: str) -> str:
    at = text.find("unserializable")
    return text[at : at + 160]
