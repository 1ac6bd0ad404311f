"""``-v``, ``-q`` and ``--log-file`` on every command."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgerig.cli import cli
from edgerig.targets.resolve import target_for
from edgerig.testing import faults

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) +\S.*")


def commands(command: click.Command, ctx: click.Context, words: str = "edgerig") -> Iterator[tuple[str, click.Command]]:
    """A command and all that are below it."""
    yield words, command
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            member = command.get_command(ctx, name)
            assert member is not None
            yield from commands(member, click.Context(member, parent=ctx, info_name=name), f"{words} {name}")


ALL = dict(commands(cli, click.Context(cli, info_name="edgerig")))


def edgerig(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgerig", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)  # type: ignore[call-overload]


def test_the_walk_sees_commands_of_commands() -> None:
    assert {"edgerig run", "edgerig agent keys", "edgerig firmware build", "edgerig firmware console"} <= ALL.keys()


@pytest.mark.parametrize("words", ALL)
def test_every_command_has_the_options_and_explains_them(words: str) -> None:
    command = ALL[words]
    options = {option: parameter for parameter in command.params for option in parameter.opts}
    assert {"-v", "--verbose", "-q", "--quiet", "--log-file"} <= options.keys()
    names = [option for parameter in command.params for option in parameter.opts]
    assert len(names) == len(set(names)), "no option twice"
    text = command.get_help(click.Context(command, info_name=words))
    assert "-vv every" in " ".join(text.split())
    assert "Say nothing but errors" in " ".join(text.split())


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-v", "list", "datasets"], ["list", "datasets", "-vv"]])
def test_results_on_standard_output_are_as_without_the_options(words: list[str]) -> None:
    assert edgerig(*words).stdout == edgerig("list", "datasets").stdout


def test_json_stays_one_document_however_much_is_logged() -> None:
    done = edgerig("firmware", "boards", "--json", "-vvv")
    assert isinstance(json.loads(done.stdout), list)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-q", "inspect", "/nowhere/net.tflite"], ["inspect", "/nowhere/net.tflite", "-q"]])
def test_errors_are_as_without_quiet(words: list[str]) -> None:
    done = edgerig(*words)
    usual = edgerig("inspect", "/nowhere/net.tflite")
    assert (done.returncode, done.stderr) == (usual.returncode, usual.stderr)
    assert done.stderr.startswith("error: ")


def test_more_and_less_at_once_is_refused() -> None:
    done = edgerig("-v", "list", "datasets", "-q")
    assert done.returncode == 2
    assert "--verbose and --quiet exclude each other" in done.stderr


def test_the_log_file_tells_how_a_command_failed(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "edgerig.log"
    shown = edgerig("inspect", "/nowhere/net.tflite", "--log-file", str(path))
    edgerig("--log-file", str(path), "list", "nonsense")
    first, second = path.read_text().splitlines()
    assert " ERROR " in first
    assert "/nowhere/net.tflite" in first
    assert "nonsense" in second
    assert not any(LINE.fullmatch(line) for line in shown.stderr.splitlines()), "the terminal shows the error once"


@pytest.mark.parametrize("place", ["file/edgerig.log", "."])
def test_a_log_file_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    done = edgerig("list", "datasets", "--log-file", str(tmp_path / place))
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert str(tmp_path / place) in done.stderr


@pytest.mark.fresh_processes("Ctrl-C stops it")
def test_a_full_disk_ends_the_log_and_not_the_command() -> None:
    done = edgerig(
        "firmware", "build", "--board", "nonsense", "--model", "/x", "--out", "/x", "--log-file", "/dev/full"
    )
    assert "/dev/full cannot be written any more" in done.stderr
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_logs_its_sessions_and_what_their_processes_log_until_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    words = ["agent", "--listen", "127.0.0.1:0", "--runtime", faults.NAME, "--log-file", str(path)]
    agent = subprocess.Popen(
        [sys.executable, "-m", "edgerig", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert agent.stdout is not None
        address = agent.stdout.readline().split()[-1]
        target = target_for(address)
        target.open(faults.any_artifact(tmp_path), faults.NAME, {}).close()
        target.close()
        agent.send_signal(signal.SIGINT)
        out, err = agent.communicate(timeout=20)
    finally:
        agent.kill()
    assert out == ""
    for lines in (err.splitlines(), path.read_text().splitlines()):
        text = "\n".join(lines)
        positions = [text.index(words) for words in ("session begins", "has loaded anything", "session ended")]
        assert positions == sorted(positions)
        assert lines[-1].endswith("agent stopped")
    assert all(LINE.fullmatch(line) for line in err.splitlines())
    workers = set(re.findall(r"edgerig\.agent\.worker\[(\d+)\]", path.read_text()))
    assert workers
    assert str(agent.pid) not in workers


@pytest.mark.fresh_processes("Ctrl-C stops it")
@pytest.mark.slow
def test_ctrl_c_in_the_middle_is_the_last_line_of_the_log_file(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    words = ["train", "mnist-dscnn", "--dataset", "mnist", "--epochs", "500", "--train-samples", "300"]
    words += ["--out", str(tmp_path / "out"), "--log-file", str(path), "-vv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edgerig", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        # Each epoch is said to begin, however short it is.
        lines = iter(process.stderr.readline, "")
        first = next(line for line in lines if "epoch 2 of 500: begins" in line)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert LINE.fullmatch(first.rstrip())
    assert "error: " in err
    assert "Traceback" not in err
    last = path.read_text().splitlines()[-1]
    assert " ERROR " in last
    assert path.read_text().endswith("\n")
