"""The table of programs, by topic."""

from differential import (
    programs_callables,
    programs_channels,
    programs_differ,
    programs_flow,
    programs_func,
    programs_func_around,
    programs_handling,
    programs_interrupts,
    programs_jumps,
    programs_message_state,
    programs_messages,
    programs_nested,
    programs_nodes,
    programs_policies,
    programs_pregel,
    programs_push,
    programs_read_send,
    programs_returns,
    programs_state,
)
from differential.harness import PROGRAMS

TOPICS = (
    programs_channels,
    programs_callables,
    programs_flow,
    programs_func,
    programs_func_around,
    programs_interrupts,
    programs_jumps,
    programs_state,
    programs_nodes,
    programs_policies,
    programs_pregel,
    programs_handling,
    programs_push,
    programs_read_send,
    programs_returns,
    programs_nested,
    programs_message_state,
    programs_messages,
    programs_differ,
)

__all__ = ["PROGRAMS", "TOPICS"]
