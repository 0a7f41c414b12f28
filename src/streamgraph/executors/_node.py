"""A node whose tasks an executor runs in another process."""

from __future__ import annotations

import asyncio
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Set, Tuple, cast

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig, ensure_config

from streamgraph._core.action import Action
from streamgraph._execution.saving import Saving
from streamgraph._langchain.injection import Invocation
from streamgraph._langchain.nodes import NodeRunnable
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.state_access import TASKS
from streamgraph._messages.copying import private_copy
from streamgraph._messages.relaying import HiddenMessage, Relay
from streamgraph._messages.tracker import tracker_of
from streamgraph._streams.part import Part
from streamgraph.errors import GraphInterrupt, NotSupportedError, WorkerLostError
from streamgraph.executors._callbacks import listeners_of, tell
from streamgraph.executors._failures import unpacked_error
from streamgraph.executors._home import called, raised, returned
from streamgraph.executors._home_saving import PREFIX, answer_saver_call
from streamgraph.executors._home_store import BATCH
from streamgraph.executors._protocol import ACTIVITY, CALL, END, EVENT, FORM, TEXT, Executor, Item, TaskHandle
from streamgraph.executors._request import request_of
from streamgraph.executors._targets import checked_reference
from streamgraph.executors._wire import Decoder


class RemoteNode(NodeRunnable):
    """A node that runs in another process, and streams as if it ran here; made by `remote`.

    Args:
        target: The reference to what runs there.
        executor: Runs its tasks.
        leave_out: See `remote`.
        tags: Tags for everything that runs in it.
    """

    def __init__(
        self,
        target: str,
        executor: Executor,
        *,
        leave_out: Collection[str] = (),
        tags: Optional[Sequence[str]] = None,
    ) -> None:
        self.name = checked_reference(target)[1].rpartition(".")[2]
        self.target = target
        self.executor = executor
        self.leave_out = frozenset(leave_out)
        self.tags = tags

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.target!r}, {self.executor!r})"

    def node_action(self, *, error: bool = False) -> Action:
        """Return its action, which can only be awaited; a sync run awaits it on a loop of its own."""

        async def call(given: object, invocation: Invocation) -> object:
            return await self._run(given, invocation.scope, invocation.config.get("callbacks"))

        return Action(None, call)

    def invoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: object) -> Any:  # noqa: A002
        """Refuse to block: it is a node, or is awaited in one.

        Raises:
            NotSupportedError: Always.
        """
        raise NotSupportedError(
            f"{self.target} runs elsewhere and cannot be invoked by itself",
            hint="Add it to a graph as a node, or await its ainvoke() in an async node.",
        )

    async def ainvoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: object) -> Any:  # noqa: A002
        """Run it as a part of the node that awaits it, and return what it returns.

        Args:
            input: Its input.
            config: The config of the node; found in the context without it.
            **kwargs: None are taken.

        Raises:
            NotSupportedError: It is not awaited in a node.
            WorkerLostError: The worker was lost.
        """
        scope = current_scope(config)
        if scope is None:
            return self.invoke(input, config)
        return await self._run(input, scope, ensure_config(config).get("callbacks"))

    async def _run(self, given: object, scope: Scope, callbacks: object) -> object:
        arriving = _Arriving(scope, callbacks)
        request = request_of(scope, given, self.target, self.leave_out, bool(listeners_of(callbacks)))
        handle = await self.executor.submit(request)
        batches = handle.batches()
        try:
            async for batch in batches:
                await arriving.take(batch, handle)
                if arriving.end is not None:
                    return arriving.result()
        finally:
            if arriving.end is None:
                await _cancelled(handle)
            await arriving.close()
            await batches.aclose()
        raise WorkerLostError("The worker has sent no end of its task", node=scope.task.name)


def remote(
    target: str, executor: Executor, *, leave_out: Collection[str] = (), tags: Optional[Sequence[str]] = None
) -> RemoteNode:
    """Return a node that runs in another process, and streams as if it ran here.

    ::

        builder.add_node("embed", remote("my_app.embedding:embed", pool))

    Its tokens, custom data, nested graphs, updates, questions and errors are in the stream of the run. Its retry
    policy, time limits and cache are where the run is; a worker that is lost is a `WorkerLostError`, which a
    `RetryPolicy` retries by default.

    Args:
        target: What runs there: `"module:name"` names a function, a Runnable or a compiled graph; `"module:make()"`
            names a function without arguments that makes one, which each worker calls once.
        executor: Runs the tasks.
        leave_out: The keys of `configurable` that are not sent, and `"context"` or `"store"` if those of the run are
            not to be used there. What is sent must be plain data, messages, pydantic models or dataclasses.
        tags: Tags for everything that runs in it.

    Raises:
        UnknownOptionError: The target is no reference.
    """
    return RemoteNode(target, executor, leave_out=leave_out, tags=tags)


async def _cancelled(handle: TaskHandle) -> None:
    """Cancel a task and wait for its end, even if the waiting is cancelled once more meanwhile."""
    cancelling = asyncio.ensure_future(handle.cancel())
    again: Optional[asyncio.CancelledError] = None
    while not cancelling.done():
        try:
            await asyncio.wait({cancelling})
        except asyncio.CancelledError as error:
            again = error
    cancelling.result()
    if again is not None:
        raise again


class _Arriving:
    """What arrives of one attempt, in the place where it would have been made.

    Args:
        scope: The attempt.
        callbacks: Its callback manager.

    Attributes:
        end: What it has ended with.
    """

    def __init__(self, scope: Scope, callbacks: object) -> None:
        self._scope = scope
        self._callbacks = callbacks
        tracker = tracker_of(scope)
        self._relay = None if tracker is None else Relay(tracker, scope)
        self._decode = Decoder().decode
        self._forms: Dict[str, Part] = {}
        self._answering: Set[asyncio.Future[None]] = set()
        self.end: Optional[Mapping[str, Any]] = None

    async def close(self) -> None:
        """End what is still being answered: nobody waits for it any more."""
        for answering in self._answering:
            answering.cancel()
        if self._answering:
            await asyncio.wait(self._answering)

    async def _answer(self, text: bytes, handle: TaskHandle) -> None:
        number, name, args = called(text)
        scope = self._scope
        try:
            value: object
            if name == BATCH:
                value = await scope.run.store.abatch(*args)
            else:
                types, given = cast("Tuple[Any, Any]", args)
                saving = cast("Saving", scope.run.saving)
                value = await answer_saver_call(saving, name[len(PREFIX) :], types, given)
            answer = returned(value)
        except Exception as error:
            answer = raised(error)
        try:
            await handle.answer(number, answer)
        except WorkerLostError:
            return  # the task is gone with its worker, which its batches say

    async def take(self, batch: Sequence[Item], handle: TaskHandle) -> None:
        """Put a batch into the stream, as fast as its reader takes it.

        Args:
            batch: The items.
            handle: The task, which gets the answers to its calls.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        scope, capacity = self._scope, self._scope.run.capacity
        for kind, text, source, key in batch:
            if kind == END:
                self.end = self._decode(text)
            elif kind == ACTIVITY:
                self._show_life(str(source))
            elif kind == EVENT:
                await tell(self._callbacks, text)
            elif kind == CALL:
                answering = asyncio.ensure_future(self._answer(text, handle))
                self._answering.add(answering)
                answering.add_done_callback(self._answering.discard)
            elif kind == FORM:
                made = self._decode(text)
                self._forms[str(key)] = Part(made["ns"], made["type"], made["data"], source)
            else:
                if capacity is not None and capacity.full:
                    await capacity.wait()
                if kind == TEXT:
                    part = _token(self._forms[str(key)], text)
                else:
                    made = self._decode(text)
                    part = Part(made["ns"], made["type"], made["data"], source, key)
                if part.mode == "messages" and self._relay is not None:
                    self._relay.show(part)
                else:
                    scope.check_alive()
                    scope.put(part)

    def result(self) -> object:
        """Return what the node has returned, and take over what its task has come to.

        Raises:
            GraphInterrupt: It has asked.
            Exception: It has failed.
        """
        end, scope, task = self.end, self._scope, self._scope.task
        assert end is not None
        if "sent" in end:
            task.answers, task.call_answers = tuple(end["answers"]), end["call_answers"]
            task.calls = end["calls"]
            if self._relay is not None:
                self._relay.hide([HiddenMessage(*one) for one in end["hidden"]], end["unstreamed"])
            around: Optional[Scope] = scope
            while end["asked"] and around is not None:
                around.run.asked = {**(around.run.asked or {}), **end["asked"]}
                around = around.parent
            scope.writes = (*scope.writes, *[(TASKS if name == TASKS else name, value) for name, value in end["sent"]])
        if "questions" in end:
            raise GraphInterrupt(tuple(end["questions"]))
        if "error" in end:
            raise unpacked_error(end["error"])
        result = _with_known_messages(end["result"], task.input)
        if end["is_graph"] and isinstance(result, dict) and task.node.kind == "node":
            # As from a graph in a node: it may have a state of its own.
            return {name: value for name, value in result.items() if name in scope.run.plan.channels}
        return result

    def _show_life(self, sign: str) -> None:
        if sign == "heartbeat":
            self._scope.heartbeat()
        else:
            self._scope.signal_activity(is_token=sign == "token")


def _token(form: Part, text: bytes) -> Part:
    """Return a token of its text, given a token of the same form."""
    message, metadata = form.data
    made = private_copy(message, message.id)
    made.__dict__["content"] = text.decode("utf-8", "surrogatepass")
    return Part(form.ns, form.mode, (made, metadata), form.source)


def _with_known_messages(result: object, given: object) -> object:
    """Return a result with the messages that the node was given, and has returned unchanged, in place of their copies.

    So they are seen not to have changed, by patches, and by savers that store them once.

    Args:
        result: The result.
        given: The input of the node.
    """
    if not (isinstance(result, dict) and isinstance(given, Mapping)):
        return result
    known = {
        message.id: message
        for value in given.values()
        if isinstance(value, list)
        for message in value
        if isinstance(message, BaseMessage) and message.id is not None
    }
    return {key: _known_in(value, known) if isinstance(value, list) else value for key, value in result.items()}


def _known_in(values: List[object], known: Mapping[str, BaseMessage]) -> List[object]:
    return [
        known[str(value.id)] if isinstance(value, BaseMessage) and known.get(str(value.id)) == value else value
        for value in values
    ]
