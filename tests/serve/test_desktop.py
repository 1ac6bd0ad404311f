"""The window to draw digits in, on a screen of its own: used by mouse and keys, from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need, need_module

from edgerig.serve import drawing
from edgerig.testing import networks

EDGERIG = str(Path(sys.executable).parent / "edgerig")


@pytest.fixture(scope="module")
def screen() -> Iterator[dict[str, str]]:
    """The environment of programs on a screen that nobody looks at."""
    need("Xvfb", "xdotool")
    need_module("tkinter", "a Python with Tk; Debian's is python3-tk")
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as numbers:
        display = numbers.readline().strip()
    yield {**os.environ, "DISPLAY": f":{display}"}
    server.terminate()
    server.wait()


@pytest.fixture
def start(screen: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `edgerig digits draw` there."""
    processes = []

    def run(*words: str) -> subprocess.Popen[str]:
        command = [EDGERIG, "digits", "draw", *words]
        processes.append(subprocess.Popen(command, env=screen, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


Start = Callable[..., "subprocess.Popen[str]"]


class Desk:
    """What a user does."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.window = ""

    def do(self, *words: str) -> str:
        done = subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def find(self) -> None:
        self.window = self.do("search", "--sync", "--onlyvisible", "--name", "Draw a digit").split()[0]
        self.do("windowfocus", "--sync", self.window)

    @property
    def title(self) -> str:
        return self.do("getwindowname", self.window)

    def draw(self, points: list[tuple[int, int]]) -> None:
        """Drag the mouse along lines, in pixels of the paper. Its corner is that of the window, plus 12 and an edge."""

        def at(point: tuple[int, int]) -> list[str]:
            return ["mousemove", "--window", self.window, *(str(round(14 + 1.6 * number)) for number in point)]

        words = [*at(points[0]), "mousedown", "1"]
        for point in points[1:]:
            words += [*at(point), "sleep", "0.2"]
        self.do(*words, "mouseup", "1")


def until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not become so")


@pytest.mark.slow
def test_a_digit_is_drawn_asked_and_saved(screen: dict[str, str], start: Start, tmp_path: Path) -> None:
    net = networks.dense_tflite(tmp_path / "digits.tflite", 784, 10, gain=5.0)
    process = start("--model", str(net), "--out", str(tmp_path))
    desk = Desk(screen)
    desk.find()
    desk.draw([(60, 50), (190, 50), (110, 210)])
    until(lambda: desk.title != "Draw a digit")
    for key, suffix in (("t", ".txt"), ("p", ".png"), ("h", ".h")):
        desk.do("key", f"ctrl+{key}")
        until((tmp_path / f"digit{suffix}").exists)
    seen = np.loadtxt(tmp_path / "digit.txt") * 255
    ideal = drawing.picture([[(60, 50), (190, 50), (110, 210)]])
    assert np.abs(seen - ideal).mean() < 3
    weights, bias = networks.dense_weights(784, 10)
    until(lambda: desk.title == f"{int((5 * weights @ (seen.ravel() / 255) + bias).argmax())} - Draw a digit")
    # A stroke is taken back; the keys draw another; a name that is taken is not used again.
    desk.do("key", "BackSpace")
    until(lambda: desk.title == "Draw a digit")
    desk.do("key", "--delay", "5", "space", *["Right"] * 8, *["shift+Down"] * 3, "space", "Left", "ctrl+t")
    until((tmp_path / "digit-2.txt").exists)
    by_keys = [(125 + 5 * n, 125) for n in range(9)] + [(165, 145), (165, 165), (165, 185)]
    assert np.array_equal(np.round(np.loadtxt(tmp_path / "digit-2.txt") * 255), drawing.picture([by_keys]))
    desk.do("windowclose", desk.window)
    assert "Traceback" not in process.communicate(timeout=30)[1]


@pytest.mark.slow
def test_ctrl_c_closes_the_window(screen: dict[str, str], start: Start, tmp_path: Path) -> None:
    process = start("--out", str(tmp_path))
    Desk(screen).find()
    process.send_signal(2)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped." in error
    assert "Traceback" not in error


def test_without_a_screen_the_way_out_is_named() -> None:
    need_module("tkinter", "a Python with Tk; Debian's is python3-tk")
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    done = subprocess.run([EDGERIG, "digits", "draw"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no screen to open a window on" in done.stderr
    assert "edgerig serve MODEL" in done.stderr


def test_a_target_without_a_network_is_refused() -> None:
    words = [EDGERIG, "digits", "draw", "--target", "local"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Name it with --model" in done.stderr
