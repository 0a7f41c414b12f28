"""Nodes and branches of an agent."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple, Union, cast

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolCall, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config

from streamgraph._langchain.nodes import runs_inline
from streamgraph.graph import END
from streamgraph.prebuilt._agent_model import AgentModel
from streamgraph.prebuilt._agent_state import StructuredResponseSchema, value_of
from streamgraph.prebuilt._tool_call import TOOL_CALL_WITH_CONTEXT
from streamgraph.types import Send

AGENT, TOOLS, BEFORE, AFTER, STRUCTURED = (
    "agent",
    "tools",
    "pre_model_hook",
    "post_model_hook",
    "generate_structured_response",
)
"""Names of the nodes."""

OUT_OF_STEPS = "Sorry, need more steps to process this request."


class ModelNode(Runnable[object, Dict[str, List[AIMessage]]]):
    """Calls the model and writes its answer.

    Args:
        model: The model.
        name: The name to set on its messages; `None` to leave it unset.
    """

    name: str

    def __init__(self, model: AgentModel, name: Optional[str]) -> None:
        self.name = AGENT
        self._model = model
        self._author = name

    def invoke(
        self,
        input: object,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: object,
    ) -> Dict[str, List[AIMessage]]:
        """Call the model.

        Args:
            input: The state.
            config: The config of the call.
            **kwargs: Ignored.
        """
        config = ensure_config(config)
        question = self._model.question(input, config)
        return self._update(input, self._model.chosen(input).invoke(question, config))

    async def ainvoke(
        self,
        input: object,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: object,
    ) -> Dict[str, List[AIMessage]]:
        """Call the model; see `invoke`."""
        config = ensure_config(config)
        question = await self._model.aquestion(input, config)
        model = await self._model.achosen(input)
        return self._update(input, await model.ainvoke(question, config))

    def _update(self, state: object, given: BaseMessage) -> Dict[str, List[AIMessage]]:
        answer = cast("AIMessage", given)
        remaining = value_of(state, "remaining_steps")
        if answer.tool_calls and remaining is not None and remaining < 2:
            # No step is left for the model to read the results of the tools.
            answer = AIMessage(id=answer.id, content=OUT_OF_STEPS)
        if self._author is not None:
            # Not on a copy, which would be a second message in addition to the streamed one.
            answer.name = self._author
        return {"messages": [answer]}


class StructuredNode(Runnable[object, Dict[str, object]]):
    """Calls the model for the final structured response.

    Args:
        model: The model.
        form: The schema of the response, or a pair of a prompt and the schema.
    """

    name: str

    def __init__(
        self, model: AgentModel, form: Union[StructuredResponseSchema, Tuple[str, StructuredResponseSchema]]
    ) -> None:
        self.name = STRUCTURED
        self._model = model
        self._prompt: Optional[str]
        self._prompt, self._form = form if isinstance(form, tuple) else (None, form)

    def invoke(
        self,
        input: object,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: object,
    ) -> Dict[str, object]:
        """Call the model.

        Args:
            input: The state.
            config: The config of the call.
            **kwargs: Ignored.
        """
        model = self._model.plain(input).with_structured_output(self._form)
        return {"structured_response": model.invoke(self._question(input), config)}

    async def ainvoke(
        self,
        input: object,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: object,
    ) -> Dict[str, object]:
        """Call the model; see `invoke`."""
        model = (await self._model.aplain(input)).with_structured_output(self._form)
        return {"structured_response": await model.ainvoke(self._question(input), config)}

    def _question(self, state: object) -> List[BaseMessage]:
        messages = list(value_of(state, "messages"))
        return messages if self._prompt is None else [SystemMessage(content=self._prompt), *messages]


class Routes:
    """Branch functions of an agent.

    Args:
        start: The first node of a round: the model's node, or the `pre_model_hook`.
        end: The target if the model calls no tool: the final structured response, or the end.
        parallel: True if every tool call is a separate task (version 2 of agents).
        final_tools: The tools whose answer ends the run.
    """

    def __init__(self, start: str, end: str, *, parallel: bool, final_tools: Sequence[str]) -> None:
        self._start = start
        self._end = end
        self._parallel = parallel
        self._final_tools = frozenset(final_tools)

    @runs_inline
    def after_model(self, state: object) -> Union[str, List[Send]]:
        """Route to the tools that the model has called."""
        last = value_of(state, "messages")[-1]
        if not isinstance(last, AIMessage) or not last.tool_calls:
            return self._end
        return _sends(last.tool_calls, state) if self._parallel else TOOLS

    @runs_inline
    def after_hook(self, state: object) -> Union[str, List[Send]]:
        """Route to the tools that the model has called and the hook has not answered."""
        messages = value_of(state, "messages")
        answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
        calls = [call for call in _last_calls(messages) if call["id"] not in answered]
        if calls:
            return _sends(calls, state)
        return self._start if isinstance(messages[-1], ToolMessage) else self._end

    @runs_inline
    def after_tools(self, state: object) -> str:
        """Route to the end if the last AI message called one of the final tools, else to the next round.

        It runs once per tool task, and each time considers all calls of that message.
        """
        called = {call["name"] for call in _last_calls(value_of(state, "messages"))}
        return END if called & self._final_tools else self._start


def _last_calls(messages: Sequence[BaseMessage]) -> List[ToolCall]:
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return list(message.tool_calls)
    return []


def _sends(calls: Sequence[ToolCall], state: object) -> List[Send]:
    return [Send(TOOLS, {"__type": TOOL_CALL_WITH_CONTEXT, "tool_call": call, "state": state}) for call in calls]
