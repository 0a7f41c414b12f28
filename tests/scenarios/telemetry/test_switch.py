"""When runs are reported: when the program has set a provider that keeps something, unless it says otherwise."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from typing_extensions import TypedDict

from streamgraph._execution.session import GraphSession
from streamgraph._execution.session_type import session_type
from streamgraph.graph import START, StateGraph
from streamgraph.testing import ScriptedModel
from support.telemetry import Reported, reported


class State(TypedDict, total=False):
    """A state of one number."""

    n: int


def graph(node: Any = lambda state: {"n": 1}) -> Any:
    """A graph of one node."""
    return StateGraph(State).add_node("n", node).add_edge(START, "n").compile(name="g")


def test_a_program_without_a_provider_has_plain_sessions() -> None:
    """That is the whole cost of telemetry for it: this one question for each run."""
    assert session_type() is GraphSession


@pytest.mark.parametrize(
    ("tracers", "meters"),
    [
        (trace.NoOpTracerProvider(), metrics.NoOpMeterProvider()),
        (trace.ProxyTracerProvider(), metrics.NoOpMeterProvider()),
    ],
)
def test_providers_of_the_api_itself_count_as_none(tracers: Any, meters: Any) -> None:
    """They drop everything."""
    with reported(tracers, meters):
        assert session_type() is GraphSession


def test_a_disabled_sdk_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its providers are real, but what they give drops everything."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with reported(TracerProvider(), MeterProvider()):
        assert session_type() is GraphSession


@pytest.mark.parametrize("names", ["streamgraph", "httpx, streamgraph", "*"])
def test_it_is_disabled_like_an_instrumentation(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable of OpenTelemetry for that."""
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", names)
    with reported():
        assert session_type() is GraphSession


def test_one_run_can_be_left_out(otel: Reported) -> None:
    """As `opentelemetry.instrumentation.utils.suppress_instrumentation` does."""
    token = context.attach(context.set_value("suppress_instrumentation", True))
    try:
        graph().invoke({"n": 0})
    finally:
        context.detach(token)
    assert otel.spans == []

    graph().invoke({"n": 0})
    assert otel.tree() == {"invoke_agent g": {"node n": {}}}


def test_spans_alone(otel: Reported) -> None:
    """A program without a meter provider has the spans."""
    with reported(otel.tracers, metrics.NoOpMeterProvider()):
        graph().invoke({"n": 0})
    assert otel.tree() == {"invoke_agent g": {"node n": {}}}


def test_numbers_alone(otel: Reported) -> None:
    """A program without a tracer provider has the numbers, and its nodes the caller's span."""
    seen = []
    with reported(trace.NoOpTracerProvider(), otel.meters):
        graph(lambda state: seen.append(trace.get_current_span().get_span_context()) or {}).invoke({"n": 0})
    assert otel.total("gen_ai.invoke_agent.duration") == 1
    assert not seen[0].is_valid


def test_spans_that_are_not_sampled_are_not_exported_and_say_so_to_those_inside() -> None:
    """The sampler of the program decides."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    seen = []
    with reported(TracerProvider(sampler=ALWAYS_OFF)):
        graph(lambda state: seen.append(trace.get_current_span().get_span_context()) or {}).invoke({"n": 0})
    assert seen[0].is_valid
    assert not seen[0].trace_flags.sampled


def test_it_changes_nothing_about_callbacks_and_streams(otel: Reported) -> None:
    """Models are called as they are without it, and no trace is opened for it in LangChain's sense."""
    heard = []

    class Listener(BaseCallbackHandler):
        run_inline = True

        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            heard.append(kwargs.get("name"))

        def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
            heard.append("token")

    model = ScriptedModel(["one two"], cycle=True)
    inner = graph(lambda state: model.invoke("hi") and {"n": 1})
    outer = StateGraph(State).add_node("inner", lambda state: inner.invoke(state)).add_edge(START, "inner").compile()
    outer.invoke({"n": 0}, {"callbacks": [Listener()]})
    with_it = list(heard)
    heard.clear()
    with reported(trace.NoOpTracerProvider(), metrics.NoOpMeterProvider()):
        outer.invoke({"n": 0}, {"callbacks": [Listener()]})

    assert with_it == heard
    assert "token" not in heard


def test_a_nested_run_opens_no_trace_for_it(otel: Reported) -> None:
    """It hears of calls without being a handler of the runs around them, which would slow down every step."""
    seen: List[Any] = []

    def node(state: State, config: RunnableConfig) -> Any:
        callbacks: Any = config["callbacks"]
        seen.append((callbacks.parent_run_id, callbacks.handlers))
        return {"n": 1}

    inner = graph(node)
    StateGraph(State).add_node("inner", lambda state: inner.invoke(state)).add_edge(START, "inner").compile().invoke(
        {"n": 0}
    )
    assert seen == [(None, [])]
    assert len(otel.spans) == 4


WITHOUT = """
import sys
from typing_extensions import TypedDict
from streamgraph.graph import START, StateGraph
from streamgraph.testing import ScriptedModel

class State(TypedDict, total=False):
    n: int

model = ScriptedModel(["hi"])
graph = StateGraph(State).add_node("n", lambda state: model.invoke("hi") and {"n": 1}).add_edge(START, "n").compile()
assert graph.invoke({"n": 0}) == {"n": 1}
parts = ("streamgraph._telemetry.", "streamgraph._execution.measured")
print(sorted(name for name in sys.modules if name.startswith(parts)))
"""


@pytest.mark.slow
def test_a_program_that_does_not_use_it_does_not_load_it() -> None:
    """LangSmith's client may load OpenTelemetry, but nothing that reports to it is loaded."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, encoding="utf-8", timeout=150)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['streamgraph._telemetry.streams', 'streamgraph._telemetry.switch']"
