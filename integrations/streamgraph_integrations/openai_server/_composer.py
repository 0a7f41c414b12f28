"""Default reply: a short joke, poem or answer about the topic of the last user message."""

from __future__ import annotations

import re

from streamgraph_integrations.openai_server._json import JsonObject
from streamgraph_integrations.openai_server._reply import Reply
from streamgraph_integrations.openai_server._schema_answer import object_answer

_JOKE = (
    "Here is a joke about {topic}: two engineers argue all day over who understands {topic} best, "
    "until a child walks in, asks what {topic} is for, and they both agree to call it a day."
)
_POEM = (
    "A poem about {topic}:\n"
    "The morning opens, soft and slow,\n"
    "and {topic} is all I know;\n"
    "the evening folds its paper wing,\n"
    "and still of {topic} I sing,\n"
    "one small word and then the next."
)
_PLAIN = (
    "Here is a short answer about {topic}: start with the part you can try today, look at what happens, "
    "change one thing at a time, and write down what you learn along the way."
)
_UNTITLED = {_JOKE: "streams", _POEM: "the river", _PLAIN: "your question"}

# A topic ends with its sentence; a longer topic would dominate the answer.
_TOPIC = re.compile(r"\b(?:about|on the topic of)\b[:\s]+([^\n.?!;]+)", re.IGNORECASE)
_MAX_TOPIC = 60


def compose(body: JsonObject) -> Reply:
    """Answer any request with a few dozen words, so that streaming is visible.

    Args:
        body: The request body; the last message of the role `user` determines the answer.

    Returns:
        A joke or a poem if the message mentions one, else a plain answer. Equal messages get equal answers, which name
        the topic of the message ("... about X") if it has one. A request for structured output gets an object that fits
        its schema.
    """
    message = last_user_text(body)
    if re.search(r"\bjokes?\b", message, re.IGNORECASE):
        template = _JOKE
    elif re.search(r"\bpoems?\b", message, re.IGNORECASE):
        template = _POEM
    else:
        template = _PLAIN
    topic = _topic(message)
    if not topic and template is _PLAIN:
        topic = _shorten(message.rstrip(" .?!"))
    topic = topic or _UNTITLED[template]
    return object_answer(body, topic) or Reply(text=template.format(topic=topic))


def last_user_text(body: JsonObject) -> str:
    """Return the text of the last user message of a request body, or an empty string."""
    messages = body.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return content_text(message.get("content"))
    return ""


def content_text(content: object) -> str:
    """Return the text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return ""


def _topic(message: str) -> str:
    found = _TOPIC.search(message)
    if not found:
        return ""
    topic = re.sub(r"[\s,]*\bplease\b\s*$", "", found.group(1), flags=re.IGNORECASE)
    return _shorten(topic.strip(" \"'`,:"))


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TOPIC else text[:_MAX_TOPIC].rsplit(" ", 1)[0] + "…"
