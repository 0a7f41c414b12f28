"""The options of a call that streams, checked and taken together."""

from __future__ import annotations

from functools import partial
from typing import Any, Tuple

from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.filter_options import make_filter
from streamgraph._runnable.flow_options import check_flow_control
from streamgraph._runnable.options import Subscription, saving_options, subscription
from streamgraph._runnable.stream_options import StreamOptions
from streamgraph._runnable.subgraphs import known_names
from streamgraph._streams.flow import FlowControl


def read_options(graph: GraphBase, options: StreamOptions[Any]) -> Tuple[Subscription, FlowControl]:
    """Return what a consumer wants of a run, and the flow control that it asks for.

    Args:
        graph: The graph that is streamed.
        options: The options of the call.

    Raises:
        UnknownOptionError: A mode, a version, a key, a filter's name or a policy does not exist.
    """
    filter_ = make_filter(
        partial(known_names, graph),
        include_nodes=options.get("include_nodes"),
        exclude_nodes=options.get("exclude_nodes"),
        include_tags=options.get("include_tags"),
        exclude_tags=options.get("exclude_tags"),
        include_keys=options.get("include_keys"),
        exclude_keys=options.get("exclude_keys"),
        include_raw=options.get("include_raw", True),
    )
    flow = check_flow_control(
        options.get("max_buffer"),
        options.get("overflow", "block"),
        options.get("heartbeat"),
        options.get("timeout"),
        graph.step_timeout,
    )
    stream_mode, keys = options.get("stream_mode"), options.get("output_keys")
    wanted = subscription(
        graph._plan,
        stream_mode=graph.stream_mode if stream_mode is None else stream_mode,
        print_mode=graph._print_mode(options.get("print_mode", ()), options.get("debug")),
        subgraphs=options.get("subgraphs"),
        version=options.get("version", "v1"),
        output_keys=graph._stream_keys if keys is None else keys,
        output=graph._output_keys if keys is None else keys,
        control=options.get("control"),
        saving=saving_options(
            options.get("durability"),
            options.get("multitask_strategy"),
            options.get("interrupt_before"),
            options.get("interrupt_after"),
            graph._plan,
        ),
        filter_=filter_,
        interrupts=options.get("interrupts"),
    )
    return wanted, flow
