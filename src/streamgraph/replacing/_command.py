"""The command line of `python -m streamgraph`."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Callable, List, Mapping, NoReturn, Optional

from streamgraph.errors import closest
from streamgraph.replacing import _program
from streamgraph.replacing._errors import ReplacedTooLateError
from streamgraph.replacing._replacement import replace_langgraph
from streamgraph.replacing._subcommands import SUBCOMMANDS, help_lines

USAGE = f"""\
usage: python -m streamgraph [-h | -V] (script | -m module | -c code | -) [argument ...]
       python -m streamgraph ({" | ".join(SUBCOMMANDS)}) [PATH_OR_MODULE:NAME] [option ...]

Run a Python program that imports langgraph, unchanged, on streamgraph: replace_langgraph() is called first, then the
program runs as Python would run it. Options of Python go before -m, as in python -W error -m streamgraph app.py.

  script         a file, or a folder or zip file with a __main__.py
  -m module      a module or package, looked up as python -m does
  -c code        the program itself
  -              the program is read from the standard input
  argument ...   what the program finds in sys.argv

{help_lines()}
  -h, --help     show this and exit
  -V, --version  show the version of streamgraph and exit

Tests: python -m pytest -p streamgraph.pytest_plugin
"""

_OPTIONS = ("-c", "-h", "-m", "-V", "--help", "--version")

_WRONG_USAGE = 2


def main(arguments: Optional[List[str]] = None) -> None:
    """Do what the command line says.

    Args:
        arguments: What follows `python -m streamgraph`; by default, what this process was started with.

    Raises:
        SystemExit: There is nothing to run, or the program has ended with this status.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:
        _refuse("there is nothing to run")
    first, rest = given[0], given[1:]
    if first in ("-h", "--help"):
        sys.stdout.write(USAGE)
    elif first in SUBCOMMANDS:
        SUBCOMMANDS[first].call(rest)
    elif first in ("-V", "--version"):
        sys.stdout.write(f"streamgraph {metadata.version('streamgraph')}\n")
    else:
        _run(first, rest)


def _run(first: str, rest: List[str]) -> None:
    kinds: Mapping[str, Callable[[str, List[str]], None]] = {"-m": _program.run_module, "-c": _program.run_code}
    kind = kinds.get(first[:2])
    if kind is not None:
        # Like Python's own, these options take what is left of the word, or else the next word.
        values = [first[2:], *rest] if first[2:] else rest
        if not values:
            _refuse(f"argument expected for the {first} option")
        _replace()
        kind(values[0], values[1:])
    elif first == "-":
        _replace()
        _program.run_standard_input(rest)
    elif first.startswith("-"):
        near = closest(first, _OPTIONS)
        _refuse(f"unknown option {first}" + (f"; did you mean {near}?" if near else ""))
    else:
        _replace()
        _program.run_script(first, rest)


def _replace() -> None:
    try:
        replace_langgraph()
    except ReplacedTooLateError as error:
        sys.exit(f"streamgraph: {error}")


def _refuse(what: str) -> NoReturn:
    sys.stderr.write(f"streamgraph: {what}\n{USAGE.splitlines()[0]}\nTry python -m streamgraph --help\n")
    sys.exit(_WRONG_USAGE)
