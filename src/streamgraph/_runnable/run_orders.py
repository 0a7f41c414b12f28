"""Orders: what a run is started with, for a worker in another process, and what takes orders there."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Union

from typing_extensions import Protocol

from streamgraph.serialization import dumps, loads


class RunOrder(NamedTuple):
    """What a run is started with, wherever that is.

    A worker that has a graph of this name starts the run on a log of its id::

        run = await graph.astart(order.given, order.config, log=await events.aopen(order.run_id), **order.options)

    Attributes:
        run_id: The id of the run.
        graph: The name under which the graph is known to whoever has made the order.
        thread_id: The thread that the run is saved on; `None` for a run that is not saved, whose graph is used without
            a checkpointer.
        given: The input, or a `Command`.
        config: The config; JSON but for what a caller has put into it.
        options: Further keywords of `graph.astart`, such as `record` and `subgraphs`.
        after: The runs of the thread that have to be over before it begins.
    """

    run_id: str
    graph: str
    thread_id: Optional[str]
    given: object
    config: Mapping[str, Any]
    options: Mapping[str, Any]
    after: Sequence[str] = ()

    def to_json(self) -> str:
        """Return the order as exact JSON, which `read_order` reads."""
        fields: Dict[str, object] = {**self._asdict(), "config": dict(self.config), "options": dict(self.options)}
        return dumps(fields).decode()


def read_order(text: Union[str, bytes]) -> RunOrder:
    """Return the order that `RunOrder.to_json` has written.

    Raises:
        SerializationError: The text is none.
    """
    return RunOrder(**loads(text))


class Dispatcher(Protocol):
    """Has runs started elsewhere, such as by a queue with workers.

    The worker opens the log of the run on the events that the processes share. A worker that takes a run over opens a
    later attempt of it.
    """

    async def dispatch(self, order: RunOrder) -> None:
        """Have a run started, once. It returns when the order is sure not to be lost.

        Args:
            order: The order.

        Raises:
            Exception: The order was not taken, and the run will not be started.
        """

    async def cancel(self, run_id: str) -> None:
        """Have a run not started that waits for a worker; one that goes on is told through its log.

        Args:
            run_id: The run.
        """
