"""The model of an agent: its selection, tools and prompt."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Awaitable, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar, Union, cast

from langchain_core.language_models import BaseChatModel, LanguageModelInput, LanguageModelLike
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableSequence
from langchain_core.runnables.base import coerce_to_runnable
from langchain_core.tools import BaseTool

from streamgraph.config import get_store, get_stream_writer
from streamgraph.errors import GraphBuildError, GraphError
from streamgraph.prebuilt._agent_state import State, value_of, with_messages
from streamgraph.runtime import Runtime, get_runtime

T = TypeVar("T")

Tool = Union[BaseTool, Dict[str, Any]]
"""A tool, or a provider's built-in tool as a dict."""

Prompt = Union[SystemMessage, str, Callable[..., Any], Runnable[Any, Any]]
"""System prompt, or a function or Runnable that makes the model's input."""

Chooser = Callable[[Any, Runtime], Union[Runnable[Any, BaseMessage], Awaitable[Runnable[Any, BaseMessage]]]]
"""A function of the state and the runtime that returns the model."""

Model = Union[str, LanguageModelLike, Chooser]
"""Values accepted as the model of an agent."""

Asked = LanguageModelInput
"""Input of a model."""

Chat = Runnable[Asked, BaseMessage]
"""A model, with or without tools."""


class PromptTypeError(GraphBuildError, TypeError):
    """A value cannot be used as a prompt."""


class ChatHistoryError(GraphError, ValueError):
    """The messages have a tool call without an answer, which providers refuse."""


class AgentModel:
    """Model of an agent.

    Args:
        model: A chat model, the name of one, or a function of the state and the runtime that returns one.
        tools: The tools that the model can call.
        prompt: The prompt, see `create_react_agent`.

    Raises:
        ImportError: `model` is a name, and langchain is not installed.
        ValueError: The model is bound to other tools.
        TypeError: The prompt has a wrong type.
    """

    def __init__(self, model: Model, tools: Sequence[Tool], prompt: Optional[Prompt]) -> None:
        self._check_prompt(prompt)
        self._prompt = prompt
        self._choose: Optional[Chooser] = None
        if isinstance(model, str):
            model = model_named(model)
        if isinstance(model, Runnable) or not callable(model):
            chat = cast("BaseChatModel", model)
            self._model: Chat = chat if is_bound(chat, tools) else chat.bind_tools(list(tools))
            self._plain = unbound(model)
        else:
            self._choose = model

    @staticmethod
    def _check_prompt(prompt: object) -> None:
        if not (prompt is None or isinstance(prompt, (str, SystemMessage, Runnable)) or callable(prompt)):
            raise PromptTypeError(
                f"Got unexpected type for `prompt`: {type(prompt)}",
                hint="Give a text, a SystemMessage, a function of the state, or a Runnable.",
            )

    def chosen(self, state: object) -> Chat:
        """Return the model for a state, with tools."""
        return self._model if self._choose is None else coerce_to_runnable(_choice(self._choose, state))

    def plain(self, state: object) -> BaseChatModel:
        """Return the model for a state, without tools."""
        return self._plain if self._choose is None else unbound(_choice(self._choose, state))

    async def achosen(self, state: object) -> Chat:
        """Return the model for a state, with tools."""
        return self._model if self._choose is None else coerce_to_runnable(await _achoice(self._choose, state))

    async def aplain(self, state: object) -> BaseChatModel:
        """Return the model for a state, without tools."""
        return self._plain if self._choose is None else unbound(await _achoice(self._choose, state))

    def question(self, state: object, config: RunnableConfig) -> Asked:
        """Return the model's input: the messages with the prompt.

        Raises:
            ChatHistoryError: A tool call has no answer.
        """
        fixed = self._fixed_question(state)
        if fixed is not None:
            return fixed
        if isinstance(self._prompt, Runnable):
            asked: Asked = self._prompt.invoke(as_asked(state), config)
            return asked
        made = self._made(state, config)
        if inspect.isawaitable(made):
            made = awaited(made)
        # A function may return a template, as `SystemMessage(...) + messages` is one.
        return made.invoke(as_asked(state), config) if isinstance(made, Runnable) else cast("Asked", made)

    async def aquestion(self, state: object, config: RunnableConfig) -> Asked:
        """Return the model's input; see `question`."""
        fixed = self._fixed_question(state)
        if fixed is not None:
            return fixed
        if isinstance(self._prompt, Runnable):
            asked: Asked = await self._prompt.ainvoke(as_asked(state), config)
            return asked
        made = self._made(state, config)
        if inspect.isawaitable(made):
            made = await made
        return await made.ainvoke(as_asked(state), config) if isinstance(made, Runnable) else cast("Asked", made)

    def _made(self, state: object, config: RunnableConfig) -> object:
        """Return the result of a prompt function, which may be awaitable."""
        function = cast("Callable[..., object]", self._prompt)
        return function(as_asked(state), **wanted(function, config))

    def _fixed_question(self, state: object) -> Optional[List[BaseMessage]]:
        messages = asked_messages(state)
        check_history(messages)
        if self._prompt is None:
            return messages
        if isinstance(self._prompt, str):
            return [SystemMessage(self._prompt), *messages]
        return [self._prompt, *messages] if isinstance(self._prompt, SystemMessage) else None


def _choice(choose: Chooser, state: object) -> Chat:
    choice = choose(state, get_runtime())
    return awaited(choice) if inspect.isawaitable(choice) else choice


async def _achoice(choose: Chooser, state: object) -> Chat:
    choice = choose(state, get_runtime())
    return await choice if inspect.isawaitable(choice) else choice


def model_named(name: str) -> BaseChatModel:
    """Return the chat model with a name such as `"openai:gpt-4o"`.

    Raises:
        ImportError: langchain is not installed.
    """
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise ImportError(
            f"The model is given by its name, {name!r}, which takes the package langchain: install it, or give a "
            "chat model."
        ) from error
    return init_chat_model(name)


def is_bound(model: object, tools: Sequence[Tool]) -> bool:
    """Return whether a model needs no `bind_tools`: there are no tools, or it is already bound to them.

    Raises:
        GraphBuildError: The model is bound to other tools.
    """
    binding = _part(model, (RunnableBinding,))
    if binding is None or "tools" not in binding.kwargs:
        return not tools
    bound = binding.kwargs["tools"]
    if len(bound) != len(tools):
        raise GraphBuildError(
            "Number of tools in the model.bind_tools() and tools passed to create_react_agent must match. "
            f"Got {len(tools)} tools, expected {len(bound)}",
        )
    names = {tool.name for tool in tools if isinstance(tool, BaseTool)}
    missing = names - {_name_of(tool) for tool in bound}
    if missing:
        raise GraphBuildError(f"Missing tools '{missing}' in the model.bind_tools()")
    return True


def unbound(model: object) -> BaseChatModel:
    """Return a model without its bindings."""
    part = _part(model, (RunnableBinding, BaseChatModel)) or model
    while isinstance(part, RunnableBinding):
        part = part.bound
    return cast("BaseChatModel", part)


def _part(model: object, kinds: Tuple[type, ...]) -> Any:
    """Return the model, or the step of a chain, that is an instance of one of these classes."""
    parts: List[object] = [*model.steps] if isinstance(model, RunnableSequence) else [model]
    return next((part for part in parts if isinstance(part, kinds)), None)


def _name_of(tool: object) -> Optional[str]:
    """Return the name of a tool, which may be in a provider's format."""
    if not isinstance(tool, dict):
        return getattr(tool, "name", getattr(tool, "__name__", None))
    described = tool.get("function") if tool.get("type") == "function" else tool.get("toolSpec", tool)
    return described.get("name") if isinstance(described, dict) else None


def asked_messages(state: object) -> List[BaseMessage]:
    """Return the messages that the model sees: `llm_input_messages` if a hook has written it, else all."""
    messages = value_of(state, "llm_input_messages") or value_of(state, "messages")
    if messages is None:
        raise ChatHistoryError(
            "The state has no messages", hint='Start the agent with {"messages": [...]}, if only an empty list.'
        )
    return list(messages)


def as_asked(state: State) -> State:
    """Return a state whose `messages` are those that the model sees."""
    return with_messages(state, asked_messages(state)) if value_of(state, "llm_input_messages") else state


def check_history(messages: Sequence[BaseMessage]) -> None:
    """Check that every tool call has an answer.

    Raises:
        ChatHistoryError: A tool call has no answer.
    """
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    open_calls = [call for call in calls if call["id"] not in answered]
    if open_calls:
        raise ChatHistoryError(
            "Found AIMessages with tool_calls that do not have a corresponding ToolMessage. Here are the first few of "
            f"those tool calls: {open_calls[:3]}",
            hint="Every tool call (LLM requesting to call a tool) in the message history MUST have a corresponding "
            "ToolMessage (result of a tool invocation to return to the LLM): most providers require it.",
        )


def wanted(function: Callable[..., object], config: RunnableConfig) -> Dict[str, object]:
    """Return the arguments, other than the state, that match a function's parameter names."""
    offered: Dict[str, Callable[[], object]] = {
        "config": lambda: config,
        "runtime": get_runtime,
        "store": get_store,
        "writer": get_stream_writer,
    }
    try:
        names = list(inspect.signature(function).parameters)[1:]
    except (TypeError, ValueError):
        # Some builtins have no signature; they are called with the state only.
        return {}
    return {name: offered[name]() for name in names if name in offered}


def awaited(work: Awaitable[T]) -> T:
    """Await `work` in a sync run, in a new thread, because the current thread may be running an event loop."""

    async def wait() -> T:
        return await work

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, wait()).result()
