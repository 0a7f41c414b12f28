"""Input of a `ToolNode`: a state, a list of messages, or tool calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence

from langchain_core.messages import AIMessage, ToolCall

from streamgraph._langchain.scope import Scope
from streamgraph.prebuilt._tool_call import TOOL_CALL_WITH_CONTEXT
from streamgraph.prebuilt._tool_errors import ToolNodeInputError


@dataclass(frozen=True)
class ToolInput:
    """A parsed input.

    Attributes:
        calls: The tool calls to answer.
        state: The state for the tools.
        as_list: True if the input is a list of messages, so that a list is returned.
    """

    calls: List[ToolCall]
    state: object
    as_list: bool


def read_input(given: object, messages_key: str, scope: Optional[Scope]) -> ToolInput:
    """Parse an input.

    Args:
        given: A state with messages, a list of messages, a list of tool calls, or one call with a state.
        messages_key: The key of the messages in a state.
        scope: The node's task; its graph's state is used for calls without a state. `None` outside of a graph.

    Raises:
        ToolNodeInputError: There are no messages, or none of them is an AI message.
    """
    if isinstance(given, list):
        last = given[-1] if given else None
        if isinstance(last, dict) and last.get("type") == "tool_call":
            return ToolInput(list(given), {} if scope is None else scope.run.state(), as_list=False)
        return ToolInput(_calls(given), given, as_list=True)
    if isinstance(given, Mapping):
        if given.get("__type") == TOOL_CALL_WITH_CONTEXT:
            return ToolInput([given["tool_call"]], given["state"], as_list=False)
        return ToolInput(_calls(given.get(messages_key)), given, as_list=False)
    return ToolInput(_calls(getattr(given, messages_key, None)), given, as_list=False)


def _calls(messages: Optional[Sequence[object]]) -> List[ToolCall]:
    if not messages:
        raise ToolNodeInputError(
            "No message found in input",
            hint="Give a ToolNode a state with messages, a list of messages, or a list of tool calls.",
        )
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return list(message.tool_calls)
    raise ToolNodeInputError("No AIMessage found in input", hint="Tool calls are in AI messages.")
