"""Type variables: a class that is generic in them may leave out those with a default."""

from __future__ import annotations

from typing import Generic, Optional, Union

import pytest
import typing_extensions
from typing_extensions import TypedDict, get_args

from streamgraph import typing as own
from streamgraph import version
from streamgraph.typing import ContextT, InputT, OutputT, StateT

NO_DEFAULT = getattr(typing_extensions, "NoDefault", None)  # of typing_extensions 4.12 and later


class State(TypedDict):
    """A state."""

    x: int


def test_defaults():
    """The context is `None` by default, input and output are the state."""
    assert ContextT.__default__ in (None, type(None))
    assert InputT.__default__ is StateT
    assert OutputT.__default__ is StateT
    assert StateT.__default__ is NO_DEFAULT


def test_leaving_out():
    """Parameters with a default are left out."""

    class Middleware(Generic[StateT, ContextT]):
        pass

    assert get_args(Middleware[State]) in ((State,), (State, None), (State, type(None)))
    assert get_args(Middleware[State, dict]) == (State, dict)


@pytest.mark.parametrize(("name", "kind"), [("StateT_co", "__covariant__"), ("StateT_contra", "__contravariant__")])
def test_variance(name, kind):
    """The names tell."""
    assert getattr(getattr(own, name), kind)


def test_state_like():
    """It can be used in annotations of users."""
    assert own.StateLike in get_args(Optional[own.StateLike]) or set(get_args(own.StateLike)) < set(
        get_args(Union[own.StateLike, None])
    )


def test_version():
    """The version is that of the installed package."""
    assert isinstance(version.__version__, str)
