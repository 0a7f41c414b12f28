"""What is read off the calls of models."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from streamgraph._telemetry.models import read_answer, read_request


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("openai", "openai"),
        ("azure", "azure.ai.openai"),
        ("google_genai", "gcp.gemini"),
        ("amazon_bedrock", "aws.bedrock"),
        ("mistralai", "mistral_ai"),
        ("somebody", "somebody"),
    ],
)
def test_providers_have_the_names_of_the_conventions(given: str, known: str) -> None:
    assert read_request({"ls_provider": given}, None).labels == {"gen_ai.provider.name": known}


def test_a_request_is_read_off_its_metadata_and_parameters() -> None:
    """Parameters of the call say more than what the model has been made with."""
    metadata = {"ls_provider": "openai", "ls_model_name": "gpt-x", "ls_temperature": 0.1, "ls_max_tokens": 5}
    given = {"temperature": 0.7, "top_p": 0.5, "max_completion_tokens": 9, "seed": None, "stop": ["END"]}
    asked = read_request(metadata, given)

    assert asked.model == "gpt-x"
    assert asked.labels == {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x"}
    assert asked.settings == {
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ["END"],
    }
    assert read_request(None, {"model": "m"}).model == "m"
    assert read_request({}, "nonsense") == ({}, {}, "")


def answer(**fields: Any) -> Any:
    """What is read off the answer of a chat model."""
    return read_answer(LLMResult(generations=[[ChatGeneration(message=AIMessage("hi", **fields))]]))


@pytest.mark.parametrize("name", ["finish_reason", "stop_reason", "done_reason"])
def test_an_answer_is_read_off_its_message(name: str) -> None:
    """Providers call the reason of the end differently."""
    found = answer(
        id="msg-1",
        response_metadata={"model": "m-1", name: "stop"},
        usage_metadata={
            "input_tokens": 3,
            "output_tokens": 4,
            "total_tokens": 7,
            "input_token_details": {"cache_read": 1, "cache_creation": 2},
        },
    )
    assert (found.model, found.usage, found.finish_reason) == ("m-1", (3, 4), "stop")
    assert found.attributes == {
        "gen_ai.response.id": "msg-1",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 1,
        "gen_ai.usage.cache_creation.input_tokens": 2,
    }


@pytest.mark.parametrize("id_", ["lc_run--1", "run-1", None])
def test_ids_of_langchain_are_no_ids_of_answers(id_: Any) -> None:
    assert answer(id=id_).attributes == {}


@pytest.mark.parametrize(
    ("output", "usage"),
    [
        ({"token_usage": {"prompt_tokens": 3, "completion_tokens": 4}}, (3, 4)),
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, (3, 4)),
        ({"token_usage": {"prompt_tokens": 3}}, None),
        ({"token_usage": "many"}, None),
        (None, None),
    ],
)
def test_usage_of_models_of_texts(output: Any, usage: Any) -> None:
    """They say it beside their texts, if at all."""
    assert read_answer(LLMResult(generations=[[Generation(text="hi")]], llm_output=output)).usage == usage
