"""A session's log: what it shows of a line, and what happens where it cannot be written."""

from pathlib import Path

import pytest

from edgerig.errors import StorageError
from edgerig.suites.mlperf_tiny.runner.transcript import REMEMBERED, Transcript


def test_each_line_has_its_time_and_its_side_and_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    with Transcript(tmp_path / "s" / "log.txt") as transcript:
        transcript.sent("name%")
        transcript.received(["m-name-dut-[x]", "\x1b[2Jm-ready"], 1e9)
        transcript.note("goes on")
    with Transcript(tmp_path / "s" / "log.txt") as transcript:
        transcript.note("again")
    lines = (tmp_path / "s" / "log.txt").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "> name%",
        "< m-name-dut-[x]",
        "< \\x1b[2Jm-ready",
        "# goes on",
        "# again",
    ]
    assert all(float(line.split(" ", 1)[0]) >= 0 for line in lines)


def test_the_last_lines_are_remembered_for_messages() -> None:
    transcript = Transcript()
    transcript.received([f"line {number}" for number in range(20)], 0.0)
    assert list(transcript.recent) == [f"line {number}" for number in range(20 - REMEMBERED, 20)]


def test_a_full_disk_is_told_as_such() -> None:
    transcript = Transcript(Path("/dev/full"))
    with pytest.raises(StorageError, match=r"/dev/full: No space left") as caught:
        transcript.note("x")
    assert "disk is full" in str(caught.value.hint)
    transcript.close()
