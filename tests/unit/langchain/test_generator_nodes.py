"""Generator nodes that pass on what a model streams: nothing of it is shown twice."""

from __future__ import annotations

import pytest

from support.list_graphs import chat, drivers
from support.models import TEXT, scripted

ASK = {"messages": "hi"}


def texts(graph):
    """The texts of all messages by id, which both drivers show alike."""
    found = []
    for chunks in drivers(graph, ASK, stream_mode="messages").values():
        by_id = {}
        for chunk, _ in chunks:
            by_id[chunk.id] = by_id.get(chunk.id, "") + chunk.content
        found.append(list(by_id.values()))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("form", ["chunk", "text"])
def test_what_a_model_streams_is_not_shown_again(form):
    """A node that yields each chunk of a model, or its text, shows the model's message and no other."""

    def node(state):
        for chunk in scripted().stream("hi"):
            yield chunk if form == "chunk" else chunk.content

    async def anode(state):
        async for chunk in scripted().astream("hi"):
            yield chunk if form == "chunk" else chunk.content

    assert texts(chat(node)) == [TEXT]
    assert texts(chat(anode)) == [TEXT]


@pytest.mark.parametrize("tags", [[], ["nostream"]], ids=["shown", "hidden"])
def test_other_words_are_shown(tags):
    """What a node makes of a model's tokens is a message of its own; of a hidden model also the tokens' own text."""

    def loud(state):
        for chunk in scripted(tags=tags).stream("hi"):
            if chunk.content:
                yield chunk.content.upper()

    def plain(state):
        for chunk in scripted(tags=tags).stream("hi"):
            yield chunk.content

    assert texts(chat(loud)) == ([TEXT.upper()] if tags else [TEXT, TEXT.upper()])
    assert texts(chat(plain)) == [TEXT]


def test_hidden_chunks_stay_hidden():
    """A chunk of a hidden model is that model's message, though a node yields it."""

    def node(state):
        yield from scripted(tags=["nostream"]).stream("hi")

    assert texts(chat(node)) == []
