"""Privates of langchain-core, and what it does without having promised it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, NamedTuple, Optional, Tuple, Type, TypeVar, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from langchain_core.runnables.utils import accepts_run_manager
from langchain_core.tracers import _streaming
from langchain_core.tracers.context import register_configure_hook

from streamgraph._compat.cpython import current_frame

if TYPE_CHECKING:
    from contextvars import ContextVar

    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

__all__ = [
    "INTERNAL_TAGS",
    "CallInfo",
    "add_to_every_call",
    "call_info",
    "is_async_only",
    "lambda_functions",
    "looked_up_each_time",
    "parts_of",
    "set_run",
    "streaming_handler",
    "streams",
]

HandlerT = TypeVar("HandlerT", bound=Type[BaseCallbackHandler])

INTERNAL_TAGS = ("seq:step:", "map:key:", "branch:", "condition:", "graph:step:")
"""How the tags begin that langchain-core, and LangGraph, add to find their way.

langchain-core's have been there since before version 0.3. Without them nothing is left out; with others, users see
those among their own tags.
"""


# ---- Callback handlers


def streaming_handler(kind: HandlerT) -> HandlerT:
    """Mark a class of handlers because of which models are to be streamed inside `invoke`.

    langchain-core does so for instances of `tracers._streaming._StreamingCallbackHandler`, from version 0.1 on: as long
    as that is an abstract class (0.3.66 for one), of those that are registered; later, as a protocol, of all that have
    `tap_output_iter` and `tap_output_aiter`. Without it, models give whole messages inside `invoke`.

    Args:
        kind: The class, with both methods.
    """
    known: Any = getattr(_streaming, "_StreamingCallbackHandler", None)
    if known is not None and not issubclass(kind, known):
        known.register(kind)
    return kind


def add_to_every_call(handler: Callable[[], Optional[BaseCallbackHandler]]) -> None:
    """Add a handler to each call of a Runnable where it is not there already, even to one with its own callbacks.

    `register_configure_hook` is made for the value of a context variable; langchain-core asks that for nothing but
    `get`, in all versions from 0.2 on. Without it, a model called with callbacks of its own is not heard in a node.

    Args:
        handler: Returns the handler for a call in this context, if there is one.
    """
    register_configure_hook(cast("ContextVar[Optional[BaseCallbackHandler]]", _Getter(handler)), inheritable=True)


class _Getter:
    """Something that is only asked for its value."""

    def __init__(self, get: Callable[[], Optional[BaseCallbackHandler]]) -> None:
        self.get = get


class looked_up_each_time(property):  # noqa: N801  (it is used as `property` is)
    """A method of a handler that is another one each time it is looked up: a function, or a coroutine function.

    langchain-core looks a handler's method up anew for each event, and awaits what it finds if that is a coroutine
    function (`callbacks.manager._ahandle_event_for_handler`, from before version 0.3 on). If it kept the method, or
    asked the class, models on an event loop would no longer be held up by a slow consumer.
    """


# ---- Calls of models


class CallInfo(NamedTuple):
    """How a model was called.

    Attributes:
        model: The model, if it could be found.
        options: The keyword arguments of the call.
        asynchronous: It was awaited.
    """

    model: Optional[BaseChatModel] = None
    options: Mapping[str, Any] = {}
    asynchronous: bool = False


_ENTRIES = frozenset(("generate", "agenerate", "stream", "astream"))
_DEPTH = 40


def call_info() -> CallInfo:
    """Return how the model was called whose callback this is called in.

    Callbacks are told a model's name and parameters, not what it is told about streaming (`disable_streaming`, a
    cache, methods it lacks). The call itself is on the stack: `generate`, `agenerate`, `stream` or `astream` of
    `BaseChatModel`, with `self` and `kwargs` among its variables, in all versions of langchain-core. Without them,
    `stream.explain()` says of such calls that the reason is not known.
    """
    from langchain_core.language_models import BaseChatModel  # takes long to import, and whoever calls has done it

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


class Streams(NamedTuple):
    """From where a model can be streamed.

    Attributes:
        anywhere: From sync and async code.
        async_code: From async code.
    """

    anywhere: bool
    async_code: bool


def streams(model: BaseChatModel) -> Streams:
    """Return whether a model can be streamed at all.

    Its class can be if it has its own `_stream` or `_astream`, which is how models are written for langchain-core in
    all versions. If these had other names, `stream.explain()` would say of all models that they cannot be streamed.
    """
    from langchain_core.language_models import BaseChatModel

    kind: Any = type(model)
    base: Any = BaseChatModel
    anywhere = _method(kind, "_stream") is not _method(base, "_stream")
    return Streams(anywhere, anywhere or _method(kind, "_astream") is not _method(base, "_astream"))


def _method(kind: Any, name: str) -> Any:
    return getattr(kind, name, None)


# ---- Runnables and tools


_PARTS = ("steps", "steps__", "bound", "runnable", "fallbacks", "mapper", "branches", "default", "runnables")


def parts_of(runnable: Any) -> Iterator[Any]:
    """Yield what one of langchain-core's composed Runnables is made of.

    These are fields of the classes in `langchain_core.runnables`: of most from before version 0.3 on, under names that
    are public but for `steps__` of `RunnableParallel`. Of a class whose fields have other names nothing is known: a
    node of it is called in a thread although a part of it can only be awaited, and graphs inside it are not found.
    """
    if isinstance(runnable, dict):
        yield from runnable.values()
    elif isinstance(runnable, (list, tuple)):
        yield from runnable
    elif type(runnable).__module__.startswith("langchain_core.runnables."):
        yield from (getattr(runnable, name) for name in _PARTS if hasattr(runnable, name))


def is_async_only(runnable: Any) -> bool:
    """Whether a Runnable, or a part of it, can only be awaited.

    A `RunnableLambda` without `func` and a `RunnableGenerator` without `_transform` can, in all versions. If these
    attributes were always there, a sync run would call such a node without a loop, and it would raise.
    """
    if isinstance(runnable, RunnableLambda):
        return not hasattr(runnable, "func")
    if isinstance(runnable, RunnableGenerator):
        return not hasattr(runnable, "_transform")
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
    """Let one tool do something else.

    `_run` and `_arun` are how tools are written for langchain-core in all versions, and `invoke` calls what it finds
    under these names; they are set past pydantic, which takes no attributes that it does not know. If it called other
    methods, or those of the class, `Command`s that a tool returns in a list would arrive as text.

    Args:
        tool: The tool.
        run: What to do in place of `_run`.
        arun: The same for `_arun`.
    """
    vars(tool).update(_run=run, _arun=arun)
