"""Convert the results of tools to the update of the node."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union, cast

from langchain_core.messages import MessageLikeRepresentation, RemoveMessage, ToolCall, ToolMessage, convert_to_messages

from streamgraph._peers import is_command, own_command
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from streamgraph.prebuilt._tool_call import Answer, ToolResult
from streamgraph.prebuilt._tool_errors import ToolResultError
from streamgraph.types import Command, Send

TOOL_MESSAGE_BLOCK_TYPES = (
    "text",
    "image_url",
    "image",
    "json",
    "search_result",
    "custom_tool_call_output",
    "document",
    "file",
)
"""The types of content blocks that a result of a tool may consist of; other lists are converted to JSON."""


def checked_result(result: object, call: ToolCall, *, as_list: bool, messages_key: str) -> Answer:
    """Validate the result of a tool.

    Args:
        result: A message, a `Command`, or a list of these.
        call: The tool call.
        as_list: True if the input of the node is a list of messages instead of a state.
        messages_key: The key of the messages in the state.

    Returns:
        The result, with LangGraph's `Command`s converted to this package's class and the tool's name set on the answer.

    Raises:
        ToolResultError: A `Command` has the wrong form, or the result does not have exactly one answer to the call.
        TypeError: The result has another type.
    """
    if isinstance(result, ToolMessage):
        return _as_content(result)
    if is_command(result):
        command, answers = _read_command(own_command(result), call, as_list, messages_key)
        if answers == 0 and command.graph != Command.PARENT:
            raise ToolResultError(
                f"Expected to have a matching ToolMessage in Command.update for tool {call['name']!r}, got: "
                f"{_messages(command.update, messages_key)!r}. Every tool call (LLM requesting to call a tool) in the "
                "message history MUST have a corresponding ToolMessage",
                hint="Return `Command(update={"
                f'"{messages_key}": [ToolMessage("Success", tool_call_id=tool_call_id), ...]}}, ...)`.',
            )
        return command
    if isinstance(result, list) and result:
        return _checked_list(result, call, as_list, messages_key)
    raise TypeError(f"Tool {call['name']} returned unexpected type: {type(result)}")


def msg_content_output(output: object) -> Union[str, List[Dict[str, object]]]:
    """Return any result of a tool as the content of a `ToolMessage`.

    Args:
        output: The result.

    Returns:
        Strings and lists of content blocks as they are; anything else as JSON if it can be, else as its `str`.
    """
    if isinstance(output, str):
        return output
    if isinstance(output, list) and all(
        isinstance(item, dict) and item.get("type") in TOOL_MESSAGE_BLOCK_TYPES for item in output
    ):
        return output
    try:
        return json.dumps(output, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(output)


def _as_content(message: ToolMessage) -> ToolMessage:
    """Return a message whose content is a string or content blocks; a list with strings is converted to JSON."""
    content = message.content
    if isinstance(content, str) or all(isinstance(block, dict) for block in content):
        return message
    return message.model_copy(update={"content": json.dumps(content, ensure_ascii=False)})


def _checked_list(results: Sequence[object], call: ToolCall, as_list: bool, messages_key: str) -> List[ToolResult]:
    items: List[ToolResult] = []
    total = 0
    for result in results:
        if isinstance(result, ToolMessage):
            items.append(result)
            total += result.tool_call_id == call["id"]
        elif is_command(result):
            command, answers = _read_command(own_command(result), call, as_list, messages_key)
            items.append(command)
            total += answers or 0
        else:
            raise TypeError(f"Tool {call['name']} returned unexpected type in a list: {type(result)}")
    if total != 1:
        raise ToolResultError(
            f"Tool {call['name']} returned a list with {total} messages bound to tool_call_id {call['id']!r}; "
            "expected exactly one terminating ToolMessage"
        )
    return items


def _read_command(command: Command, call: ToolCall, as_list: bool, messages_key: str) -> Tuple[Command, Optional[int]]:
    """Return a command with the tool's name set on the answer, and its number of answers to the call.

    The number is `None` if no answer is expected.
    """
    update = command.update
    if isinstance(update, Mapping):
        if as_list:
            raise ToolResultError(
                "Tools can provide a dict in Command.update only when using dict with "
                f"'{messages_key}' key as ToolNode input, got: {update} for tool '{call['name']}'"
            )
        if messages_key not in update:
            return command, 0
        messages, answers = _named(update[messages_key], call)
        return replace(command, update={**update, messages_key: messages}), answers
    if isinstance(update, list):
        if not as_list:
            raise ToolResultError(
                "Tools can provide a list of messages in Command.update only when using list of messages as ToolNode "
                f"input, got: {update} for tool '{call['name']}'"
            )
        messages, answers = _named(update, call)
        return replace(command, update=messages), answers
    return command, None


def _named(given: Any, call: ToolCall) -> Tuple[object, Optional[int]]:
    """Return messages with the tool's name set on the answer, and the number of answers to the call."""
    messages: List[MessageLikeRepresentation] = list(given) if isinstance(given, list) else [given]
    answers = 0
    everything_removed = False
    for place, message in enumerate(convert_to_messages(messages)):
        everything_removed |= isinstance(message, RemoveMessage) and message.id == REMOVE_ALL_MESSAGES
        if isinstance(message, ToolMessage) and message.tool_call_id == call["id"]:
            answers += 1
            # On a copy, because the message belongs to the tool.
            messages[place] = message.model_copy(update={"name": call["name"]})
    named = messages if isinstance(given, list) else messages[0]
    # If all messages are removed, no call is left that needs an answer.
    return named, None if everything_removed and not answers else answers


def _messages(update: object, messages_key: str) -> object:
    return update.get(messages_key, []) if isinstance(update, Mapping) else update


def combined(results: Sequence[Answer], *, as_list: bool, messages_key: str) -> object:
    """Combine the results of all calls into the node's return value.

    Args:
        results: The results in the order of the calls; one result may be a list.
        as_list: True if the input of the node is a list of messages, so that a list is returned.
        messages_key: The key of the messages in the state.
    """
    flat: List[ToolResult] = []
    for result in results:
        flat += result if isinstance(result, list) else [result]
    if not any(isinstance(item, Command) for item in flat):
        return flat if as_list else {messages_key: flat}
    outputs: List[Union[Command, List[ToolMessage], Dict[str, List[ToolMessage]]]] = []
    sends: List[Send] = []
    updates: List[Tuple[str, object]] = []
    for item in flat:
        if not isinstance(item, Command):
            outputs.append([item] if as_list else {messages_key: [item]})
        elif _sends_to_parent(item):
            sends += cast("Sequence[Send]", item.goto)
            updates += _pairs(item.update)
        else:
            outputs.append(item)
    if sends:
        # The parent graph accepts only one command from a nested graph.
        outputs.append(Command(graph=Command.PARENT, update=updates or None, goto=sends))
    return outputs


def _sends_to_parent(command: Command) -> bool:
    sends = command.goto
    return (
        command.graph == Command.PARENT
        and isinstance(sends, (list, tuple))
        and len(sends) > 0
        and all(isinstance(item, Send) for item in sends)
        and (command.update is None or isinstance(command.update, Mapping))
    )


def _pairs(update: Optional[Mapping[str, object]]) -> List[Tuple[str, object]]:
    return list(dict(update or {}).items())
