"""The whole desk: a plan, researchers side by side, the writing, the editor's word, and what is published."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Dict, Hashable, List, Optional

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, CompiledStateGraph, StateGraph, add_messages
from streamgraph.types import Overwrite, Send, interrupt
from streamgraph_integrations.demo._research import researcher
from streamgraph_integrations.demo._story import NEWSLETTER, PLAN, POST, QUESTION, asked, scripted
from streamgraph_integrations.demo._writing import writers
from streamgraph_integrations.local import is_local
from streamgraph_integrations.openai import chat_model, loopback_model

_DELAY = 0.03
"""Seconds between two tokens of the scripted model, about as fast as a person reads."""

_MOST_TOKENS = 160
"""How long the answers of a small model are, which may not find an end."""

_PUBLISH, _DROP = "publish", "drop"
_WORDS = {"yes": _PUBLISH, "ok": _PUBLISH, "true": _PUBLISH, "no": _DROP, "false": _DROP}


class Plan(BaseModel):
    """The plan of an article."""

    title: str = Field(description="The title.", max_length=90)
    questions: List[str] = Field(description="What has to be looked up.", min_length=3, max_length=3)
    readers: str = Field(description="Who reads it.", max_length=60)


class Asked(TypedDict, total=False):
    """What the desk is asked: a question, or the last message of a person."""

    question: Annotated[str, Field(description="What the article is about.", examples=[QUESTION])]
    messages: Annotated[List[AnyMessage], add_messages]


class Desk(Asked, total=False):
    """The state of the desk."""

    plan: Dict[str, object]
    notes: Annotated[List[str], operator.add]
    cover: str
    outline: str
    article: str
    check: str
    decision: str
    feedback: str
    newsletter: str
    post: str


def desk_model(name: Optional[str] = None, pace: float = 1.0) -> BaseChatModel:
    """Return a model for the desk.

    Args:
        name: `None` for the scripted one, on a server in this process, whatever the environment says; `"local"` for a
            small real one on this machine; else a name for `chat_model`.
        pace: By how much the scripted model is slower than it is made for.

    Raises:
        MissingPackageError: The local model is not installed.
    """
    if name is None:
        return loopback_model(reply=scripted, delay=_DELAY * pace)
    return chat_model(name, max_tokens=_MOST_TOKENS) if is_local(name) else chat_model(name)


def research_desk(model: Optional[BaseChatModel] = None, pace: float = 1.0) -> CompiledStateGraph:
    """Return the graph of the desk.

    Its input is a `question`, or `messages` whose last one is a person's; without both it is why cats purr. It asks an
    editor (`interrupt`) before it publishes. The answers are "publish", "drop", or what to change, after which it
    writes again. Without a saver it needs `interrupts="live"` to be answered.

    Args:
        model: The model; by default a scripted one, see `desk_model`.
        pace: By how much its pauses are longer than they are made for; 0 for tests.

    Returns:
        The graph, with no checkpointer.
    """
    model = desk_model(pace=pace) if model is None else model
    # As a JSON schema: langchain-openai warns of its own serialization if it is given a class.
    planning = model.with_structured_output(Plan.model_json_schema(), method="json_schema").with_config(tags=["plan"])
    newsletter_model = model.with_config(tags=["newsletter"])
    post_model = model.with_config(tags=["post"])

    async def plan(state: Desk) -> Dict[str, object]:
        question = _question(state)
        made = Plan.model_validate(await planning.ainvoke([SystemMessage(PLAN), HumanMessage(asked(question))]))
        # A thread may write its second article.
        return {"question": question, "plan": made.model_dump(), "notes": Overwrite([]), "feedback": "", "decision": ""}

    def assign(state: Desk) -> List[object]:
        questions = state["plan"]["questions"]
        assert isinstance(questions, list)
        each = [Send("research", {"question": state["question"], "task": question}) for question in questions]
        return [*each, "choose_cover"]

    async def choose_cover(state: Desk) -> Dict[str, object]:
        writer = get_stream_writer()
        for done in range(1, 6):
            writer({"cover": f"sketch {done} of 5", "percent": 20 * done})
            await asyncio.sleep(0.5 * pace)
        return {"cover": "a cat, from the side, humming" if "cat" in state["question"].lower() else "a question mark"}

    def ask_editor(state: Desk) -> Dict[str, object]:
        title = state["plan"]["title"]
        answer = interrupt(f"Publish “{title}”? Answer {_PUBLISH}, {_DROP}, or say what to change.")
        said = str(answer).strip()
        decision = _WORDS.get(said.lower(), said.lower())
        if decision in (_PUBLISH, _DROP):
            return {"decision": decision, "feedback": ""}
        return {"decision": "change", "feedback": said}

    def decided(state: Desk) -> List[str]:
        return ["newsletter", "post"] if state["decision"] == _PUBLISH else [state["decision"]]

    async def newsletter(state: Desk) -> Dict[str, object]:
        request = asked(state["question"], article=state["article"].replace("\n\n", " "))
        answer = await newsletter_model.ainvoke([SystemMessage(NEWSLETTER), HumanMessage(request)])
        return {"newsletter": str(answer.content).strip()}

    async def post(state: Desk) -> Dict[str, object]:
        request = asked(state["question"], article=state["article"].replace("\n\n", " "))
        answer = await post_model.ainvoke([SystemMessage(POST), HumanMessage(request)])
        return {"post": str(answer.content).strip()}

    async def publish(state: Desk) -> Dict[str, object]:
        writer = get_stream_writer()
        for step in ("proofs", "printing", "delivery"):
            writer({"publishing": step})
            await asyncio.sleep(0.3 * pace)
        return {"messages": [AIMessage(state["article"])]}

    builder = StateGraph(Desk, input_schema=Asked)
    builder.add_node(plan).add_node("research", researcher(model, pace)).add_node(choose_cover)
    builder.add_node("write", writers(model, pace)).add_node(ask_editor)
    builder.add_node(newsletter).add_node(post).add_node(publish)
    builder.add_edge(START, "plan").add_conditional_edges("plan", assign, ["research", "choose_cover"])
    builder.add_edge(["research", "choose_cover"], "write").add_edge("write", "ask_editor")
    routes: Dict[Hashable, str] = {"newsletter": "newsletter", "post": "post", "change": "write", _DROP: END}
    builder.add_conditional_edges("ask_editor", decided, routes)
    builder.add_edge(["newsletter", "post"], "publish").add_edge("publish", END)
    return builder.compile(name="research_desk")


def _question(state: Desk) -> str:
    messages = state.get("messages") or []
    if messages and isinstance(messages[-1], HumanMessage):
        return " ".join(str(messages[-1].content).split()) or QUESTION
    return " ".join(state.get("question", "").split()) or QUESTION
