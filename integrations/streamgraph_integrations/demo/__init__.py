"""A graph to look at: a small research desk that shows at once what a stream can hold.

It plans an article as an object that grows, searches side by side with tools, writes in a nested graph, loses its line
in the middle of a draft and takes back what it had shown, and asks before it publishes. Its model is a script on a
server on this machine unless another one is named, so it needs no key and no network::

    streamgraph dev                                               # in the browser
    streamgraph run streamgraph_integrations.demo:research_desk   # in the terminal

It needs langchain-openai, which the extra `openai` installs.
"""

from __future__ import annotations

from streamgraph_integrations.demo._desk import desk_model, research_desk
from streamgraph_integrations.demo._story import QUESTION

__all__ = ["QUESTION", "desk_model", "research_desk"]
