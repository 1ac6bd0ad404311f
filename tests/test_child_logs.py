"""What a child process logs is handled by its parent."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest

from edgerig import child_logs, logs
from edgerig.logs import Levels


def read(*lines: bytes, process: int | None = None) -> None:
    """Have a `PipeReader` read lines."""
    reader, writer = os.pipe()
    thread = child_logs.PipeReader(os.fdopen(reader, "rb"), process)
    with os.fdopen(writer, "wb") as pipe:
        pipe.writelines(lines)
    thread.join(20)
    assert not thread.is_alive()


def test_a_child_asks_for_what_its_parent_shows() -> None:
    for verbosity, libraries in (
        (logs.NORMAL, logging.CRITICAL),
        (logs.VERBOSE, logging.CRITICAL),
        (logs.DETAILED, logging.INFO),
    ):
        logs.configure(verbosity)
        wanted = child_logs.levels()
        logs.shutdown()
        assert wanted == Levels(logs.levels_of(verbosity).ours, libraries)


def test_records_come_through_a_pipe_with_name_level_time_and_process(caplog: pytest.LogCaptureFixture) -> None:
    program = (
        "import logging, sys; from edgerig import child_logs; from edgerig.logs import Levels\n"
        "child_logs.forward_to_pipe(int(sys.argv[1]), Levels(logging.INFO, logging.ERROR))\n"
        "logging.getLogger('edgerig.progress').info('half %s', 'done')\n"
        "logging.getLogger('edgerig.progress').debug('not asked for')\n"
        "logging.getLogger('a_library').warning('nor this')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: logging.getLogger('a_library').exception('this is')\n"
    )
    before = time.time()
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", program, str(writer)], pass_fds=(writer,))
    os.close(writer)
    with caplog.at_level(logging.INFO):
        thread = child_logs.PipeReader(os.fdopen(reader, "rb"), process.pid)
        assert process.wait(60) == 0
        thread.join(20)
    first, second = caplog.records
    assert (first.name, first.levelno, first.getMessage()) == ("edgerig.progress", logging.INFO, "half done")
    assert first.process == process.pid
    assert before <= first.created <= time.time()
    assert second.levelno == logging.ERROR
    assert "this is" in second.getMessage()
    assert "ZeroDivisionError" in second.getMessage()


@pytest.mark.parametrize(
    "line",
    [
        b"no json\n",
        b'["a", "b"]\n',
        b'[1e999, "edgerig", "x", 0]\n',
        b"\xff\xfe\n",
        b'[20, "edgerig", "' + b"x" * 10**6,
    ],
)
def test_nonsense_of_a_child_is_passed_over(line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        read(line, b"\n", b'[20, "edgerig", "and on", 0.0]\n')
    assert [record.getMessage() for record in caplog.records][-1] == "and on"
    assert all(len(record.getMessage()) < child_logs.LONGEST_RECORD for record in caplog.records)


def test_a_child_cannot_fill_the_log_nor_make_loggers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_logs, "MOST_RECORDS", 50)
    loggers = len(logging.root.manager.loggerDict)
    with caplog.at_level(logging.INFO):
        read(*(f'[20, "edgerig.made_up_{index}", "x", 0.0]\n'.encode() for index in range(80)))
    assert len(caplog.records) == 50
    assert len(logging.root.manager.loggerDict) == loggers


def test_a_time_that_cannot_be_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.VERBOSE)
    read(b'[20, "edgerig", "when", 1e300]\n', b'[20, "edgerig", "later", 0.0]\n')
    logs.shutdown()
    err = capsys.readouterr().err
    assert "later" in err
    assert "Traceback" not in err
