"""Private and undocumented features of langchain-core."""

from __future__ import annotations

import inspect
from importlib import import_module
from sys import modules
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncGenerator,
    Callable,
    Iterator,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    cast,
)

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from langchain_core.runnables.utils import accepts_run_manager
from langchain_core.tracers import BaseTracer, _streaming
from langchain_core.tracers.context import register_configure_hook

from streamgraph._compat.cpython import current_frame

if TYPE_CHECKING:
    from contextvars import ContextVar

    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

__all__ = [
    "INTERNAL_TAGS",
    "CallInfo",
    "Generation",
    "MessageStreams",
    "add_to_every_call",
    "call_info",
    "follows_context",
    "is_async_only",
    "keeps_chunk",
    "lambda_functions",
    "looked_up_each_time",
    "message_streams",
    "parts_of",
    "records",
    "set_run",
    "streaming_handler",
    "streams",
]

HandlerT = TypeVar("HandlerT", bound=Type[BaseCallbackHandler])

INTERNAL_TAGS = ("seq:step:", "map:key:", "branch:", "condition:", "graph:step:")
"""Prefixes of the internal tags that langchain-core and LangGraph add.

langchain-core has used them since before version 0.3. If its prefixes changed, users would see internal tags among
their own.
"""


# ---- Callback handlers


def streaming_handler(kind: HandlerT) -> HandlerT:
    """Mark a handler class so that models are streamed inside `invoke`.

    langchain-core streams for instances of `tracers._streaming._StreamingCallbackHandler`, from version 0.1 on. Where
    that is an abstract class (as in 0.3.66), handler classes are registered with it; later it is a protocol, which
    matches every class with `tap_output_iter` and `tap_output_aiter`. Without it, models produce whole messages inside
    `invoke`.

    Args:
        kind: The class, with both methods.
    """
    known: Any = getattr(_streaming, "_StreamingCallbackHandler", None)
    if known is not None and not issubclass(kind, known):
        known.register(kind)
    return kind


def records(handler: BaseCallbackHandler) -> bool:
    """Return whether a handler records runs for later, in contrast to one that passes on what happens.

    `astream_log` and `astream_events` have handlers that are tracers as well; they inherit from
    `_StreamingCallbackHandler`, in all versions. Without that name they would count as handlers that record.
    """
    passes_on = getattr(_streaming, "_StreamingCallbackHandler", None)
    return isinstance(handler, BaseTracer) and passes_on not in type(handler).__mro__


def add_to_every_call(handler: Callable[[], Optional[BaseCallbackHandler]]) -> None:
    """Add a handler to each call of a Runnable that lacks it, even to calls with their own callbacks.

    `register_configure_hook` expects a context variable; langchain-core calls only its `get`, in all versions from 0.2
    on. Without it, a model called in a node with its own callbacks is not streamed.

    Args:
        handler: Returns the handler for a call in the current context, or `None`.
    """
    register_configure_hook(cast("ContextVar[Optional[BaseCallbackHandler]]", _Getter(handler)), inheritable=True)


class _Getter:
    """Stands in for a context variable; only `get` is called."""

    def __init__(self, get: Callable[[], Optional[BaseCallbackHandler]]) -> None:
        self.get = get


def follows_context(handlers: Sequence[BaseCallbackHandler]) -> bool:
    """Return whether a handler has to find the current run in the context, apart from the config.

    Only `LangChainTracer` does, in all versions, for functions with LangSmith's `@traceable`. `set_config_context` sets
    the context for it, and takes longer than a step. The tracer's module is slow to import, and no instance exists
    before it is. If there were others, runs that they follow would lack their parents inside a node.
    """
    tracer: Any = getattr(modules.get("langchain_core.tracers.langchain"), "LangChainTracer", None)
    return tracer is not None and any(isinstance(handler, tracer) for handler in handlers)


class looked_up_each_time(property):  # noqa: N801  (it is used as `property` is)
    """Handler method that is computed at each lookup: a function, or a coroutine function.

    langchain-core looks up a handler's method for each event and awaits it if it is a coroutine function
    (`callbacks.manager._ahandle_event_for_handler`, from before version 0.3 on). If langchain-core kept the method or
    looked it up on the class, a slow consumer would no longer hold back models on an event loop.
    """


# ---- Calls of models


class CallInfo(NamedTuple):
    """Details of a model call.

    Attributes:
        model: The model; `None` if it was not found.
        options: The keyword arguments of the call.
        asynchronous: True if the call is awaited.
    """

    model: Optional[BaseChatModel] = None
    options: Mapping[str, Any] = {}
    asynchronous: bool = False


_ENTRIES = frozenset(("generate", "agenerate", "stream", "astream"))
_DEPTH = 40


def call_info() -> CallInfo:
    """Return details of the model call whose callback is the caller.

    Callbacks receive a model's name and parameters, but not its settings for streaming (`disable_streaming`, a cache,
    missing methods). These are read from the stack: `generate`, `agenerate`, `stream` or `astream` of `BaseChatModel`,
    with `self` and `kwargs` among its variables, in all versions of langchain-core. Without them, `stream.explain()`
    reports an unknown reason for such calls.
    """
    from langchain_core.language_models import BaseChatModel  # slow to import; already loaded in a model's callback

    frame = current_frame(1)
    for _ in range(_DEPTH):
        if frame is None:
            break
        if frame.f_code.co_name in _ENTRIES:
            variables = frame.f_locals
            model = variables.get("self")
            if isinstance(model, BaseChatModel):
                options = variables.get("kwargs")
                return CallInfo(model, options or {}, frame.f_code.co_name.startswith("a"))
        frame = frame.f_back
    return CallInfo()


_KEEPERS = frozenset(("_generate_with_cache", "_agenerate_with_cache"))
_REPORTERS = ("langchain_core.callbacks.", "streamgraph.")


def keeps_chunk() -> bool:
    """Return whether nobody but langchain-core gets hold of the chunk whose callback is the caller.

    In `invoke` and `ainvoke`, `BaseChatModel._generate_with_cache` and its async form report each chunk of `_stream`
    and keep it until the end of the call, in all versions from 0.2 on; nobody else can modify it meanwhile. `stream`
    and `astream` pass it on to their caller, and `_generate` of a model may do anything with it. If the methods had
    other names, each token would be copied when it is reported, which is slower.
    """
    frame = current_frame(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_REPORTERS):
        frame = frame.f_back
    if frame is None or frame.f_code.co_name not in _KEEPERS:
        return False
    return bool(frame.f_globals.get("__name__") == "langchain_core.language_models.chat_models")


class Streams(NamedTuple):
    """Contexts in which a model can be streamed.

    Attributes:
        anywhere: True if it can be streamed from sync and async code.
        async_code: True if it can be streamed from async code.
    """

    anywhere: bool
    async_code: bool


def streams(model: BaseChatModel) -> Streams:
    """Return where a model can be streamed.

    A model class can be streamed if it overrides `_stream` or `_astream`, the extension points of langchain-core in all
    versions. If these were renamed, `stream.explain()` would report that no model can be streamed.
    """
    from langchain_core.language_models import BaseChatModel

    kind: Any = type(model)
    base: Any = BaseChatModel
    anywhere = _method(kind, "_stream") is not _method(base, "_stream")
    return Streams(anywhere, anywhere or _method(kind, "_astream") is not _method(base, "_astream"))


def _method(kind: Any, name: str) -> Any:
    return getattr(kind, name, None)


class Generation(NamedTuple):
    """What those events are made of: a chunk, as a `ChatGenerationChunk` has it, which takes ten times as long to make.

    Attributes:
        message: The chunk.
        generation_info: What the model says beside it: nothing, since langchain-core has put that into the chunk.
    """

    message: BaseMessage
    generation_info: Optional[Mapping[str, object]] = None


class MessageStreams(NamedTuple):
    """What shows a message as a stream of its own.

    Attributes:
        sync: The class of such a stream in sync code.
        asyn: The class of such a stream in async code.
        events: Returns the events of a whole message.
        aevents: Yields those of a message, given an async iterator of its chunks, each as a `Generation`.
    """

    sync: Callable[..., object]
    asyn: Callable[..., object]
    events: Callable[..., Iterator[Any]]
    aevents: Callable[..., AsyncGenerator[Any, None]]


def message_streams() -> Optional[MessageStreams]:
    """Return what shows messages as streams, or `None` if langchain-core is too old to have it.

    The classes are public from version 1.3 on; the functions are private (`language_models._compat_bridge`). Without
    them, `run.messages` is refused, and everything else works.
    """
    try:
        streams: Any = import_module("langchain_core.language_models.chat_model_stream")
        bridge: Any = import_module("langchain_core.language_models._compat_bridge")
    except ImportError:
        return None
    classes = streams.ChatModelStream, streams.AsyncChatModelStream
    return MessageStreams(*classes, bridge.message_to_events, bridge.achunks_to_events)


# ---- Runnables and tools


_PARTS = ("steps", "steps__", "bound", "runnable", "fallbacks", "mapper", "branches", "default", "runnables")


def parts_of(runnable: Any) -> Iterator[Any]:
    """Yield the components of one of langchain-core's composed Runnables.

    These are fields of the classes in `langchain_core.runnables`: of most from before version 0.3 on, with public names
    except for `steps__` of `RunnableParallel`. Components in fields with other names are not found: such a node runs in
    a thread although a component can only be awaited, and graphs inside it are not found.
    """
    if isinstance(runnable, dict):
        yield from runnable.values()
    elif isinstance(runnable, (list, tuple)):
        yield from runnable
    elif type(runnable).__module__.startswith("langchain_core.runnables."):
        yield from (getattr(runnable, name) for name in _PARTS if hasattr(runnable, name))


def is_async_only(runnable: Any) -> bool:
    """Return whether a Runnable, or a component of it, can only be awaited.

    A `RunnableLambda` without `func` and a `RunnableGenerator` without `_transform` can only be awaited, in all
    versions. If these attributes always existed, a sync run would call such a node without a loop, and the node would
    raise.
    """
    if isinstance(runnable, RunnableLambda):
        return not hasattr(runnable, "func")
    if isinstance(runnable, RunnableGenerator):
        return not hasattr(runnable, "_transform")
    if isinstance(runnable, Runnable) and not type(runnable).__module__.startswith("langchain_core."):
        # A RunnableCallable, of this package or of LangGraph, has both functions or one.
        return getattr(runnable, "func", True) is None and getattr(runnable, "afunc", None) is not None
    return any(map(is_async_only, parts_of(runnable)))


def lambda_functions(runnable: Any) -> Tuple[Optional[Callable[..., Any]], Optional[Callable[..., Any]]]:
    """Return what a `RunnableLambda` calls, sync and async, if that can be called in its place where nobody listens.

    They are `func` and `afunc`, in all versions. `invoke` opens a run in traces around them and does little else; that
    takes several times as long as a step. Without them, and for functions that want a run manager or are generators,
    `invoke` is called.
    """
    if type(runnable) is not RunnableLambda:
        return None, None
    return _direct(getattr(runnable, "func", None)), _direct(getattr(runnable, "afunc", None))


def _direct(function: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
    if function is None or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return None
    return None if accepts_run_manager(function) else function


def set_run(tool: BaseTool, run: Callable[..., Any], arun: Callable[..., Any]) -> None:
    """Replace the implementation of one tool instance.

    `_run` and `_arun` are the extension points of tools in all versions of langchain-core, and `invoke` calls the
    methods with these names. They are set in the instance's `__dict__`, because pydantic refuses unknown attributes. If
    langchain-core called other methods, or those of the class, `Command`s that a tool returns in a list would arrive as
    text.

    Args:
        tool: The tool.
        run: Replaces `_run`.
        arun: Replaces `_arun`.
    """
    vars(tool).update(_run=run, _arun=arun)
