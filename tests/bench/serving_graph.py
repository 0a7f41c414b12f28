"""The graph that every server of `serving.py` serves: one async node, whose model stamps its tokens with the time.

The environment variable `SERVING_ENGINE` names the library that it is built with.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from typing import Any, AsyncIterator, Dict, List, Optional

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

ENGINE = importlib.import_module(os.environ.get("SERVING_ENGINE", "streamgraph") + ".graph")


class Stamping(BaseChatModel):
    """Each of its tokens is the time at which it was made, which is the same for all processes of a machine.

    Attributes:
        tokens: How many tokens it makes.
        pause: Seconds from one token to the next; 0 for no pause.
        phase: By how many pauses the second token is late, so that many models do not speak in step.
    """

    tokens: int
    pause: float
    phase: float

    @property
    def _llm_type(self) -> str:
        return "stamping"

    def _generate(self, messages: List[BaseMessage], stop: Optional[List[str]] = None, *a: Any, **k: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: List[BaseMessage], stop: Optional[List[str]] = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        begin = time.monotonic()
        for number in range(self.tokens):
            if number and self.pause:
                await asyncio.sleep(begin + (number + self.phase) * self.pause - time.monotonic())
            else:
                await asyncio.sleep(0)  # a model gives the loop a turn, since it reads a socket
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{time.monotonic():.6f} "))


class State(TypedDict, total=False):
    """What a client asks for, and the text that was made."""

    tokens: int
    pause: float
    phase: float
    idle: float
    text: str


async def speak(state: State, config: RunnableConfig) -> Dict[str, Any]:
    """Stream the tokens, then wait for a while."""
    model = Stamping(tokens=state["tokens"], pause=state["pause"], phase=state.get("phase", 0.0))
    message = await model.ainvoke("go", config)
    await asyncio.sleep(state.get("idle", 0.0))
    return {"text": str(message.content)}


graph = ENGINE.StateGraph(State).add_node("speak", speak).add_edge("__start__", "speak").compile()
graphs = {"agent": graph}
