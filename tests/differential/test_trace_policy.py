"""What tracers record of a node with a trace policy is the same in both libraries."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import BaseTracer

from differential.harness import REFERENCE, SUBJECT, Lib
from differential.programs_flow import Log

if not hasattr(importlib.import_module(f"{REFERENCE}.types"), "TracePolicy"):
    pytest.skip("the installed LangGraph has no trace policies", allow_module_level=True)


class Recording(BaseTracer):
    """Keeps the runs as they were recorded."""

    run_inline = True

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict = {}

    def _persist_run(self, run: Any) -> None:
        """Keep nothing more."""

    def _end_trace(self, run: Any) -> None:
        self.runs[run.name] = (run.inputs, run.outputs, run.error is not None)
        super()._end_trace(run)


def short(value: Any) -> Any:
    """What is recorded of a payload."""
    return {"keys": sorted(value or ())}


def breaks(value: Any) -> Any:
    """A policy that fails."""
    raise ValueError


@pytest.mark.parametrize("inputs", [None, short, breaks, "omit"])
@pytest.mark.parametrize("outputs", [None, short, "omit"])
@pytest.mark.parametrize("fails", [False, True])
def test_recorded(inputs: Any, outputs: Any, fails: bool) -> None:
    """The node's own run is recorded as its policy says; the runs around and inside it as they are."""
    inner = RunnableLambda(lambda state: {"x": ["inner"]}, name="inner")

    def node(state: Any) -> Any:
        result = inner.invoke(state)
        if fails:
            raise KeyError("no")
        return result

    def recorded(root: str) -> Any:
        types, lib = importlib.import_module(f"{root}.types"), Lib(root)
        given = [types.omit_payload if item == "omit" else item for item in (inputs, outputs)]
        policy = types.TracePolicy(process_inputs=given[0], process_outputs=given[1])
        builder = lib.StateGraph(Log).add_node("n", node, trace_policy=policy).add_edge(lib.START, "n")
        tracer = Recording()
        try:
            builder.compile().invoke({"x": ["in"]}, {"callbacks": [tracer]})
        except KeyError:
            assert fails
        return tracer.runs

    assert recorded(SUBJECT) == recorded(REFERENCE)
