"""The commands of `streamgraph NAME …`: one row each, so that a new one is a row and a module."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import List, Mapping


@dataclass(frozen=True)
class Subcommand:
    """A word that is no program to run, but a command of this package.

    Attributes:
        module: The module with its `main(arguments)`. It is imported when the command is given, and not before: what
            it needs is slow to import, and need not be installed.
        extra: The extra of this package that installs what it needs.
        purpose: What it is for, in the words of the help.
    """

    module: str
    extra: str
    purpose: str

    def call(self, arguments: List[str]) -> None:
        """Run it.

        Args:
            arguments: What follows its name on the command line.

        Raises:
            SystemExit: It has ended with this status, or what it needs is not installed.
        """
        try:
            main = importlib.import_module(self.module).main
        except ImportError as error:
            said = str(error)
            if f"streamgraph[{self.extra}]" not in said:
                said += f". This needs further packages: pip install 'streamgraph[{self.extra}]'"
            sys.exit(f"streamgraph: {said}")
        main(arguments)


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "dev": Subcommand("streamgraph_server.dev", "dev", "watch a graph in the browser while you write it"),
    "run": Subcommand("streamgraph.terminal._cli", "terminal", "run a graph and watch it in the terminal"),
    "serve": Subcommand("streamgraph_server.cli", "server", "serve graphs to front ends and SDKs over HTTP"),
    "worker": Subcommand("streamgraph_integrations.dbos_runs._command", "dbos", "drive runs that others have queued"),
}


def help_lines() -> str:
    """Return what the help says of the commands: two lines for each."""
    return "".join(
        f"  {name:<15}{row.purpose}: streamgraph {name} --help\n"
        f'{"":<17}(needs the extra "{row.extra}"; a script of this name is ./{name})\n'
        for name, row in SUBCOMMANDS.items()
    )
