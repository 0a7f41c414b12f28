"""The metrics: durations, tokens, what waits in streams and what was dropped."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessage, AIMessageChunk
from typing_extensions import TypedDict

from scenarios.telemetry.drivers import DRIVERS, STREAMING
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph.runs import MemoryLog
from streamgraph.testing import Gate, ScriptedModel
from support.telemetry import Reported
from support.waiting import eventually

USAGE: Any = {
    "input_tokens": 30,
    "output_tokens": 12,
    "total_tokens": 42,
    "input_token_details": {"cache_read": 20},
    "output_token_details": {"reasoning": 5},
}


class State(TypedDict, total=False):
    """A state of one number."""

    n: int


def graph(**nodes: Any) -> Any:
    """A graph of nodes one after the other."""
    builder, before = StateGraph(State), START
    for name, node in nodes.items():
        builder.add_node(name, node).add_edge(before, name)
        before = name
    return builder.compile(name="g")


def said(chunks: int = 3) -> ScriptedModel:
    """A model that says so many words, and what they have cost."""
    words = [
        AIMessageChunk(f"w{number} ", response_metadata={"model_name": "m-1"} if not number else {})
        for number in range(chunks)
    ]
    end = AIMessageChunk("", usage_metadata=USAGE, response_metadata={"finish_reason": "stop"}, id="answer-1")
    return ScriptedModel([[*words, end]], cycle=True)


@pytest.mark.parametrize("driver", DRIVERS)
def test_durations(driver: str, otel: Reported) -> None:
    """One for each run, step, node and call, by name."""
    model = said()
    DRIVERS[driver](graph(a=lambda state: {"n": 1}, b=lambda state: model.invoke("hi") and {}), {"n": 0}, None)

    assert otel.total("gen_ai.invoke_agent.duration", gen_ai__agent__name="g", streamgraph__status="done") == 1
    assert otel.total("streamgraph.step.duration", gen_ai__agent__name="g") == 2
    for node in ("a", "b"):
        assert otel.total("streamgraph.node.duration", streamgraph__node__name=node, gen_ai__agent__name="g") == 1
    assert otel.total("gen_ai.client.operation.duration", gen_ai__operation__name="chat") == 1
    assert otel.total("streamgraph.run.active") == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_tokens_and_their_times(driver: str, otel: Reported) -> None:
    """Usage always; the time to the first token and the rate where tokens are streamed."""
    model = said()
    DRIVERS[driver](graph(a=lambda state: model.invoke("hi") and {}), {"n": 0}, None)

    about = otel.about("chat")
    assert about["gen_ai.usage.input_tokens"] == 30
    assert about["gen_ai.usage.output_tokens"] == 12
    assert about["gen_ai.usage.cache_read.input_tokens"] == 20
    assert about["gen_ai.usage.reasoning.output_tokens"] == 5
    assert about["gen_ai.response.model"] == "m-1"
    assert about["gen_ai.response.finish_reasons"] == ("stop",)
    assert otel.total("gen_ai.client.token.usage", gen_ai__token__type="input", gen_ai__response__model="m-1") == 1
    assert otel.total("gen_ai.client.token.usage", gen_ai__token__type="output") == 1
    streamed = int(driver in STREAMING)
    assert about.get("gen_ai.request.stream", False) is bool(streamed)
    assert otel.total("gen_ai.client.operation.time_to_first_chunk") == streamed
    assert otel.total("streamgraph.run.time_to_first_token", gen_ai__agent__name="g") == streamed
    assert otel.total("streamgraph.model.output_rate") == streamed


def test_the_first_token_of_a_nested_run_is_that_of_the_run_around_it(otel: Reported) -> None:
    """Each is measured from its own start, and only once."""
    model = said()
    inner = StateGraph(State).add_node("n", lambda state: model.invoke("hi") and {}).add_edge(START, "n")
    outer = graph(inner=inner.compile(name="inner"), again=inner.compile(name="inner"))
    for _ in outer.stream({"n": 0}, stream_mode="messages"):
        pass

    assert otel.total("streamgraph.run.time_to_first_token", gen_ai__agent__name="g") == 1
    assert otel.total("streamgraph.run.time_to_first_token", gen_ai__agent__name="inner") == 2
    assert otel.about("invoke_agent g")["gen_ai.usage.output_tokens"] == 24


def test_runs_that_go_on_are_counted_once_however_deep_they_are(otel: Reported) -> None:
    """Until they end; a nested run is a part of the one around it."""
    gate = Gate()
    model = ScriptedModel(["one"], gate=gate)
    inner = StateGraph(State).add_node("n", lambda state: model.invoke("hi") and {}).add_edge(START, "n").compile()
    handle = graph(inner=inner).start({"n": 0})
    gate.wait_for_arrival()
    assert otel.total("streamgraph.run.active", gen_ai__agent__name="g") == 1
    assert otel.total("streamgraph.run.active") == 1
    gate.open_all()
    handle.result()
    assert otel.total("streamgraph.run.active") == 0


def writing(count: int) -> Any:
    """A node that writes so many items."""

    def writes(state: State) -> Any:
        for number in range(count):
            get_stream_writer()(number)
        return {}

    return writes


def test_what_waits_in_a_stream_and_what_it_has_dropped(otel: Reported) -> None:
    """A consumer that does not come in time."""
    stream = graph(a=writing(10)).stream({"n": 0}, stream_mode="custom", max_buffer=3, overflow="drop_oldest")
    first = next(stream)
    eventually(lambda: stream.buffered == 3)
    assert otel.total("streamgraph.stream.waiting", streamgraph__stream__place="stream") == 3
    chunks = [first, *stream]

    lost = sum(getattr(chunk, "dropped", 0) for chunk in chunks)
    assert lost > 0
    assert otel.total("streamgraph.stream.dropped", streamgraph__stream__place="stream") == lost
    assert otel.total("streamgraph.stream.waiting") == 0


def test_a_stream_that_was_left_waits_for_nobody(otel: Reported) -> None:
    """Though somebody still has it, with what nobody will take."""
    stream = graph(a=writing(10)).stream({"n": 0}, stream_mode="custom", max_buffer=3)
    next(stream)
    eventually(lambda: otel.total("streamgraph.stream.waiting") == 3)
    stream.close()

    assert otel.total("streamgraph.stream.waiting") == 0
    assert stream.status == "closed"


def test_what_waits_in_a_log_for_a_reader_that_holds_the_run_back(otel: Reported) -> None:
    """Until it reads, or leaves."""
    gate = Gate()

    def waits(state: State) -> Any:
        gate.wait()
        return writing(3)(state)

    handle = graph(a=waits).start({"n": 0}, record="custom")
    name, place = "streamgraph.stream.waiting", "log"
    gate.wait_for_arrival()
    reader = handle.stream("custom", heartbeat=0.001)
    next(reader)  # a heartbeat: it is there before there is anything
    gate.open_all()
    handle.result()
    assert otel.total(name, streamgraph__stream__place=place) == 3
    reader.close()
    assert otel.total(name) == 0


def test_what_waits_in_a_log_and_what_it_has_dropped(otel: Reported) -> None:
    """A reader that comes when the log has made room."""
    handle = graph(a=writing(10)).start({"n": 0}, record="custom", log=MemoryLog(max_events=4))
    handle.result()
    with handle.stream("custom") as reader:
        chunks = [next(reader), next(reader)]
        assert otel.total("streamgraph.stream.waiting", streamgraph__stream__place="log") <= 4
        chunks += list(reader)

    assert [getattr(chunk, "dropped", None) for chunk in chunks] == [6, None, None, None, None]
    assert otel.total("streamgraph.stream.dropped", streamgraph__stream__place="log") == 6
    assert otel.total("streamgraph.stream.waiting") == 0


class Texts(LLM):
    """A model of texts, with a name and settings."""

    model_name: str = "texts-1"
    temperature: float = 0.5

    @property
    def _llm_type(self) -> str:
        return "texts"

    @property
    def _identifying_params(self) -> Dict[str, Any]:
        return {"model": self.model_name, "temperature": self.temperature}

    def _call(self, prompt: str, *args: Any, **kwargs: Any) -> str:
        return "fine"


def test_a_model_of_texts(otel: Reported) -> None:
    """It is another operation, with its model and settings."""
    graph(a=lambda state: Texts().invoke("hi") and {}).invoke({"n": 0})

    about = otel.about("text_completion texts-1")
    assert about["gen_ai.request.model"] == "texts-1"
    assert about["gen_ai.request.temperature"] == 0.5
    assert otel.total("gen_ai.client.operation.duration", gen_ai__request__model="texts-1") == 1


def test_the_prompt_of_a_model_of_texts_is_recorded_on_demand(otel: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the message of a user; its answer is no message."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    graph(a=lambda state: Texts().invoke("hi") and {}).invoke({"n": 0})

    asked = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    assert json.loads(otel.about("text_completion texts-1")["gen_ai.input.messages"]) == asked


def test_a_model_that_reports_nothing_counts_no_tokens(otel: Reported) -> None:
    """Nothing is guessed."""
    model = ScriptedModel([AIMessage("hi")])
    graph(a=lambda state: model.invoke("hi") and {}).invoke({"n": 0})

    assert otel.numbers("gen_ai.client.token.usage") == {}
    assert not [name for name in otel.about("chat") if name.startswith("gen_ai.usage")]
    assert "gen_ai.response.id" not in otel.about("chat")  # langchain-core's own is none
