"""What is known of a call of a model: whose model it is, what was asked for, and what came back."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

Value = Union[str, int, float, bool, List[str]]

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
"""The names of the conventions for providers, by those of LangChain where they differ."""

_SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}
"""The parameters of models that are recorded, with their names in the conventions."""

_OWN_IDS = ("lc_run", "run-")
"""What ids begin with that langchain-core has made, because the provider has sent none."""


class Request(NamedTuple):
    """What a model was asked for.

    Attributes:
        labels: The attributes of spans and of numbers: the provider and the model.
        settings: Further attributes of spans.
        model: The name of the model, for the name of the span; empty if it is not known.
    """

    labels: Dict[str, str]
    settings: Dict[str, Value]
    model: str


def read_request(metadata: Optional[Mapping[str, object]], given: object) -> Request:
    """Return what langchain-core says of a call when it begins.

    Args:
        metadata: The metadata of the call; langchain-core has put the provider and the model into it.
        given: The parameters of the call.
    """
    metadata = metadata or {}
    params: Mapping[str, object] = given if isinstance(given, dict) else {}
    labels: Dict[str, str] = {}
    provider = metadata.get("ls_provider")
    if provider:
        labels["gen_ai.provider.name"] = _PROVIDERS.get(str(provider), str(provider))
    model = metadata.get("ls_model_name") or params.get("model") or params.get("model_name")
    if model:
        labels["gen_ai.request.model"] = str(model)
    settings: Dict[str, Value] = {}
    for name, value in (("temperature", metadata.get("ls_temperature")), ("max_tokens", metadata.get("ls_max_tokens"))):
        if isinstance(value, (int, float)):
            settings[f"gen_ai.request.{name}"] = value
    for name, known in _SETTINGS.items():
        value = params.get(name)
        if isinstance(value, (int, float)):
            settings[f"gen_ai.request.{known}"] = value
    stop = params.get("stop")
    if isinstance(stop, (list, tuple)) and stop:
        settings["gen_ai.request.stop_sequences"] = [str(text) for text in stop]
    return Request(labels, settings, str(model or ""))


class Answer(NamedTuple):
    """What a model has answered.

    Attributes:
        attributes: The attributes of the span.
        model: The name of the model that has answered.
        usage: How many tokens it has read and written; `None` if it does not say.
        messages: The messages.
        finish_reason: Why it has ended.
    """

    attributes: Dict[str, Value]
    model: Optional[str]
    usage: Optional[Tuple[int, int]]
    messages: List[BaseMessage]
    finish_reason: Optional[str]


def read_answer(result: LLMResult) -> Answer:
    """Return what langchain-core says of a call when it ends."""
    found = [generation for several in result.generations for generation in several]
    messages = [generation.message for generation in found if isinstance(generation, ChatGeneration)]
    attributes: Dict[str, Value] = {}
    model: Optional[str] = None
    reasons: List[str] = []
    usage: Optional[Tuple[int, int]] = None
    for message in messages:
        about = message.response_metadata
        model = model or _text(about, "model_name", "model")
        reason = _text(about, "finish_reason", "stop_reason", "done_reason")
        if reason is not None:
            reasons.append(reason)
        answer_id = _text(about, "id") or message.id
        if answer_id is not None and not answer_id.startswith(_OWN_IDS):
            attributes.setdefault("gen_ai.response.id", answer_id)
        if isinstance(message, AIMessage) and message.usage_metadata is not None:
            counts = message.usage_metadata
            usage = (counts["input_tokens"], counts["output_tokens"])
            attributes.update(_details(counts))
    if usage is None:
        usage = _legacy_usage(result.llm_output)
    if usage is not None:
        attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"] = usage
    if model is not None:
        attributes["gen_ai.response.model"] = model
    if reasons:
        attributes["gen_ai.response.finish_reasons"] = reasons
    return Answer(attributes, model, usage, messages, reasons[0] if reasons else None)


def _text(found: Mapping[str, object], *names: str) -> Optional[str]:
    return next((str(found[name]) for name in names if found.get(name)), None)


def _details(usage: Mapping[str, object]) -> Dict[str, Value]:
    read, written = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    assert isinstance(read, dict)
    assert isinstance(written, dict)
    counts = {
        "gen_ai.usage.cache_read.input_tokens": read.get("cache_read"),
        "gen_ai.usage.cache_creation.input_tokens": read.get("cache_creation"),
        "gen_ai.usage.reasoning.output_tokens": written.get("reasoning"),
    }
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def _legacy_usage(output: Optional[Mapping[str, object]]) -> Optional[Tuple[int, int]]:
    """Return the usage as models report it that are no chat models."""
    counts = (output or {}).get("token_usage") or (output or {}).get("usage")
    if not isinstance(counts, dict):
        return None
    read = counts.get("prompt_tokens", counts.get("input_tokens"))
    written = counts.get("completion_tokens", counts.get("output_tokens"))
    return (read, written) if isinstance(read, int) and isinstance(written, int) else None
