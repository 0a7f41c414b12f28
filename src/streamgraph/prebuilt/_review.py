"""Ask a person about a tool call, and do what they decide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Union

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from typing_extensions import get_args

from streamgraph.errors import UnknownOptionError
from streamgraph.prebuilt._review_answers import AnswerError, read_answer
from streamgraph.prebuilt._tool_call import Answer, ToolCallRequest, ToolResult
from streamgraph.prebuilt.human_in_the_loop import (
    Action,
    DecisionType,
    InterruptOn,
    InterruptOnConfig,
    RejectDecision,
    RespondDecision,
    ReviewShape,
)

DECISIONS: Tuple[DecisionType, ...] = get_args(DecisionType)


@dataclass(frozen=True)
class Review:
    """How the calls of one tool are reviewed; see `InterruptOnConfig`.

    Attributes:
        allowed_decisions: What may be decided.
        description: What the person has to know.
        when: Whether a call is reviewed.
        shape: The form of the question.
    """

    allowed_decisions: Sequence[DecisionType] = DECISIONS
    description: Union[str, Callable[[ToolCall, Any, Any], str], None] = None
    when: Optional[Callable[[ToolCallRequest], bool]] = None
    shape: ReviewShape = "hitl"

    def question(self, call: ToolCall, text: str) -> object:
        """Return the question whether a tool call may run.

        Args:
            call: The call.
            text: What the person has to know.
        """
        name, args, allowed = call["name"], call["args"], self.allowed_decisions
        if self.shape == "agent_inbox":
            config = {
                "allow_ignore": "reject" in allowed,
                "allow_respond": "respond" in allowed,
                "allow_edit": "edit" in allowed,
                "allow_accept": "approve" in allowed,
            }
            return [{"action_request": {"action": name, "args": args}, "config": config, "description": text}]
        return {
            "action_requests": [{"name": name, "args": args, "description": text}],
            "review_configs": [{"action_name": name, "allowed_decisions": list(allowed)}],
        }


class ReviewedCall:
    """A tool call on its way from the question to what the model is told.

    Args:
        review: How it is reviewed.
        request: The model's call.
        tools: The tools that may run instead.
        messages_key: The key of the messages in the state.

    Attributes:
        question: What to ask a person; `None` if it is decided.
        request: The call to run.
        refusal: The message in the place of a result; `None` if the call is to be run.
    """

    def __init__(
        self, review: Review, request: ToolCallRequest, tools: Mapping[str, BaseTool], messages_key: str
    ) -> None:
        self.request = request
        self.refusal: Optional[ToolMessage] = None
        self._review = review
        self._tools = tools
        self._messages_key = messages_key
        self._note = ""
        call, text = request.tool_call, review.description
        if callable(text):
            text = text(call, request.state, request.runtime)
        self._text = f"Tool: {call['name']}\nArgs: {call['args']}" if text is None else text
        self.question: Optional[object] = review.question(call, self._text)

    def take(self, answer: object) -> None:
        """Do what is decided, or ask again and say why.

        Args:
            answer: The answer to the question.
        """
        call, review = self.request.tool_call, self._review
        try:
            decision = read_answer(answer, call["name"], review.allowed_decisions, self._tools)
        except AnswerError as problem:
            self.question = review.question(call, f"The answer could not be used. {problem}\n\n{self._text}")
            return
        self.question = None
        if decision["type"] == "edit":
            self._edit(decision["edited_action"])
        elif decision["type"] != "approve":
            self.refusal = _refusal(decision, call)

    def _edit(self, action: Action) -> None:
        name, args = action["name"], action["args"]
        call: ToolCall = {**self.request.tool_call, "name": name, "args": args}
        self.request = self.request.override(tool_call=call, tool=self._tools[name])
        shown = ", ".join(f"{key}={value!r}" for key, value in args.items())
        self._note = f"A person has changed this call before it ran. What ran is: {name}({shown})"

    def noted(self, result: Answer) -> Answer:
        """Return a result with a note that the call was changed: the model's own message has the call as it was.

        Args:
            result: The result of the call.
        """
        if not self._note:
            return result
        return [self._noted(item) for item in result] if isinstance(result, list) else self._noted(result)

    def _noted(self, result: ToolResult) -> ToolResult:
        if isinstance(result, ToolMessage):
            return self._with_note(result)
        update = result.update
        if isinstance(update, Mapping) and self._messages_key in update:
            return replace(result, update={**update, self._messages_key: self._in(update[self._messages_key])})
        return replace(result, update=self._in(update)) if isinstance(update, list) else result

    def _in(self, messages: Any) -> object:
        of_list = isinstance(messages, list)
        noted = [
            self._with_note(message) if isinstance(message, ToolMessage) else message
            for message in (messages if of_list else [messages])
        ]
        return noted if of_list else noted[0]

    def _with_note(self, message: ToolMessage) -> ToolMessage:
        if message.tool_call_id != self.request.tool_call["id"]:
            return message
        content = message.content
        noted: object = f"{self._note}\n\n{content}"
        if isinstance(content, list):
            noted = [{"type": "text", "text": self._note}, *content]
        return message.model_copy(update={"content": noted})


def _refusal(decision: Union[RejectDecision, RespondDecision], call: ToolCall) -> ToolMessage:
    """Return what the model is told instead of a result."""
    name, call_id, message = call["name"], call["id"] or "", decision.get("message")
    if decision["type"] == "respond":
        return ToolMessage(message or "", name=name, tool_call_id=call_id)
    told = f"The reason: {message}" if message else "Call it again only if the user asks for it."
    content = f"A person has rejected this call of {name}; it was not run. {told}"
    return ToolMessage(content, name=name, tool_call_id=call_id, status="error")


def read_reviews(interrupt_on: Optional[InterruptOn], tools: Sequence[str]) -> Dict[str, Review]:
    """Return how the calls of the tools of a node are reviewed, by the names of the tools.

    Args:
        interrupt_on: What the user gives.
        tools: The names of the node's tools.

    Raises:
        UnknownOptionError: A tool, an entry, a decision or a shape does not exist.
        ValueError: Nothing may be decided.
    """
    reviews: Dict[str, Review] = {}
    for tool, config in (interrupt_on or {}).items():
        _check(tool, tools, f"`interrupt_on` names the tool {tool!r}, which the node does not have")
        if isinstance(config, Mapping):
            reviews[tool] = _review(config, tool)
        elif config:
            reviews[tool] = Review()
    return reviews


def _review(config: InterruptOnConfig, tool: str) -> Review:
    for entry in config:
        _check(entry, list(InterruptOnConfig.__annotations__), f"The review of {tool!r} has an entry {entry!r}")
    allowed = config.get("allowed_decisions")
    if not allowed or isinstance(allowed, str):
        what = f"The `allowed_decisions` of {tool!r} are a list with some of {', '.join(map(repr, DECISIONS))}"
        raise ValueError(f"{what}, not {allowed!r}.")
    for decision in allowed:
        _check(decision, DECISIONS, f"The review of {tool!r} allows {decision!r}, which is no decision")
    shape = config.get("shape", "hitl")
    _check(shape, get_args(ReviewShape), f"The review of {tool!r} has the unknown shape {shape!r}")
    return Review(**config)


def _check(name: object, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise UnknownOptionError(what, name=name, known=known)
