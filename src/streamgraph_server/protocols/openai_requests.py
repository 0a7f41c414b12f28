"""What clients of OpenAI ask of a model beside its answer: parameters, tools of their own, objects instead of text."""

from __future__ import annotations

import json
from typing import Mapping, NamedTuple, Optional, Tuple

from streamgraph.serialization import to_json
from streamgraph.types import StreamPart
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, object_in, text_in
from streamgraph_server.service import Service, declared_keys

_OF_MODELS = (
    "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_output_tokens", "max_tokens",
    "max_tool_calls", "modalities", "parallel_tool_calls", "prediction", "presence_penalty", "prompt", "reasoning",
    "reasoning_effort", "seed", "service_tier", "stop", "temperature", "tool_choice", "top_logprobs", "top_p",
    "truncation", "verbosity",
)  # fmt: skip
"""Parameters that change how a model answers. A graph decides that itself, unless its context has a key of the name."""

IGNORED = "x-streamgraph-ignored"
"""The header of an answer that names the parameters which the graph has no use for."""


class ObjectFormat(NamedTuple):
    """A client wants an object as the answer.

    Attributes:
        required: The keys that it must have.
    """

    required: Tuple[str, ...]


class Asked(NamedTuple):
    """What a request asks for beside its messages.

    Attributes:
        options: Options of the run.
        headers: What the client is told about the rest.
        format: The object that is wanted; `None` for text.
    """

    options: Fields
    headers: Mapping[str, str]
    format: Optional[ObjectFormat]


def read_parameters(service: Service, name: str, body: Fields, given_format: object) -> Asked:
    """Return what a request asks of a graph beside its messages.

    Parameters that the graph declares in its `context_schema` are its context.

    Args:
        service: The graphs.
        name: The name of the graph.
        body: The request.
        given_format: The format of the answer, in the form of one of the two APIs.

    Raises:
        HTTPException: The graph takes no messages; or the client offers tools, wants several answers, or a format that
            there is not.
    """
    service.need_messages(name)
    declared = declared_keys(service.unsaved(name))
    context = {
        key: body[key] for key in (*_OF_MODELS, "tools", "response_format", "user") if key in declared & set(body)
    }
    if body.get("tools") and "tools" not in declared and body.get("tool_choice") != "none":
        raise refusal(
            422,
            f"Graph {name!r} runs its own tools and cannot call those of a client. Leave out tools, or give the graph a"
            " context_schema with the key tools.",
        )
    if body.get("n") not in (None, 1):
        raise refusal(422, "n must be 1: a run of a graph has one answer.")
    ignored = sorted(key for key in _OF_MODELS if body.get(key) is not None and key not in declared)
    wanted = None if "response_format" in declared else _format(given_format)
    return Asked({"context": context} if context else {}, {IGNORED: ", ".join(ignored)} if ignored else {}, wanted)


def _format(given: object) -> Optional[ObjectFormat]:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise refusal(422, "The format of the answer must be an object.")
    kind = text_in(given, "type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ObjectFormat(())
    if kind != "json_schema":
        raise refusal(422, f"There is no format {kind[:80]!r} of answers: text, json_object or json_schema.")
    schema = object_in(object_in(given, "json_schema") or given, "schema")
    required = schema.get("required")
    return ObjectFormat(tuple(key for key in required if isinstance(key, str)) if isinstance(required, list) else ())


class FoundObject:
    """The object that a run has made: `structured_response` in its state, or the last structured output of a model."""

    def __init__(self) -> None:
        self._of_state: object = None
        self._of_model: object = None

    def part(self, part: StreamPart) -> None:
        """Note the object in a part of mode `values` or `objects`."""
        if part["type"] == "objects":
            found, metadata = part["data"]
            if metadata.get("complete"):
                self._of_model = found
        elif part["type"] == "values" and not part["ns"] and isinstance(part["data"], dict):
            self._of_state = part["data"].get("structured_response")

    def text(self, wanted: ObjectFormat) -> Tuple[str, str]:
        """Return the object as JSON, and what is wrong with it.

        Args:
            wanted: What the client wants.
        """
        found = self._of_model if self._of_state is None else self._of_state
        if found is None:
            return "", "The graph has made no object: it needs a model with structured output, or structured_response."
        text = to_json(found).decode()
        made = json.loads(text)
        if not isinstance(made, dict):
            return "", f"What the graph has made is no JSON object but {type(made).__name__}."
        missing = [key for key in wanted.required if key not in made]
        return ("", f"The object that the graph has made has no {missing[0][:80]!r}.") if missing else (text, "")
