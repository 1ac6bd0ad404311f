import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgerig.cli.agent_command import command
from edgerig.errors import EdgerigError, SpecError, UnknownNameError, UsageError
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.line import Line

pytestmark = pytest.mark.fresh_processes("agents are stopped, and left by who has started them")


@pytest.fixture
def start():
    """Starts ``edgerig agent`` with options; ends what is left of it after the test."""
    started = []

    def begin(*options: str, **more) -> tuple[subprocess.Popen, str]:
        words = [sys.executable, "-m", "edgerig", "agent", "--listen", "127.0.0.1:0", *options]
        agent = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        started.append(agent)
        return agent, agent.stdout.readline()

    yield begin
    for agent in started:
        agent.kill()
        agent.communicate()


def test_it_tells_on_standard_output_where_it_listens_and_nothing_else(start):
    agent, line = start()
    assert line.startswith("listening on tcp://127.0.0.1:")
    assert not line.rstrip().endswith(":0")
    target_for(line.split()[-1]).check()
    agent.send_signal(signal.SIGINT)
    out, err = agent.communicate(timeout=20)
    assert out == ""
    assert "agent stopped" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_it_cleanly_in_the_middle_of_a_session(start, number, tmp_path):
    folder = tmp_path / "agent"
    agent, line = start("--folder", str(folder), "--runtime", faults.NAME)
    target = target_for(line.split()[-1])
    with target.open(faults.any_artifact(tmp_path), faults.NAME, {}):
        children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
        threads = [p.read_text().split() for p in Path(f"/proc/{agent.pid}/task").glob("*/children")]
        workers = {child for one in (children, *threads) for child in one}
        assert len(workers) == 1
        agent.send_signal(number)
        assert agent.wait(20) == 0
    assert not Path(f"/proc/{workers.pop()}").exists()
    # Fencing numbers outlive the agent; networks do not.
    assert {path.name for path in folder.iterdir()} <= {"agent.lock", "leases.json"}


@pytest.mark.parametrize("words", [["--idle", "nan"], ["--lease", "nan"], ["--idle", "inf"]])
def test_numbers_of_seconds_that_are_none_are_refused(words):
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2
    assert "no finite number" in result.output


@pytest.mark.parametrize(
    "words", [["--token-file", "token"], ["--tls", "keys"], ["--insecure"], ["--sessions", "2"], ["--lease", "5"]]
)
def test_serial_line_refuses_what_would_only_seem_to_guard_it(words):
    result = CliRunner().invoke(command, ["--listen", "serial:///dev/null", *words])
    assert isinstance(result.exception, UsageError)
    assert "serial line" in result.exception.message


def test_serial_agent_keeps_its_limits_and_its_folder(tmp_path):
    with Line() as line:
        words = ["--listen", f"serial://{line.device}", "--max-model", "100", "--folder", str(tmp_path / "new" / "own")]
        agent = subprocess.Popen(
            [sys.executable, "-m", "edgerig", "agent", "--runtime", faults.NAME, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert agent.stdout.readline().startswith("listening on serial://")
            assert (tmp_path / "new" / "own" / "agent.lock").exists()
            target = target_for(f"serial://{line.host}")
            artifact = faults.any_artifact(tmp_path, b"x" * 101)
            with pytest.raises(EdgerigError, match="101 B"):
                target.open(artifact, faults.NAME, {})
            target.open(faults.any_artifact(tmp_path, b"x" * 100), faults.NAME, {}).close()
        finally:
            agent.terminate()
            agent.communicate(timeout=20)
    assert agent.returncode == 0


def test_it_stops_when_its_starter_is_gone(start):
    agent, line = start("--until-eof", stdin=subprocess.PIPE)
    target_for(line.split()[-1]).check()
    agent.stdin.close()
    agent.stdin = None
    assert agent.wait(20) == 0


@pytest.mark.slow
def test_it_logs_sessions_for_people_unless_told_not_to(start, tmp_path):
    artifact = faults.any_artifact(tmp_path)
    for options, logged in (([], True), (["--quiet"], False)):
        agent, line = start("--runtime", faults.NAME, *options)
        target_for(line.split()[-1]).open(artifact, faults.NAME, {}).close()
        agent.terminate()
        assert ("session begins" in agent.communicate(timeout=20)[1]) is logged


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (["--listen", "0.0.0.0:0"], UsageError, "other machines"),
        (["--listen", "nonsense:port"], SpecError, "not an address"),
        (["--runtime", "litter"], UnknownNameError, "litter"),
        (["--runtime", "os:getcwd"], SpecError, "not a runtime"),
    ],
)
def test_wrong_options_are_refused_before_it_listens(arguments, error, text):
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, error)
    assert isinstance(result.exception, EdgerigError)
    assert text in str(result.exception)
    assert result.output == ""


def test_taken_port_is_one_message_and_an_exit_code(start):
    _, line = start()
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", line.split()[-1]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_gives_examples_and_every_option_a_text():
    text = CliRunner().invoke(command, ["--help"]).output
    assert "edgerig agent --listen" in text
    assert all(option.help for option in command.params)


def test_full_disk_at_the_agent_is_told(start, tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--folder", str(file / "below")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "fault of edgerig" not in done.stderr
