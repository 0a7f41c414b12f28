"""The table of programs, by topic."""

from differential import (
    programs_differ,
    programs_flow,
    programs_jumps,
    programs_message_state,
    programs_messages,
    programs_nested,
    programs_nodes,
    programs_returns,
    programs_state,
)
from differential.harness import PROGRAMS

TOPICS = (
    programs_flow,
    programs_jumps,
    programs_state,
    programs_nodes,
    programs_returns,
    programs_nested,
    programs_message_state,
    programs_messages,
    programs_differ,
)

__all__ = ["PROGRAMS", "TOPICS"]
