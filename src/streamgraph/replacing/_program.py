"""Running a program as Python itself would: its `__main__`, its `sys.argv`, its path, its traceback, its exit status.

`runpy` is not used: it takes `__main__` away when the program's last line has run, while threads, exit handlers and
`pickle` may still need it, and it stands in every traceback.
"""

from __future__ import annotations

import importlib.util
import io
import os
import pkgutil
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import List, NoReturn, Optional, Type, Union

_NOT_FOUND = 2
_NOT_RUNNABLE = 1


def run_script(path: str, arguments: List[str]) -> None:
    """Run a file, or the `__main__` of a folder or zip file.

    Args:
        path: Where it is.
        arguments: What follows in `sys.argv`.
    """
    sys.argv[:] = [path, *arguments]
    full = os.path.abspath(path)
    if pkgutil.get_importer(full) is not None:  # a folder or a zip file
        sys.path.insert(0, full) if _is_path_safe() else _set_first_path(full)
        spec = PathFinder.find_spec("__main__", [full])
        if spec is None:
            _exit(_NOT_RUNNABLE, f"can't find '__main__' module in {path!r}")
        _run_spec(spec)
        return
    try:
        with io.open_code(full) as file:
            compiled = pkgutil.read_code(file)
    except OSError as error:
        _exit(_NOT_FOUND, f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}")
    if not _is_path_safe():
        _set_first_path(os.path.dirname(os.path.realpath(full)))
    main = _main_module(file=full)
    main.__loader__ = SourceFileLoader("__main__", full)
    if compiled is not None:
        _execute(compiled, main)
    else:
        with io.open_code(full) as file:
            _execute_source(file.read(), full, main)


def run_module(name: str, arguments: List[str]) -> None:
    """Run a module, or the `__main__` of a package, as `python -m` does.

    Args:
        name: Its full name.
        arguments: What follows in `sys.argv`.
    """
    sys.argv[:] = ["-m", *arguments]
    spec = _find(name)
    if spec is not None and spec.submodule_search_locations is not None:
        main = _find(f"{name}.__main__")
        if main is None:
            _exit(_NOT_RUNNABLE, f"No module named {name}.__main__; {name!r} is a package and cannot be executed")
        spec = main
    if spec is None:
        _exit(_NOT_RUNNABLE, f"No module named {name}")
    sys.argv[0] = spec.origin or name
    _run_spec(spec)


def run_code(code: str, arguments: List[str]) -> None:
    """Run a program that is given as text.

    Args:
        code: The program.
        arguments: What follows in `sys.argv`.
    """
    sys.argv[:] = ["-c", *arguments]
    if not _is_path_safe():
        _set_first_path("")
    _execute_source(code, "<string>", _main_module())


def run_standard_input(arguments: List[str]) -> None:
    """Run the program that comes from the standard input.

    Args:
        arguments: What follows in `sys.argv`.
    """
    sys.argv[:] = ["-", *arguments]
    if not _is_path_safe():
        _set_first_path("")
    _execute_source(sys.stdin.read(), "<stdin>", _main_module(file="<stdin>"))


def _find(name: str) -> Optional[ModuleSpec]:
    if name.startswith("."):
        _exit(_NOT_RUNNABLE, "Relative module names not supported")
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # A parent of the module exists, and fails.
        return None


def _run_spec(spec: ModuleSpec) -> None:
    get_code = getattr(spec.loader, "get_code", None)
    code = None if get_code is None else get_code(spec.name)
    if code is None:
        _exit(_NOT_RUNNABLE, f"No code object available for {spec.name}")
    main = _main_module(file=spec.origin)
    main.__spec__, main.__loader__, main.__package__ = spec, spec.loader, spec.parent
    vars(main)["__cached__"] = spec.cached
    _execute(code, main)


def _main_module(file: Optional[str] = None) -> ModuleType:
    main = ModuleType("__main__")
    if file is not None:
        main.__file__ = file
        vars(main)["__cached__"] = None
    sys.modules["__main__"] = main
    return main


def _execute_source(source: Union[str, bytes], filename: str, main: ModuleType) -> None:
    try:
        code = compile(source, filename, "exec", dont_inherit=True)
    except BaseException:
        _show_traceback_below(None)
        raise
    _execute(code, main)


def _execute(code: CodeType, main: ModuleType) -> None:
    try:
        exec(code, vars(main))
    except BaseException:
        _show_traceback_below(code)
        raise


def _show_traceback_below(code: Optional[CodeType]) -> None:
    """Have the interpreter show an exception that ends the program without the frames that are ours.

    Until then the program's own `sys.excepthook` was in place, and it is called.
    """
    hook = sys.excepthook

    def show(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> None:
        while traceback is not None and traceback.tb_frame.f_code is not code:
            traceback = traceback.tb_next
        sys.excepthook = hook
        hook(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = show


def _is_path_safe() -> bool:
    # Python then puts neither the script's folder nor the current one in front of the path.
    return bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _set_first_path(entry: str) -> None:
    # The first entry is the current folder, which Python has put there for `-m streamgraph`.
    sys.path[:1] = [entry]


def _exit(status: int, what: str) -> NoReturn:
    sys.stderr.write(f"{sys.executable}: {what}\n")
    sys.exit(status)
