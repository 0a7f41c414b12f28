"""The writing of the desk: a nested graph that loses its line once, and takes back what it had shown."""

from __future__ import annotations

from typing import Dict, List

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from streamgraph.graph import END, START, CompiledStateGraph, StateGraph
from streamgraph.runtime import Runtime
from streamgraph.types import RetryPolicy
from streamgraph_integrations.demo._story import CHECK, DRAFT, OUTLINE, asked

_LOST_AFTER = 25
"""The token after which the line is lost, the first time."""

_MOST_DRAFTS = 2
"""How often a draft is written before it goes to the editor anyway."""


class LineLostError(ConnectionError):
    """The connection to the model was lost: the demo does that once for each article."""


class Verdict(BaseModel):
    """What the check of a draft has come to."""

    ready: bool = Field(description="Whether the draft can go to the editor.")
    why: str = Field(description="One sentence.", max_length=200)


class Assignment(TypedDict, total=False):
    """What is to be written, and from what."""

    question: str
    notes: List[str]
    feedback: str


class Article(TypedDict, total=False):
    """What was written."""

    outline: str
    article: str
    check: str


class Writing(Assignment, Article, total=False):
    """The state of the writing."""

    drafts: int
    ready: bool


def writers(model: BaseChatModel, pace: float) -> CompiledStateGraph:
    """Return the graph that writes an article: an outline, a draft, and a check that may send it back.

    Args:
        model: The model; its tokens have the tags `outline`, `draft` and `check`.
        pace: By how much the pause before the second attempt is longer than it is made for.
    """
    outlining = model.with_config(tags=["outline"])
    drafting = model.with_config(tags=["draft"])
    schema = Verdict.model_json_schema()  # see Plan
    checking = model.with_structured_output(schema, method="json_schema").with_config(tags=["check"])

    def prompt(role: str, state: Writing, **facts: str) -> List[BaseMessage]:
        request = asked(state["question"], notes=" ".join(state.get("notes", [])), **facts)
        return [SystemMessage(role), HumanMessage(request)]

    async def outline(state: Writing) -> Dict[str, object]:
        answer = await outlining.ainvoke(prompt(OUTLINE, state))
        return {"outline": str(answer.content).strip(), "drafts": 0, "ready": False}

    async def draft(state: Writing, runtime: Runtime) -> Dict[str, object]:
        attempt = 1 if runtime.execution_info is None else runtime.execution_info.node_attempt
        loses_its_line = attempt == 1 and not state["drafts"] and not state.get("feedback")
        request = prompt(DRAFT, state, outline=state["outline"].replace("\n", " "), change=state.get("feedback", ""))
        text, count = "", 0
        tokens = drafting.astream(request)
        try:
            async for token in tokens:
                text += str(token.content)
                count += 1
                if loses_its_line and count == _LOST_AFTER:
                    raise LineLostError("the line to the model was lost in the middle of a sentence")
        finally:
            await tokens.aclose()  # type: ignore[attr-defined]  # declared as an iterator, made as a generator
        return {"article": text.strip(), "drafts": state["drafts"] + 1}

    async def check(state: Writing) -> Dict[str, object]:
        request = prompt(CHECK, state, draft=state["article"].replace("\n\n", " "))
        verdict = Verdict.model_validate(await checking.ainvoke(request))
        return {"check": verdict.why, "ready": verdict.ready}

    def next_step(state: Writing) -> str:
        return "ready" if state["ready"] or state["drafts"] >= _MOST_DRAFTS else "again"

    again = RetryPolicy(initial_interval=0.6 * pace, jitter=False, retry_on=LineLostError)
    builder = StateGraph(Writing, input_schema=Assignment, output_schema=Article)
    builder.add_node(outline).add_node("draft", draft, retry_policy=again).add_node(check)
    builder.add_edge(START, "outline").add_edge("outline", "draft").add_edge("draft", "check")
    builder.add_conditional_edges("check", next_step, {"ready": END, "again": "draft"})
    return builder.compile(name="writers")
