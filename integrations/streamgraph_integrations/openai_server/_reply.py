"""The `Reply` value, and the selection of the reply to a request."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

from streamgraph_integrations.openai_server._ids import IdScheme, check_scheme
from streamgraph_integrations.openai_server._json import Body


@dataclass(frozen=True)
class ToolCall:
    """One tool call in a `Reply`.

    Args:
        name: The name of the tool.
        arguments: The arguments as a mapping, sent as JSON. A string is sent unchanged, so that a test can send
            arguments that are not valid JSON.
        id: The id of the call; by default a generated one.

    Raises:
        TypeError: The arguments cannot be serialized as JSON.
    """

    name: str
    arguments: Union[Mapping[str, Any], str] = field(default_factory=dict)
    id: Optional[str] = None

    def __post_init__(self) -> None:
        try:
            json.dumps(self.arguments)
        except (TypeError, ValueError) as error:
            raise TypeError(f"the arguments of tool call {self.name!r} cannot be written as JSON: {error}") from error


@dataclass(frozen=True)
class Reply:
    """One answer of the model, with options for its transport.

    Args:
        text: The answer; by default the joined `chunks`.
        tool_calls: Tool calls, sent after the text.
        reasoning: Reasoning text, sent before the answer. In chat completions it is the field `reasoning_content`,
            which many providers have. In the Responses API it is a reasoning item, which has a summary only if the
            request asks for one, as in `ChatOpenAI(reasoning={"summary": "auto"})`; each paragraph is a part of the
            summary.
        usage: Token counts to report: True counts words, a pair gives (prompt tokens, completion tokens), False reports
            none.
        delay: Seconds between two chunks of a stream; by default the server's `delay`.
        chunks: The exact tokens to stream the text in; by default words with their leading spaces.
        error: HTTP status and message of an error to answer the request with, instead of the reply.
        fail_after: The number of chunks of a stream after which the connection is dropped, always before the end of the
            stream. A request without streaming gets no answer at all.
        interleaved: True to stream several tool calls in turns, a piece of each, instead of one after the other. Only
            in chat completions: the Responses API finishes one item before it begins the next.
        ids: The chunks that carry an id, as in `OpenAIServer`; by default the server's `ids`.
        message_ids: True if messages carry the id as well, as in `OpenAIServer`; by default the server's setting.

    Raises:
        ValueError: `chunks` do not join to `text`, a number is out of range, or `ids` is unknown.
    """

    text: str = ""
    tool_calls: Sequence[ToolCall] = ()
    reasoning: str = ""
    usage: Union[bool, Tuple[int, int]] = True
    delay: Optional[float] = None
    chunks: Optional[Sequence[str]] = None
    error: Optional[Tuple[int, str]] = None
    fail_after: Optional[int] = None
    interleaved: bool = False
    ids: Optional[IdScheme] = None
    message_ids: Optional[bool] = None

    def __post_init__(self) -> None:
        if self.chunks is not None:
            joined = "".join(self.chunks)
            if not self.text:
                object.__setattr__(self, "text", joined)
            elif joined != self.text:
                raise ValueError(f"chunks join to {joined!r}, which is not the text {self.text!r}")
        if self.delay is not None and self.delay < 0:
            raise ValueError(f"delay must be 0 or more seconds, not {self.delay!r}")
        if self.fail_after is not None and self.fail_after < 0:
            raise ValueError(f"fail_after must be 0 or more chunks, not {self.fail_after!r}")
        if self.error is not None and not 400 <= self.error[0] <= 599:
            raise ValueError(f"error needs an HTTP status from 400 to 599, not {self.error[0]!r}")
        check_scheme(self.ids)

    @property
    def finish_reason(self) -> str:
        """OpenAI's finish reason: `tool_calls` if the reply has tool calls, else `stop`."""
        return "tool_calls" if self.tool_calls else "stop"


class WrongReplyError(TypeError):
    """The reply function returned a value that is neither a text nor a `Reply`."""


ReplyLike = Union[str, Reply]
ReplyFunction = Callable[[Body], ReplyLike]
ReplySource = Union[str, Reply, ReplyFunction, Sequence[ReplyLike]]
"""Values of `OpenAIServer(reply=...)`: a reply, its text, a function of the request body, or a sequence of replies."""


def reply_chooser(source: ReplySource) -> Callable[[Body], Reply]:
    """Convert a `ReplySource` to a thread-safe function from request body to `Reply`.

    Args:
        source: A text, a `Reply`, a function of the request body that returns one of these, or a sequence of texts and
            replies, which are used in turn; the last one repeats.

    Returns:
        A function that raises TypeError if the function in `source` returns another type.

    Raises:
        TypeError: `source` has another type.
        ValueError: `source` is an empty sequence.
    """
    if callable(source):
        function = source
        return lambda body: _as_reply(function(body), "The reply function returned")
    if isinstance(source, (str, Reply)):
        only = _as_reply(source, "reply is")
        return lambda body: only
    if not isinstance(source, (list, tuple)):
        raise TypeError(f"reply must be a str, a Reply, a function or a list of replies, not {_type_name(source)}")
    if not source:
        raise ValueError("reply is an empty list; give it at least one reply")
    return _Turns([_as_reply(item, f"reply[{index}] is") for index, item in enumerate(source)])


class _Turns:
    """Returns replies in turn; the last one repeats."""

    def __init__(self, replies: List[Reply]) -> None:
        self._replies = replies
        self._given = 0
        self._lock = threading.Lock()

    def __call__(self, body: Body) -> Reply:
        with self._lock:
            index = min(self._given, len(self._replies) - 1)
            self._given += 1
        return self._replies[index]


def _as_reply(value: object, what: str) -> Reply:
    if isinstance(value, Reply):
        return value
    if isinstance(value, str):
        return Reply(text=value)
    raise WrongReplyError(f"{what} {_type_name(value)}; expected a str or a Reply")


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
