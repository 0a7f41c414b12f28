"""`streamgraph run`: a graph that runs while a person watches."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import IO, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, cast

import click
from langchain_core.runnables import RunnableConfig

from streamgraph.errors import GraphError, UnknownOptionError
from streamgraph.named import load_graphs, open_saver
from streamgraph.pregel import Pregel
from streamgraph.terminal._inputs import read_input, read_json
from streamgraph.terminal._local import LocalRun
from streamgraph.terminal._prompt import Prompt
from streamgraph.terminal._remote import RemoteRun, input_schema, read_headers
from streamgraph.terminal._show import Shower, terminal_of
from streamgraph.terminal._source import Source
from streamgraph.terminal._wire import Server
from streamgraph.types import StreamMode
from streamgraph.watching import Watcher, reader_of, terminal_display

_MODES = ("tasks", "messages", "tools", "retries", "custom", "values")
_OWN_MODES = ("tools", "retries")
"""Those of them that LangGraph's server does not have."""
_ALL_MODES = (*_MODES, "updates", "patches", "objects", "debug", "checkpoints")

_DEMO = "streamgraph_integrations.demo:research_desk --input 'question=Why do cats purr?'"

_EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a question is left open, 130 cancelled.
Ctrl-C cancels the run; pressed twice, it kills it."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.argument("target", metavar="PATH_OR_MODULE:NAME", required=False)
@click.option(
    "-i", "--input", "inputs", multiple=True, help="JSON, key=value, @FILE, - for stdin, or a message's text."
)
@click.option("--mode", "modes", multiple=True, metavar="MODE", help="What to read of the run: messages,updates,…")
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="Only of these nodes; * and ? are wildcards.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only tokens of models with one of these tags.")
@click.option("--json", "as_json", is_flag=True, help="One part per line, as streamgraph.serialization.loads reads it.")
@click.option("--thread", metavar="ID", help="The thread to go on with, or to make.")
@click.option("--checkpointer", metavar="NAME", help="Where threads are: memory, sqlite:PATH or postgres://URL.")
@click.option("--config", metavar="JSON", help="The config of the run.")
@click.option("--context", "contexts", multiple=True, metavar="JSON", help="The context of the run; also key=value.")
@click.option("--answer", "answers", multiple=True, metavar="TEXT", help="Answers to its questions, in their order.")
@click.option("--url", metavar="URL", help="Run it on a server (streamgraph serve, or LangGraph's); give its NAME.")
@click.option("--run", "run_id", metavar="ID", help="With --url and --thread: read this run instead of a new one.")
@click.option("--header", "headers", multiple=True, metavar="NAME: VALUE", help="With --url: sent with each request.")
def run_command(
    target: Optional[str],
    inputs: Sequence[str],
    modes: Sequence[str],
    nodes: Sequence[str],
    tags: Sequence[str],
    as_json: bool,
    thread: Optional[str],
    checkpointer: Optional[str],
    config: Optional[str],
    contexts: Sequence[str],
    answers: Sequence[str],
    url: Optional[str],
    run_id: Optional[str],
    headers: Sequence[str],
) -> None:
    """Run a graph and watch it: its nodes, its texts while they grow, its questions, its state.

    In a terminal it is a picture that changes, elsewhere lines.
    """
    begun = False
    try:
        wanted = _modes(modes)
        settings = _object(config, "--config")
        context = cast("Optional[Mapping[str, object]]", read_input(contexts, sys.stdin))
        with ExitStack() as stack:
            prompt = Prompt(list(answers), _asker(inputs), sys.stderr if as_json else _writer())
            source: Source
            if url is not None:
                if checkpointer is not None:
                    raise UnknownOptionError("--checkpointer is the server's, with --url")
                asked = wanted if modes else ()
                source = _remote(url, target, inputs, asked, thread, run_id, settings, context, headers, nodes, tags)
                paths: List[Tuple[str, ...]] = []
            else:
                for option, told in (("--run", run_id), ("--header", headers)):
                    if told:
                        raise UnknownOptionError(f"{option} belongs to --url")
                graph = _graph(target)
                if checkpointer is not None:
                    graph = graph.copy(update={"checkpointer": stack.enter_context(open_saver(checkpointer))})
                run_config = _config(graph, settings, thread)
                value = _given(graph, inputs, run_config)
                paths = node_paths(graph) if not nodes else []
                filters = {"include_nodes": list(nodes) or None, "include_tags": list(tags) or None}
                again = _again(target, checkpointer, thread)
                source = LocalRun(graph, value, run_config, context=context, modes=wanted, filters=filters, again=again)
            watcher = None
            if not as_json:
                alone = list(wanted) == ["messages"]
                make = terminal_display(graph=source.name, texts_only=alone, with_state="values" in wanted)
                watcher = Watcher(reader_of(()), make, nodes=paths)
            begun = True
            sys.exit(Shower(source, prompt, watcher, sys.stdout).run())
    except GraphError as error:
        raise (click.ClickException if begun else click.UsageError)(str(error)) from error


def node_paths(graph: Pregel) -> List[Tuple[str, ...]]:
    """Return the paths of the nodes of a graph and of the graphs in it, as far as they are known before it runs."""
    inside = dict(graph.get_subgraphs())
    found: List[Tuple[str, ...]] = []
    for name in graph.nodes:
        if name.startswith("__"):
            continue
        found.append((name,))
        inner = inside.get(name)
        if isinstance(inner, Pregel) and inner is not graph:
            found += [(name, *path) for path in _paths_inside(inner, (graph, inner))]
    return found


def _paths_inside(graph: Pregel, around: Tuple[Pregel, ...]) -> Iterator[Tuple[str, ...]]:
    inside = dict(graph.get_subgraphs())
    for name in graph.nodes:
        if not name.startswith("__"):
            yield (name,)
            inner = inside.get(name)
            if isinstance(inner, Pregel) and inner not in around:
                yield from ((name, *path) for path in _paths_inside(inner, (*around, inner)))


def _graph(target: Optional[str]) -> Pregel:
    if target is None:
        raise UnknownOptionError("There is nothing to run", hint=f"Give PATH_OR_MODULE:NAME, such as {_DEMO}.")
    found = load_graphs(target)
    if len(found) != 1:
        raise UnknownOptionError(f"{target} has several graphs: {', '.join(found)}", hint="Name one of them.")
    return next(iter(found.values()))


def _modes(given: Sequence[str]) -> Sequence[StreamMode]:
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if name not in _ALL_MODES:
            raise UnknownOptionError(f"There is no mode {name!r}", name=name, known=_ALL_MODES)
    return cast("Sequence[StreamMode]", list(dict.fromkeys(names)) or list(_MODES))


def _object(text: Optional[str], option: str) -> Dict[str, object]:
    if text is None:
        return {}
    found = read_json(text, option)
    if not isinstance(found, dict):
        raise UnknownOptionError(f"{option} is {text!r:.80}, and not an object of JSON")
    return found


def _config(graph: Pregel, given: Dict[str, object], thread: Optional[str]) -> RunnableConfig:
    configurable = dict(cast("Mapping[str, object]", given.get("configurable") or {}))
    if thread is not None:
        if graph.checkpointer is None or isinstance(graph.checkpointer, bool):
            raise UnknownOptionError(
                "A thread needs somewhere to be", hint="Give --checkpointer sqlite:PATH, or compile(checkpointer=...)."
            )
        configurable["thread_id"] = thread
    elif graph.checkpointer is not None and not isinstance(graph.checkpointer, bool):
        configurable.setdefault("thread_id", "terminal")
    return cast("RunnableConfig", {**given, "configurable": configurable} if configurable else given)


def _given(graph: Pregel, inputs: Sequence[str], config: RunnableConfig) -> object:
    try:
        schema = graph.get_input_jsonschema()
    except Exception:  # pydantic has no schema for a class in it
        schema = {}
    properties = schema.get("properties")
    keys = list(properties) if isinstance(properties, dict) else []
    given = read_input(inputs, sys.stdin, schema or None)
    if given is not None:
        for key in given if keys and isinstance(given, dict) else ():
            if key not in keys:
                raise UnknownOptionError(f"The input has no key {key!r}", name=key, known=keys)
        return given
    is_saved = graph.checkpointer is not None and not isinstance(graph.checkpointer, bool)
    if is_saved and graph.get_state(config).next:
        return None
    if keys and not schema.get("required"):
        return {}
    takes = ", ".join(keys) or str(schema.get("type") or "any value")
    raise UnknownOptionError("The graph needs an input", hint=f"Give --input; it takes: {takes}.")


def _again(target: Optional[str], checkpointer: Optional[str], thread: Optional[str]) -> str:
    if thread is None or checkpointer in (None, "memory"):
        return ""
    return f"streamgraph run {target} --checkpointer {checkpointer} --thread {thread}"


def _remote(
    url: str,
    name: Optional[str],
    inputs: Sequence[str],
    modes: Sequence[str],
    thread: Optional[str],
    run_id: Optional[str],
    config: Mapping[str, object],
    context: Optional[Mapping[str, object]],
    headers: Sequence[str],
    nodes: Sequence[str],
    tags: Sequence[str],
) -> Source:
    if run_id is not None and thread is None:
        raise UnknownOptionError("A run is read by its --thread and its --run", hint="Give --thread as well.")
    if name is None and run_id is None:
        raise UnknownOptionError("There is nothing to run", hint="Give the name of a graph that the server has.")
    server = Server(url, read_headers(headers))
    schema = None
    if run_id is None and any("=" not in text for text in inputs):
        schema = input_schema(server, name or "")
    given = read_input(inputs, sys.stdin, schema)
    if given is None and thread is None:
        raise UnknownOptionError("The graph needs an input", hint="Give --input, or --thread to go on with one.")
    return RemoteRun(
        server, name or "", given, thread=thread, run=run_id, modes=modes or _MODES, config=config, context=context,
        optional=() if modes else _OWN_MODES, nodes=nodes, tags=tags,
    )  # fmt: skip


def _asker(inputs: Sequence[str]) -> Optional[Callable[[], IO[str]]]:
    """Return what opens the lines of the person, if there is one."""
    if "-" in inputs:
        return terminal_of if sys.stderr.isatty() or sys.stdout.isatty() else None
    return lambda: sys.stdin


def _writer() -> IO[str]:
    return sys.stdout if sys.stdout.isatty() else sys.stderr


def main(arguments: List[str]) -> None:
    """Run the command.

    Args:
        arguments: What follows `run` on the command line.

    Raises:
        SystemExit: It has ended, with this status.
    """
    run_command.main(arguments, prog_name="streamgraph run")
