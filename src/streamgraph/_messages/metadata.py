"""Metadata of the messages in a stream."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

from streamgraph._langchain.run_config import SHOWN_CONFIGURABLE
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.tool_events import current_tool_call_id
from streamgraph._streams.filters import STRUCTURED_KEY
from streamgraph._types import MessageMetadata

OF_A_NODE: Mapping[str, object] = {"ls_integration": "langgraph"}
"""LangGraph's metadata for a message returned by a node."""


def model_metadata(
    scope: Scope,
    run_id: object,
    *,
    name: Optional[str],
    tags: List[str],
    metadata: Mapping[str, object],
    schema: Optional[str] = None,
) -> MessageMetadata:
    """Return the metadata of a model call's message.

    Args:
        scope: The task that calls the model.
        run_id: The id of the call in traces.
        name: The name of the call in traces.
        tags: The user's tags of the call.
        metadata: The metadata of the call, without secrets.
        schema: The name of the schema of structured output; `None` for prose.
    """
    made = {
        **metadata,
        **scope.metadata(),
        "checkpoint_ns": scope.checkpoint_ns,
        "tags": tags,
        "run_id": str(run_id),
        "run_name": name,
        **_tool_call(),
    }
    if schema is not None:
        made[STRUCTURED_KEY] = schema
    return made


def own_metadata(scope: Scope, metadata: Mapping[str, object]) -> MessageMetadata:
    """Return the metadata that langchain-core gives the handlers of a model call, without secrets.

    Args:
        scope: The task that calls the model.
        metadata: The metadata that the handler received.
    """
    hidden = scope.run.config.configurable
    shown = {
        key: value
        for key, value in metadata.items()
        # Before version 1.0 langchain-core copied all of `configurable` into the metadata, including secrets.
        if key not in hidden or key in SHOWN_CONFIGURABLE or value != hidden[key]
    }
    # In langchain-core 1.x a call with its own metadata loses the run's ids.
    return {**scope.run.ids, **shown}


def foreign_metadata(scope: Scope, metadata: Mapping[str, object]) -> MessageMetadata:
    """Return the metadata of a model call made without LangChain.

    Args:
        scope: The task that makes the call.
        metadata: The user's metadata.
    """
    own = {key: value for key, value in metadata.items() if not key.startswith("langgraph_")}
    return {**scope.run.metadata, **scope.task.node.metadata, **own}


def node_metadata(scope: Scope, source: Mapping[str, object] = OF_A_NODE) -> MessageMetadata:
    """Return the metadata of a message created by a node.

    Args:
        scope: The node's task.
        source: Metadata about the origin of the message.
    """
    metadata = {**scope.run.metadata, **scope.task.node.metadata, **source, **scope.metadata()}
    if scope.run.ns:
        metadata["checkpoint_ns"] = "|".join(scope.run.ns)
    metadata["tags"] = [*scope.run.config.tags, *scope.task.node.tags]
    metadata.update(_tool_call())
    return metadata


def _tool_call() -> Dict[str, str]:
    """Return the metadata that links a message to the tool call in which it is created."""
    call_id = current_tool_call_id.get()
    return {} if call_id is None else {"tool_call_id": call_id}
