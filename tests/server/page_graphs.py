"""A graph that has everything the page shows: branches, a join, a nested graph, tools, a retry, and a question."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.tools import tool
from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph.prebuilt import create_react_agent
from streamgraph.testing import ScriptedModel
from streamgraph.types import RetryPolicy, interrupt

PLAN = "I look at the weather first, and at what there is to see. Then I write a day that fits both."
WRONG = "The old town is closed on Sundays, so"
SIGHTS = "The harbour, the wooden houses of the old town, and the fish market before noon."
DRAFT = (
    "Begin at the fish market while it is busy, walk through the old town before lunch, and keep the harbour for dusk."
)
POLISHED = "Start early at the fish market. Stroll the old town before lunch. End the day by the harbour."


class Trip(MessagesState, total=False):
    """What the graph works on."""

    place: str
    days: int
    plan: str
    weather: str
    sights: str
    draft: str
    approved: bool


class Inner(TypedDict, total=False):
    """What the nested graph works on."""

    draft: str


def words(text: str) -> List[str]:
    """A text as the pieces that a model would stream."""
    return [f"{word} " for word in text.split(" ")]


def journey(delay: float = 0.0) -> Any:
    """The graph; each token takes `delay` seconds."""

    def model(*texts: str) -> ScriptedModel:
        return ScriptedModel([words(text) for text in texts], cycle=True, delay=delay)

    thoughts = [
        AIMessageChunk("", additional_kwargs={"reasoning_content": text}) for text in words("Two things decide it.")
    ]
    planner = ScriptedModel([[*thoughts, *words(PLAN)]], cycle=True, delay=delay).with_config(tags=["plan"])
    seer, writer = model(WRONG, SIGHTS).with_config(tags=["facts"]), model(DRAFT).with_config(tags=["prose"])
    polisher = model(POLISHED).with_config(tags=["prose"])
    failed: Dict[str, bool] = {}

    @tool
    def forecast(place: str) -> str:
        """Return tomorrow's weather."""
        return f"Sunny in {place}, 19 degrees, a light wind from the west."

    call = AIMessage("", tool_calls=[{"name": "forecast", "args": {"place": "Bergen"}, "id": "call-1"}])
    weather_agent = create_react_agent(
        ScriptedModel([call, words("Sunny, 19 degrees.")], cycle=True, delay=delay), [forecast], name="weather"
    )

    async def plan(state: Trip) -> Any:
        asked = [
            SystemMessage("You plan days for travellers."),
            HumanMessage(f"A day in {state.get('place', 'Bergen')}."),
        ]
        answer = await planner.ainvoke(asked)
        return {"plan": answer.content, "messages": [answer]}

    async def sights(state: Trip) -> Any:
        answer = await seer.ainvoke(f"What is there to see in {state.get('place')}?")
        if not failed.pop("sights", False):
            failed["sights"] = True
            await asyncio.sleep(delay)
            raise ConnectionError("the connection was reset")
        return {"sights": answer.content}

    async def draft(state: Trip) -> Any:
        get_stream_writer()({"progress": 0.5, "note": "writing"})
        return {"draft": (await writer.ainvoke("Write the day.")).content}

    async def polish(state: Inner) -> Any:
        return {"draft": (await polisher.ainvoke([SystemMessage("Shorten."), HumanMessage(state["draft"])])).content}

    def check(state: Inner) -> Any:
        return {"draft": state["draft"].strip()}

    def approve(state: Trip) -> Any:
        answer = interrupt("Shall I book the boat for this day?")
        return {"approved": str(answer).lower() in ("yes", "true"), "messages": [("ai", f"You said {answer}.")]}

    def book(state: Trip) -> Any:
        return {"messages": [("ai", "The boat is booked.")]}

    editing = StateGraph(Inner).add_sequence([("polish", polish), ("check", check)]).add_edge(START, "polish").compile()
    policy = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    builder = StateGraph(Trip).add_node("plan", plan).add_node("weather", weather_agent)
    builder.add_node("sights", sights, retry_policy=policy).add_node("draft", draft).add_node("edit", editing)
    builder.add_node("approve", approve).add_node("book", book)
    builder.add_edge(START, "plan").add_edge("plan", "weather").add_edge("plan", "sights")
    builder.add_edge(["weather", "sights"], "draft").add_edge("draft", "edit").add_edge("edit", "approve")
    builder.add_conditional_edges(
        "approve", lambda state: "book" if state["approved"] else END, {"book": "book", END: END}
    )
    return builder.add_edge("book", END).compile()


HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script><b>bold</b> [a](javascript:alert(1))'


def hostile() -> Any:
    """A graph whose model, tool, names and state are what an attacker would write."""

    async def say(state: MessagesState) -> Any:
        get_stream_writer()({HOSTILE: HOSTILE})
        await ScriptedModel([[HOSTILE]]).ainvoke(HOSTILE)
        interrupt({HOSTILE: HOSTILE})

    return StateGraph(MessagesState).add_node("<i>say</i>", say).add_edge(START, "<i>say</i>").compile()


def flooding(events: int = 10_000) -> Any:
    """A graph that makes many events: tasks, tokens and data."""
    steps = events // 49
    model = ScriptedModel([["word "] * 40], cycle=True)

    async def work(state: Counting) -> Any:
        await model.ainvoke("?")
        for at in range(6):
            get_stream_writer()({"at": at, "step": state.get("step", 0)})
        return {"step": state.get("step", 0) + 1}

    builder = StateGraph(Counting).add_node("work", work).add_edge(START, "work")
    return builder.add_conditional_edges(
        "work", lambda state: "work" if state["step"] < steps else END, ["work", END]
    ).compile()


class Counting(TypedDict, total=False):
    """Which step it is."""

    step: int
