"""Trained networks out of a package, and what they predict on three engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import edgerig
from edgerig.cli import cli
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.errors import UnknownNameError, UsageError
from edgerig.models.files import open_artifact
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import graph_in
from edgerig.results.bundle import Bundle
from edgerig.suites.mlperf_tiny.networks import NETWORKS, network


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_published_parameters_and_macs(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(network(name))
    artifact = open_artifact(path)
    graph = graph_in(artifact.file_format, path)
    assert graph is not None
    analysis = analyse(graph)
    assert (analysis.parameters, analysis.macs) == (BENCHMARKS[name].parameters, BENCHMARKS[name].macs)
    # Of keywords it takes 50 rows of features, where the benchmark has 49.
    assert artifact.inputs[0].elements == (500 if name == "kws01" else BENCHMARKS[name].input_elements)


@pytest.mark.slow
def test_keywords_are_the_same_on_every_engine_prediction_by_prediction(tmp_path: Path) -> None:
    """LiteRT with the kernels that define the result, TFLite Micro, and C on the simulated board.

    TFLite Micro rounds twice where a dense layer is scaled back to int8, and the others once: a score may differ by one
    step of the softmax, 1/256.
    """
    spec = {
        "name": "kws",
        "model": {"use": "dscnn", "momentum": 0.8, "train": {"epochs": 3, "batch_size": 8, "learning_rate": 0.002}},
        "dataset": {"use": "mlperf-tiny-kws", "seeded": 5},
        "matrix": [
            {"compilers": ["int8"], "runtimes": [{"use": "litert", "kernels": "reference"}, "tflm"]},
            {"compilers": ["int8"], "runtimes": ["micro"], "targets": ["sim:stm32f746"]},
        ],
        "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
    }
    result = edgerig.run(spec, out=tmp_path / "run")
    scores = [np.load(Bundle(tmp_path / "run").cell(cell.id) / "samples.npz")["scores"] for cell in result.cells]
    assert [values.shape for values in scores] == [(60, 12)] * 3
    assert len(np.unique(scores[0].argmax(axis=1))) > 1, "the network tells samples apart"
    reference, micro, board = scores
    np.testing.assert_array_equal(board, reference)
    assert np.abs(micro - reference).max() <= 1 / 256
    two = np.sort(reference, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 2 / 256
    assert clear.sum() > 30
    np.testing.assert_array_equal(micro.argmax(axis=1)[clear], reference.argmax(axis=1)[clear])


@pytest.mark.slow
def test_a_network_is_fetched_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kws.tflite"
    done = CliRunner().invoke(cli, ["mlperf-tiny", "network", "kws01", "--out", str(path)])
    assert done.exit_code == 0, done.output
    assert path.read_bytes() == network("kws01")
    text = " ".join(done.stderr.split())
    assert "takes no samples of kws01, because its input is 50x10x1, not 49x10x1." in text
    done = CliRunner().invoke(cli, ["mlperf-tiny", "network", "ic01", "--out", str(tmp_path)])
    assert "takes no samples" not in done.stderr
    assert (tmp_path / "ic01.tflite").read_bytes() == network("ic01")
    done = CliRunner().invoke(cli, ["mlperf-tiny", "network", "ic01", "--out", str(tmp_path / "ic")])
    assert isinstance(done.exception, UsageError), "it is not written first, and refused then"
    assert not (tmp_path / "ic").exists()


def test_there_is_none_of_the_wake_word() -> None:
    with pytest.raises(UnknownNameError, match="sww01"):
        network("sww01")
