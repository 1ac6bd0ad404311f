"""What a long work says where standard error is no terminal."""

from __future__ import annotations

import pytest

from edgerig.cli import console


class Clock:
    """A clock that goes on where it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console.time, "monotonic", clock)
    return clock


def lines_of_tasks(capsys: pytest.CaptureFixture[str], clock: Clock, seconds: float) -> list[str]:
    """The lines of three tasks that last, and lie, ``seconds`` apart."""
    progress = console.ConsoleProgress()
    for number in range(3):
        clock.now += seconds
        with progress.task(f"epoch {number}", 1) as task:
            clock.now += seconds
            task.advance(1)
    return capsys.readouterr().err.splitlines()


def test_short_tasks_get_no_lines(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    assert lines_of_tasks(capsys, clock, 0.5) == []


def test_but_one_after_a_long_silence(
    capsys: pytest.CaptureFixture[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "WORTH_A_LINE", 5.0)
    lines = lines_of_tasks(capsys, clock, 4)
    # Ended at 8 and 16 s: the second end is the first that is 10 s after the last word, at 0 s.
    assert [line.split(":")[0] for line in lines] == ["epoch 1"]


def test_a_long_task_tells_every_ten_seconds_how_far_it_is(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with console.ConsoleProgress().task("kws01 accuracy", 1000) as task:
        task.advance(400, "")
        for second in range(1, 32):
            clock.now = float(second)
            task.advance(10, f"tst_{second:06}.bin")
    assert capsys.readouterr().err.splitlines() == [
        # 400 were there at the beginning: 100 in 10 s are 10 a second.
        "kws01 accuracy: 500 of 1,000, about 50 s left (tst_000010.bin)",
        "kws01 accuracy: 600 of 1,000, about 40 s left (tst_000020.bin)",
        "kws01 accuracy: 700 of 1,000, about 30 s left (tst_000030.bin)",
        "kws01 accuracy: done in 31.0 s (tst_000031.bin)",
    ]


def test_a_task_of_unknown_length_tells_what_it_has_done(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with console.ConsoleProgress().task("fetching") as task:
        clock.now = 12.0
        task.advance(2048)
    assert capsys.readouterr().err.splitlines()[0] == "fetching: 2,048"
