"""Node that runs the tool calls of a model, and the branch that routes to it."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from langchain_core.messages import AnyMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import (
    get_config_list,
    get_executor_for_config,
    run_in_executor,
)
from langchain_core.tools import BaseTool
from typing_extensions import Literal

from streamgraph._interrupting import ainterrupt, interrupt
from streamgraph._langchain.callables import RunnableCallable
from streamgraph._langchain.runtime import runtime_of
from streamgraph._langchain.scope import current_scope, no_writer
from streamgraph._langchain.tool_events import PausedCall, tool_call
from streamgraph._propagation import on_loop
from streamgraph.errors import GraphInterrupt
from streamgraph.prebuilt._gather import gather
from streamgraph.prebuilt._injected import TOOL_RUNTIME, InjectedState, InjectedStore, ToolRuntime
from streamgraph.prebuilt._review import ReviewedCall, read_reviews
from streamgraph.prebuilt._tool_call import (
    Answer,
    AsyncToolCallWrapper,
    ToolCallRequest,
    ToolCallWithContext,
    ToolCallWrapper,
)
from streamgraph.prebuilt._tool_errors import (
    DEFAULT_HANDLER,
    INVALID_TOOL_NAME_ERROR_TEMPLATE,
    TOOL_CALL_ERROR_TEMPLATE,
    TOOL_EXECUTION_ERROR_TEMPLATE,
    TOOL_INVOCATION_ERROR_TEMPLATE,
    ErrorHandler,
    HandleToolErrors,
    ToolInvocationError,
    ToolNodeInputError,
    invocation_error,
    is_validation_error,
    unknown_tool,
)
from streamgraph.prebuilt._tool_input import ToolInput, read_input
from streamgraph.prebuilt._tool_questions import SideBySide, raised_together
from streamgraph.prebuilt._tool_results import TOOL_MESSAGE_BLOCK_TYPES, checked_result, combined, msg_content_output
from streamgraph.prebuilt._tools import RunnableTool, as_tool, runnable_tool
from streamgraph.prebuilt.human_in_the_loop import InterruptOn

__all__ = [
    "INVALID_TOOL_NAME_ERROR_TEMPLATE",
    "TOOL_CALL_ERROR_TEMPLATE",
    "TOOL_EXECUTION_ERROR_TEMPLATE",
    "TOOL_INVOCATION_ERROR_TEMPLATE",
    "TOOL_MESSAGE_BLOCK_TYPES",
    "AsyncToolCallWrapper",
    "InjectedState",
    "InjectedStore",
    "ToolCallRequest",
    "ToolCallWithContext",
    "ToolCallWrapper",
    "ToolInvocationError",
    "ToolNode",
    "ToolRuntime",
    "msg_content_output",
    "tools_condition",
]


class _Call(NamedTuple):
    """One tool call in progress."""

    request: ToolCallRequest
    config: RunnableConfig
    as_list: bool


class ToolNode(RunnableCallable):
    """Runs the tool calls of the last AI message concurrently and returns their answers.

    ::

        builder.add_node("tools", ToolNode([look_up, write_down]))
        builder.add_conditional_edges("agent", tools_condition)

    For a state with messages it returns an update; for a list of messages, a list of `ToolMessage`s. It also accepts a
    list of tool calls, as in `Send("tools", [call])`. The answers are in the order of the calls. A tool may also return
    a `Command`, or a list of `Command`s and messages; then the node returns a list. It works outside of a graph as
    well.

    Tools get the state, the store and more in parameters marked with `InjectedState`, `InjectedStore`, `ToolRuntime` or
    `StreamWriter`, which the model does not see. Tools that can only be awaited also run in sync runs.

    Args:
        tools: Tools, or functions to make tools of.
        name: The name of the node.
        tags: Tags for everything that the tools run.
        handle_tool_errors: Exceptions to report to the model; others are raised. By default, invalid arguments. `True`:
            all. `False`: none. A string: all, with this text. An exception class or a tuple of them: these. A function:
            those in the annotation of its parameter, with the text that it returns. Calls of unknown tools are always
            reported to the model.
        messages_key: The key of the messages in the state.
        wrap_tool_call: A function `wrap(request, execute)` that is called for each tool call and returns its result. It
            may run the call with `execute(request)` any number of times, also with a changed request. In async runs
            without `awrap_tool_call` it runs in a thread.
        awrap_tool_call: Async variant of `wrap_tool_call`; `execute` is awaited. In sync runs without `wrap_tool_call`
            it runs in a new event loop.
        interrupt_on: The tools whose calls a person reviews before anything of them runs, wrappers included: `True`, or
            an `InterruptOnConfig`. Each call has a question of its own, and all are asked at once. An answer that
            cannot be used is asked for again, with what was wrong in the description.

    Attributes:
        name: The name of the node.
        tags: The tags.
        tools_by_name: The tools.

    Raises:
        ValueError: A function has no docstring, an error handler has an unusable annotation, or `interrupt_on` names
            a tool, an entry or a decision that does not exist.
    """

    name: Optional[str]

    def __init__(
        self,
        tools: Sequence[Union[BaseTool, Callable[..., object]]],
        *,
        name: str = "tools",
        tags: Optional[List[str]] = None,
        handle_tool_errors: HandleToolErrors = DEFAULT_HANDLER,
        messages_key: str = "messages",
        wrap_tool_call: Optional[ToolCallWrapper] = None,
        awrap_tool_call: Optional[AsyncToolCallWrapper] = None,
        interrupt_on: Optional[InterruptOn] = None,
    ) -> None:
        super().__init__(self._func, self._afunc, name=name, tags=tags, trace=False)
        self.tools_by_name: Dict[str, BaseTool] = {tool.name: tool for tool in map(as_tool, tools)}
        # The names are LangGraph's: libraries make a new node of the settings of a given one.
        self._tools_by_name = self.tools_by_name
        self._handle_tool_errors = handle_tool_errors
        self._messages_key = messages_key
        self._wrap_tool_call = wrap_tool_call
        self._awrap_tool_call = awrap_tool_call
        self._reviews = read_reviews(interrupt_on, list(self.tools_by_name))
        self._handler = ErrorHandler(handle_tool_errors)
        self._known = {name: runnable_tool(tool) for name, tool in self.tools_by_name.items()}

    def invoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: Any) -> Any:  # noqa: A002
        """Run the tool calls of an input.

        Args:
            input: A state with messages, a list of messages, or a list of tool calls.
            config: The config that the tools are invoked with; `max_concurrency` limits the concurrent calls.
            **kwargs: Ignored.

        Returns:
            `{messages_key: [ToolMessage, ...]}`; for a list of messages, a list of `ToolMessage`s. If tools return
            `Command`s, a list that contains the `Command`s and either of these forms.

        Raises:
            ValueError: The input has no AI message, or a result cannot be written.
            Exception: An exception of a tool, if it is not to be handled.
        """
        config = self._config(config)
        return self._func(input, config, _runtime(config))

    async def ainvoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: Any) -> Any:  # noqa: A002
        """Run the tool calls of an input; see `invoke`.

        If a call fails and the exception is not handled, the other calls are cancelled.
        """
        config = self._config(config)
        return await self._afunc(input, config, _runtime(config))

    def _func(self, input: Any, config: RunnableConfig, runtime: object) -> Any:  # noqa: A002
        given, calls = self._prepare(input, config, runtime)
        if len(calls) == 1 and not on_loop():
            # A thread costs more than most tools. On a loop a tool may want to run one of its own, and needs a thread.
            results = [copy_context().run(self._answer, calls[0])]
        else:
            beside = _side_by_side(calls, config)

            def answer(position: int) -> Union[Answer, GraphInterrupt]:
                run = partial(self._answer, calls[position])
                return run() if beside is None else beside.run(position, run)

            with get_executor_for_config(config) as executor:
                results = raised_together(executor.map(answer, range(len(calls))))
        return combined(results, as_list=given.as_list, messages_key=self._messages_key)

    async def _afunc(self, input: Any, config: RunnableConfig, runtime: object) -> Any:  # noqa: A002
        given, calls = self._prepare(input, config, runtime)
        beside = _side_by_side(calls, config)

        async def answer(position: int) -> Union[Answer, GraphInterrupt]:
            run = partial(self._aanswer, calls[position])
            return await (run() if beside is None else beside.arun(position, run))

        answers = await gather([answer(position) for position in range(len(calls))], config.get("max_concurrency"))
        results: List[Answer] = raised_together(answers)
        return combined(results, as_list=given.as_list, messages_key=self._messages_key)

    def _prepare(self, given: object, config: RunnableConfig, runtime: object) -> Tuple[ToolInput, List[_Call]]:
        read = read_input(given, self._messages_key, current_scope(config))
        run_fields = _run_fields(runtime)
        tools = list(self.tools_by_name.values())
        calls = [
            _Call(
                ToolCallRequest(
                    tool_call=call,
                    tool=self.tools_by_name.get(call["name"]),
                    state=read.state,
                    runtime=TOOL_RUNTIME(
                        state=read.state, config=own, tool_call_id=call["id"], tools=list(tools), **run_fields
                    ),
                ),
                own,
                read.as_list,
            )
            for call, own in zip(read.calls, get_config_list(config, len(read.calls)))
        ]
        return read, calls

    def _answer(self, call: _Call) -> Answer:
        reviewed = self._reviewed(call.request)
        if reviewed is None:
            return self._wrapped(call)
        while reviewed.question is not None:
            reviewed.take(interrupt(reviewed.question))
        return reviewed.refusal or reviewed.noted(self._wrapped(call._replace(request=reviewed.request)))

    async def _aanswer(self, call: _Call) -> Answer:
        reviewed = self._reviewed(call.request)
        if reviewed is None:
            return await self._awrapped(call)
        while reviewed.question is not None:
            reviewed.take(await ainterrupt(reviewed.question))
        return reviewed.refusal or reviewed.noted(await self._awrapped(call._replace(request=reviewed.request)))

    def _reviewed(self, request: ToolCallRequest) -> Optional[ReviewedCall]:
        """Return a call that is to be reviewed; `None` if it is not."""
        review = self._reviews.get(request.tool_call["name"])
        if review is None or (review.when is not None and not review.when(request)):
            return None
        return ReviewedCall(review, request, self.tools_by_name, self._messages_key)

    def _wrapped(self, call: _Call) -> Answer:
        if self._wrap_tool_call is None and self._awrap_tool_call is not None:
            # A wrapper may forbid calls, so it must not be skipped.
            return asyncio.run(self._awrapped(call))
        if self._wrap_tool_call is None:
            return self._run(call, call.request)
        run: Callable[[ToolCallRequest], Any] = partial(self._run, call)
        try:
            return self._wrap_tool_call(call.request, run)
        except Exception as error:
            return self._handler.message(error, call.request.tool_call)

    async def _awrapped(self, call: _Call) -> Answer:
        if self._awrap_tool_call is None and self._wrap_tool_call is not None:
            return await run_in_executor(None, self._wrapped, call)
        if self._awrap_tool_call is None:
            return await self._arun(call, call.request)

        async def execute(request: ToolCallRequest) -> Any:
            return await self._arun(call, request)

        try:
            return await self._awrap_tool_call(call.request, execute)
        except Exception as error:
            return self._handler.message(error, call.request.tool_call)

    def _run(self, call: _Call, request: ToolCallRequest) -> Answer:
        tool = self._tool(request)
        if tool is None:
            return unknown_tool(request.tool_call, list(self.tools_by_name))
        if tool.async_only:
            return asyncio.run(self._arun(call, request))
        arguments = self._arguments(tool, request)
        try:
            with tool_call(arguments["id"], tool.injection.without_hidden(request.tool_call["args"])):
                result = tool.runner.invoke(arguments, call.config)
            return self._checked(result, arguments, call)
        except Exception as error:
            return self._failed(error, request, tool)

    async def _arun(self, call: _Call, request: ToolCallRequest) -> Answer:
        tool = self._tool(request)
        if tool is None:
            return unknown_tool(request.tool_call, list(self.tools_by_name))
        arguments = self._arguments(tool, request)
        try:
            with tool_call(arguments["id"], tool.injection.without_hidden(request.tool_call["args"])):
                result = await tool.runner.ainvoke(arguments, call.config)
            return self._checked(result, arguments, call)
        except Exception as error:
            return self._failed(error, request, tool)

    def _tool(self, request: ToolCallRequest) -> Optional[RunnableTool]:
        if request.tool is None:
            return self._known.get(request.tool_call["name"])
        known = self._known.get(request.tool.name)
        return known if known is not None and known.tool is request.tool else runnable_tool(request.tool)

    def _arguments(self, tool: RunnableTool, request: ToolCallRequest) -> ToolCall:
        """Return the call with the tool's name and injected arguments."""
        call = request.tool_call
        injected = tool.injection.values(tool.tool.name, request.runtime, self._messages_key)
        args = {**tool.injection.without_hidden(call["args"]), **injected}
        return {**call, "name": tool.tool.name, "args": args, "type": "tool_call"}

    def _checked(self, result: object, call: ToolCall, origin: _Call) -> Answer:
        if isinstance(result, PausedCall):
            raise result.error
        return checked_result(result, call, as_list=origin.as_list, messages_key=self._messages_key)

    def _failed(self, error: Exception, request: ToolCallRequest, tool: RunnableTool) -> ToolMessage:
        call: ToolCall = {**request.tool_call, "name": tool.tool.name}
        if not is_validation_error(error):
            return self._handler.message(error, call)
        reported = invocation_error(call, error, tool.injection.hidden)
        reported.__cause__ = error
        return self._handler.message(reported, call)


def _side_by_side(calls: Sequence[_Call], config: RunnableConfig) -> Optional[SideBySide]:
    """Return what several tool calls of a task have in common; `None` for a single one, or outside of a run."""
    scope = current_scope(config) if len(calls) > 1 else None
    return None if scope is None else SideBySide(scope, [call.request.tool_call["id"] for call in calls])


def _runtime(config: RunnableConfig) -> object:
    """Return the runtime of the node's task, here or in LangGraph; `None` outside of a graph."""
    scope = current_scope(config)
    if scope is not None:
        return runtime_of(scope)
    return (config.get("configurable") or {}).get("__pregel_runtime")


def _run_fields(runtime: object) -> Dict[str, Any]:
    """Return the run's fields of a tool's runtime."""
    return {
        "context": getattr(runtime, "context", None),
        "store": getattr(runtime, "store", None),
        "stream_writer": getattr(runtime, "stream_writer", no_writer),
        "execution_info": getattr(runtime, "execution_info", None),
        "server_info": getattr(runtime, "server_info", None),
    }


def tools_condition(
    state: Union[List[AnyMessage], Mapping[str, Any], object], messages_key: str = "messages"
) -> Literal["tools", "__end__"]:
    """Return `"tools"` if the last message calls tools, else `"__end__"`; a branch function for the model's node.

    Args:
        state: A state with messages, or a list of messages.
        messages_key: The key of the messages in the state.

    Raises:
        ValueError: There are no messages.
    """
    messages: Any = state
    if isinstance(state, Mapping):
        messages = state.get(messages_key)
    elif not isinstance(state, list):
        messages = getattr(state, messages_key, None)
    if not messages:
        raise ToolNodeInputError(f"No messages found in input state to tool_edge: {state}")
    return "tools" if getattr(messages[-1], "tool_calls", None) else "__end__"
