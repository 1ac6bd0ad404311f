"""A board on a bad line is reset at random moments while a run goes on; the results must not change.

``EDGERIG_KILLS`` says how often, as in test_kills.
"""

import os
import random
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need

import edgerig
from edgerig.results.bundle import Bundle
from edgerig.testing.networks import dense_tflite_int8

#: On a bad line each costs several seconds.
RESETS = min(50, int(os.environ.get("EDGERIG_KILLS", "6")))
RATE = "0.0005"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The firmware as a program of this machine."""
    need("make", "cc")
    source = Path(__file__).parents[2] / "firmware"
    subprocess.run(["make", "-s", "-C", source, f"BUILD={tmp_path}", f"{tmp_path}/er_device"], check=True)
    return tmp_path / "er_device"


def board(program: Path, *options: str) -> tuple["subprocess.Popen[str]", str]:
    """The firmware on a pseudo-terminal, and its address."""
    process = subprocess.Popen([str(program), "--pty", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"serial://{process.stdout.readline().split()[-1]}?baud=4000000"


def rig(net: Path, address: str, samples: int) -> dict[str, Any]:
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [64], "samples": samples},
        "matrix": [{"runtimes": ["micro"], "targets": [address]}],
        "measure": {
            "samples": samples,
            "rounds": 1,
            "seconds": 0,
            "warmup": 4,
            "profile_samples": 4,
            "transport_samples": 2,
        },
    }


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("bad", [False, True], ids=["on a good line", "on a bad line"])
def test_no_reset_changes_a_result(tmp_path: Path, program: Path, bad: bool) -> None:
    net = dense_tflite_int8(tmp_path / "dense.tflite", 64, 10)
    samples = (40 if bad else 250) * RESETS
    faults = [word for kind in ("--drop", "--flip", "--insert", "--repeat") for word in (kind, RATE)] if bad else []
    process, address = board(program, "--slow", "5", *faults)
    resets, over, chance = 0, threading.Event(), random.Random(4)

    def torment() -> None:
        nonlocal resets
        while not list((tmp_path / "out").glob("cells")):
            if over.wait(0.01):
                return
        while resets < RESETS and not over.wait(chance.uniform(0, 4 if bad else 2)):
            process.send_signal(signal.SIGHUP)
            resets += 1

    thread = threading.Thread(target=torment)
    thread.start()
    try:
        (cell,) = edgerig.run(rig(net, address, samples), out=tmp_path / "out").cells
    finally:
        over.set()
        thread.join()
        process.kill()
        process.communicate()
    process, address = board(program)
    try:
        (calm,) = edgerig.run(rig(net, address, samples), out=tmp_path / "calm").cells
    finally:
        process.kill()
        process.communicate()
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    assert np.array_equal(arrays["scores"], Bundle(tmp_path / "calm").samples(calm.id)["scores"])
    assert len(arrays["times_ns"]) == samples
    print(f"{resets} resets; {len(cell.interruptions)} interruptions")
    assert cell.interruptions
