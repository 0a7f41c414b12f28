"""Types for people who approve, edit, reject or answer tool calls before they run.

`ToolNode(interrupt_on=...)` and `create_react_agent(interrupt_on=...)` ask the questions. The shapes are those of
langchain's `HumanInTheLoopMiddleware`, or those of Agent Inbox in `streamgraph.prebuilt.interrupt`, so front ends for
these show them as they are.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence, Union

from langchain_core.messages import ToolCall
from typing_extensions import Literal, NotRequired, Required, TypedDict

from streamgraph.prebuilt._tool_call import ToolCallRequest

__all__ = [
    "Action",
    "ActionRequest",
    "ApproveDecision",
    "Decision",
    "DecisionType",
    "EditDecision",
    "HITLRequest",
    "HITLResponse",
    "InterruptOn",
    "InterruptOnConfig",
    "RejectDecision",
    "RespondDecision",
    "ReviewConfig",
    "ReviewShape",
]

DecisionType = Literal["approve", "edit", "reject", "respond"]
"""What a person may decide about a tool call: run it, run another one, do not run it, or answer it."""

ReviewShape = Literal["hitl", "agent_inbox"]
"""The form of a question: an `HITLRequest` about one call, or a list of one `HumanInterrupt` of Agent Inbox."""


class Action(TypedDict):
    """A tool call as a person has changed it.

    Attributes:
        name: The name of the tool.
        args: Its arguments.
    """

    name: str
    args: Dict[str, Any]


class ActionRequest(TypedDict):
    """A tool call that a model wants to make.

    Attributes:
        name: The name of the tool.
        args: Its arguments.
        description: What the person has to know.
    """

    name: str
    args: Dict[str, Any]
    description: NotRequired[str]


class ReviewConfig(TypedDict):
    """What may be decided about the calls of a tool.

    Attributes:
        action_name: The name of the tool.
        allowed_decisions: What may be decided.
    """

    action_name: str
    allowed_decisions: List[DecisionType]


class HITLRequest(TypedDict):
    """A question about tool calls.

    Attributes:
        action_requests: The calls; a `ToolNode` asks about each of its calls alone.
        review_configs: What may be decided about them.
    """

    action_requests: List[ActionRequest]
    review_configs: List[ReviewConfig]


class ApproveDecision(TypedDict):
    """Run the call as it is."""

    type: Literal["approve"]


class EditDecision(TypedDict):
    """Run another call in its place.

    Attributes:
        type: The decision.
        edited_action: The call to run.
    """

    type: Literal["edit"]
    edited_action: Action


class RejectDecision(TypedDict):
    """Do not run the call, and tell the model so.

    Attributes:
        type: The decision.
        message: The reason, for the model.
    """

    type: Literal["reject"]
    message: NotRequired[str]


class RespondDecision(TypedDict):
    """Do not run the call, and give the model this answer.

    Attributes:
        type: The decision.
        message: The answer.
    """

    type: Literal["respond"]
    message: str


Decision = Union[ApproveDecision, EditDecision, RejectDecision, RespondDecision]


class HITLResponse(TypedDict):
    """The answer to an `HITLRequest`.

    Attributes:
        decisions: One decision for each call.
    """

    decisions: List[Decision]


class InterruptOnConfig(TypedDict, total=False):
    """How the calls of a tool are reviewed.

    Attributes:
        allowed_decisions: What may be decided.
        description: What the person has to know: a text, or a function of the call, the state and the `ToolRuntime`
            that returns one. By default the tool and its arguments.
        when: A function of the `ToolCallRequest`: whether this call is reviewed. It is called again when the run is
            continued, and has to return the same then.
        shape: The form of the question; `"hitl"` by default.
    """

    allowed_decisions: Required[Sequence[DecisionType]]
    description: Union[str, Callable[[ToolCall, Any, Any], str]]
    when: Callable[[ToolCallRequest], bool]
    shape: ReviewShape


InterruptOn = Mapping[str, Union[bool, InterruptOnConfig]]
"""How the calls of tools are reviewed, by the tools' names; `True` allows every decision, `False` reviews none."""
