"""Policies of a node: retries, time limits, and caching of results."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, is_dataclass
from datetime import timedelta
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple, Type, Union

from typing_extensions import Literal

from streamgraph._compat.langgraph import is_peer
from streamgraph.errors import GraphBuildError, NodeTimeoutError, UnknownOptionError

_HOPELESS = (
    ArithmeticError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    ReferenceError,
    RuntimeError,
    StopAsyncIteration,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
)

_PEER = "langgraph.types"
"""The module of LangGraph's policies, which may be given as well."""

_HTTP_CLIENTS = ("httpx", "httpx2", "requests")


def default_retry_on(exc: Exception) -> bool:
    """Return True if another attempt may help: for errors of a connection or server, not for mistakes in the code.

    Args:
        exc: The exception that a node raised.
    """
    if isinstance(exc, (ConnectionError, NodeTimeoutError)):
        return True
    if type(exc).__module__.partition(".")[0] in _HTTP_CLIENTS:
        status = getattr(getattr(exc, "response", None), "status_code", None)
        return status is None or status >= 500
    return not isinstance(exc, _HOPELESS)


class RetryPolicy(NamedTuple):
    """Options for retrying a node after an error.

    Attributes:
        initial_interval: The pause before the second attempt, in seconds.
        backoff_factor: The factor by which each further pause is longer.
        max_interval: The longest pause, in seconds.
        max_attempts: The most attempts, the first one included.
        jitter: Add a random part of a second to each pause.
        retry_on: The errors that are worth another attempt: a class, several, or a function of the error.
    """

    initial_interval: float = 0.5
    backoff_factor: float = 2.0
    max_interval: float = 128.0
    max_attempts: int = 3
    jitter: bool = True
    retry_on: Union[Type[Exception], Sequence[Type[Exception]], Callable[[Exception], bool]] = default_retry_on

    def applies_to(self, error: Exception) -> bool:
        """Return True if this policy covers `error`."""
        on: Any = self.retry_on
        if isinstance(on, type):
            return isinstance(error, on)
        return isinstance(error, tuple(on)) if isinstance(on, (list, tuple, set, frozenset)) else bool(on(error))

    def pause(self, attempt: int) -> float:
        """Return the pause after attempt number `attempt` (counted from 1), in seconds and without the jitter."""
        return float(min(self.max_interval, self.initial_interval * self.backoff_factor ** (attempt - 1)))


def default_cache_key(*args: Any, **kwargs: Any) -> bytes:
    """Return a key for the input of a node: equal for equal inputs, different for inputs of different types.

    The order of a mapping's keys does not matter. Objects that are neither plain data nor have fields are pickled.
    """
    return repr((_plain(args), _plain(kwargs))).encode()


def _plain(value: Any) -> Any:
    """Return a value as nested tuples of its type and its contents; their `repr` is the key."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if value is None or isinstance(value, (str, bytes, int, float, complex)):
        return (kind, repr(value))
    if isinstance(value, Mapping):
        return (kind, sorted(repr((_plain(key), _plain(item))) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return (kind, [_plain(item) for item in value])
    if isinstance(value, (set, frozenset)):
        return (kind, sorted(repr(_plain(item)) for item in value))
    if is_dataclass(value) or hasattr(type(value), "model_fields"):
        return (kind, _plain(vars(value)))
    return (kind, pickle.dumps(value, protocol=5))


@dataclass(frozen=True)
class CachePolicy:
    """Caches the results of a node, so that it runs only once for equal inputs.

    Args:
        key_func: Makes the key of a node's input, a string or bytes; for a `@task` it gets the call's arguments.
        ttl: Seconds after which a result expires; `None` for never.
    """

    key_func: Callable[..., Union[str, bytes]] = default_cache_key
    ttl: Optional[int] = None


Seconds = Union[float, timedelta]


def check_seconds(name: str, given: object) -> Optional[float]:
    """Return a time as seconds.

    Raises:
        UnknownOptionError: It is not a positive number of seconds, nor a `timedelta`.
    """
    if given is None:
        return None
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise UnknownOptionError(f"{name} must be seconds greater than 0 or a timedelta, got {given!r:.80}")
    return float(seconds)


@dataclass(frozen=True)
class TimeoutPolicy:
    """Time limits for one attempt of a node.

    Args:
        run_timeout: The longest time from its start to its end: seconds or a `timedelta`.
        idle_timeout: The longest time without activity: seconds or a `timedelta`.
        refresh_on: The kinds of activity: `"auto"` for tokens, callbacks, writer calls and activity of nested graphs,
            as well as `Runtime.heartbeat()`; `"heartbeat"` for the latter alone.
        first_token_timeout: The longest time from its start to the first token of a model in it, or to the model's
            message if it does not stream: seconds or a `timedelta`. After that, the node may take longer.
    """

    run_timeout: Optional[Seconds] = None
    idle_timeout: Optional[Seconds] = None
    refresh_on: Literal["auto", "heartbeat"] = "auto"
    first_token_timeout: Optional[Seconds] = None

    def __post_init__(self) -> None:
        for name in ("run_timeout", "idle_timeout", "first_token_timeout"):
            value = getattr(self, name)
            seconds = value.total_seconds() if isinstance(value, timedelta) else value
            if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, (int, float))):
                raise TypeError(f"{name} is {value!r:.80}; give seconds as a number, a timedelta or a TimeoutPolicy.")
            if seconds is not None and not seconds > 0:
                raise GraphBuildError(f"{name} must be greater than 0, got {value!r}", hint="It is a time in seconds.")
            object.__setattr__(self, name, seconds)
        if self.refresh_on not in ("auto", "heartbeat"):
            raise GraphBuildError(
                f"Unknown refresh_on {self.refresh_on!r}", name=self.refresh_on, known=("auto", "heartbeat")
            )

    @classmethod
    def coerce(cls, value: Union[Seconds, TimeoutPolicy, None]) -> Optional[TimeoutPolicy]:
        """Return the policy for a number of seconds, a `timedelta` or a policy; `None` for none, or one without limits.

        Args:
            value: The limit of a whole attempt, or a policy.

        Raises:
            GraphBuildError: A time is not positive.
            TypeError: `value` is none of these.
        """
        policy = timeout_policy(value)
        limits = (policy.run_timeout, policy.idle_timeout, policy.first_token_timeout) if policy is not None else ()
        return policy if any(limit is not None for limit in limits) else None


Timeout = Union[float, timedelta, TimeoutPolicy]


def timeout_policy(given: Optional[Timeout]) -> Optional[TimeoutPolicy]:
    """Return the policy for a number of seconds, a `timedelta` or a policy; `None` for `None`.

    Raises:
        GraphBuildError: A time is not positive.
        TypeError: `given` is none of these.
    """
    if is_peer(given, _PEER, "TimeoutPolicy"):
        peer: Any = given
        return TimeoutPolicy(peer.run_timeout, peer.idle_timeout, peer.refresh_on)
    return given if given is None or isinstance(given, TimeoutPolicy) else TimeoutPolicy(run_timeout=given)


def retry_policies(given: Union[RetryPolicy, Sequence[RetryPolicy], None]) -> Tuple[RetryPolicy, ...]:
    """Return one policy, several or none as a tuple.

    Raises:
        TypeError: `given` is something else.
    """
    if given is None:
        return ()
    several: Any = (given,) if isinstance(given, RetryPolicy) or is_peer(given, _PEER, "RetryPolicy") else given
    own = [_own_retries(policy) for policy in several] if isinstance(several, (list, tuple)) else [None]
    if not all(isinstance(policy, RetryPolicy) for policy in own):
        raise TypeError(f"retry_policy is {given!r:.80}; give a RetryPolicy or a list of them.")
    for policy in own:
        if not _names_errors(policy.retry_on):
            raise TypeError(
                "retry_on must be an Exception class, a list or tuple of Exception classes, or a callable; "
                f"got {policy.retry_on!r:.80}."
            )
    return tuple(own)


def _own_retries(policy: Any) -> Any:
    return RetryPolicy(**policy._asdict()) if is_peer(policy, _PEER, "RetryPolicy") else policy


def _names_errors(on: object) -> bool:
    """Return whether a policy can decide with this whether an error is worth another attempt."""
    if isinstance(on, (list, tuple, set, frozenset)):
        return all(map(_names_errors, on)) and all(isinstance(kind, type) for kind in on)
    return issubclass(on, BaseException) if isinstance(on, type) else callable(on)


def checked_cache_policy(given: Optional[CachePolicy]) -> Optional[CachePolicy]:
    """Return `given` if it is a policy or `None`.

    Raises:
        TypeError: `given` is something else.
    """
    if is_peer(given, _PEER, "CachePolicy"):
        peer: Any = given
        return CachePolicy(peer.key_func, peer.ttl)
    if given is not None and not isinstance(given, CachePolicy):
        raise TypeError(f"cache_policy is {given!r:.80}; give a CachePolicy.")
    return given


@dataclass(frozen=True)
class TracePolicy:
    """What tracers record of a node's input and output.

    It concerns the node's own run in traces, not what runs inside the node, and neither the run nor its stream. To hide
    secrets everywhere, use the settings of the tracer: LangSmith's client has `hide_inputs` and `anonymizer`.

    Args:
        process_inputs: Returns what is recorded of the input, which it must not change; `None` to record the input.
        process_outputs: The same for the output.
    """

    process_inputs: Optional[Callable[[Any], Any]] = None
    process_outputs: Optional[Callable[[Any], Any]] = None


def omit_payload(_value: object) -> Dict[str, object]:
    """Return an empty payload: for a `TracePolicy` that records only that a node has run, and how long.

    Args:
        _value: The input or output, which is not recorded.
    """
    return {}


def checked_trace_policy(given: object) -> Optional[TracePolicy]:
    """Return `given` as a policy, or `None`; that of LangGraph is one as well.

    Raises:
        TypeError: `given` is something else, or cannot be called.
    """
    if given is None or isinstance(given, TracePolicy):
        policy = given
    elif hasattr(given, "process_inputs") and hasattr(given, "process_outputs"):
        policy = TracePolicy(given.process_inputs, given.process_outputs)
    else:
        raise TypeError(f"trace_policy is {given!r:.80}; give a TracePolicy.")
    if policy is not None:
        for name, process in vars(policy).items():
            if process is not None and not callable(process):
                raise TypeError(
                    f"{name} of the trace_policy is {process!r:.80}; give a function, such as omit_payload."
                )
    return policy


@dataclass(frozen=True)
class Policies:
    """All policies of a node.

    Attributes:
        retry: The retry policies; the first one that covers an error counts.
        cache: The policy for caching its results.
        timeout: The time limits of an attempt.
    """

    retry: Tuple[RetryPolicy, ...] = ()
    cache: Optional[CachePolicy] = None
    timeout: Optional[TimeoutPolicy] = None
    trace: Optional[TracePolicy] = None


NO_POLICIES = Policies()
