"""Log lines: which are shown, what they look like, and where they go when the log file cannot be written."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerig import logs
from edgerig.errors import StorageError

OURS, OTHERS = logging.getLogger("edgerig.somewhere"), logging.getLogger("a_library")
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) +(\S.*)")
FILE_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) +([\w.]+)\[\d+\]: (\S.*)"
)


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    yield
    logs.shutdown()
    assert logging.getLogger().level == logging.WARNING


def log_at_every_level() -> None:
    for logger in (OURS, OTHERS):
        for level in ("debug", "info", "warning", "error"):
            getattr(logger, level)("%s %s", logger.name.partition(".")[0], level)


@pytest.mark.parametrize(
    ("verbosity", "ours", "others"),
    [
        (logs.QUIET, "error", "error"),
        (logs.NORMAL, "warning error", "warning error"),
        (logs.VERBOSE, "info warning error", "warning error"),
        (logs.DETAILED, "debug info warning error", "info warning error"),
        (logs.EVERYTHING, "debug info warning error", "debug info warning error"),
    ],
)
def test_each_verbosity_shows_its_levels(
    verbosity: int, ours: str, others: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(verbosity)
    log_at_every_level()
    out, err = capsys.readouterr()
    assert out == ""
    matches = [LINE.fullmatch(line) for line in err.splitlines()]
    texts = [match[2] for match in matches if match]
    assert len(texts) == len(matches), "every line has time and level"
    assert [text.split()[-1] for text in texts if "a_library" not in text] == ours.split()
    assert [text.split()[-1] for text in texts if "a_library" in text] == others.split()


@pytest.mark.parametrize(
    ("verbosity", "least"), [(logs.QUIET, "info"), (logs.NORMAL, "info"), (logs.VERBOSE, "info"), (2, "debug")]
)
def test_the_file_holds_at_least_what_is_done_however_little_is_shown(
    tmp_path: Path, verbosity: int, least: str
) -> None:
    path = tmp_path / "new" / "edgerig.log"
    for _ in range(2):
        logs.configure(verbosity, path)
        log_at_every_level()
        logs.shutdown()
    matches = [FILE_LINE.fullmatch(line) for line in path.read_text().splitlines()]
    ours = [match[1] for match in matches if match and match[2] == "edgerig.somewhere"]
    assert all(matches)
    assert ours[0] == least.upper()
    assert len(ours) == 2 * (4 if least == "debug" else 3), "the second run stands behind the first"


def test_nothing_is_shown_any_more_after_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.EVERYTHING)
    logs.shutdown()
    log_at_every_level()
    assert capsys.readouterr().err == ""


def test_no_message_passes_for_a_line_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "edgerig.log"
    logs.configure(logs.VERBOSE, path)
    OURS.info("a device called %s", "x\n2026-01-01 00:00:00 ERROR all is lost\x1b[2J\r")
    for lines in (capsys.readouterr().err.splitlines(), path.read_text().splitlines()):
        assert len(lines) == 1
        assert "a device called x 2026-01-01 00:00:00 ERROR all is lost\\x1b[2J" in lines[0]


def test_a_traceback_stands_below_its_line_indented(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.NORMAL)
    try:
        raise ValueError("nonsense")
    except ValueError:
        OURS.exception("it failed")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR   it failed")
    assert rest[-1] == "    ValueError: nonsense"
    assert all(line.startswith("    ") for line in rest)


def test_arguments_that_do_not_fit_the_message_are_no_failure() -> None:
    record = OTHERS.makeRecord("a_library", logging.WARNING, "", 0, "%d samples", ("many",), None)
    assert logs.text_of(record).startswith("'%d samples' (")


def test_warnings_of_libraries_are_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(logs.NORMAL)
        warnings.warn("old-fashioned", UserWarning, stacklevel=1)
        logs.shutdown()
    err = capsys.readouterr().err
    assert LINE.fullmatch(err.rstrip())
    assert "UserWarning: old-fashioned" in err


@pytest.mark.parametrize("name", [".", "file/edgerig.log"])
def test_a_file_that_cannot_be_written_is_refused_and_all_stays_as_it_was(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    logs.configure(logs.VERBOSE)
    with pytest.raises(StorageError, match="Cannot write the log file") as caught:
        logs.configure(logs.NORMAL, tmp_path / name)
    assert "--log-file" in caught.value.hint
    OURS.info("as before")
    assert "as before" in capsys.readouterr().err


def test_a_disk_that_becomes_full_is_said_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.QUIET + 1, Path("/dev/full"))
    for _ in range(3):
        OURS.warning("word")
    err = capsys.readouterr().err
    assert err.count("/dev/full cannot be written any more: No space left on device") == 1
    assert err.count("WARNING word") == 3


def test_what_is_parsed_is_what_was_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.VERBOSE)
    OURS.warning("a word")
    assert logs.parsed(capsys.readouterr().err) == (logging.WARNING, "a word")
    assert logs.parsed("listening on tcp://x:1\n") == (logging.INFO, "listening on tcp://x:1")


def test_a_log_line_does_not_garble_a_progress_display() -> None:
    """On a terminal: the line is whole, on a line of its own, and the display goes on below it."""
    program = (
        "import logging; from edgerig import logs; from edgerig.cli.console import ConsoleProgress\n"
        "logs.configure(logs.VERBOSE)\n"
        "with ConsoleProgress().task('measuring', 10) as task:\n"
        "    task.advance(3, 'three')\n"
        "    logging.getLogger('edgerig.test').info('a line in between')\n"
        "    task.advance(7, 'ten')\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([sys.executable, "-c", program], stderr=theirs, env=environment)
    os.close(theirs)
    output = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        output += part
    os.close(ours)
    assert process.wait(60) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode())
    lines = [line.strip() for line in re.split(r"[\r\n]+", plain)]
    assert [line for line in lines if "a line in between" in line and LINE.fullmatch(line)]
    assert [line for line in lines if line.startswith("measuring") and "10/10" in line]
