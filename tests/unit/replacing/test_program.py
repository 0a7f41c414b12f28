"""Programs are run in this process, with what they change put back; `test_command.py` runs them as a user does."""

from __future__ import annotations

import io
import sys
import traceback
import zipfile

import pytest

from streamgraph.replacing import _program

PROGRAM = """
import sys
sys.told = (sys.argv, sys.path[0], __name__, __package__, sys.modules["__main__"].__dict__ is globals())
"""


@pytest.fixture(autouse=True)
def process(monkeypatch, tmp_path):
    """What a program changes of its process is put back."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "argv", ["streamgraph"])
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "told", None, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "a_package"]:
        del sys.modules[name]


def told():
    """What the program has found, with its arguments as a tuple."""
    arguments, path, *rest = sys.told
    return tuple(arguments), path, *rest


def test_script(tmp_path):
    """A script finds its arguments, its folder, and itself as `__main__`."""
    (tmp_path / "script.py").write_text(PROGRAM)
    _program.run_script("script.py", ["-x"])

    assert told() == (("script.py", "-x"), str(tmp_path.resolve()), "__main__", None, True)
    assert sys.modules["__main__"].__file__ == str(tmp_path / "script.py")


@pytest.mark.parametrize("name", ["folder", "archive.zip"])
def test_folder_and_archive(tmp_path, name):
    """So does the `__main__` of a folder or zip file, which is the first place to import from."""
    if name == "folder":
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/__main__.py").write_text(PROGRAM)
    else:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("__main__.py", PROGRAM)
    _program.run_script(name, [])

    assert told() == ((name,), str(tmp_path / name), "__main__", "", True)


def test_module(tmp_path):
    """A module finds its file as its name, and its package."""
    (tmp_path / "a_package").mkdir()
    for name in ("__init__", "__main__", "module"):
        (tmp_path / f"a_package/{name}.py").write_text(PROGRAM)
    _program.run_module("a_package.module", ["1"])
    assert told() == ((str(tmp_path / "a_package/module.py"), "1"), "", "__main__", "a_package", True)
    _program.run_module("a_package", [])
    assert told() == ((str(tmp_path / "a_package/__main__.py"),), "", "__main__", "a_package", True)


def test_code_and_standard_input(monkeypatch):
    """A text has the current folder as the first place to import from."""
    _program.run_code(PROGRAM, ["1"])
    assert told() == (("-c", "1"), "", "__main__", None, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(PROGRAM))
    _program.run_standard_input([])
    assert told() == (("-",), "", "__main__", None, True)


@pytest.mark.parametrize(("code", "lines"), [("def f():\n    1 / 0\nf()", 2), ("def", 0)])
def test_traceback(code, lines, monkeypatch):
    """The program's own hook is called, with the lines of the program only, and stands again."""
    shown = []

    def hook(kind, error, trace):
        shown.append((kind, error, trace))

    monkeypatch.setattr(sys, "excepthook", hook)
    with pytest.raises((ZeroDivisionError, SyntaxError)) as raised:
        _program.run_code(code, [])
    error = raised.value
    sys.excepthook(type(error), error, error.__traceback__)

    assert shown[0][:2] == (type(error), error)
    assert [entry.filename for entry in traceback.extract_tb(shown[0][2])] == ["<string>"] * lines
    assert sys.excepthook is hook


@pytest.mark.parametrize(
    ("run", "name", "status", "message"),
    [
        (_program.run_script, "nothing.py", 2, "can't open file"),
        (_program.run_script, ".", 1, "can't find '__main__' module in '.'"),
        (_program.run_module, "nothing.at.all", 1, "No module named nothing.at.all"),
        (_program.run_module, "xml.dom", 1, "'xml.dom' is a package and cannot be executed"),
        (_program.run_module, ".relative", 1, "Relative module names not supported"),
        (_program.run_module, "sys", 1, "No code object available for sys"),
    ],
)
def test_what_is_not_there(run, name, status, message, capsys):
    """It is said in one line, with Python's exit status."""
    with pytest.raises(SystemExit) as raised:
        run(name, [])

    assert raised.value.code == status
    assert message in capsys.readouterr().err


def test_a_parent_that_fails(tmp_path):
    """A missing module inside a parent package is not taken for a missing program."""
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package/__init__.py").write_text("import nothing_of_that_name")

    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        _program.run_module("a_package.module", [])


def test_a_safe_path(tmp_path, monkeypatch):
    """Where Python is told not to put anything in front of the path, nothing is put there."""
    (tmp_path / "script.py").write_text(PROGRAM)
    monkeypatch.setattr(_program, "_is_path_safe", lambda: True)
    monkeypatch.setattr(sys, "path", ["first", *sys.path])
    for run, what in ((_program.run_script, "script.py"), (_program.run_code, PROGRAM)):
        run(what, [])
        assert told()[1] == "first"
