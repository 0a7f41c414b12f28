"""Explain why a model call was not streamed (langchain #5074, #37869, langgraph #2344)."""

from __future__ import annotations

from typing import Tuple

from streamgraph._compat.langchain_core import CallInfo, streams
from streamgraph._signals import Reason


def explain_call(call: CallInfo) -> Tuple[Reason, str, str]:
    """Return `(kind, reason, hint)` for a reported model call that produced no tokens."""
    from langchain_core.globals import get_llm_cache

    model, options = call.model, call.options
    if model is None:
        return "unknown", "it gave its message at once", ""
    kind = type(model).__name__
    can = streams(model)
    if not can.async_code:
        return "no_stream", f"{kind} has no _stream method, so it gives its message at once", ""
    if not can.anywhere and not call.asynchronous:
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
