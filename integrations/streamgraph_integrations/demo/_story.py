"""What the desk is told, what is on its shelf, and what its scripted model says."""

from __future__ import annotations

import json
import re
from typing import Callable, List, Mapping, Optional, Tuple

from streamgraph_integrations.openai_server import Reply, ToolCall

QUESTION = "Why do cats purr?"
"""What the desk writes about if nobody says what."""

PLAN = "You plan the articles of a small research desk. Give a title, three questions to look up, and who reads it."
RESEARCH = "You are a researcher. Search the shelf once, then note in two sentences what you have found."
OUTLINE = "You outline articles. Give three short lines, one for each paragraph."
DRAFT = "You write articles for curious people: three short paragraphs, plain words, nothing that the notes do not say."
CHECK = "You check drafts against the notes. Say whether the draft is ready, and why in one sentence."
NEWSLETTER = "You write the newsletter of the desk: two sentences that make people want to read the article."
POST = "You write posts for social media: one sentence, no hashtags."
"""What each node tells its model to be; the scripted model knows by it which node asks."""

SHELF: Tuple[Tuple[str, str], ...] = (
    (
        "The Voice of the Cat",
        "Muscles in the larynx open and close the gap between the vocal folds 25 to 30 times in a second, while the"
        " cat breathes in and while it breathes out. In 2023 larynges that no nerve moved any more made the sound as"
        " well: pads of tissue within the folds make it that deep.",
    ),
    (
        "A Year with Kittens",
        "Kittens purr when they are a few days old, while they drink, and their mother purrs back. Cats purr when"
        " they are stroked, and also when they are hurt or afraid. Before breakfast many mix a cry into it, which"
        " people find hard to ignore.",
    ),
    (
        "Bones and Vibrations",
        "Vibrations of 25 to 50 hertz have helped broken bones to heal in some experiments, and a purr is in this"
        " range. That purring heals cats has not been shown.",
    ),
)
"""The books within reach of the desk: title and what they say."""

_CATS: Mapping[str, Tuple[str, str]] = {
    "How does a cat make the sound?": (
        "larynx of cats, vocal folds",
        "The larynx does it: its muscles open and close the vocal folds 25 to 30 times in a second, breathing in and"
        " breathing out. Pads of tissue within the folds make the tone so deep, even with no nerve at work.",
    ),
    "When do cats purr?": (
        "kittens purring, purring while hurt",
        "Kittens begin within days, while they drink. Grown cats purr when they are content, when they are hurt, and"
        " when they want breakfast.",
    ),
    "Does purring heal?": (
        "vibrations and bones",
        "A purr is in the range of vibrations that have helped bones to heal in some experiments. That it heals cats"
        " has not been shown.",
    ),
}

_ARTICLE = (
    "A purr begins in the larynx. Muscles open and close the vocal folds 25 to 30 times in a second, on the way in"
    " and on the way out, so it hardly pauses for breath. Pads of tissue inside the folds make it far deeper than a"
    " small animal should sound.\n\n"
    "Kittens purr before they can see, while they drink. Grown cats purr on a lap, but also at the vet's, and many"
    " mix a small cry into it when breakfast is late. It says less about happiness than about wanting you to"
    " stay.\n\n"
    "Does it heal? The hum lies where vibrations have helped bones in some experiments. Nobody has shown that it"
    " mends a cat. It may do enough for the person underneath."
)

_OTHER_NOTE = (
    "The shelf has three books about cats and nothing about this. A model that has read more would go on from here;"
    " this one plays a script."
)

_OTHER_ARTICLE = (
    "You asked: {question} This desk cannot know. Its model is a script on a server on your own machine, and the only"
    " question it has an answer to is why cats purr.\n\n"
    "What you have watched is real all the same: a plan that grew as an object, researchers at work side by side,"
    " tools with their progress, a draft that was taken back when the line was lost, and soon a question that waits"
    " for you.\n\n"
    "Give it a model that knows more, and it writes about this: a small one on this machine with --model local, or"
    " one of OpenAI's with a key."
)


def asked(question: str, **facts: str) -> str:
    """Return what a node says to its model: the question of the article, then other facts, a line or paragraph each.

    Args:
        question: The question of the article.
        **facts: What else the model needs, by what it is called.
    """
    lines = [f"{name.capitalize()}: {fact}" for name, fact in facts.items() if fact]
    return "\n".join([f"Question: {question}", *lines])


def scripted(body: Mapping[str, object]) -> Reply:
    """Play the model of the desk.

    Args:
        body: A request for a chat completion.

    Returns:
        What the script says: the same reply to the same request, in whatever order the requests come.
    """
    messages = body["messages"]
    assert isinstance(messages, list)
    role, request = (str(message.get("content") or "") for message in [*messages, {}][:2])
    if role == RESEARCH and messages[-1]["role"] != "tool":
        return _search(_line("Task", request))
    return Reply(_WRITERS[role](request)) if role in _WRITERS else Reply("The script has no such part.")


def _search(task: str) -> Reply:
    query = _CATS[task][0] if task in _CATS else task.rstrip("?")
    calls = [ToolCall("search_shelf", {"query": part}) for part in query.split(", ")]
    return Reply("Let me look that up. ", tool_calls=calls)


def _plan(request: str) -> str:
    question = _line("Question", request)
    if _is_known(question):
        title, questions, readers = "The motor in the cat", list(_CATS), "people with a cat"
    else:
        topic = question.rstrip("?. ")
        questions = [f"What is known: {topic}?", f"Who has asked before: {topic}?", f"What is still open: {topic}?"]
        title, readers = f"A first look: {topic}", "people who are curious"
    return json.dumps({"title": title, "questions": questions, "readers": readers}, ensure_ascii=False)


def _note(request: str) -> str:
    task = _line("Task", request)
    return _CATS[task][1] if task in _CATS else _OTHER_NOTE


def _outline(request: str) -> str:
    if _is_known(_line("Question", request)):
        return "1. Where the sound comes from.\n2. When cats make it, and for whom.\n3. What it does, as far as known."
    return "1. What was asked, and who cannot know.\n2. What there was to see instead.\n3. How to get an answer."


def _draft(request: str) -> str:
    question, wish = _line("Question", request), _line("Change", request)
    article = _ARTICLE if _is_known(question) else _OTHER_ARTICLE.format(question=question)
    return f"{article}\n\n(Changed as you asked: {wish})" if wish else article


def _check(request: str) -> str:
    why = "Each sentence is in the notes, and the last one is an opinion that says so."
    return json.dumps({"ready": True, "why": why})


def _newsletter(request: str) -> str:
    if _is_known(_line("Question", request)):
        return "Your cat runs a motor on its breath, and it is older than your cat can see. This week we took it apart."
    return "This week somebody asked us what we could not know. Here is what we did about it."


def _post(request: str) -> str:
    if _is_known(_line("Question", request)):
        return "Cats purr when they are happy, when they are hurt, and when breakfast is late: here is how it works."
    return "A desk that reads a script was asked a real question, and said so."


_WRITERS: Mapping[str, Callable[[str], str]] = {
    PLAN: _plan,
    RESEARCH: _note,
    OUTLINE: _outline,
    DRAFT: _draft,
    CHECK: _check,
    NEWSLETTER: _newsletter,
    POST: _post,
}


def _is_known(question: str) -> bool:
    words = set(re.findall(r"[a-z]+", question.lower()))
    return bool(words & {"cat", "cats"}) and bool(words & {"purr", "purrs", "purring"})


def _line(name: str, request: str) -> str:
    found: Optional[re.Match[str]] = re.search(rf"^{name}: (.*)$", request, re.MULTILINE)
    return found.group(1).strip() if found else ""


def passages(query: str) -> List[Tuple[str, str]]:
    """Return the books on the shelf that have at least one long word of a query in them.

    Args:
        query: What is looked for.
    """
    words = [word[:5] for word in re.findall(r"[a-z]{5,}", query.lower())]
    return [(title, text) for title, text in SHELF if any(word in f"{title} {text}".lower() for word in words)]
