"""What the models of a run were asked, for whoever wants to see it while the run is known."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage

MOST = 1000
"""The most calls of a run whose prompts are kept; the oldest are forgotten first."""

_SHOWN = (
    "model",
    "model_name",
    "temperature",
    "max_tokens",
    "top_p",
    "seed",
    "stop",
    "tools",
    "tool_choice",
    "functions",
    "response_format",
)
"""The options of a call that are shown; others may hold keys."""


class Prompt(NamedTuple):
    """What a model was asked in one call.

    Attributes:
        model: The name of the model, or of its class.
        messages: The messages; a text for a model without them.
        options: How it was called: its tools, for example.
    """

    model: str
    messages: Sequence[object]
    options: Mapping[str, object]


class Prompts(BaseCallbackHandler):
    """A callback handler that keeps the prompts of the models of one run, by the ids of their calls."""

    ignore_chain = ignore_agent = ignore_retriever = ignore_custom_event = ignore_retry = True

    def __init__(self) -> None:
        self._kept: Dict[str, Prompt] = {}

    def get(self, call: str) -> Optional[Prompt]:
        """Return the prompt of the call with this id, if it is kept."""
        return self._kept.get(call)

    def on_chat_model_start(
        self, serialized: Optional[Dict[str, Any]], messages: List[List[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Keep the messages of a call."""
        self._keep(run_id, serialized, messages[0] if messages else (), kwargs)

    def on_llm_start(
        self, serialized: Optional[Dict[str, Any]], prompts: List[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Keep the text of a call."""
        self._keep(run_id, serialized, prompts, kwargs)

    def _keep(
        self, id: UUID, serialized: Optional[Dict[str, Any]], messages: Sequence[object], about: Mapping[str, Any]
    ) -> None:
        given: Mapping[str, object] = about.get("invocation_params") or {}
        options = {key: given[key] for key in _SHOWN if given.get(key) is not None}
        name = options.pop("model", None) or options.pop("model_name", None)
        # Copied: a caller may add to its list, and the log would show what was never sent.
        self._kept[str(id)] = Prompt(str(name or about.get("name") or _class_of(serialized)), tuple(messages), options)
        while len(self._kept) > MOST:
            self._kept.pop(next(iter(self._kept)), None)


def _class_of(serialized: Optional[Mapping[str, Any]]) -> str:
    path = (serialized or {}).get("id") or [""]
    return str(path[-1])
