"""`python -m streamgraph` runs a program as Python does, with `langgraph` replaced."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile

import pytest

from streamgraph.replacing import _command, _subcommands

PROGRAM = """
import importlib.util, json, sys
main = sys.modules["__main__"]
engine = importlib.util.find_spec("langgraph.graph").origin.split("/")[-3]
print(json.dumps({
    "engine": engine, "argv": sys.argv, "path": sys.path[0], "name": __name__,
    "file": globals().get("__file__"), "package": __package__, "spec": getattr(__spec__, "name", None),
    "own": main.__dict__ is globals(), "cached": "__cached__" in globals(),
}, sort_keys=True))
"""


def run(folder, *arguments, code=None, options=()):
    """Run `python -m streamgraph` in a folder."""
    return finish([sys.executable, *options, "-m", "streamgraph", *arguments], folder, code)


def plain(folder, *arguments, code=None, options=()):
    """Run Python itself in a folder."""
    return finish([sys.executable, *options, *arguments], folder, code)


def finish(command, folder, code):
    """Return a finished process."""
    return subprocess.run(command, cwd=folder, input=code, capture_output=True, encoding="utf-8", timeout=150)


@pytest.fixture
def programs(tmp_path):
    """A script in a folder, a package, a folder and a zip file with a `__main__`."""
    for path in ("folder/script.py", "package/__main__.py", "package/module.py", "app/__main__.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(PROGRAM)
    (tmp_path / "package/__init__.py").write_text("")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["folder/script.py", "-x", "--help", "a b"], None),
        (["-m", "package.module", "-m", "x"], None),
        (["-m", "package", "1"], None),
        (["-mpackage.module"], None),
        (["app", "1"], None),
        (["app.zip", "1"], None),
        (["-c", PROGRAM, "-c"], None),
        (["-", "1"], PROGRAM),
    ],
    ids=lambda value: " ".join(value)[:20].strip() if isinstance(value, list) else "",
)
def test_the_program_finds_what_python_gives_it(programs, arguments, code):
    """Its `__main__`, its arguments and its path are as they are without us; only the engine is another one."""
    ours, pythons = run(programs, *arguments, code=code), plain(programs, *arguments, code=code)

    assert ours.stderr == pythons.stderr == ""
    assert ours.stdout == pythons.stdout.replace('"engine": "langgraph"', '"engine": "streamgraph"')
    assert '"engine": "streamgraph"' in ours.stdout


FAILING = """
import sys
def inner():
    {statement}
if __name__ == "__main__":
    inner()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("raise ValueError('no') from KeyError('x')", 1),
        ("sys.exit(7)", 7),
        ("sys.exit('a reason')", 1),
        ("sys.exit()", 0),
        ("raise KeyboardInterrupt", -2),
        (
            "sys.excepthook = lambda kind, error, trace: print(kind.__name__, trace.tb_frame.f_code.co_name); 1/0",
            1,
        ),
        ("import atexit; atexit.register(lambda: print(sys.modules['__main__'].inner.__name__))", 0),
        ("import threading; threading.Timer(0, lambda: print(sys.modules['__main__'].__file__)).start()", 0),
        ("import pickle; print(pickle.loads(pickle.dumps(inner)) is inner)", 0),
    ],
)
def test_the_program_ends_as_it_does_in_python(tmp_path, statement, status):
    """The exit status, the traceback and everything after the last line are as they are without us."""
    (tmp_path / "script.py").write_text(FAILING.format(statement=statement))

    ours, pythons = run(tmp_path, "script.py"), plain(tmp_path, "script.py")

    assert (ours.returncode, ours.stdout, ours.stderr) == (pythons.returncode, pythons.stdout, pythons.stderr)
    assert ours.returncode == status
    assert "streamgraph" not in ours.stderr


@pytest.mark.slow
def test_a_compiled_file_and_the_options_of_python(tmp_path):
    """A `.pyc` file runs, and Python's own options keep their meaning."""
    import py_compile

    (tmp_path / "script.py").write_text(PROGRAM)
    py_compile.compile(str(tmp_path / "script.py"), cfile=str(tmp_path / "script.pyc"))

    assert '"engine": "streamgraph"' in run(tmp_path, "script.pyc").stdout
    (tmp_path / "optimised.py").write_text("assert False\nimport sys\nprint(sys.flags.isolated, sys.path[0])")
    isolated = run(tmp_path, "-m", "json.tool", code="[1]", options=["-O"])
    assert (isolated.returncode, isolated.stdout) == (0, "[\n    1\n]\n")
    assert run(tmp_path, "optimised.py", options=["-O"]).returncode == 0


@pytest.mark.slow
def test_too_late(tmp_path):
    """If the real LangGraph is loaded before us, the program does not start."""
    (tmp_path / "script.py").write_text("print('ran')")
    code = "import runpy, sys, types; sys.argv = ['streamgraph', 'script.py']\n" + (
        "sys.modules['langgraph.graph'] = types.ModuleType('langgraph.graph')\n"
        "runpy.run_module('streamgraph', run_name='__main__')"
    )

    ended = plain(tmp_path, "-c", code)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("streamgraph: replace_langgraph() was called too late: langgraph.graph of the real")


def test_help(capsys):
    """`--help` says how to run a program, and `--version` which package this is."""
    _command.main(["--help"])
    _command.main(["-V"])

    shown = capsys.readouterr().out
    assert "usage: python -m streamgraph" in shown
    assert "\nstreamgraph " in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to run"),
        (["-m"], "argument expected for the -m option"),
        (["-c"], "argument expected for the -c option"),
        (["--hlep"], "unknown option --hlep; did you mean --help?"),
        (["-x", "script.py"], "unknown option -x"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    """A wrong option is refused before anything happens, with the status that Python has for it."""
    with pytest.raises(SystemExit) as raised:
        _command.main(arguments)

    assert raised.value.code == 2
    assert message in capsys.readouterr().err


NEEDED = {"worker": "dbos"}
"""What some commands need that has no versions for some Pythons."""


@pytest.mark.parametrize("name", _subcommands.SUBCOMMANDS)
def test_each_command_has_a_row_in_the_help_and_a_module(name, capsys):
    """What the help names can be called, and gets what follows its name."""
    _command.main(["--help"])
    assert f"\n  {name} " in capsys.readouterr().out

    with pytest.raises(SystemExit) as raised:
        _command.main([name, "--help"])

    if name in NEEDED and importlib.util.find_spec(NEEDED[name]) is None:
        assert raised.value.code == (
            'streamgraph: Queued runs need dbos: with Python 3.10 or later, pip install "streamgraph[dbos]"'
        )
    else:
        assert raised.value.code == 0
        assert f"Usage: streamgraph {name} " in capsys.readouterr().out


def test_a_command_whose_packages_are_missing_names_the_extra():
    """Nobody has to read a traceback to learn what to install."""
    with pytest.raises(SystemExit, match=r"No module named 'no_such'.*pip install 'streamgraph\[tea\]'"):
        _subcommands.Subcommand("no_such.module", "tea", "make tea").call([])
