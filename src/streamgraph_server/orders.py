"""What clients order: a run of a graph, with what is to be known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional, Sequence, Union

from typing_extensions import Literal

from streamgraph.pregel import Pregel
from streamgraph.runs import RunOrder
from streamgraph.types import Command, StreamMode
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields
from streamgraph_server._settings import Settings
from streamgraph_server.threads import Thread

Multitask = Literal["enqueue", "reject", "interrupt", "rollback"]

RECORDED: Sequence[StreamMode] = ("values", "updates", "custom", "messages", "tools", "retries", "tasks")
"""The modes that every run records, so that clients that come later may ask for them."""


@dataclass
class Order:
    """What is to run, and how.

    Attributes:
        name: The name of the graph.
        graph: The graph.
        given: Its input, or a command.
        config: Its config, as far as the client may say.
        thread: The thread that it is saved in; `None` for a run that is not saved.
        owner: The id of the user; `None` if the server does not ask.
        modes: The modes that the client has asked for.
        wire_modes: The same, as the client names them.
        subgraphs: Whether it wants those of nested graphs.
        cancels: Whether the run is cancelled when its last client leaves.
        multitask: What to do if the thread has a run already.
        metadata: What the client has noted about the run.
        prompts: Whether the prompts of models are kept.
        options: Further options of `graph.astart`.
        remarks: What the protocol that began the run has to know to write it again; JSON.
    """

    name: str
    graph: Pregel
    given: object
    config: Fields
    thread: Optional[Thread] = None
    owner: Optional[str] = None
    modes: Sequence[StreamMode] = ()
    wire_modes: Sequence[str] = ()
    subgraphs: bool = False
    cancels: bool = False
    multitask: Multitask = "enqueue"
    metadata: Fields = field(default_factory=dict)
    prompts: bool = False
    options: Fields = field(default_factory=dict)
    remarks: Fields = field(default_factory=dict)

    def to_start(self, run_id: str, settings: Settings) -> RunOrder:
        """Return what the run is started with, in this process or elsewhere.

        Args:
            run_id: The id of the run.
            settings: The limits.
        """
        configurable = dict(self.config.get("configurable") or {})  # type: ignore[call-overload]
        metadata = dict(self.config.get("metadata") or {})  # type: ignore[call-overload]
        metadata.update(graph_id=self.name)
        if self.owner is not None:
            configurable["langgraph_auth_user_id"] = metadata["owner"] = self.owner
            configurable["langgraph_auth_user"] = {"identity": self.owner, "is_authenticated": True}
        thread_id = None if self.thread is None else self.thread.id
        if thread_id is not None:
            configurable["thread_id"] = metadata["thread_id"] = thread_id
        options: Dict[str, object] = {
            **self.options,
            "record": tuple(dict.fromkeys((*RECORDED, *self.modes))),
            "subgraphs": True,
        }
        if settings.run_timeout is not None:
            options["timeout"] = settings.run_timeout
        config = {**self.config, "configurable": configurable, "metadata": metadata, "run_id": run_id}
        return RunOrder(run_id, self.name, thread_id, self.given, config, options)


def read_command(given: Mapping[str, object]) -> Command:
    """Return the command that a client has sent: `resume`, `update`, `goto`."""
    goto = given.get("goto")
    target: Union[str, Sequence[str]] = ()
    if isinstance(goto, str) or (isinstance(goto, list) and all(isinstance(name, str) for name in goto)):
        target = goto
    elif goto is not None:
        raise refusal(422, "command.goto must be the name of a node, or a list of names.")
    unknown = sorted(set(given) - {"resume", "update", "goto"})
    if unknown:
        raise refusal(422, f"A command has resume, update and goto, not {unknown[0][:80]!r}.")
    return Command(resume=given.get("resume"), update=given.get("update"), goto=target)
