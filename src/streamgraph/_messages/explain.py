"""Why a model call was not streamed, which users elsewhere have to guess (langchain #5074, #37869, langgraph #2344)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional, Tuple

from streamgraph._signals import Reason

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_ENTRIES = frozenset(("generate", "agenerate", "stream", "astream"))
_DEPTH = 40


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


def call_info() -> CallInfo:
    """Return how the model was called whose callback this is called in.

    Callbacks are told a model's name and parameters, not what it is told about streaming (`disable_streaming`, a
    cache, methods it lacks); the call itself is on the stack.
    """
    from langchain_core.language_models import BaseChatModel  # takes long to import, and whoever calls has done it

    frame = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame.f_code.co_name in _ENTRIES:
            variables = frame.f_locals
            model = variables.get("self")
            if isinstance(model, BaseChatModel):
                options = variables.get("kwargs")
                return CallInfo(model, options or {}, frame.f_code.co_name.startswith("a"))
        if frame.f_back is None:
            break
        frame = frame.f_back
    return CallInfo()


def explain_call(call: CallInfo) -> Tuple[Reason, str, str]:
    """Return why a model call that was heard of gave no tokens: the kind of reason, the reason, what to do."""
    from langchain_core.globals import get_llm_cache
    from langchain_core.language_models import BaseChatModel

    model, options = call.model, call.options
    if model is None:
        return "unknown", "it gave its message at once", ""
    kind = type(model).__name__
    streams = type(model)._stream is not BaseChatModel._stream
    if not streams and type(model)._astream is BaseChatModel._astream:
        return "no_stream", f"{kind} has no _stream method, so it gives its message at once", ""
    if not streams and not call.asynchronous:
        hint = "Await it in an async node, or give the class a _stream method."
        return "no_stream", f"{kind} can only be streamed from async code (it has _astream, but no _stream)", hint
    if model.disable_streaming is True:
        return "disabled", "the model has disable_streaming=True", "Leave that out."
    if model.disable_streaming == "tool_calling" and options.get("tools"):
        hint = "Leave that out, or call the model without tools."
        return "disabled", 'the model has disable_streaming="tool_calling", and tools are bound', hint
    if "stream" in options and not options["stream"]:
        return "disabled", f"it was called with stream={options['stream']!r}", "Leave that out."
    if "streaming" in model.model_fields_set and not getattr(model, "streaming", True):
        return "disabled", "the model has streaming=False", "Leave that out, or set it to True."
    if model.cache or (model.cache is None and get_llm_cache() is not None):
        return "cache", "it was answered from the cache, which keeps whole messages", "Give the model cache=False."
    return "unknown", "it gave its message at once", ""
