"""What a long work says where standard error is no terminal."""

from __future__ import annotations

import pytest

from edgerig.cli import console


def lines_of_quick_tasks(capsys: pytest.CaptureFixture[str]) -> list[str]:
    progress = console.ConsoleProgress()
    for number in range(3):
        with progress.task(f"epoch {number}", 1) as task:
            task.advance(1)
    return capsys.readouterr().err.splitlines()


def test_short_tasks_get_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of_quick_tasks(capsys) == []


def test_but_one_after_a_long_silence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 700, 4))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(console, "WORTH_A_LINE", 5.0)
    lines = lines_of_quick_tasks(capsys)
    # Begun at 4 and 12 s, ended at 8 and 16 s: the second end is the first that is 10 s after the last word, at 0 s.
    assert [line.split(":")[0] for line in lines] == ["epoch 1"]
