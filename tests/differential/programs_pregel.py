"""Programs of nodes and channels, the level below `StateGraph`."""

import importlib
import operator
from typing import Annotated, Any

from typing_extensions import TypedDict

from differential.harness import QUIET, TOGETHER, Case, Lib, program
from differential.models import words


class Parts:
    """What such programs are made of, from one library."""

    def __init__(self, lib: Lib) -> None:
        root = lib.root
        pregel = importlib.import_module(f"{root}.pregel")
        channels = importlib.import_module(f"{root}.channels")
        self.Pregel, self.Builder = pregel.Pregel, pregel.NodeBuilder
        self.Last, self.Ephemeral, self.Topic = channels.LastValue, channels.EphemeralValue, channels.Topic
        self.Total, self.Any = channels.BinaryOperatorAggregate, channels.AnyValue
        self.Untracked, self.Barrier = channels.UntrackedValue, channels.NamedBarrierValue
        written = importlib.import_module(f"{root}.pregel._write")
        self.Entry, self.TupleEntry, self.SKIP = (
            written.ChannelWriteEntry,
            written.ChannelWriteTupleEntry,
            written.SKIP_WRITE,
        )

    def only(self, channel: str, function: Any = None) -> Any:
        """The builder of a node that one channel starts."""
        builder = self.Builder().subscribe_only(channel)
        return builder if function is None else builder.do(function)


def plus(value: Any) -> Any:
    """One more."""
    return value + 1


def double(value: Any) -> Any:
    """Twice as much."""
    return value + value


@program()
def pregel_chain(lib: Lib) -> Case:
    """Two nodes after each other, with one channel in and one out."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "one": make.only("input", plus).write_to("between"),
            "two": make.only("between", plus).write_to("output"),
        },
        channels={"input": make.Last(int), "between": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
        stream_channels=["input", "between", "output"],
    )
    return Case(graph, 2)


@program(call="invoke", modes=("values",))
def pregel_output(lib: Lib) -> Case:
    """The bare value of one channel."""
    return pregel_chain(lib)


@program(call="batch", modes=(None,))
def pregel_batch(lib: Lib) -> Case:
    """Several inputs, and a dict instead of the bare value."""
    return Case(pregel_chain(lib).graph, [3, 2, 1], None, {"output_keys": ["output"]})


def several(lib: Lib, last: Any, **options: Any) -> Any:
    """The graph of LangGraph's documentation: the last channel is written in two steps."""
    make = Parts(lib)
    return make.Pregel(
        nodes={
            "first": make.only("a", double).write_to("b", "c"),
            "second": make.Builder().subscribe_to("b").do(lambda seen: double(seen["b"])).write_to("c"),
        },
        channels={"a": make.Ephemeral(str), "b": make.Ephemeral(str), "c": last},
        input_channels=["a"],
        output_channels=["c"],
        **{"stream_channels": ["a", "b", "c"], **options},
    )


@program()
def pregel_topic(lib: Lib) -> Case:
    """A topic keeps the values of one step."""
    return Case(several(lib, Parts(lib).Topic(str)), {"a": "x"})


@program()
def pregel_topic_accumulating(lib: Lib) -> Case:
    """A topic keeps all values."""
    return Case(several(lib, Parts(lib).Topic(str, accumulate=True)), {"a": "x"})


@program()
def pregel_reducer(lib: Lib) -> Case:
    """A reducer folds what two steps write."""
    return Case(several(lib, Parts(lib).Total(str, lambda old, new: f"{old}|{new}" if old else new)), {"a": "x"})


@program(call="invoke", modes=("values", "updates", TOGETHER))
def pregel_several_outputs(lib: Lib) -> Case:
    """What `invoke` returns of a topic, and of the modes of a stream."""
    return Case(several(lib, Parts(lib).Topic(str, accumulate=True)), {"a": "x"})


@program()
def pregel_one_stream_channel(lib: Lib) -> Case:
    """A stream of one channel shows bare values."""
    return Case(several(lib, Parts(lib).Topic(str), stream_channels="c"), {"a": "x"})


@program()
def pregel_some_stream_channels(lib: Lib) -> Case:
    """A stream of some channels shows no others, in no mode."""
    return Case(several(lib, Parts(lib).Topic(str), stream_channels=["b"]), {"a": "x"})


@program()
def pregel_cycle(lib: Lib) -> Case:
    """A node that writes to the channel it is subscribed to runs until it writes nothing."""
    make = Parts(lib)
    node = make.only("value", lambda text: double(text) if len(text) < 10 else None)
    graph = make.Pregel(
        nodes={"grow": node.write_to(make.Entry("value", skip_none=True))},
        channels={"value": make.Ephemeral(str)},
        input_channels=["value"],
        output_channels=["value"],
        stream_channels=["value"],
    )
    return Case(graph, {"value": "a"})


@program(modes=("values", "updates"), differs=("no-step-beyond-the-limit",))
def pregel_recursion_limit(lib: Lib) -> Case:
    """A cycle without an end fails; the steps before it are shown."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={"on": make.only("value", lambda number: min(number + 1, 3)).write_to("value")},
        channels={"value": make.Last(int)},
        input_channels="value",
        output_channels=["value"],
        stream_channels=["value"],
    )
    return Case(graph, 3, {"recursion_limit": 1})


@program()
def pregel_limit_is_reached(lib: Lib) -> Case:
    """A run may have as many steps as the limit says."""
    return Case(pregel_chain(lib).graph, 2, {"recursion_limit": 2})


@program()
def pregel_writes(lib: Lib) -> Case:
    """Constants, functions of the result, `None`, and what is skipped."""
    make = Parts(lib)
    node = make.only("input", plus).write_to(
        "output",
        make.Entry("skipped", mapper=lambda value: make.SKIP),
        make.Entry("none", None, skip_none=True),
        make.Entry("mapped", 10, mapper=plus),
        make.TupleEntry(lambda value: [("pairs", value), ("more", value)]),
        make.TupleEntry(lambda value: None),
        fixed=5,
        later=lambda value: value + 1,
        nothing=None,
    )
    names = ("input", "output", "skipped", "none", "mapped", "pairs", "more", "fixed", "later", "nothing")
    graph = make.Pregel(
        nodes={"one": node},
        channels={name: make.Last(int) for name in names},
        input_channels="input",
        output_channels=list(names),
        stream_channels=list(names),
    )
    return Case(graph, 2)


@program()
def pregel_reading(lib: Lib) -> Case:
    """Channels that only start a node, and channels that it only reads; those without a value are left out."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "one": make.only("input").write_to("start", "told"),
            "two": make.Builder()
            .subscribe_to("start", read=False)
            .subscribe_to("told")
            .read_from("total", "missing", "told")
            .do(lambda seen: repr(sorted(seen.items())))
            .write_to("output"),
        },
        channels={
            "input": make.Last(int),
            "start": make.Ephemeral(int),
            "told": make.Last(int),
            "total": make.Total(int, operator.add),
            "missing": make.Last(int),
            "output": make.Last(str),
        },
        input_channels="input",
        output_channels="output",
        stream_channels=["output", "told"],
    )
    return Case(graph, 7)


@program()
def pregel_steps_of_a_node(lib: Lib) -> Case:
    """Of several functions in a node, each gets the result of the one before; writing is last wherever it is said."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={"one": make.only("input", plus).write_to("output").do(double)},
        channels={"input": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
        stream_channels=["output"],
    )
    return Case(graph, 2)


@program(modes=("values", "updates"), ordered=False)
def pregel_two_writers(lib: Lib) -> Case:
    """Two nodes write to a channel that takes one value."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={name: make.only("input", plus).write_to("output") for name in ("one", "two")},
        channels={"input": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels=["output"],
        stream_channels=["output"],
    )
    return Case(graph, 2)


@program(ordered=False)
def pregel_order_of_writers(lib: Lib) -> Case:
    """What nodes of one step have written is ordered by their names."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            name: make.only("input", lambda value, name=name: name).write_to("log", "any") for name in ("b", "c", "a")
        },
        channels={"input": make.Last(int), "log": make.Topic(str, accumulate=True), "any": make.Any(str)},
        input_channels="input",
        output_channels=["log", "any"],
        stream_channels=["log", "any"],
    )
    return Case(graph, 2)


@program(ordered=False)
def pregel_sends(lib: Lib) -> Case:
    """`Send`s start nodes in the next step, beside those that channels start, and after them in order."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "plan": make.only("input", lambda number: [lib.Send("work", n) for n in range(number)]).write_to(
                make.TupleEntry(lambda sends: [("__pregel_tasks", send) for send in sends]),
                lib.Send("work", 100),
                done=True,
            ),
            "work": make.Builder().do(lambda number: number * 10).write_to("log"),
            "note": make.only("done", lambda value: "noted").write_to("log"),
        },
        channels={"input": make.Last(int), "log": make.Topic(Any, accumulate=True), "done": make.Ephemeral(bool)},
        input_channels="input",
        output_channels="log",
        stream_channels=["log", "done"],
    )
    return Case(graph, 2)


@program(modes=("values", "updates", "tasks"), differs=("sends-are-no-state",))
def pregel_sends_are_shown_there(lib: Lib) -> Case:
    """Without `stream_channels` a stream shows all channels, but sends are none."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "plan": make.only("input", plus).write_to(lib.Send("work", 1), "told"),
            "work": make.Builder().do(plus).write_to("output"),
        },
        channels={"input": make.Last(int), "told": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
    )
    return Case(graph, 2)


@program(modes=("values", "updates", "tasks"), differs=("channels-that-were-updated",))
def pregel_first_value(lib: Lib) -> Case:
    """A node whose channel has had a value from the beginning is not started by that."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "quiet": make.only("input", lambda value: None).write_to(make.Entry("output", skip_none=True)),
            "never": make.only("total", plus).write_to("output"),
        },
        channels={"input": make.Last(int), "total": make.Total(int, operator.add), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
        stream_channels=["output"],
    )
    return Case(graph, 2)


@program()
def pregel_waiting_channels(lib: Lib) -> Case:
    """A channel that waits for two nodes starts a third, and one that waits for the end of the run starts the last."""
    make = Parts(lib)
    finishing = importlib.import_module(f"{lib.root}.channels.last_value").LastValueAfterFinish
    graph = make.Pregel(
        nodes={
            "a": make.only("input").write_to("between", end=1, both="a"),
            "b": make.only("between").write_to(both="b"),
            "c": make.Builder().subscribe_to("both").do(lambda seen: "c").write_to("log"),
            "d": make.Builder().subscribe_to("end").do(lambda seen: seen["end"]).write_to("log"),
        },
        channels={
            "input": make.Untracked(int),
            "between": make.Ephemeral(int),
            "both": make.Barrier(str, {"a", "b"}),
            "end": finishing(int),
            "log": make.Topic(Any, accumulate=True),
        },
        input_channels="input",
        output_channels="log",
        stream_channels=["log"],
    )
    return Case(graph, 2)


@program(modes=("values",), differs=("overwrite-before-1.0",))
def pregel_overwriting(lib: Lib) -> Case:
    """An `Overwrite` replaces what a reducer has folded."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "one": make.only("input", lambda value: [value]).write_to("log", "next"),
            "two": make.only("next", lambda value: lib.Overwrite(["new"])).write_to("log"),
        },
        channels={"input": make.Last(int), "next": make.Last(list), "log": make.Total(list, operator.add)},
        input_channels="input",
        output_channels="log",
        stream_channels=["log"],
    )
    return Case(graph, 2)


@program(modes=("tasks", "debug"))
def pregel_meta(lib: Lib) -> Case:
    """Tags and metadata of a node are in its tasks; a hidden node has none."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "one": make.only("input", plus).meta("mine", owner="me").write_to("between"),
            "two": make.only("between", plus).meta("langsmith:hidden").write_to("output"),
        },
        channels={"input": make.Last(int), "between": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
        stream_channels=["output"],
    )
    return Case(graph, 2)


@program(modes=("updates", "values"))
def pregel_hidden_updates(lib: Lib) -> Case:
    """What a hidden node has written is in the values alone."""
    return pregel_meta(lib)


@program()
def pregel_managed(lib: Lib) -> Case:
    """Values that are computed for each step are read like channels."""
    make = Parts(lib)
    remaining, last = lib.RemainingSteps.__metadata__[0], lib.IsLastStep.__metadata__[0]
    node = make.Builder().subscribe_to("value").read_from("remaining", "last").do(sorted_items)
    graph = make.Pregel(
        nodes={
            "one": node.write_to("log", make.Entry("value", mapper=lambda seen: make.SKIP if "True" in seen else 1)),
        },
        channels={
            "value": make.Last(int),
            "log": make.Topic(str, accumulate=True),
            "remaining": remaining,
            "last": last,
        },
        input_channels="value",
        output_channels="log",
        stream_channels=["log"],
    )
    return Case(graph, 1, {"recursion_limit": 4})


def sorted_items(seen: "dict[str, Any]") -> str:
    """A mapping as text."""
    return repr(sorted(seen.items()))


@program(modes=("updates", "values"))
def pregel_failing_node(lib: Lib) -> Case:
    """The exception of a node ends the run."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "one": make.only("input", plus).write_to("between"),
            "two": make.only("between", lambda value: 1 / 0).write_to("output"),
        },
        channels={"input": make.Last(int), "between": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
        stream_channels=["between", "output"],
    )
    return Case(graph, 2)


@program(modes=("updates", "values"))
def pregel_failing_write(lib: Lib) -> Case:
    """The exception of a function of the result is that of the node."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={"one": make.only("input", plus).write_to(output=lambda value: 1 / 0)},
        channels={"input": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels="output",
        stream_channels=["output"],
    )
    return Case(graph, 2)


@program(modes=("updates", "values"))
def pregel_nothing_written(lib: Lib) -> Case:
    """A run whose output was never written returns nothing."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={"one": make.only("input", plus).write_to("other")},
        channels={"input": make.Last(int), "other": make.Last(int), "output": make.Last(int)},
        input_channels="input",
        output_channels=["input", "output"],
        stream_channels=["output"],
    )
    return Case(graph, 2)


@program(call="invoke", modes=("values",))
def pregel_no_output(lib: Lib) -> Case:
    """The same, invoked: the input alone is no output."""
    return pregel_nothing_written(lib)


@program(modes=("updates",))
def pregel_no_input(lib: Lib) -> Case:
    """A dict without any input channel starts nothing."""
    return Case(several(lib, Parts(lib).Topic(str)), {})


class State(TypedDict):
    """The state of a graph inside, and of one around."""

    log: Annotated[list, operator.add]


def inner(lib: Lib) -> Any:
    """A small compiled graph."""
    builder = lib.StateGraph(State)
    builder.add_node("in", lambda state: {"log": [len(state["log"])]})
    return builder.add_edge(lib.START, "in").compile(name="inner")


@program(modes=(*QUIET[:3], TOGETHER), subgraphs=(False, True))
def pregel_around_a_graph(lib: Lib) -> Case:
    """A compiled graph as a node."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={
            "graph": make.only("input", inner(lib)).write_to("output"),
            "two": make.only("output", lambda state: len(state["log"])).write_to("count"),
        },
        channels={"input": make.Last(dict), "output": make.Last(dict), "count": make.Last(int)},
        input_channels="input",
        output_channels="count",
        stream_channels=["output", "count"],
    )
    return Case(graph, {"log": ["x"]})


@program(modes=(*QUIET[:3], TOGETHER), subgraphs=(False, True))
def pregel_inside_a_graph(lib: Lib) -> Case:
    """A graph of nodes and channels as a node of a compiled one."""
    make = Parts(lib)
    part = make.Pregel(
        nodes={"one": make.only("log", lambda log: [*log, "one"]).write_to("again")},
        channels={"log": make.Topic(list), "again": make.Last(list)},
        input_channels=["log"],
        output_channels=["again"],
        stream_channels=["log", "again"],
        name="part",
    )
    builder = lib.StateGraph(State)
    builder.add_node("part", lambda state: {"log": [part.invoke({"log": "x"})]})
    return Case(builder.add_edge(lib.START, "part").compile(), {"log": []})


@program(modes=("messages", ("messages", "updates")))
def pregel_tokens(lib: Lib) -> Case:
    """The tokens of a model in a node, and the message that it writes."""
    make = Parts(lib)
    graph = make.Pregel(
        nodes={"talk": make.only("input", lambda text: words("a b").invoke(text)).write_to("output")},
        channels={"input": make.Last(str), "output": make.Last(object)},
        input_channels="input",
        output_channels="output",
        stream_channels=["output"],
    )
    return Case(graph, "hello")
