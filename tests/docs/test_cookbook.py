"""Every recipe runs as a user runs it: as a program, offline."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.old_savers import without_its_warning
from support.redis_servers import Server

pytestmark = pytest.mark.slow

COOKBOOK = Path(__file__).parents[2] / "cookbook"
RECIPES = sorted(COOKBOOK.glob("[0-9]*.py"))
BY_NAME = {path.stem: path for path in RECIPES}

# Those that have a test of their own, where they run.
WATCHED = {
    "09_asks_before_it_spends",
    "10_served_to_every_client",
    "11_behind_fastapi",
    "12_read_from_another_process",
    "13_nodes_on_ray",
}


def run(recipe: Path, *arguments: str) -> str:
    """Return what a recipe prints, which is something, if it is short enough to read.

    The recipe for FastAPI needs it, and that for several processes a server.
    """
    if "fastapi" in recipe.name:
        pytest.importorskip("fastapi")
    if "ray" in recipe.name:
        pytest.importorskip("ray")
    if "process" in recipe.name and "REDIS_URL" not in os.environ:
        with TemporaryDirectory() as folder, Server(Path(folder)) as server:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("REDIS_URL", server.url)
                return run(recipe, *arguments)
    keys = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in keys},
        "PYTHONIOENCODING": "utf-8",
        "RAY_AUTH_MODE": "disabled",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(recipe), *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    # Ray says there that a process was lost.
    complaints = "".join(line for line in done.stderr.splitlines(keepends=True) if "(raylet)" not in line)
    assert without_its_warning(complaints) == ""
    assert done.stdout.strip()
    assert len(recipe.read_text(encoding="utf-8").splitlines()) <= 80
    return done.stdout


def test_there_are_recipes() -> None:
    """The folder has recipes, and nothing beside them."""
    assert RECIPES
    assert [path for path in COOKBOOK.glob("*.py") if path not in RECIPES] == []
    assert WATCHED <= set(BY_NAME)


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - WATCHED))
def test_recipe(name: str) -> None:
    """The recipe runs through, prints something and is short enough to read."""
    run(BY_NAME[name])


def test_nodes_run_in_other_processes_and_one_of_them_dies() -> None:
    """What the lost process has said is taken back, and said again as a whole."""
    output = run(COOKBOOK / "13_nodes_on_ray.py")

    assert "Why| did| the| snail| cross| the| road?" in output
    assert output.index("O| snail,|") < output.index("taken back") < output.index("O| snail,| thou| art| slow.")
    assert "This process: False" in output


def test_the_agent_asks_again_after_a_restart_and_pays_once() -> None:
    """The first process dies at its question, the second one asks the same question and goes on with the answer."""
    output = run(BY_NAME["09_asks_before_it_spends"])

    assert output.count("Pay 20 euros to the hatter? ") == 2
    assert output.index("the process dies") < output.index("It goes on where it was") < output.index("? yes")
    assert output.count("Paid 20 euros") == 1


def test_hello_stream_shows_two_branches_writing_at_once() -> None:
    """Tokens of the joke and of the poem alternate; each filter shows one of them alone."""
    output = run(BY_NAME["01_hello_stream"], "pelicans")
    live, by_node, by_tag = output.partition("state |")[0], *output.split("\n\nOnly the ")[1:]
    speakers = [line.split("|")[0].strip() for line in live.splitlines() if " | " in line]

    assert output.startswith("Model: the server on this machine")
    assert speakers.count("write_joke") > 5
    assert speakers.count("write_poem") > 5
    assert "A poem about pelicans" in by_node
    assert "joke about" not in by_node
    assert "Here is a joke about pelicans" in by_tag
    assert "poem" not in by_tag


def test_the_command_of_the_readme_shows_four_protocols_answering() -> None:
    """Each of them gets the text of the model, once."""
    output = run(BY_NAME["10_served_to_every_client"])
    answers = [block.splitlines() for block in output.strip().split("\n\n")]

    assert [head.rpartition("/")[2] for head, _ in answers] == ["stream", "graph", "graph", "completions"]
    assert len({text for _, text in answers}) == 1
    assert answers[0][1].count("Here is a joke about pelicans") == 1


def test_a_login_keeps_users_apart() -> None:
    """Behind FastAPI nobody gets in without a login, and no user reads the thread of another one."""
    output = run(BY_NAME["11_behind_fastapi"]).splitlines()

    assert output[0] == "Without a login: 401"
    assert output[2].startswith("Her thread: Here is a joke about pelicans")
    assert output[3].startswith("For Bob: There is no thread")


def test_another_process_reads_a_run_and_answers_it() -> None:
    """Everything is there once, in order."""
    output = run(BY_NAME["12_read_from_another_process"]).splitlines()

    assert output[0] == "{'looking up': 'ice'}"
    assert output[1:3] == ["Snow is warm, for ice.", "Publish this? Snow is warm, for ice. yes"]
    assert output[-1] == "done {'topic': 'ice', 'fact': 'Snow is warm, for ice.'}"
