"""The client of a graph on LangGraph's server: a class for `isinstance`, which cannot be made here."""

from __future__ import annotations

from typing import Mapping, Optional

from langchain_core.runnables import RunnableConfig

from streamgraph.errors import NotSupportedError
from streamgraph.pregel.protocol import PregelProtocol

__all__ = ["RemoteException", "RemoteGraph"]


class RemoteException(Exception):  # noqa: N818  (LangGraph's name)
    """A graph on a server has failed."""


class RemoteGraph(PregelProtocol):
    """A graph that runs on LangGraph's server.

    Libraries ask `isinstance(agent, RemoteGraph)`, which is false for every graph of this package. LangGraph's own
    `RemoteGraph` can be a node of a graph here like any Runnable.

    Args:
        assistant_id: The graph or assistant on the server.
        url: The address of the server.
        api_key: The key for it.
        headers: Headers of its requests.
        client: An async client.
        sync_client: A client.
        config: The config of every run.
        name: The name of the graph.
        distributed_tracing: Send headers for traces.

    Raises:
        NotSupportedError: Always.
    """

    def __new__(
        cls,
        assistant_id: str,
        /,
        *,
        url: Optional[str] = None,
        api_key: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        client: object = None,
        sync_client: object = None,
        config: Optional[RunnableConfig] = None,
        name: Optional[str] = None,
        distributed_tracing: bool = False,
    ) -> RemoteGraph:
        """Refuse to make one."""
        raise NotSupportedError(
            f"RemoteGraph({assistant_id!r:.60}) is a client of LangGraph's server, which this package does not have",
            hint="Use langgraph.pregel.remote.RemoteGraph of the package langgraph; it works as a node.",
        )
