"""Runs the code examples of LangGraph's streaming page as they stand there.

The examples are data: `examples/NN_name.py.txt` holds the code of one block of the page, token for token, with
`streamgraph` as the package name and without the comments. They are no modules that Python could import, because
the page awaits at the top level and leaves things out for the reader. What is left out is handed in:

- a name that the block uses and does not define (`graph`, `inputs`, `your_custom_streaming_client`) is given as a
  keyword;
- `name = ...` stands for "define it here": `fill={"name": function}` is called at that place with the namespace of the
  block, and what it returns is assigned;
- a bare `...` statement stands for the reader's own code: each time it is reached, the variables at that place are
  kept in `Run.reached`.

`STREAMGRAPH_PAGE_PACKAGE=langgraph` runs the same examples on LangGraph, which checks the tests themselves.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import importlib
import inspect
import io
import os
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

EXAMPLES = Path(__file__).parent / "examples"
SUFFIX = ".py.txt"
PACKAGE = os.environ.get("STREAMGRAPH_PAGE_PACKAGE", "streamgraph")


@dataclass(frozen=True)
class Printed:
    """One call of `print`: the objects themselves and how the line was ended."""

    values: tuple[Any, ...]
    end: str


@dataclass
class Run:
    """What an example left behind: its variables, what it printed and where it left room for the reader's code."""

    namespace: dict[str, Any]
    prints: list[Printed] = field(default_factory=list)
    reached: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    @property
    def lines(self) -> list[str]:
        """The printed text, line by line."""
        return self.output.splitlines()

    @property
    def printed(self) -> list[Any]:
        """The objects given to `print(x)`, before they became text."""
        return [call.values[0] for call in self.prints if len(call.values) == 1 and call.end == "\n"]

    @property
    def tokens(self) -> list[str]:
        """The texts given to `print(x, end="|")`; empty ones (role and finish chunks) are left out."""
        return [call.values[0] for call in self.prints if call.end == "|" and call.values[0]]


def engine(module: str = "graph") -> Any:
    """A public module of the package under test, for graphs that the tests build themselves."""
    return importlib.import_module(f"{PACKAGE}.{module}")


def read_example(name: str) -> str:
    """The source of one example."""
    return (EXAMPLES / (name + SUFFIX)).read_text(encoding="utf-8")


def parse(source: str, filename: str = "<page>") -> ast.Module:
    """The tree of a piece of code that may await at its top level."""
    # Without dont_inherit the `annotations` future of this file would apply to the example as well.
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(source, filename, "exec", flags=flags, dont_inherit=True)


class RenamePackage(ast.NodeTransformer):
    """Changes the package name in the imports and nothing else: metadata keys like `langgraph_node` stay."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def _renamed(self, module: str) -> str:
        head, dot, rest = module.partition(".")
        return self.new + dot + rest if head == self.old else module

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for alias in node.names:
            alias.name = self._renamed(alias.name)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module and not node.level:
            node.module = self._renamed(node.module)
        return node


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _call(source: str, at: ast.AST) -> ast.expr:
    """The expression `source`, placed where `at` is."""
    expression = ast.parse(source, mode="eval").body
    for node in ast.walk(expression):
        ast.copy_location(node, at)
    return expression


class FillDots(ast.NodeTransformer):
    """Gives the literal `...` of the page its meaning; see the docstring of this module."""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        if _is_dots(node.value) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            node.value = _call(f"__fill__({node.targets[0].id!r})", node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        if _is_dots(node.value):
            node.value = _call("__reached__(locals())", node.value)
        return node


@contextlib.contextmanager
def example(
    name: str,
    *,
    fill: Optional[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = None,
    package: str = PACKAGE,
    on_print: Optional[Callable[[Printed], object]] = None,
    **given: Any,
) -> Iterator[Run]:
    """Runs one example and stays a module in `sys.modules` until the context ends.

    Being a real module is what `typing.get_type_hints` and `dataclass` need to look names up, also later, when the
    test goes on using the graph. `on_print` is called after each `print` of the example, while it runs.
    """
    path = EXAMPLES / (name + SUFFIX)
    tree = parse(read_example(name), str(path))
    tree = FillDots().visit(RenamePackage("streamgraph", package).visit(tree))
    code = compile(tree, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)

    module = types.ModuleType(f"streaming_page_{name}")
    run = Run(namespace=module.__dict__)

    def record(*values: Any, **options: Any) -> None:
        call = Printed(values, options.get("end", "\n"))
        run.prints.append(call)
        builtins.print(*values, **options)
        if on_print:
            on_print(call)

    module.__dict__.update(
        given,
        __file__=str(path),
        __fill__=lambda missing: (fill or {})[missing](module.__dict__),
        __reached__=lambda variables: run.reached.append(dict(variables)),
        print=record,
    )
    screen = io.StringIO()
    sys.modules[module.__name__] = module
    try:
        with contextlib.redirect_stdout(screen):
            result = eval(code, module.__dict__)
            if inspect.iscoroutine(result):
                asyncio.run(result)
        run.output = screen.getvalue()
        yield run
    finally:
        sys.modules.pop(module.__name__, None)
