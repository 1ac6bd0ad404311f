"""The runner and a board that runs here: emulated numbers are told as such, and windows last the device's seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.needs import need
from tests.suites.mlperf_tiny.tiny_networks import seeded_sample

from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
from edgerig.errors import IncompatibleError, StorageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.progress import Progress
from edgerig.suites.mlperf_tiny.device.network import open_network
from edgerig.suites.mlperf_tiny.input_mistakes import open_reference
from edgerig.suites.mlperf_tiny.runner.run import run_session
from edgerig.suites.mlperf_tiny.runner.scoring import TOP1, metric
from edgerig.suites.mlperf_tiny.runner.settings import RunSettings

KEYWORDS = benchmark_named("kws01")
FILES = 12


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, network_files: dict[str, Path]) -> Path:
    """Samples, whose labels are what the network says of them on LiteRT, but for the last two."""
    root = tmp_path_factory.mktemp("samples")
    (root / "kws01").mkdir()
    network = open_network(KEYWORDS, network_files["kws01"], "litert", {"kernels": "reference"})
    lines = []
    for index in range(FILES):
        sample = seeded_sample(KEYWORDS, index)
        network.load(sample)
        network.infer(1)
        label = (int(np.argmax(network.results())) + int(index >= FILES - 2)) % 12
        (root / "kws01" / f"tst_{index}.bin").write_bytes(sample)
        lines.append(f"tst_{index}.bin, 12, {label}\n")
    network.close()
    (root / "kws01" / "y_labels.csv").write_text("".join(lines))
    return root


def settings(samples: Path, out: Path, network: Path, **changes: object) -> RunSettings:
    values = {"benchmark": KEYWORDS, "mode": "accuracy", "address": "sim:stm32f746", "data": samples, "out": out}
    return RunSettings(**{**values, "model": network, **changes})  # type: ignore[arg-type]


def test_accuracy_on_a_simulated_board_is_that_of_litert(
    samples: Path, network_files: dict[str, Path], tmp_path: Path
) -> None:
    summary = run_session(settings(samples, tmp_path / "run", network_files["kws01"]), Progress())
    assert summary.quality is not None
    accuracy = metric(summary.quality, TOP1)
    assert accuracy is not None
    assert accuracy.value == pytest.approx((FILES - 2) / FILES)
    assert (summary.device.name, summary.device.model) == ("edgerig", "kws01")
    assert any("emulated" in reason for reason in summary.invalid)
    assert not summary.by_the_rules


def test_answers_of_a_board_are_those_of_the_kernels_that_define_them(
    samples: Path, network_files: dict[str, Path], tmp_path: Path
) -> None:
    summary = run_session(settings(samples, tmp_path / "run", network_files["kws01"]), Progress())
    assert f"The device answers as its network does here on {FILES} of {FILES} files." in summary.warnings
    network = open_reference(KEYWORDS, network_files["kws01"])
    try:
        assert network.runtime.settings.kernels == "reference"
    finally:
        network.close()


@pytest.mark.slow
def test_a_session_does_not_go_on_with_another_network_on_the_same_board(
    samples: Path, network_files: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run_session(settings(samples, out, network_files["kws01"]), Progress())
    # As if it had been stopped right before its end.
    (out / "edgerig" / "summary.json").unlink()
    other = tmp_path / "other.tflite"
    other.write_bytes(network_files["kws01"].read_bytes() + bytes(16))
    with pytest.raises(StorageError, match="something else: its board or its network was another"):
        run_session(settings(samples, out, other), Progress())
    run_session(settings(samples, out, network_files["kws01"]), Progress())


@pytest.mark.slow
def test_times_of_a_simulated_board_are_modelled_with_their_error(
    samples: Path, network_files: dict[str, Path], tmp_path: Path
) -> None:
    run = settings(samples, tmp_path / "run", network_files["kws01"], mode="performance", window_seconds=0.02)
    summary = run_session(run, Progress())
    assert len(summary.windows) == 5
    assert all(window.seconds >= 0.02 for window in summary.windows)
    for number in (summary.throughput, summary.latency, summary.cold_start):
        assert isinstance(number, Measurement)
        assert (number.kind, number.bounds) == ("modelled", "model")
        assert number.low is not None
        assert number.high is not None
        assert number.low < number.value < number.high
    assert isinstance(summary.instructions, Measurement)
    assert summary.instructions.kind == "emulated"
    # No clock of this machine is held against the board's.
    assert summary.clock is not None
    assert summary.clock.drift is None
    assert not summary.problems
    assert any("emulated" in reason for reason in summary.invalid)
    assert not summary.by_the_rules


@pytest.mark.slow
def test_a_board_in_qemu_has_instructions_and_no_times(
    samples: Path, network_files: dict[str, Path], tmp_path: Path
) -> None:
    need("qemu-system-arm")
    changes = {"address": "qemu:mps2-an386", "mode": "performance", "window_seconds": 0.02}
    summary = run_session(settings(samples, tmp_path / "run", network_files["kws01"], **changes), Progress())
    assert isinstance(summary.throughput, Unavailable)
    assert isinstance(summary.latency, Unavailable)
    assert isinstance(summary.instructions, Measurement)
    assert summary.instructions.kind == "emulated"


def test_a_network_of_another_benchmark_is_refused_before_anything_runs(
    samples: Path, network_files: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleError, match="no network of kws01"):
        run_session(settings(samples, tmp_path / "run", network_files["ic01"]), Progress())
