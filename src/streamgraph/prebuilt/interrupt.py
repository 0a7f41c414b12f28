"""Shapes of questions to people about an action, and of their answers; deprecated.

Agent Inbox and other front ends know them. `ToolNode(interrupt_on=...)` asks in these shapes with
`"shape": "agent_inbox"`; new front ends know those of `streamgraph.prebuilt.human_in_the_loop`.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Union

from typing_extensions import Literal, TypedDict, deprecated

from streamgraph.warnings import LangGraphDeprecatedSinceV10

__all__ = ["ActionRequest", "HumanInterrupt", "HumanInterruptConfig", "HumanResponse"]

_INSTEAD = "Use the types of `langchain.agents.middleware.human_in_the_loop` instead."


@deprecated(f"HumanInterruptConfig is deprecated. {_INSTEAD}", category=LangGraphDeprecatedSinceV10)
class HumanInterruptConfig(TypedDict):
    """What a person may do about an action.

    Attributes:
        allow_ignore: Skip it.
        allow_respond: Answer with a text.
        allow_edit: Change it.
        allow_accept: Let it happen.
    """

    allow_ignore: bool
    allow_respond: bool
    allow_edit: bool
    allow_accept: bool


@deprecated(f"ActionRequest is deprecated. {_INSTEAD}", category=LangGraphDeprecatedSinceV10)
class ActionRequest(TypedDict):
    """An action that an agent wants to take.

    Attributes:
        action: The name of the action.
        args: Its arguments.
    """

    action: str
    args: Dict[str, Any]


@deprecated(f"HumanInterrupt is deprecated. {_INSTEAD}", category=LangGraphDeprecatedSinceV10)
class HumanInterrupt(TypedDict):
    """A question about an action, to be passed to `interrupt()` in a list.

    Attributes:
        action_request: The action.
        config: What the person may do.
        description: What the person has to know, as Markdown.
    """

    action_request: ActionRequest
    config: HumanInterruptConfig
    description: Optional[str]


class HumanResponse(TypedDict):
    """The answer of a person.

    Attributes:
        type: What the person does: `"accept"`, `"ignore"`, `"response"` or `"edit"`.
        args: `None`, the text of a response, or the changed action.
    """

    type: Literal["accept", "ignore", "response", "edit"]
    args: Union[str, ActionRequest, None]
