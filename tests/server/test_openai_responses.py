"""OpenAI's own client and its Responses API, with graphs as models."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List

import openai
import pytest

from server.graphs import TEXT, agent, asking, failing, speaking
from server.loopback import Loopback
from server.retracting import retrying, thinking
from streamgraph.testing import Gate
from support.waiting import eventually


@pytest.fixture
def client(serving: Callable[..., Loopback]) -> Iterator[Any]:
    """A client of a server with some graphs."""
    gate = Gate()
    graphs = {
        "speaking": speaking(),
        "agent": agent(),
        "failing": failing(ValueError("no")),
        "asking": asking(),
        "slow": speaking(gate=gate),
        "thinking": thinking(),
        "retrying": retrying(),
    }
    server = serving(graphs)
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client:
        client.server, client.gate = server, gate  # type: ignore[attr-defined]
        yield client


def test_whole_and_streamed_responses(client: Any) -> None:
    for model, text in (("speaking", TEXT), ("agent", "It is."), ("thinking", "it is")):
        assert client.responses.create(model=model, input="hi").output_text == text
        with client.responses.stream(model=model, input="hi", instructions="Be short.") as stream:
            events = list(stream)
            assert stream.get_final_response().output_text == text
        assert [event.sequence_number for event in events if hasattr(event, "sequence_number")] == list(
            range(len([event for event in events if hasattr(event, "sequence_number")]))
        )
    thought = client.responses.create(model="thinking", input="hi").output[0]
    assert (thought.type, thought.summary[0].text) == ("reasoning", "hm so")


def test_a_response_goes_on_from_an_earlier_one(client: Any) -> None:
    first = client.responses.create(model="speaking", input="hi")
    client.responses.create(model="speaking", input="more", previous_response_id=first.id)
    (thread,) = client.server.post("/threads/search", {}).json()
    state = client.server.get(f"/threads/{thread['thread_id']}/state").json()
    assert [message["content"] for message in state["values"]["messages"]] == ["hi", TEXT, "more", TEXT]
    lost = client.responses.create(model="speaking", input="hi", store=False)
    with pytest.raises(openai.BadRequestError, match="not stored"):
        client.responses.create(model="speaking", input="more", previous_response_id=lost.id)


def test_in_the_background_and_resumed_after_any_event(client: Any) -> None:
    made = client.responses.create(model="slow", input="hi", background=True)
    assert made.status == "in_progress"
    client.gate.open_all()
    eventually(lambda: client.responses.retrieve(made.id).status == "completed")
    assert client.responses.retrieve(made.id).output_text == TEXT

    def events(**options: Any) -> List[Any]:
        return list(client.responses.retrieve(made.id, stream=True, **options))

    whole = events()
    for event in whole:
        rest = events(starting_after=event.sequence_number)
        assert [later.sequence_number for later in rest] == list(range(event.sequence_number + 1, len(whole)))


def test_cancelling(client: Any) -> None:
    made = client.responses.create(model="slow", input="hi", background=True)
    assert client.responses.cancel(made.id).status == "cancelled"
    assert client.server.runs.going_on() == []


def test_failures_questions_and_second_attempts(client: Any) -> None:
    failed = client.responses.create(model="failing", input="hi")
    assert (failed.status, failed.error.message) == ("failed", "no")
    assert client.responses.create(model="asking", input="hi").status == "incomplete"
    twice = client.responses.create(model="retrying", input="hi")
    assert (twice.output_text, len(twice.output)) == ("right words", 1)
    for wrong, error in (({"model": "x"}, openai.NotFoundError), ({"input": [{"type": "x"}]}, openai.BadRequestError)):
        with pytest.raises(error):
            client.responses.create(**{"model": "speaking", "input": "hi", **wrong})
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_none")
