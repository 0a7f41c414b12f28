"""What several processes know of each other's runs: who has which, in which order, and what has become of them."""

from __future__ import annotations

from typing import Callable, List, Mapping, NamedTuple, Optional, Sequence

from typing_extensions import Protocol

from streamgraph._streams.event_log import EventLog, RunEnd, RunStatus, SharedLog


class RunRecord(NamedTuple):
    """What is known of a run of any process.

    Attributes:
        run_id: The id of the run.
        notes: What was noted when it was accepted.
        attempt: Its newest attempt; 0 before the first.
        status: The state of that.
        end: What it has left behind; `None` before its end.
        begun: When it has begun, in seconds since 1970; `None` if it has not.
        over: When it has ended; `None` before.
    """

    run_id: str
    notes: str
    attempt: int
    status: RunStatus
    end: Optional[RunEnd] = None
    begun: Optional[float] = None
    over: Optional[float] = None


class SharedEvents(Protocol):
    """Where several processes keep the events of their runs, and what they note about them.

    A run that a process has opened is leased to it: the process renews the lease while it lives, also before the run
    begins. A run whose lease is over has failed with a `RunLostError`, which is then written down once, for all, and
    nothing that its process may still stream comes after it. A run that was noted for others to start has no lease: a
    dispatcher answers for it.

    Groups are ordered sets of runs, such as those of a thread. All methods raise `EventsUnavailableError` if the place
    cannot be reached.
    """

    async def aaccept(self, run_id: str, notes: str) -> EventLog:
        """Note a run, and return the log of its first attempt.

        The log takes the end of the run from `afinish`, not from its `close`.

        Args:
            run_id: The id of the run.
            notes: What is to be known of it.
        """

    async def afinish(
        self, log: EventLog, status: Optional[RunStatus] = None, error: Optional[BaseException] = None
    ) -> None:
        """Write down the end of a run that was accepted here, and wait a little until it is stored.

        Args:
            log: The log of the run.
            status: How it has ended, if that is not how its log was closed.
            error: The error that belongs to it.
        """

    async def anote(self, run_id: str, notes: str) -> None:
        """Note a run that a dispatcher has started; see `aaccept`."""

    async def adelete(self, run_id: str) -> None:
        """Delete what is known of a run, and its events."""

    async def aenter(self, group: str, run_id: str) -> List[str]:
        """Add a run to a group, and return those of it that were there before and have not left, the oldest first."""

    async def aleave(self, group: str, run_id: str, *, forget: bool = False) -> None:
        """Note that a run of a group is over.

        Args:
            group: The group.
            run_id: The run.
            forget: Whether it is no member any more.
        """

    async def amembers(self, group: str, *, active: bool = False) -> List[str]:
        """Return the runs of a group, the oldest first.

        Args:
            group: The group.
            active: Only those that have not left.
        """

    async def afind(self, run_ids: Sequence[str]) -> List[Optional[RunRecord]]:
        """Return what is known of runs; `None` for those that are unknown."""

    async def anext(self, run_id: str, after: int) -> Optional[SharedLog]:
        """Wait until a run has begun or ended in a later attempt than `after`, and return its log.

        Returns:
            `None` if the run is not known any more. The log of the attempt `after` itself if that was the last one.
        """

    async def asignal(self, run_id: str, kind: str, *details: object) -> None:
        """Tell the process of a run something, without waiting for an answer.

        `"cancel"` ends the run, also if it begins later.
        """

    async def arequest(self, run_id: str, kind: str, *details: object) -> object:
        """Ask the process of a run something, and wait for the answer.

        Raises:
            RequestTimeoutError: There was none in time.
        """

    async def awatch(self, group: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from any thread, when a run was added to a group.

        Returns:
            Ends that.
        """

    async def acounts(self, group: str) -> Mapping[str, int]:
        """Return the numbers that were set for the members of a group."""

    async def acount(self, group: str, run_id: str, number: int) -> int:
        """Set the number of a member, unless it is set already, and return it."""
