"""A device and a host that were written from docs/wire.md alone, each with edgerig's own other side, over sockets."""

import ast
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edgerig
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite

EXAMPLE = Path(__file__).parents[2] / "examples" / "wire"
LEAST, ALL = "3,4,5,6,7", "3,4,5,6,7,8,9,10,11,12,14"


@contextlib.contextmanager
def listening(*words: str) -> Iterator[str]:
    """A program that says where it listens; its address."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


def plain_device(*options: str):
    return listening(str(EXAMPLE / "device.py"), "--port", "0", *options)


def test_they_know_nothing_of_edgerig():
    for path in EXAMPLE.glob("*.py"):
        names = [
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names])
        ]
        allowed = {*sys.stdlib_module_names, "frames", "mp"}
        assert {name.partition(".")[0] for name in names} <= allowed, path


@pytest.mark.parametrize("kinds", [ALL, LEAST, LEAST + ",8", LEAST + ",8,9", "3,4,5,6,7,8,11"])
@pytest.mark.parametrize("protocol", ["run", "stepwise"])
def test_the_host_runs_samples_on_a_plain_device_of_any_kinds(tmp_path, kinds, protocol):
    with plain_device("--kinds", kinds) as address:
        target = target_for(address, {"protocol": protocol, "timeout": 20})
        target.check()
        artifact = faults.any_artifact(tmp_path)
        x = [np.arange(120, dtype=np.float32).reshape(30, 4)]
        with target.open(artifact, "toy", {}) as session:
            np.testing.assert_array_equal(session.run(x).outputs[0], x[0] * 2)
            assert session.protocol == ("run" if protocol == "run" and "9" in kinds.split(",") else "stepwise")
            memory = session.memory()
            assert isinstance(memory.get("arena"), Measurement) == ("11" in kinds.split(","))
            assert isinstance(session.profile(x), Unavailable)
            assert session.machine().host in ("toy", address)
            assert session.check_clock(x) is None
        target.close()


@pytest.mark.parametrize("options", [[], ["--window", "0"], ["--window", "4000000000"], ["--no-machine"]])
def test_windows_and_a_machine_that_is_nil(tmp_path, options):
    with plain_device(*options) as address:
        target = target_for(address, {"timeout": 20})
        x = [np.arange(40_000, dtype=np.float32).reshape(10_000, 4)]
        with target.open(faults.any_artifact(tmp_path), "toy", {}) as session:
            np.testing.assert_array_equal(session.run(x).outputs[0], x[0] * 2)
            assert session.machine().cores == (0 if "--no-machine" in options else 1)
        target.close()


@pytest.mark.parametrize("options", [["--kinds", ALL], ["--kinds", LEAST, "--no-machine"], ["--kinds", LEAST + ",8"]])
def test_a_plain_device_is_measured_and_reported(tmp_path, options):
    net = dense_tflite(tmp_path / "net.tflite", 4, 4)
    with plain_device(*options) as address:
        rig = {
            "name": "plain",
            "model": {"file": str(net)},
            "dataset": {"use": "random", "shape": [4], "samples": 50},
            "matrix": [{"runtimes": [FAULTY], "targets": [address]}],
            "measure": {"samples": 50, "rounds": 1, "seconds": 0, "patience": 0},
        }
        (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    assert isinstance(cell.latency.steady, Measurement)
    assert cell.latency.steady.kind == "measured"
    assert isinstance(cell.layers, Unavailable)
    assert ("arena" in cell.memory) == (options[1] == ALL)
    from edgerig.report import write_report

    write_report([tmp_path / "out"], tmp_path / "report.html")
    assert "not told" in (tmp_path / "report.html").read_text()


def test_a_plain_host_measures_a_network_on_the_agent(tmp_path):
    net = dense_tflite(tmp_path / "net.tflite", 8, 4)
    with listening("-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--quiet", "--runtime", "litert") as address:
        words = [str(EXAMPLE / "host.py"), str(net), "--port", address.rpartition(":")[2], "--samples", "200"]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "loaded: litert" in done.stdout
    assert re.search(r"median: [1-9]\d* ns of 200", done.stdout)
    assert "same outputs both ways: yes" in done.stdout


def test_a_plain_host_measures_on_a_plain_device_and_is_told_what_is_refused(tmp_path):
    net = tmp_path / "net.tflite"
    net.write_bytes(b"anything")
    with plain_device("--kinds", LEAST + ",8") as address:
        words = [str(EXAMPLE / "host.py"), str(net), "--port", address.rpartition(":")[2], "--runtime", "toy"]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)
    assert "same outputs both ways: yes" in done.stdout, done.stderr
    with listening("-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--quiet", "--runtime", "litert") as address:
        words = [str(EXAMPLE / "host.py"), str(net), "--port", address.rpartition(":")[2]]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)
    assert "error 27" in done.stderr
