import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgerig.cli import COMMANDS, cli
from edgerig.cli.list_command import NOUNS

pytestmark = pytest.mark.fresh_processes("how a command starts: its streams, its folder, its arguments")


def edgerig(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgerig", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload]


def test_help_names_every_command() -> None:
    done = edgerig("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_with_an_example(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"edgerig {name}" in result.output.split("Usage:")[1].split("\n", 1)[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    command = cli.get_command(cli.make_context("edgerig", [name], resilient_parsing=True), name)
    assert command is not None
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{name} {parameter.opts}"


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["rnu"], "Did you mean 'run'?", 2),
        (["run"], "Missing argument", 2),
        (["run", "x.yaml", "--nonsense"], "No such option", 2),
        (["run", "/nowhere/rig.yaml"], "No such file", 2),
        (["bench", "/nowhere/net.tflite"], "net.tflite", 2),
        (["inspect", "/nowhere/net.tflite"], "net.tflite", 2),
        (["report", "/nowhere"], "not a bundle", 2),
        (["run", "/"], "Name the rig file itself", 2),
        (["list", "datasets", "mnits"], "Did you mean 'mnist'?", 2),
    ],
)
def test_a_mistake_gets_one_message_and_an_exit_code(arguments: list[str], said: str, code: int) -> None:
    done = edgerig(*arguments)
    assert said in done.stderr
    # A logger that is not set up yet would print the error as well.
    assert done.stderr.startswith(("error: ", "Usage: "))
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_debug_shows_the_traceback() -> None:
    done = edgerig("--debug", "run", "/nowhere/rig.yaml")
    assert "Traceback" in done.stderr
    assert done.returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("words", ["schema", "list targets", "bench --help"])
def test_a_reader_that_goes_away_is_no_error(words: str) -> None:
    """Also where it has gone before the first line, which click would tell as a failure."""
    line = f'{sys.executable} -m edgerig {words} | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_colours_unless_its_user_wants_none(colours: bool) -> None:
    main_side, terminal = os.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    if not colours:
        environment["NO_COLOR"] = "1"
    command = [sys.executable, "-m", "edgerig", "list", "targets", "nosuch"]
    subprocess.run(command, stderr=terminal, env=environment, check=False)
    os.close(terminal)
    assert (b"\x1b[" in os.read(main_side, 4096)) == colours
    os.close(main_side)


@pytest.mark.slow
@pytest.mark.parametrize(("where", "code"), [(">&-", 0), (">/dev/full", 1)])
def test_output_that_cannot_be_written_is_no_fault_of_our_own(where: str, code: int) -> None:
    done = subprocess.run(
        f"{sys.executable} -m edgerig schema {where}", shell=True, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "fault of edgerig" not in done.stderr
    assert ("Could not write to standard output" in done.stderr) == bool(code)


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    from edgerig import files
    from edgerig.errors import StorageError

    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        files.write_text(tmp_path / "file" / "stages" / "x", "")
    assert "EDGERIG_CACHE" in (caught.value.hint or "")


@pytest.mark.slow
def test_training_into_a_folder_that_cannot_be_is_refused_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = edgerig("train", "mnist-cnn", "--dataset", "mnist", "--out", str(tmp_path / "file" / "sub"))
    assert done.returncode == 1
    assert "Could not write" in done.stderr
    assert "epoch" not in done.stderr


def test_a_path_that_the_system_refuses_is_no_fault_of_our_own() -> None:
    done = edgerig("inspect", "a" * 300 + ".tflite")
    assert done.returncode == 1
    assert "File name too long" in done.stderr
    assert "fault of edgerig" not in done.stderr


def test_a_fault_of_our_own_is_said_to_be_one_and_kept_in_a_file(tmp_path: Path) -> None:
    code = (
        "import edgerig.cli as c\n"
        "def broken(*a, **k): raise ZeroDivisionError('oops')\n"
        "c.cli.main = broken\n"
        "c.main(['list', 'datasets'])\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 70
    assert "this is a fault of edgerig: ZeroDivisionError: oops" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in next(tmp_path.glob("edgerig-*.log")).read_text()


@pytest.mark.slow
def test_a_file_whose_name_is_no_text_is_refused_in_words(tmp_path: Path, digit_net: Path) -> None:
    path = os.fsencode(tmp_path) + b"/m\xf6del.tflite"
    shutil.copy(digit_net, path)
    command = [sys.executable, "-m", "edgerig", "bench", path, "--dataset", "mnist", "--samples", "4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no text in this system's encoding" in done.stderr
    assert "Rename it" in done.stderr
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("bundle.json"))


@pytest.mark.slow
def test_a_current_folder_that_was_removed_is_told(tmp_path: Path, digit_net: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv.pop(1)); from edgerig.cli import main; main()"
    command = [sys.executable, "-c", code, str(gone), "bench", str(digit_net), "--dataset", "mnist", "--samples", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "The current folder does not exist any more" in done.stderr) == (2, True), done.stderr


def test_the_help_of_list_names_every_noun_and_breaks_none() -> None:
    text = CliRunner().invoke(cli, ["list", "--help"], terminal_width=60).output
    assert "list [OPTIONS] NOUN [NAME]" in text
    for noun in NOUNS:
        assert re.search(rf"[ ,]{noun}[,.]", text), noun


def test_list_tells_what_is_there_and_what_is_missing() -> None:
    rows = json.loads(edgerig("list", "datasets", "--json").stdout)
    assert {"mnist", "cifar10", "random", "folder", "npz", "pet"} <= {row["name"] for row in rows}
    assert all(row["installed"] or "pip install" in row["install"] for row in rows)


@pytest.mark.parametrize("noun", ["datasets", "models", "compilers", "runtimes", "targets"])
def test_every_setting_is_described(noun: str) -> None:
    for row in json.loads(edgerig("list", noun, "--json").stdout):
        assert row["summary"]
        for setting in row["settings"]:
            assert setting["description"], f"{noun} {row['name']} {setting['name']}"


@pytest.mark.slow
def test_doctor_looks_at_everything() -> None:
    done = edgerig("doctor", "--json")
    assert done.returncode == 0
    topics = {finding["topic"] for finding in json.loads(done.stdout)}
    assert {"Installation", "Datasets", "Runtimes", "Programs", "Folders", "This machine"} <= topics
