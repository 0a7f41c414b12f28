"""The metadata of a message in a stream: all that is said beside it is put together here."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

from streamgraph._langchain.run_config import SHOWN_CONFIGURABLE
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.tool_events import current_tool_call_id
from streamgraph._streams.filters import STRUCTURED_KEY
from streamgraph._types import MessageMetadata

OF_A_NODE: Mapping[str, object] = {"ls_integration": "langgraph"}
"""What LangGraph says of a message that a node has returned."""


def model_metadata(
    scope: Scope,
    run_id: object,
    *,
    name: Optional[str],
    tags: List[str],
    metadata: Mapping[str, object],
    schema: Optional[str] = None,
) -> MessageMetadata:
    """Return the metadata of what a model says.

    Args:
        scope: The task that the model is called in.
        run_id: The id of the call in traces.
        name: Its name in traces.
        tags: The user's tags on it.
        metadata: Its own metadata, without what must not be shown.
        schema: The name of the schema that it answers in, if it does.
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
    """Return what may be shown of the metadata that langchain-core hands to the handlers of a model call.

    Args:
        scope: The task that the model is called in.
        metadata: What the handler was given.
    """
    hidden = scope.run.config.configurable
    shown = {
        key: value
        for key, value in metadata.items()
        # Before version 1.0 langchain-core copied all of `configurable` into the metadata, keys and secrets too.
        if key not in hidden or key in SHOWN_CONFIGURABLE or value != hidden[key]
    }
    # A call with metadata of its own has lost the ids (langchain-core 1.x).
    return {**scope.run.ids, **shown}


def foreign_metadata(scope: Scope, metadata: Mapping[str, object]) -> MessageMetadata:
    """Return the metadata of a model call that LangChain knows nothing of.

    Args:
        scope: The task it is made in.
        metadata: What the user says of it.
    """
    own = {key: value for key, value in metadata.items() if not key.startswith("langgraph_")}
    return {**scope.run.metadata, **scope.task.node.metadata, **own}


def node_metadata(scope: Scope, source: Mapping[str, object] = OF_A_NODE) -> MessageMetadata:
    """Return the metadata of a message that a node makes itself.

    Args:
        scope: The node's task.
        source: What is said of where the message comes from.
    """
    metadata = {**scope.run.metadata, **scope.task.node.metadata, **source, **scope.metadata()}
    if scope.run.ns:
        metadata["checkpoint_ns"] = "|".join(scope.run.ns)
    metadata["tags"] = [*scope.run.config.tags, *scope.task.node.tags]
    metadata.update(_tool_call())
    return metadata


def _tool_call() -> Dict[str, str]:
    """Return what ties a message to the tool call inside of which it is made."""
    call_id = current_tool_call_id.get()
    return {} if call_id is None else {"tool_call_id": call_id}
