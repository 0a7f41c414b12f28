"""Detect activity in a node, for its idle timeout."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from streamgraph._compat.langchain_core import streaming_handler
from streamgraph._langchain.scope import Scope

T = TypeVar("T")


@streaming_handler
class ActivityHandler(BaseCallbackHandler):
    """Records all callbacks of models, tools, chains and nested graphs in a task as activity.

    Args:
        scope: The task.
    """

    run_inline = True

    def __init__(self, scope: Scope) -> None:
        self._signal = scope.signal_activity

    def tap_output_iter(self, run_id: UUID, output: T) -> T:
        """Return `output` unchanged; the presence of this method makes langchain-core stream inside `invoke`.

        A model's tokens thereby count as activity.
        """
        return output

    def tap_output_aiter(self, run_id: UUID, output: T) -> T:
        """Return `output` unchanged; the presence of this method makes langchain-core stream inside `ainvoke`."""
        return output

    def _report(self, *args: Any, **kwargs: Any) -> None:
        self._signal()

    def _speak(self, *args: Any, **kwargs: Any) -> None:
        self._signal(is_token=True)

    on_chat_model_start = _report
    on_llm_start = _report
    on_llm_new_token = _speak
    on_llm_end = _speak
    on_llm_error = _report
    on_chain_start = _report
    on_chain_end = _report
    on_chain_error = _report
    on_tool_start = _report
    on_tool_end = _report
    on_tool_error = _report
    on_retriever_start = _report
    on_retriever_end = _report
    on_retriever_error = _report
