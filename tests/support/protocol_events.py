"""Events of the v3 protocol, by hand: those of a run with nested graphs, tools and messages."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence


def event(method: str, data: Any, *namespace: str, **params: Any) -> Dict[str, Any]:
    """An event from the graph at a namespace."""
    return {
        "type": "event",
        "method": method,
        "params": {"namespace": list(namespace), "timestamp": 0, "data": data, **params},
    }


def started(task_id: str, *namespace: str, given: Any = None, agent: Any = None) -> Dict[str, Any]:
    """The start of a task."""
    metadata = {} if agent is None else {"lc_agent_name": agent}
    return event("tasks", {"id": task_id, "name": "n", "input": given, "metadata": metadata}, *namespace)


def ended(task_id: str, *namespace: str, error: Any = None, interrupts: Sequence[Any] = ()) -> Dict[str, Any]:
    """The result of a task."""
    data = {"id": task_id, "name": "n", "result": {}, "error": error, "interrupts": list(interrupts)}
    return event("tasks", data, *namespace)


def nested_run() -> List[Dict[str, Any]]:
    """A run whose nodes `a` and `b` run graphs; that of `a` is an agent that answers a tool call, with one inside."""
    call = {"name": "t", "args": {}, "id": "call-1", "type": "tool_call"}
    return [
        event("values", {"x": 0}),
        started("t1", given={"tool_call": call, "state": {}}),
        started("t2"),
        started("t3", "a:t1", agent="helper"),
        event("values", {"y": 1}, "a:t1"),
        event("custom", "inner", "a:t1"),
        started("t4", "a:t1", "deep:t3"),
        event("custom", "deepest", "a:t1", "deep:t3"),
        ended("t4", "a:t1", "deep:t3"),
        ended("t3", "a:t1"),
        ended("t1"),
        started("t5", "b:t2"),
        event("updates", {"n": 1}, "b:t2"),
        ended("t5", "b:t2", error="broken"),
        ended("t2", error="broken"),
        event("custom", "outer"),
        event("values", {"x": 1}),
    ]


def as_parts(events: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The same as parts of a stream with `version="v2"`."""
    parts = []
    for item in events:
        params = item["params"]
        part = {"type": item["method"], "ns": tuple(params["namespace"]), "data": params["data"]}
        parts.append({**part, "interrupts": params["interrupts"]} if "interrupts" in params else part)
    return parts


def tool_events(call_id: str, *, deltas: Sequence[str] = (), output: Any = None, error: Any = None) -> List[Any]:
    """The events of one tool call; without output and error it does not end."""
    data: List[Dict[str, Any]] = [{"event": "tool-started", "tool_name": "t", "input": {"q": 1}}]
    data += [{"event": "tool-output-delta", "delta": delta} for delta in deltas]
    if output is not None:
        data.append({"event": "tool-finished", "output": output})
    if error is not None:
        data.append({"event": "tool-error", "message": error})
    return [event("tools", {"tool_call_id": call_id, **item}) for item in data]
